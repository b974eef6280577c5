"""What a property is to the provers: bad states of one cycle, in one run or in two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verify.encode.switch import STATE
from verify.encode.term import Term
from verify.ir.machine import Machine

SECOND = "'2"
"""The suffix of the second run's variables."""

READ = "read"
"""The point of a violation that shows in an emulated read at the host phase."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which inputs and state cells two runs of a cycle do not share.

    `secret` selects, by name, the variables that get a copy in the second run. `title` says who
    must not learn what.
    """

    title: str
    secret: Callable[[str], bool]

    def with_cells(self, cells: Iterable[str]) -> Pairing:
        """These state cells differ between the runs as well."""
        names = frozenset(STATE + cell for cell in cells)
        return Pairing(self.title, lambda name: name in names or self.secret(name))


Probe = Callable[[Machine], tuple[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Violation:
    """One way to break a property, over the variables of one cycle.

    `register`: the register copy concerned. `phase`: the point of the cycle after which it shows,
    or READ. `bad`: holds exactly in violating cycles; with `pair`, which compares two runs, the
    variables of the second run carry the suffix SECOND. `expected` and `observed` give the two
    values that differ. `assumes`: what else the inputs satisfy.
    `probe(machine)` looks for the violation in a concrete run at that point: (relevant, observed,
    expected), expected None when the second run gives it.
    `late`: the register whose write comes too late, when that is what the rule is about. `way`: by
    which of the register's reads it shows.
    """

    register: str
    phase: str
    bad: Term
    expected: Term
    observed: Term
    text: str
    probe: Probe
    assumes: tuple[Term, ...] = ()
    pair: Pairing | None = None
    late: str = ""
    way: int = 0


Unaffected = Callable[[Pairing, Sequence[str]], frozenset[str]]
"""Which of these state cells are equal in both runs at every host phase, given that they are at
the first one: the rest may carry a secret from one cycle to the next."""


@dataclass(frozen=True, slots=True)
class Property:
    """A named property: proved when none of its violations can happen in any reachable cycle.

    `premise`: some term that must be reachable for the proof to speak of anything, in words
    `premise_text`. `consequence`: violations that show what a broken rule leads to. `after`, if
    given, makes this a property of two vCPUs, one after the other on one CPU: the first runs with
    its secrets by this pairing, and the violations are the second one's.
    """

    name: str
    family: str
    statement: str
    violations: Callable[[Unaffected], Sequence[Violation]]
    premise: Term
    premise_text: str
    consequence: tuple[Violation, ...] = ()
    after: Pairing | None = None


def simply(violations: Sequence[Violation]) -> Callable[[Unaffected], Sequence[Violation]]:
    """Violations in which no secret travels through cells."""
    return lambda unaffected: violations


class MachineCells(Mapping[str, Any]):
    """The cells of a machine as a mapping, for functions that read a snapshot."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __getitem__(self, name: str) -> Any:
        return self._machine.get(name)

    def __iter__(self) -> Iterator[str]:
        raise TypeError("cells of a machine cannot be listed")

    def __len__(self) -> int:
        raise TypeError("cells of a machine cannot be counted")
