"""What is known of one property without proving it: `msrproof explain`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify.inputs import find_target, tree_of
from verify.prove.property import READ, Pairing, Property
from verify.relations import every_property, program_of
from verify.request import Request, require_known
from verify.target import Assumption, Fact, Parameter


@dataclass(frozen=True, slots=True)
class Place:
    """Where a property is looked at: after a phase, on these registers (none: it is about what
    happens); `text`: what is then wrong."""

    phase: str
    registers: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class About:
    """A property in words. `compares`: for one of two runs, who must not learn what. `needs`: what
    a tree must be able to do, or the property speaks of nothing."""

    property: str
    family: str
    statement: str
    compares: str
    places: tuple[Place, ...]
    needs: str
    parameters: tuple[Parameter, ...]
    assumptions: tuple[Assumption, ...]
    facts: tuple[Fact, ...]


def about(request: Request, name: str) -> About:
    """The property of that name in the tree that is asked for. BadInput when it has none."""
    program = program_of(tree_of(request), find_target(request.target), request.defines)
    properties = {p.name: (p, s.target) for s, p in every_property(request, program)}
    require_known("explain", name, properties)
    prop, target = properties[name]
    violations = prop.violations(_plain)
    cells = {c for v in violations for c in (v.register, v.late) if c}
    titles = dict.fromkeys(v.pair.title for v in violations if v.pair is not None)
    return About(
        prop.name,
        prop.family,
        prop.statement,
        "; ".join(titles),
        _places(prop),
        prop.premise_text,
        tuple(target.parameters),
        tuple(target.assumptions),
        tuple(f for f in target.facts if _concerns(f, cells)),
    )


def _plain(pair: Pairing, phase: str) -> Pairing:
    """Nothing is known of where two runs agree: the words are the same."""
    return pair


def _places(prop: Property) -> tuple[Place, ...]:
    found: dict[tuple[str, str], list[str]] = {}
    for violation in prop.violations(_plain):
        phase = "an emulated access" if violation.phase == READ else violation.phase
        registers = found.setdefault((phase, violation.text), [])
        if violation.register and violation.register not in registers:
            registers.append(violation.register)
    return tuple(Place(phase, tuple(names), text) for (phase, text), names in found.items())


def _concerns(fact: Fact, cells: set[str]) -> bool:
    """The fact is about one of the cells; a rule without cells may be about any."""
    if not fact.registers or not cells:
        return True
    return any(cell.startswith(prefix) for cell in cells for prefix in fact.registers)


def shortened(cells: Sequence[str]) -> list[str]:
    """Names of cells as traces have them, copies of one register together: PMC[0..8]."""
    copies: dict[str, list[int]] = {}
    for cell in cells:
        name, bracket, rest = cell.rpartition(".")[2].partition("[")
        copies.setdefault(name, []).extend([int(rest[:-1])] if bracket else [])
    return [_copies(name, numbers) for name, numbers in copies.items()]


def _copies(name: str, numbers: Sequence[int]) -> str:
    if not numbers:
        return name
    first, last = min(numbers), max(numbers)
    return f"{name}[{first}]" if first == last else f"{name}[{first}..{last}]"
