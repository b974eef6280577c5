"""Reachable states of a switch, found by running its relations on numbers.

What is false in one of them is no invariant: that saves asking a solver. Inputs are pseudo-random
with a fixed start, so that a run can be repeated.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from verify.encode import term as t
from verify.encode.switch import STATE, Relation, Switch
from verify.encode.term import Term
from verify.prove.ask import Solve
from verify.prove.goal import SAT, Goal

MACHINES = 4
ROUNDS = 4
WRITES = 3
KEPT = 4  # One state of this many
_CONSTANT = ("config/", "init/", "setup/")


class State(dict[str, int]):
    """Values by name of the variables: constants of the configuration and state cells."""


def states(switch: Switch, background: Sequence[Term], solve: Solve) -> dict[str, list[State]]:
    """Some states of each location, of machines and guests that differ, for which the background
    holds."""
    chance = random.Random(0)
    constants = [v for v in t.free_vars(background) if not str(v.name).startswith("config/")]
    goals = [
        Goal(
            f"machine {i}",
            tuple(background),
            None,
            wishes=_wishes(switch, constants, chance, i > 0),
        )
        for i in range(MACHINES)
    ]
    answers = solve(goals)
    found: dict[str, list[State]] = {location: [] for location in switch.locations()}
    for goal in goals:
        answer = answers[goal.name]
        if answer.status == SAT:
            _run(switch, State(answer.model), chance, found)
    return found


def _wishes(
    switch: Switch, constants: Sequence[Term], chance: random.Random, varied: bool
) -> tuple[Term, ...]:
    """A machine and guest with all registers, or with some."""
    usual = list(dict.fromkeys(switch.enumerated.values()))
    if varied:
        usual = [r if chance.random() < 0.7 else t.negate(r) for r in usual]
    hardware = {value for value in switch.initial.values() if value.op == "var"}
    free = [
        v.ne(0) if v in hardware else v.eq(t.const(chance.getrandbits(v.width or 1), v.width))
        for v in constants
    ]
    chance.shuffle(free)
    return tuple(w for w in (*usual, *free) if w.op != "const")


def _run(
    switch: Switch, state: State, chance: random.Random, found: dict[str, list[State]]
) -> None:
    ends = t.evaluate(list(switch.initial.values()), state)
    state.update({STATE + c: v for c, v in zip(switch.initial, ends, strict=True)})
    found[switch.home].append(State(state))
    for _ in range(ROUNDS):
        for k, access in enumerate(switch.accesses):
            # Most random writes are refused.
            for _ in range(WRITES):
                state = _step(access, state, chance) or state
            if k % KEPT == 0:
                found[switch.home].append(state)
        away: State | None = state
        for step in switch.steps:
            for _ in range(2 if step.start == step.end else 1):
                away = _step(step, away, chance) if away is not None else None
                if away is not None:
                    found[step.end].append(away)
        state = away or state


def _step(relation: Relation, state: State, chance: random.Random) -> State | None:
    """A state after the relation, None when these inputs are not among the possible ones."""
    cells = list(relation.post)
    ends = [relation.post[c] for c in cells]
    faults = [fault.guard for fault in relation.faults]
    terms = [*relation.assumes, *faults, *ends]
    variables = t.free_vars(terms)
    masks = [state.get(str(v.name), 0) for v in variables if str(v.name).startswith(_CONSTANT)]
    inputs = {
        str(v.name): _number(v.width, masks, chance)
        for v in variables
        if not str(v.name).startswith((STATE, *_CONSTANT))
    }
    values = t.evaluate(terms, {**state, **inputs})
    first = len(relation.assumes)
    if not all(values[:first]) or any(values[first : first + len(faults)]):
        return None
    after = State(state)
    after.update({STATE + c: v for c, v in zip(cells, values[first + len(faults) :], strict=True)})
    return after


def _number(width: int, masks: Sequence[int], chance: random.Random) -> int:
    """Any number, often one that fits a mask of the configuration: others are refused."""
    value = chance.getrandbits(width or 1)
    mask = chance.choice([*masks, 0]) if width > 1 else -1
    return value & chance.choice((-1, mask, ~mask, ~mask))
