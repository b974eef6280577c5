"""What a property is to the provers: bad states within one step, in one run or in two."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from verify.encode.term import Term
from verify.ir.machine import Machine

SECOND = "'2"
"""The suffix of the second run's variables."""

READ = "read"
"""The point of a violation that shows in an emulated read, at home."""

VALUE, CHECK, REFUSED, FAULTS = "value", "check", "refused", "faults"
EMULATED = "emulated"
"""What a violation is about: an observer finds another value than it must, a phase leaves something
else than a rule says, a write is refused, or faults when it is loaded, or something that the kernel
emulates has another effect than it must."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which inputs and state cells two runs do not share.

    `secret` selects, by name, the variables that get a copy in the second run; of state cells it
    speaks of those at home, until `Agreement` says more. `title` says who must not learn what.
    `lasting`: prefixes of the cells that the runs agree on at home because the property is about
    the first step after which they do not. `assumes`: what holds of the variables of both runs.
    """

    title: str
    secret: Callable[[str], bool]
    lasting: tuple[str, ...] = ()
    assumes: tuple[Term, ...] = ()


BREAKS = "breaks "
"""How the operations begin by which traces show where a rule on what happens is broken."""

Probe = Callable[[Machine], tuple[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Violation:
    """One way to break a property, over the variables of one step.

    `register`: the register copy concerned. `phase`: the point of the step after which it shows,
    or READ. `bad`: holds exactly in violating steps; with `pair`, which compares two runs, the
    variables of the second run carry the suffix SECOND. `expected` and `observed` give the two
    values that differ. `assumes`: what else the inputs satisfy.
    `probe(machine)` looks for the violation in a concrete run at that point: (relevant, observed,
    expected), expected None when the second run gives it.
    `late`: the register whose write comes too late, when that is what the rule is about. `way`: by
    which of the register's reads it shows. `kind`: VALUE, CHECK, REFUSED, FAULTS or EMULATED.
    `follows`: the register of which `register`, a cell of the kernel, must have the value. `rule`:
    the operation by which traces show where a rule on what happens is broken.
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
    kind: str = VALUE
    follows: str = ""
    rule: str = ""

    @property
    def place(self) -> str:
        """What it is about, to tell it from the property's other violations."""
        return self.register or self.rule


Agree = Callable[[Pairing, str], Pairing]
"""The pairing for runs that start where the step begins that this phase (or READ) belongs to: the
state cells in which the runs may differ there are secret."""


@dataclass(frozen=True, slots=True)
class Property:
    """A named property: proved when none of its violations can happen in any reachable cycle.

    `premise`: some term that must be reachable in a phase for the proof to speak of anything, in
    words `premise_text`; `prepared`: only after accesses at home. `consequence`: violations that
    show what a broken rule leads to. `after`, if given, makes this a property of two vCPUs, one
    after the other on one CPU: the first runs with its secrets by this pairing, and the violations
    are the second one's.
    """

    name: str
    family: str
    statement: str
    violations: Callable[[Agree], Sequence[Violation]]
    premise: tuple[str, Term]
    premise_text: str
    consequence: Callable[[Agree], Sequence[Violation]] = lambda agree: ()
    after: Pairing | None = None
    prepared: bool = False


def apart(prop: Property, places: Collection[str]) -> Property:
    """The property less its violations at these places."""

    def rest(agree: Agree) -> list[Violation]:
        return [v for v in prop.violations(agree) if v.place not in places]

    return replace(prop, violations=rest)


def simply(violations: Sequence[Violation]) -> Callable[[Agree], Sequence[Violation]]:
    """Violations in single runs."""
    return lambda agree: violations


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
