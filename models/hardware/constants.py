"""Constants among the values of a machine."""

from __future__ import annotations

from typing import Any


def known(value: Any) -> int | None:
    """The number of a constant, None for a term that is not one."""
    number = value.value if getattr(value, "op", "const") == "const" else None
    assert number is None or isinstance(number, int)
    return number
