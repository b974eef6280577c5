"""What a property is to the provers: bad states of one cycle, in one run or in two."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verify.encode.term import Term
from verify.ir.machine import Machine


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which inputs two runs of a cycle do not share, by the name of the variable.

    `secret` selects, by base name, the variables that get a copy in the second run. `title` says
    who must not learn what.
    """

    title: str
    secret: Callable[[str], bool]


SECOND = "'2"

Probe = Callable[[Machine], tuple[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Violation:
    """One way to break a property, over the variables of one cycle.

    `register`: the register copy concerned. `phase`: the point of the cycle after which it shows.
    `bad`: holds exactly in violating cycles; with `pair`, the variables of the second run carry
    the suffix SECOND. `expected` and `observed` give the two values that differ.
    `assumes`: what else the inputs satisfy. With `pair` it compares two runs.
    `probe(machine)` looks for the violation in a concrete run at that point: (relevant, observed,
    expected), expected None when the second run gives it.
    `late`: the register whose write comes too late, when that is what the rule is about.
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


@dataclass(frozen=True, slots=True)
class Property:
    """A named property: proved when none of its violations can happen in any reachable cycle.

    `premise`: some term that must be reachable for the proof to speak of anything, in words
    `premise_text`. `consequence`: violations that show what a broken rule leads to. `chain`, if given, makes this a property of two vCPUs, one after the other on
    one CPU: `violations` are then what the first leaves in hardware, and `chain(equal)` are the
    violations of the second when the cells in `equal` do not depend on the first.
    """

    name: str
    family: str
    statement: str
    violations: tuple[Violation, ...]
    premise: Term
    premise_text: str
    consequence: tuple[Violation, ...] = ()
    chain: Callable[[frozenset[str]], Sequence[Violation]] | None = None


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
