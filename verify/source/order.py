"""Where C leaves the order of evaluation open: is an order from left to right as good as any?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from verify.ir.nodes import Expr, Load, LValue
from verify.source.build import Unsupported


def check_order(
    left_writes: list[LValue], left: Expr, right_writes: list[LValue], right: Expr
) -> None:
    """Unsupported when one operand assigns what the other reads or assigns.

    Calls count as neither: their order is open too, but the kernel does not depend on it.
    """
    if any(lvalue in right_writes for lvalue in left_writes):
        raise Unsupported("an object is changed twice in one expression")
    for writes, other in ((left_writes, right), (right_writes, left)):
        if writes and any(lvalue in writes for lvalue in _reads(other)):
            raise Unsupported("an object is changed and read in one expression")


def _reads(value: Any) -> Iterator[LValue]:
    """All lvalues that are loaded within an expression."""
    if isinstance(value, Load):
        yield value.lvalue
    if isinstance(value, tuple):
        for part in value:
            yield from _reads(part)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _reads(getattr(value, field.name))
