"""Looks for a run that breaks a property, without a try to prove it first.

A run from a fresh vCPU needs no invariant, and what two runs agree on follows from the run itself.
Properties of two vCPUs, one after the other, and two runs of several switches take too long for
this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from proofs import catalogue
from verify.encode.switch import STATE, Switch
from verify.encode.term import Term, disj, evaluate
from verify.explain.replay import replay
from verify.prove import reach
from verify.prove.goal import SAT, Goal
from verify.prove.judge import CYCLES
from verify.prove.process import solve_all
from verify.prove.property import Pairing, Property, Violation

SECONDS = 10.0
"""For one question; what takes longer is left to proper proofs."""


@dataclass(frozen=True, slots=True)
class Found:
    """A property that is broken in a run, which the interpreter repeats."""

    property: str
    text: str


def hunt(switch: Switch, properties: Sequence[Property], timeout: float) -> Found | None:
    """A broken property, those of one run first, else in the order given."""
    found = {p.name: p.violations(_nothing_agreed) for p in properties if p.after is None}
    single = [name for name, vs in found.items() if all(v.pair is None for v in vs)]
    paired = [name for name in found if name not in single]
    for batch, most in ((single, CYCLES), (paired, CYCLES[:1])):
        ways = {
            f"{name} {cycles} {k}": (name, scenarios)
            for cycles in most
            for name in batch
            for k, scenarios in enumerate(_scenarios(switch, found[name], cycles))
        }
        goals = [Goal(name, _any(scenarios), None) for name, (_, scenarios) in ways.items()]
        with closing(solve_all(goals, jobs=1, timeout=min(timeout, SECONDS))) as answers:
            for goal, answer in answers:
                if answer.status == SAT:
                    name, scenarios = ways[goal.name]
                    scenario = _shown(scenarios, answer.model)
                    if replays(switch, scenario, answer.model):
                        return Found(name, scenario.violation.text)
    return None


def _nothing_agreed(pair: Pairing, phase: str) -> Pairing:
    return replace(pair, secret=lambda name: name.startswith(STATE) or pair.secret(name))


def _scenarios(
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
