"""The line with which a reply begins what it quotes: "On Wed, Nov 25, 2026, NAME wrote:"."""

from __future__ import annotations

import email.utils
import re
import unicodedata
from collections.abc import Sequence

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST = 200
_WROTE = re.compile(r"On .*\d.*, .* wrote:")


def of_mail(sender: str | None, address: str, date: str | None) -> str:
    """From the name and address of its From header and its Date header; "" when that is not enough.

    A name that plain ASCII cannot show gives way to the address.
    """
    names = (_ascii(text) for text in (sender or "", address))
    name = next((name for name in names if name), "")
    try:
        day = email.utils.parsedate_to_datetime(date or "")
    except (ValueError, TypeError, OverflowError):  # as hostile dates are found to do
        return ""
    when = f"{_DAYS[day.weekday()]}, {_MONTHS[day.month - 1]} {day.day:02}, {day.year:04}"
    return f"On {when}, {name} wrote:" if name else ""


def in_reply(lines: Sequence[str]) -> str:
    """What a reply, given up to its first quoted line, says of the mail that it quotes, on one line
    or two; "" if nothing."""
    before = [line for line in lines if line.strip()]
    for count in (1, 2):
        text = _ascii(" ".join(before[-count:]))
        if _WROTE.fullmatch(text):
            return text
    return ""


def _ascii(text: str) -> str:
    """One line without accents; "" for a text that then is not plain ASCII, or is very long."""
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    plain = " ".join("".join(letters).split())
    return plain if plain.isascii() and len(plain) <= _LONGEST else ""
