"""What the tree's functions do, on numbers: compared for two trees that should do the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from tests.fuzz import agree
from verify.ir.evaluate import Stuck
from verify.ir.interp import SKIP, Interpreter
from verify.ir.memory import Cells
from verify.ir.program import Program
from verify.target import Access, Phase, Target

_UNDEFINED = "/undef/"


@dataclass(slots=True)
class Tape:
    """Inputs of a run by what they are and how often that was asked for, so that they fit a tree
    whose lines have other numbers. `written`: they are made up and kept, else read."""

    constants: Mapping[str, int]
    chance: Random
    written: bool = True
    kept: dict[tuple[str, int], int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    def __call__(self, name: str, width: int) -> int:
        if _UNDEFINED in name:
            return 0
        phase, _, rest = name.partition("/")
        what = (
            name if phase == "init" else f"{phase}/{re.sub(r'~[0-9]+$', '', rest.split('/')[-1])}"
        )
        count = self.asked[what] = self.asked.get(what, 0) + 1
        if phase == "init":
            count = 0
        if (what, count) not in self.kept:
            made = (
                self.constants[name] if name in self.constants else agree.number(width, self.chance)
            )
            self.kept[what, count] = made
        return self.kept[what, count] & ((1 << width) - 1 if width else 1)

    def again(self) -> Tape:
        """The same inputs once more."""
        return Tape(self.constants, self.chance, False, self.kept)


Happened = list[tuple[str, str, str, int, int]]


def run(
    target: Target, program: Program, tape: Tape, order: Random, steps: int
) -> tuple[Happened, Cells]:
    """What happens in this many steps from a fresh vCPU, and the cells of kernel and models after
    them. Where C has no meaning, or inputs are none that are possible, the run ends."""
    cells = dict(target.cells(program))
    machine = Interpreter(program, target.contracts(program), target.objects, tape, cells)
    happened: Happened = []
    phases: list[Phase | Access] = [p for step in target.steps(program) for p in step.phases]
    accesses = target.accesses(program)
    try:
        machine.begin_phase("setup")
        target.setup(program, machine)
        while steps > 0:
            for part in (*phases, *order.sample(accesses, 4)):
                machine.begin_phase(part.name)
                part.run(machine)
                steps -= 1
    except Stuck as stuck:
        happened.append((stuck.reason, "", "", 0, 0))
    happened[:0] = [
        (s.phase, s.op, s.register, s.before, s.after) for s in machine.trace if s.op != SKIP
    ]
    return happened, {path: value for path, value in machine.cells.items() if path[0] != "%"}


def difference(
    target: Target,
    one: Program,
    two: Program,
    constants: Mapping[str, int],
    chance: Random,
    steps: int,
) -> str:
    """What the second tree does otherwise than the first; "" for nothing."""
    tape, seed = Tape(constants, chance), str(chance.random())
    expected, before = run(target, one, tape, Random(seed), steps)
    found, after = run(target, two, tape.again(), Random(seed), steps)
    for a, b in zip(expected, found, strict=False):
        if a != b:
            return f"{b} instead of {a}"
    if len(expected) != len(found):
        return f"{len(found)} things happen instead of {len(expected)}"
    wrong = [path for path in before.keys() & after.keys() if before[path] != after[path]]
    return f"{min(wrong)} is {after[min(wrong)]} instead of {before[min(wrong)]}" if wrong else ""
