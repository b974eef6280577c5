"""Text that came from elsewhere (mails, kernel sources), made safe for a terminal."""

from __future__ import annotations

import unicodedata


def clean(text: str) -> str:
    """One line without control and direction characters: a mail must not steer the terminal.

    Tabs and line ends become blanks, other such characters their escape (`\\x1b`).
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def code(text: str) -> str:
    """As `clean`, but tabs stay: a line of source as it is."""
    return "\t".join(map(clean, text.split("\t")))


def _shown(char: str) -> str:
    if char in "\t\n\r":
        return " "
    # Cc control, Cf format (direction), Cs lone surrogate, Zl/Zp line and paragraph separators.
    if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return char.encode("unicode_escape").decode("ascii")
    return char
