"""Looks for a run that breaks a property, without a try to prove it first.

A run from a fresh vCPU needs no invariant, and what two runs agree on follows from the run itself.
What takes long is left out: two vCPUs one after the other, and in two runs all but what the change
shows in at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from proofs import catalogue
from verify.encode.switch import STATE, Switch
from verify.encode.term import Term, disj, evaluate
from verify.explain.replay import replay
from verify.prove import reach
from verify.prove.goal import SAT, Answer, Goal
from verify.prove.process import solve_all
from verify.prove.property import Pairing, Property, Violation

SECONDS = 5.0
"""For one question; what takes longer is left to proper proofs."""


@dataclass(frozen=True, slots=True)
class Found:
    """A property that is broken in a run, which the interpreter repeats."""

    property: str
    text: str


Bads = Mapping[str, frozenset[Term]]
"""By property, what must not happen."""


def bads(properties: Sequence[Property]) -> Bads:
    """What must not happen of a tree without mutants."""
    found = ((p.name, p.violations(_nothing_agreed)) for p in properties if p.after is None)
    return {name: frozenset(v.bad for v in violations) for name, violations in found}


def hunt(
    switch: Switch, properties: Sequence[Property], usual: Bads, timeout: float
) -> Found | None:
    """A broken property, else in the order given. First what is not as `usual`, which the change
    is likely to show in."""
    found = {p.name: p.violations(_nothing_agreed) for p in properties if p.after is None}
    new = {n: [v for v in vs if v.bad not in usual.get(n, ())] for n, vs in found.items()}
    single = {n: vs for n, vs in found.items() if all(v.pair is None for v in vs)}
    old = {n: [v for v in vs if v not in new[n]] for n, vs in single.items()}
    for batch, cycles in ((new, 0), (old, 0), (single, 1)):
        # One by one: to put the runs for a property together may take longer than to solve them.
        for name, violations in batch.items():
            for way in _ways(switch, violations, cycles):
                answer = _asked(way, min(timeout, SECONDS))
                if answer.status == SAT and (text := _told(switch, way, answer.model)):
                    return Found(name, text)
    return None


def _asked(scenarios: Sequence[reach.Scenario], timeout: float) -> Answer:
    """Can one of them be?"""
    goal = Goal("run", _any(scenarios), None)
    with closing(solve_all([goal], jobs=1, timeout=timeout)) as answers:
        return next(answer for _, answer in answers)


def _told(switch: Switch, scenarios: Sequence[reach.Scenario], model: dict[str, int]) -> str:
    """What the interpreter finds in the run, or nothing when it does not repeat it."""
    scenario = _shown(scenarios, model)
    return scenario.violation.text if replays(switch, scenario, model) else ""


def _nothing_agreed(pair: Pairing, phase: str) -> Pairing:
    return replace(pair, secret=lambda name: name.startswith(STATE) or pair.secret(name))


def _ways(
    switch: Switch, violations: Sequence[Violation], cycles: int
) -> Iterator[list[reach.Scenario]]:
    for group in reach.alike(switch, violations):
        yield reach.alone(switch, group, cycles)


def _any(scenarios: Sequence[reach.Scenario]) -> tuple[Term, ...]:
    return (*scenarios[0].assertions[:-1], disj([s.assertions[-1] for s in scenarios]))


def _shown(scenarios: Sequence[reach.Scenario], model: dict[str, int]) -> reach.Scenario:
    bads = evaluate([scenario.assertions[-1] for scenario in scenarios], model)
    return next(s for s, bad in zip(scenarios, bads, strict=True) if bad)


def replays(switch: Switch, scenario: reach.Scenario, model: dict[str, int]) -> bool:
    """The interpreter comes to the same end."""
    target, program = switch.target, switch.program
    watch, cells = catalogue.observers(target, program), catalogue.monitors(target, program)
    return replay(target, program, scenario, model, watch, cells).reproduced is True
