"""What is proved of a broken tree is not violated by any run that can be found at random."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

from proofs import catalogue
from tests.fuzz import agree
from tests.fuzz.case import Outcome
from tests.fuzz.kernel_c import broken
from tests.fuzz.meaning import verdicts
from tests.fuzz.trees import patched, subjects, switch
from verify.encode.switch import Switch
from verify.errors import BadInput
from verify.ir.evaluate import Stuck
from verify.prove.property import READ, Property, Violation
from verify.result import PROVED

ASKED = 4
WALKS = 6
STEPS = 60


def anything(chance: Random) -> Outcome:
    """Some properties of a broken tree: what is proved of them holds in all runs that are tried."""
    subject = chance.choice((*subjects()[:2], *patched()))
    tree = broken(subject, chance)
    try:
        found = switch(subject.target, tree)
    except BadInput:
        return Outcome("refused")
    properties = [p for p in catalogue.properties(found) if single(p)]
    chosen = chance.sample(properties, ASKED)
    said = verdicts(subject, tree, *(p.name for p in chosen))
    holding = [p for p in chosen if said[p.name] == PROVED]
    for _ in range(WALKS):
        if what := violated(found, holding, chance):
            return Outcome("proved", f"{subject.name}: {what} is proved, and violated by a run")
    return Outcome("proved" if holding else "not proved")


def single(prop: Property) -> list[Violation]:
    """The violations that show in one run."""
    found: Sequence[Violation] = prop.violations(lambda pair, phase: pair)
    return [v for v in found if v.pair is None] if prop.after is None else []


def violated(switch: Switch, properties: Sequence[Property], chance: Random) -> str:
    """The name of one that a random run breaks; "" for none."""
    constants = agree.machine(switch, chance)
    if constants is None:
        return ""
    run = agree.Walk(switch, constants, chance)
    violations = [(prop.name, v) for prop in properties for v in single(prop)]
    seen: list[str] = []

    def look(phase: str) -> None:
        seen.extend(name for name, v in violations if v.phase == phase and shows(v))

    def shows(v: Violation) -> bool:
        # A read may change the machine, and the next one must not see that.
        return run.unchanged(partial(_shows, run, v)) if v.phase == READ else _shows(run, v)

    run.after_phase = look
    if run.setup() is not True:
        return ""
    for _ in range(STEPS // len(switch.steps)):
        accesses = chance.sample(switch.accesses, len(switch.steps))
        for relation in (*accesses, *switch.steps):
            seen.clear()
            taken = run.step(relation) is True
            if taken and seen:
                return seen[0]
            if not taken and relation in switch.steps:
                break
        look(READ)
        if seen:
            return seen[0]
    return ""


def _shows(run: agree.Walk, violation: Violation) -> bool:
    """Whether the interpreter is where the violation shows."""
    try:
        relevant, observed, expected = violation.probe(run.machine)
    except Stuck:
        return False
    return bool(relevant.value) and observed.value != expected.value
