"""How WRMSR, RDMSR and RDPMC find the register of a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from models.hardware.constants import known
from verify.ir.machine import Machine

Entry = TypeVar("Entry")


def dispatch(
    m: Machine,
    number: Any,
    table: Mapping[int, Entry],
    run: Callable[[str, Entry], Any],
    value: Any,
) -> tuple[Any, Any]:
    """Run the access of the entry for `number` (32 bits), each under its condition and told its
    number as text. What the access gives, else `value`; and whether there is no such entry."""
    constant = known(number)
    other = m.flag(True)
    for candidate, entry in table.items():
        if constant is None or constant == candidate:
            hit = number.eq(candidate)
            other = other & ~hit
            with m.when(hit):
                found = run(f"{candidate:#x}", entry)
            if found is not None:
                value = m.ite(hit, found, value)
    return value, other
