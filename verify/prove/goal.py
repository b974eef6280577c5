"""A question to a solver and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from verify.encode.term import Term

T = TypeVar("T")
SAT, UNSAT, UNKNOWN = "sat", "unsat", "unknown"


@dataclass(frozen=True, slots=True)
class Goal:
    """Can all `assertions` hold at once?

    `wanted`: the variables whose values the answer gives when they can, by name; None for all
    that occur, () when the status is enough. The bound `hi` of a variable is one more assertion.
    `alternatives`: if given, the question is which of these can hold with the assertions, each on
    its own; one solver finds out much faster than from as many goals. There is no model then.
    `subjects`: of each alternative a number, when one that can hold is enough to know of those
    that have the same number: then all of them may be called possible.
    `wishes`: what the model should meet as well, the most important first.
    """

    name: str
    assertions: tuple[Term, ...]
    wanted: tuple[str, ...] | None = ()
    alternatives: tuple[Term, ...] | None = None
    subjects: tuple[int, ...] | None = None
    wishes: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """`status`: sat, unsat or unknown.

    `model`: values by variable for sat; one that is wanted and missing does not matter (0 will
    do). `reason`: why unknown, else empty. `seconds`: wall time. `solver`: whose word it is;
    "simplifier" when the terms had shrunk to a constant, empty for unknown. `possible`: the
    indices of the alternatives that can hold, or of whose subject one can (sat when there are
    any); `undecided`: those of which
    nobody knows (unknown when there are any; all, when it does not say which).
    """

    status: str
    model: dict[str, int] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    solver: str = ""
    possible: frozenset[int] = frozenset()
    undecided: frozenset[int] = frozenset()

    def not_excluded(self, items: Sequence[T]) -> list[T]:
        """Those of the items, one for each alternative, whose alternative may hold."""
        if self.status == UNKNOWN and not self.undecided:
            return list(items)
        return [items[i] for i in sorted(self.possible | self.undecided)]
