"""Contracts: what stands for a function whose C is not executed, and how inputs are named.

Every executor calls contracts in the same way and gives each input the same name, so that the
inputs that a solver found on terms can be fed to a run on numbers.

The name of an input is `phase/frame/.../label`. A frame is a call that is being executed
(`callee:line`, the line of the call; also for a call that a contract answers, and for
`Machine.call`, whose line is that of the statement being executed, or 0 outside the tree) or a
round of a loop (`@line#round`, from 0; its test and step belong to it). A frame or label that
comes again in the same place gets `~1`, `~2`, ...; a `Machine.call` under conditions that do not
hold counts too, and so does a `fresh`.

Two names have no place:
- `init/<cell path>`: a cell read before it was ever assigned.
- a local declared without a value is labelled `undef/<local>` at its declaration; a part of it
  read before it was assigned adds the part's path to that name (`.../undef/attr.config`).
What such an input gives for a `_Bool` is read as `!= 0`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from verify.ir.machine import Machine
from verify.ir.nodes import Loc
from verify.ir.types import Type


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call that a contract answers.

    `args` are evaluated: values, addresses (None for a null pointer that is known to be one),
    and `str` for a string literal or a function's name. `result` is the type that the caller
    expects and `loc` the place of the call.
    """

    name: str
    args: tuple[Any, ...]
    result: Type
    loc: Loc


Contract = Callable[[Machine, CallSite], Any]
"""Answers a call with a value of the width of `CallSite.result`, an address, or None (no value;
for a pointer: NULL). Arguments of a width other than the prototype's are the front-end's defect.
"""


class Names:
    """Names of inputs by their place in the run (the rule is this module's docstring)."""

    __slots__ = ("_count", "_place", "_places")

    def __init__(self) -> None:
        self._place = ""
        self._places: list[str] = []
        self._count: dict[str, int] = {}

    def begin(self, phase: str) -> None:
        """Start a phase; the names of an earlier one of that name come again."""
        self._place = phase + "/"
        self._places.clear()
        self._count.clear()

    def enter(self, frame: str) -> None:
        """Go into a call or a round of a loop."""
        self._places.append(self._place)
        self._place = self.label(frame) + "/"

    def leave(self) -> None:
        """Go back to where the matching `enter` was."""
        self._place = self._places.pop()

    def label(self, label: str) -> str:
        """The full name of an input made here; also used up when the input is not needed."""
        name = self._place + label
        again = self._count.get(name, 0)
        self._count[name] = again + 1
        return f"{name}~{again}" if again else name
