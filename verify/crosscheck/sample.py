"""Runs to compare: each step of a target from states that are reached, and from states that are
near to those, with values that are random or at a boundary."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from verify.crosscheck.record import Enter, Incomparable, Recorder, Recorders, Request, Script
from verify.ir.evaluate import Stuck
from verify.ir.memory import Cells
from verify.ir.program import Program
from verify.ir.types import Int
from verify.ir.word import Word
from verify.target import EmulatedRead, Target

Action = Callable[[Any], object]

SETUP = "setup"
UNDEFINED = "/undef/"  # in the names of inputs for which C has no value
STEPS = 80  # from each setup
CHANGED = 4  # cells, or inputs, at most that are changed
KEPT = 16  # setups that others are bred from
IDLE = 5  # so often in a row must an action call nothing before it is left out at times
OTHERS = 0.2  # how often one that is not bred, or lets little happen, goes on


@dataclass(frozen=True, slots=True)
class Case:
    """One run: the step, the cells before it (none: a machine starts) and the inputs by name."""

    step: str
    cells: Cells
    inputs: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """A case that was run by the interpreter: its script, or why it has none."""

    case: Case
    script: Script | None
    reason: str = ""


def phases(target: Target, program: Program) -> dict[str, Action]:
    """What a switch does, in order, by name."""
    steps = target.steps(program)
    return {phase.name: phase.run for step in steps for phase in step.phases}


def actions(target: Target, program: Program) -> dict[str, Action]:
    """What can be run, by name: setup, the phases, the accesses, and emulated reads."""
    found: dict[str, Action] = {SETUP: partial(target.setup, program)}
    found |= phases(target, program)
    found |= {access.name: access.run for access in target.accesses(program)}
    for register in target.registers(program):
        for i in range(register.count):
            for way, read in enumerate(register.reads):
                found[register.read_phase(i, way)] = partial(_read, read, i)
    return found


def _read(read: EmulatedRead, i: int, m: Any) -> None:
    read(m, i)


class Sampler:
    """Endless runs of a target on a program; the same seed gives the same runs."""

    def __init__(self, target: Target, program: Program, seed: int) -> None:
        self._target = target
        self._program = program
        self._actions = actions(target, program)
        self._recorders = Recorders(target, program)
        self._idle: Counter[str] = Counter()  # how often an action was drawn that called nothing
        self._phases = list(phases(target, program))
        self._chance = random.Random(seed)
        # How much the tree asks for in a cycle and in setup, and the inputs of setup.
        self._kept: list[tuple[tuple[int, int], dict[str, int]]] = []

    def run(self, case: Case) -> Run:
        """Run a case as it is; inputs that it does not name are 0."""
        return self._run(case, case.inputs, lambda width: 0)[0]

    def __iter__(self) -> Iterator[Run]:
        """Runs in which the tree is called; the others only lead to their states."""
        while True:
            inputs = self._start()
            run, machine = self._draw(Case(SETUP, {}), inputs)
            yield run
            if machine is None:
                continue
            found = yield from self._cycle(dict(machine.cells))
            score = (found.requests, _requests(run.script))
            self._keep(score, inputs)
            if 2 * found.requests > self._kept[-1][0][0] or self._chance.random() < OTHERS:
                yield from self._walk(found.cells)

    # Where to start: machines and guests that let much happen are bred from others ---------------

    def _start(self) -> dict[str, int]:
        """Inputs for setup: those of a machine that was kept, but for a few; or none."""
        if not self._kept or self._chance.random() < OTHERS:
            return {}
        inputs = dict(self._chance.choice(self._kept)[1])
        for name in self._chance.choices(sorted(inputs), k=CHANGED):
            inputs.pop(name, None)
        return inputs

    def _keep(self, score: tuple[int, int], inputs: dict[str, int]) -> None:
        self._kept.append((score, dict(inputs)))
        self._kept.sort(key=lambda kept: kept[0])
        del self._kept[:-KEPT]

    # Where to go on -----------------------------------------------------------------------------

    def _cycle(self, cells: Cells) -> Generator[Run, None, _Found]:
        """All phases, one after the other."""
        requests = 0
        for name in self._phases:
            if self._skips(name):
                continue
            run, machine = self._draw(Case(name, cells))
            if self._tells(run):
                yield run
            if machine is not None:
                cells = dict(machine.cells)
                requests += _requests(run.script)
        return _Found(cells, requests)

    def _walk(self, cells: Cells) -> Iterator[Run]:
        names = [name for name in self._actions if name != SETUP]
        for at in range(STEPS):
            phase = self._chance.random() < 0.5
            name = self._phases[at % len(self._phases)] if phase else self._chance.choice(names)
            if self._skips(name):
                continue
            before = dict(cells)
            if self._chance.random() < 0.5:
                self._change(before)
            run, machine = self._draw(Case(name, before))
            if self._tells(run):
                yield run
            # A state that was changed need not be one that is worth going on from.
            if machine is not None and (before == cells or self._chance.random() < 0.5):
                cells = dict(machine.cells)

    def _tells(self, run: Run) -> bool:
        """Whether to compare a run; of those that end at the first test, a few are enough."""
        long = run.script is None or len(run.script.run) > 3
        return _calls(run) and (long or self._chance.random() < 0.2)

    def _skips(self, name: str) -> bool:
        """Whether to leave out what only models do: it is for the states to which it leads."""
        return self._idle[name] > IDLE and self._chance.random() < 0.5

    def _change(self, cells: Cells) -> None:
        """Give a few cells other values."""
        machine = self._recorders.make(lambda name, width: 0)
        models = self._recorders.cells
        names = [c for c in cells if c not in models or self._target.mutable(c)]
        for name in self._chance.sample(names, min(len(names), self._chance.randint(1, CHANGED))):
            kind = machine.type_at(name)
            if isinstance(kind, Int):
                width = models.get(name, kind.width)
                value = self._number(0 if kind.boolean else width)
                cells[name] = Word(value, width)

    def _draw(
        self, case: Case, inputs: dict[str, int] | None = None
    ) -> tuple[Run, Recorder | None]:
        inputs = {} if inputs is None else inputs
        run, machine = self._run(case, inputs, self._number)
        self._idle[case.step] = 0 if _calls(run) else self._idle[case.step] + 1
        return Run(Case(case.step, case.cells, inputs), run.script, run.reason), machine

    def _run(
        self, case: Case, inputs: dict[str, int], draw: Callable[[int], int]
    ) -> tuple[Run, Recorder | None]:
        def given(name: str, width: int) -> int:
            if UNDEFINED in name:
                raise Incomparable("a local variable is read before it has a value")
            if name not in inputs:
                inputs[name] = draw(width)
            return inputs[name]

        machine = self._recorders.make(given)
        machine.start(case.cells)
        machine.begin_phase(case.step)
        try:
            self._actions[case.step](machine)
            return Run(case, machine.finish()), machine
        except Stuck as stuck:
            return Run(case, None, stuck.reason), None
        except Incomparable as reason:
            return Run(case, None, str(reason)), machine

    def _number(self, width: int) -> int:
        """A number of this width (0: a truth value), often one that matters."""
        chance = self._chance
        if width == 0:
            return int(chance.random() < 0.7)
        kind, top = chance.random(), (1 << width) - 1
        if kind < (0.6 if width <= 8 else 0.2):
            return chance.randrange(9) & top
        if kind < 0.7:
            return chance.getrandbits(width)
        if kind < 0.8:
            return chance.choice((top, top >> 1, top ^ (top >> 1)))
        if kind < 0.9:
            return chance.getrandbits(width) & chance.getrandbits(width)
        return 1 << chance.randrange(width)


@dataclass(frozen=True, slots=True)
class _Found:
    """The cells after a cycle, and how much the tree asked for in it."""

    cells: Cells
    requests: int


def _calls(run: Run) -> bool:
    return run.script is None or any(isinstance(e, Enter) for e in run.script.events)


def _requests(script: Script | None) -> int:
    return sum(isinstance(e, Request) for e in script.events) if script else 0


def nonzero(case: Case) -> Mapping[str, int]:
    """The numbers that are not 0 in a case, by `cell` or `input` name."""
    found = {f"cell {n}": v.value for n, v in case.cells.items() if isinstance(v, Word) and v.value}
    return found | {f"input {name}": value for name, value in case.inputs.items() if value}
