"""Reachable states of a switch, found by running its relations on numbers.

What is false in one of them is no invariant: that saves asking a solver. Inputs are pseudo-random
with a fixed start, so that a run can be repeated.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from verify.encode import term as t
from verify.encode.evaluation import Evaluation
from verify.encode.switch import STATE, Relation, Switch
from verify.encode.term import Term
from verify.prove.ask import Solve
from verify.prove.goal import SAT, Goal

MACHINES = 16
ROUNDS = 4
WRITES = 4
AWAY = 2
PAIRS = 3
KEPT = 4  # One state of this many
ASIDE = 8  # After one access of this many the steps are tried, too
_CONSTANT = ("config/", "init/", "setup/")


class State(dict[str, int]):
    """Values by name of the variables: constants of the configuration and state cells."""


def moves(switch: Switch) -> dict[str, Move]:
    """The relations of a switch by name, to be run on numbers."""
    return {relation.name: Move(relation) for relation in switch.relations()}


def states(
    switch: Switch, moves: Mapping[str, Move], background: Sequence[Term], solve: Solve
) -> dict[str, list[State]]:
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
    # Of these the background says nothing, so that they may have any value.
    known = {str(v.name) for v in t.free_vars(background)}
    free = {
        name: width
        for move in moves.values()
        for name, width in move.constants.items()
        if name not in known and not name.startswith(hardware)
    }
    for goal in goals:
        answer = answers[goal.name]
        if answer.status == SAT:
            start = State({name: chance.getrandbits(width or 1) for name, width in free.items()})
            start.update(answer.model)
            _run(switch, start, moves, chance, found)
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
    moves: Mapping[str, Move],
    chance: random.Random,
    found: dict[str, list[State]],
) -> None:
    state = State(start)
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
            if k % ASIDE == 0:
                _go(switch, state, moves, chance, found)
        for _ in range(AWAY):
            state = _go(switch, state, moves, chance, found) or state


def _go(
    switch: Switch,
    state: State | None,
    moves: Mapping[str, Move],
    chance: random.Random,
    found: dict[str, list[State]],
) -> State | None:
    """The state after all steps from home back to it."""
    for step in switch.steps:
        for _ in range(2 if step.start == step.end else 1):
            state = moves[step.name].step(state, chance) if state is not None else None
            if state is not None:
                found[step.end].append(state)
    return state


class Move:
    """A relation, to be run on numbers. `constants`: the widths of those that it looks at."""

    def __init__(self, relation: Relation) -> None:
        self._cells = list(relation.post)
        ends = [relation.post[c] for c in self._cells]
        faults = [fault.guard for fault in relation.faults]
        self._assumed = len(relation.assumes)
        self._first = self._assumed + len(faults)
        self._run = Evaluation([*relation.assumes, *faults, *ends])
        names = [(str(v.name), v.width) for v in self._run.variables]
        self.constants = {n: width for n, width in names if n.startswith(_CONSTANT)}
        self._inputs = [(n, width) for n, width in names if not n.startswith((STATE, *_CONSTANT))]
        self._bits = _single_bits([*relation.assumes, *faults, *ends])

    def step(self, state: State, chance: random.Random) -> State | None:
        """A state afterwards, None when these inputs are not among the possible ones."""
        return self.after(state, self.inputs(state, chance))

    def inputs(self, state: State, chance: random.Random) -> dict[str, int]:
        """Some inputs, by name."""
        masks = [state.get(name, 0) for name in self.constants]
        return {name: _number(width, masks, self._bits, chance) for name, width in self._inputs}

    def after(self, state: State, inputs: Mapping[str, int]) -> State | None:
        """The state after these inputs, None when they are not among the possible ones."""
        values = self._run({**state, **inputs})
        assumed, first = self._assumed, self._first
        if not all(values[:assumed]) or any(values[assumed:first]):
            return None
        after = State(state)
        after.update({STATE + c: v for c, v in zip(self._cells, values[first:], strict=True)})
        return after


def pairs(
    switch: Switch,
    moves: Mapping[str, Move],
    starts: Sequence[State],
    holding: Sequence[Term],
    secret: Callable[[str], bool],
    lasting: tuple[str, ...],
) -> dict[str, list[tuple[State, State]]]:
    """States that two runs can be in at each location, after one of the states `starts` at home, if
    they differ in nothing but what is secret, and not in cells with the prefixes `lasting` at home.
    `holding`: what holds at home of either."""
    chance = random.Random(0)
    holds = Evaluation(list(holding))
    found: dict[str, list[tuple[State, State]]] = {place: [] for place in switch.locations()}
    for start, other in zip(starts, (*starts[1:], *starts[:1]), strict=True):
        twin = _mixed(start, other, lambda n: secret(n) and not n.startswith(_named(lasting)))
        both = twin is not None and all(holds(twin))
        pair: tuple[State, State] | None = (start, twin if twin and both else start)
        for step in (*switch.steps, *chance.sample(switch.accesses, min(2, len(switch.accesses)))):
            for _ in range(PAIRS if step.start == step.end else 1):
                after = _both(moves[step.name], pair, secret, chance) if pair else None
                if after is None:
                    continue
                if step.end == switch.home and _differ(after, lasting):
                    pair = None
                    continue
                pair = after
                found[step.end].append(after)
    return found


def _mixed(one: State, other: State, secret: Callable[[str], bool]) -> State | None:
    """The first state with the other's secrets, when both are of one machine."""
    if any(value != other.get(n) for n, value in one.items() if n.startswith(_CONSTANT)):
        return None
    mixed = State(one)
    mixed.update({n: v for n, v in other.items() if n.startswith(STATE) and secret(n)})
    return mixed


def _both(
    move: Move, pair: tuple[State, State], secret: Callable[[str], bool], chance: random.Random
) -> tuple[State, State] | None:
    shared, own = move.inputs(pair[0], chance), move.inputs(pair[1], chance)
    other = {name: own[name] if secret(name) else value for name, value in shared.items()}
    one, two = move.after(pair[0], shared), move.after(pair[1], other)
    return None if one is None or two is None else (one, two)


def _differ(pair: tuple[State, State], prefixes: tuple[str, ...]) -> bool:
    names = _named(prefixes)
    return any(value != pair[1][n] for n, value in pair[0].items() if n.startswith(names))


def _named(prefixes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(STATE + prefix for prefix in prefixes)


def _single_bits(terms: Sequence[Term]) -> list[int]:
    """The numbers of the bits that the terms look at by themselves, or set."""
    found = set()
    for node in t.reachable(terms):
        if node.op == "extract" and node.width == 1:
            found.add(node.value[0])
        elif node.op == "const" and node.width and node.value.bit_count() == 1:
            found.add(node.value.bit_length() - 1)
    return sorted(found)


def _number(width: int, masks: Sequence[int], bits: Sequence[int], chance: random.Random) -> int:
    """Any number, often one that fits a mask of the configuration (others are refused), or the
    greatest that does (of which one more overflows), or what the configuration has with one of the
    `bits` (an event that is switched on)."""
    if width < 2:
        return chance.getrandbits(1)
    full = (1 << width) - 1
    mask = chance.choice([*masks, 0])
    if bits and chance.random() < 0.5:
        return (mask | 1 << chance.choice(bits)) & full
    value = chance.choice((chance.getrandbits(width), full))
    return value & chance.choice((-1, mask, ~mask, ~mask))
