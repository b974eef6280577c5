"""Reachable states of a switch, found by running its relations on numbers.

What is false in one of them is no invariant: that saves asking a solver. Inputs are pseudo-random
with a fixed start, so that a run can be repeated.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from verify.encode import term as t
from verify.encode.switch import STATE, Relation, Switch
from verify.encode.term import Term
from verify.prove.ask import Solve
from verify.prove.goal import SAT, Goal

MACHINES = 4
ROUNDS = 4
WRITES = 4
AWAY = 2
KEPT = 4  # One state of this many
_CONSTANT = ("config/", "init/", "setup/")


class State(dict[str, int]):
    """Values by name of the variables: constants of the configuration and state cells."""


def states(switch: Switch, background: Sequence[Term], solve: Solve) -> dict[str, list[State]]:
    """Some states of each location, of machines and guests that differ, for which the background
    holds."""
    chance = random.Random(0)
    # The hardware's state is soon another one, and what is defined by others follows from those.
    hardware = tuple("init/" + prefix for prefix in switch.target.host_visible)
    constants = [
        v
        for v in t.free_vars(background)
        if not str(v.name).startswith(("config/", STATE, *hardware))
    ]
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
    moves = {relation.name: _Move(relation) for relation in switch.relations()}
    for goal in goals:
        answer = answers[goal.name]
        if answer.status == SAT:
            _run(switch, State(answer.model), moves, chance, found)
    return found


def _wishes(
    switch: Switch, constants: Sequence[Term], chance: random.Random, varied: bool
) -> tuple[Term, ...]:
    """A machine and guest with all registers, or with some."""
    usual = list(dict.fromkeys(switch.enumerated.values()))
    if varied:
        usual = [r if chance.random() < 0.9 else t.negate(r) for r in usual]
    free = [v.eq(t.const(chance.getrandbits(v.width or 1), v.width)) for v in constants]
    chance.shuffle(free)
    return tuple(w for w in (*usual, *free) if w.op != "const")


def _run(
    switch: Switch,
    start: State,
    moves: Mapping[str, _Move],
    chance: random.Random,
    found: dict[str, list[State]],
) -> None:
    state = State(start)
    for cell, value in switch.initial.items():
        # The model has a state of the hardware, which is not for setup to say.
        if value.op == "var" and STATE + cell in state:
            state[str(value.name)] = state[STATE + cell]
    ends = t.evaluate(list(switch.initial.values()), state)
    state.update({STATE + c: v for c, v in zip(switch.initial, ends, strict=True)})
    found[switch.home].append(State(state))
    for _ in range(ROUNDS):
        for k, access in enumerate(switch.accesses):
            # Most random writes are refused, and change nothing.
            for _ in range(WRITES):
                before, state = state, moves[access.name].step(state, chance) or state
                if state != before:
                    break
            if k % KEPT == 0:
                found[switch.home].append(state)
        for _ in range(AWAY):
            away: State | None = state
            for step in switch.steps:
                for _ in range(2 if step.start == step.end else 1):
                    away = moves[step.name].step(away, chance) if away is not None else None
                    if away is not None:
                        found[step.end].append(away)
            state = away or state


class _Move:
    """A relation, to be run on numbers."""

    def __init__(self, relation: Relation) -> None:
        self._cells = list(relation.post)
        ends = [relation.post[c] for c in self._cells]
        faults = [fault.guard for fault in relation.faults]
        self._assumed = len(relation.assumes)
        self._first = self._assumed + len(faults)
        self._run = t.Evaluation([*relation.assumes, *faults, *ends])
        names = [(str(v.name), v.width) for v in self._run.variables]
        self._constants = [name for name, _ in names if name.startswith(_CONSTANT)]
        self._inputs = [(n, width) for n, width in names if not n.startswith((STATE, *_CONSTANT))]

    def step(self, state: State, chance: random.Random) -> State | None:
        """A state afterwards, None when these inputs are not among the possible ones."""
        masks = [state.get(name, 0) for name in self._constants]
        inputs = {name: _number(width, masks, chance) for name, width in self._inputs}
        values = self._run({**state, **inputs})
        assumed, first = self._assumed, self._first
        if not all(values[:assumed]) or any(values[assumed:first]):
            return None
        after = State(state)
        after.update({STATE + c: v for c, v in zip(self._cells, values[first:], strict=True)})
        return after


def _number(width: int, masks: Sequence[int], chance: random.Random) -> int:
    """Any number, often one that fits a mask of the configuration: others are refused."""
    value = chance.getrandbits(width or 1)
    mask = chance.choice([*masks, 0]) if width > 1 else -1
    return value & chance.choice((-1, mask, ~mask, ~mask))
