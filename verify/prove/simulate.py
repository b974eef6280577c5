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

MACHINES = 6
ROUNDS = 2
_CONSTANT = ("config/", "init/", "setup/")


class State(dict[str, int]):
    """Values by name of the variables: constants of the configuration and state cells."""


def states(switch: Switch, solve: Solve) -> list[State]:
    """Some states of the host phase, of machines and guests that differ."""
    chance = random.Random(0)
    context = (*switch.config, *switch.pinned)
    constants = [v for v in t.free_vars(context) if not str(v.name).startswith("config/")]
    goals = [
        Goal(f"machine {i}", context, None, wishes=_wishes(switch, constants, chance, i > 0))
        for i in range(MACHINES)
    ]
    answers = solve(goals)
    found: list[State] = []
    for goal in goals:
        answer = answers[goal.name]
        if answer.status == SAT:
            found += _run(switch, State(answer.model), chance)
    return found


def _wishes(
    switch: Switch, constants: Sequence[Term], chance: random.Random, varied: bool
) -> tuple[Term, ...]:
    usual = [
        switch.settings[s.name].eq(t.true if s.usual else t.false)
        if not switch.settings[s.name].width
        else switch.settings[s.name].eq(s.usual)
        for s in switch.target.settings
        if s.usual is not None and not (varied and chance.random() < 0.3)
    ]
    free = [v.eq(t.const(chance.getrandbits(v.width or 1), v.width)) for v in constants]
    chance.shuffle(free)
    return tuple(w for w in (*usual, *free) if w.op != "const")


def _run(switch: Switch, state: State, chance: random.Random) -> list[State]:
    cells = list(switch.initial)
    ends = t.evaluate([switch.initial[c] for c in cells], state)
    state.update({STATE + c: value for c, value in zip(cells, ends, strict=True)})
    if not all(t.evaluate(switch.legal, state)):
        # What the hardware holds at first is not for setup to say.
        state.update({name: 0 for name in _of_hardware(switch)})
    found = [State(state)]
    for _ in range(ROUNDS):
        for relation in switch.relations():
            after = _step(relation, state, chance)
            if after is not None:
                state = after
                found.append(state)
    return found


def _of_hardware(switch: Switch) -> list[str]:
    return [str(v.name) for v in t.free_vars(switch.legal) if str(v.name).startswith(STATE)]


def _step(relation: Relation, state: State, chance: random.Random) -> State | None:
    """A state after the relation, None when these inputs are not among the possible ones."""
    cells = list(relation.post)
    ends = [relation.post[c] for c in cells]
    faults = [fault.guard for fault in relation.faults]
    terms = [*relation.assumes, *faults, *ends]
    inputs = {
        str(v.name): chance.getrandbits(v.width or 1)
        for v in t.free_vars(terms)
        if not str(v.name).startswith((STATE, *_CONSTANT))
    }
    values = t.evaluate(terms, {**state, **inputs})
    first = len(relation.assumes)
    if not all(values[:first]) or any(values[first : first + len(faults)]):
        return None
    after = State(state)
    after.update({STATE + c: v for c, v in zip(cells, values[first + len(faults) :], strict=True)})
    return after
