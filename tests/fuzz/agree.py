"""The relations that proofs are about, beside the interpreter, on numbers.

`crosscheck` compares the interpreter with gcc; this is the other half: what the interpreter can do
the relations have, so a proof about them speaks of the C as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from proofs import catalogue
from verify.encode import term as t
from verify.encode.switch import STATE, Relation, Switch
from verify.encode.term import Term
from verify.ir.evaluate import Stuck
from verify.ir.interp import Interpreter
from verify.ir.word import Word
from verify.prove.goal import SAT, Goal
from verify.prove.process import solve_all

T = TypeVar("T")
WISHES = 20
_CONSTANT = ("config/", "init/", "setup/")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Relations and interpreter do not say the same of a step from the same state."""

    step: str
    what: str

    def __str__(self) -> str:
        return f"{self.step}: {self.what}"


def possible(switch: Switch) -> list[Term]:
    """What holds of the constants of every machine and guest."""
    places = {v: v.name or "" for v in t.free_vars(switch.legal)}
    start = {v: switch.initial[n.removeprefix(STATE)] for v, n in places.items() if STATE in n}
    return [*switch.config, *t.substitute(switch.legal, start)]


def machine(switch: Switch, chance: Random) -> dict[str, int] | None:
    """The constants of some machine and guest, by name; None when none is found in time."""
    background = (*possible(switch), switch.active)
    has = [r if chance.random() < 0.8 else t.negate(r) for r in switch.enumerated.values()]
    free = [v for v in t.free_vars(background) if not str(v.name).startswith("config/")]
    free = chance.sample(free, min(len(free), WISHES))
    wishes = [*dict.fromkeys(has), *(v.eq(t.const(number(v.width, chance), v.width)) for v in free)]
    goal = Goal("machine", background, None, wishes=tuple(w for w in wishes if w.op != "const"))
    ((_, answer),) = solve_all([goal], jobs=1, timeout=20)
    return dict(answer.model) if answer.status == SAT else None


def number(width: int, chance: Random) -> int:
    """A number of this width (0: a truth value), often one at a boundary."""
    if not width:
        return chance.getrandbits(1)
    top = (1 << width) - 1
    choices = (0, 1, 2, top, top >> 1, top ^ (top >> 1), chance.getrandbits(width))
    return chance.choice((*choices, chance.getrandbits(width) & chance.getrandbits(width)))


class Walk:
    """A run on both sides at once; `state` has all values by the names of the relations.
    `after_phase` is called with the name of each, when the interpreter is there."""

    def __init__(self, switch: Switch, constants: Mapping[str, int], chance: Random) -> None:
        self.switch = switch
        self.chance = chance
        self.state = dict(constants)
        self.after_phase: Callable[[str], None] = lambda phase: None
        self._masks = list(constants.values())
        self._phases = {s.name: s.phases for s in switch.target.steps(switch.program)}
        self._accesses = {a.name: a.run for a in switch.target.accesses(switch.program)}
        self._monitors = catalogue.monitors(switch.target, switch.program)
        self._observers = catalogue.observers(switch.target, switch.program)
        self.machine = self._fresh()

    def _fresh(self) -> Interpreter:
        target, program = self.switch.target, self.switch.program
        cells = {**target.cells(program), **self._monitors}
        return Interpreter(program, target.contracts(program), target.objects, self._input, cells)

    def _input(self, name: str, width: int) -> int:
        top = (1 << width) - 1 if width else 1
        if name not in self.state:
            # Often one that fits a mask of the configuration: others are refused.
            mask = self.chance.choice((-1, 0, *self._masks))
            value = number(width, self.chance) & self.chance.choice((-1, mask, ~mask))
            self.state[name] = value & top
        return self.state[name] & top

    def setup(self) -> Contradiction | bool:
        """A fresh vCPU; False when it cannot be made of these constants."""
        machine, switch = self.machine, self.switch
        machine.begin_phase("setup")
        stuck: Stuck | None = None
        try:
            switch.target.setup(switch.program, machine)
        except Stuck as found:
            stuck = found
        open_ends = [fault.guard for fault in switch.setup_faults]
        open_ends += [place.guard for place in switch.not_understood]
        if any(t.evaluate(open_ends, self.state)):
            return False
        if stuck is not None:
            return Contradiction("setup", f"only the interpreter is stuck: {stuck}")
        if machine.not_understood_places:
            return False
        for name, width in self._monitors.items():
            machine.set(name, machine.const(0, width))
        if not all(t.evaluate(possible(switch), self.state)):
            return Contradiction("setup", "a run is excluded that there is")
        for cell in switch.initial:
            machine.get(cell)  # what setup leaves open is an input
        values = t.evaluate(list(switch.initial.values()), self.state)
        cells = zip(switch.initial, values, strict=True)
        self.state.update({STATE + cell: value for cell, value in cells})
        return self._compare("setup") or True

    def step(self, relation: Relation) -> Contradiction | bool:
        """One step; whether it was taken: inputs need not be possible, nor C have a meaning."""
        kept = {n: v for n, v in self.state.items() if n.startswith((*_CONSTANT, STATE))}
        self.state, before = dict(kept), dict(self.machine.cells)
        self.machine.not_understood_places.clear()
        stuck: Stuck | None = None
        try:
            self._interpret(relation)
        except Stuck as found:
            stuck = found
        # Neither a run that meets a fault, for which no proof counts, nor one that passes through
        # what is not understood, which may do anything, is one of which something is claimed.
        open_ends = [fault.guard for fault in relation.faults]
        open_ends += [place.guard for place in self.switch.not_understood]
        ends = [*relation.assumes, *open_ends, *relation.post.values()]
        values = t.evaluate(ends, self.state)
        split, last = len(relation.assumes), len(relation.assumes) + len(open_ends)
        assumed, faulty = all(values[:split]), any(values[split:last])
        if faulty or stuck is not None or self.machine.not_understood_places:
            self.state = kept
            self.machine.cells.clear()
            self.machine.cells.update(before)
            if stuck is None or faulty or not assumed:
                return False
            return Contradiction(relation.name, f"only the interpreter is stuck: {stuck}")
        if not assumed:
            return Contradiction(relation.name, "a run is excluded that there is")
        after = zip(relation.post, values[last:], strict=True)
        self.state.update({STATE + cell: value for cell, value in after})
        return self._compare(relation.name) or True

    def unchanged(self, do: Callable[[], T]) -> T:
        """Do something with the machine, and leave it as it was."""
        kept, cells = dict(self.state), dict(self.machine.cells)
        self.machine.begin_phase("look")
        result = do()
        self.state = kept
        self.machine.cells.clear()
        self.machine.cells.update(cells)
        return result

    def _interpret(self, relation: Relation) -> None:
        machine = self.machine
        machine.trace.clear()
        machine.observers.extend(self._observers)
        try:
            if relation.name in self._accesses:
                machine.begin_phase(relation.name)
                self._accesses[relation.name](machine)
                return
            for name, width in self._monitors.items():
                machine.set(name, machine.const(0, width))
            for phase in self._phases[relation.name]:
                machine.begin_phase(phase.name)
                phase.run(machine)
                self.after_phase(phase.name)
        finally:
            machine.observers.clear()

    def _compare(self, step: str) -> Contradiction | None:
        for cell in self.switch.initial:
            found, expected = self.machine.get(cell), self.state[STATE + cell]
            if not isinstance(found, Word) or found.value != expected:
                return Contradiction(step, f"{cell} is {found}, not {expected:#x}")
        return None


def walk(switch: Switch, chance: Random, steps: int) -> Contradiction | int:
    """How many steps were compared, of this many that were tried from a fresh vCPU."""
    constants = machine(switch, chance)
    return 0 if constants is None else follow(Walk(switch, constants, chance), steps)


def follow(run: Walk, steps: int) -> Contradiction | int:
    """The same for a walk that has not begun."""
    switch, chance = run.switch, run.chance
    found = run.setup()
    if found is not True:
        return found or 0
    taken = 1
    while steps > 0:
        for relation in (*switch.steps, *chance.sample(switch.accesses, len(switch.steps))):
            steps -= 1
            same = run.step(relation)
            if isinstance(same, Contradiction):
                return same
            taken += same
            if not same and relation in switch.steps:
                break
    return taken
