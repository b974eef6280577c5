"""The symbolic executor against the interpreter, which runs the same things on numbers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ir_programs import CELLS, CONTRACTS, OBJECTS, program
from tests.test_ir_interp import Tree
from verify.encode import term as t
from verify.encode.execute import Executor, Pointer
from verify.encode.store import UNSET, Cell
from verify.encode.term import Term
from verify.ir.contract import Contract
from verify.ir.interp import Interpreter, Stuck
from verify.ir.machine import Machine
from verify.ir.types import U32
from verify.ir.word import Word

Model = Callable[[Any], Any]


class Inputs:
    """Values of inputs by name: few, so that comparisons go both ways."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.fixed: dict[str, int] = {}

    def __call__(self, name: str, width: int) -> int:
        if name in self.fixed:
            return self.fixed[name]
        rng = random.Random(f"{self.seed}/{name}")
        mask = (1 << width) - 1 if width else 1
        choices = [0, 0, 1, 1, 2, 3, mask, 1 << max(width - 1, 0), rng.getrandbits(64)]
        return rng.choice(choices) & mask


class Symbolic:
    """What the executor made of a model, to be read for given inputs."""

    def __init__(
        self, tree: Tree, contracts: Mapping[str, Contract], model: Model, cells: Mapping[str, int]
    ) -> None:
        self.machine = Executor(tree, contracts, OBJECTS, cells)
        self.events: list[tuple[Term, str, str, Term, Term]] = []
        self.machine.observers.append(self._observe)
        self.machine.begin_phase("p")
        self.result = model(self.machine)

    def _observe(self, m: Machine, op: str, register: str, before: Any, after: Any) -> None:
        self.events.append((self.machine.condition, op, register, before, after))

    def terms(self, extra: Sequence[Cell]) -> list[Term]:
        m = self.machine
        found = [*m.assumptions]
        found += [fault.guard for fault in m.faults]
        found += [place.guard for place in m.not_understood_places]
        for guard, _, _, before, after in self.events:
            found += [guard, before, after]
        for cell in (*m.cells.values(), *extra, self.result):
            if isinstance(cell, Term):
                found.append(cell)
            elif isinstance(cell, Pointer):
                found += [guard for guard, _ in cell.targets]
        return found


class Reading:
    """Values of a `Symbolic` for given inputs."""

    def __init__(self, symbolic: Symbolic, inputs: Inputs, extra: Sequence[Cell]) -> None:
        terms = list(dict.fromkeys(symbolic.terms(extra)))
        env = {str(v.name): inputs(str(v.name), v.width) for v in t.free_vars(terms)}
        self.values = dict(zip(terms, t.evaluate(terms, env), strict=True))

    def true(self, term: Term) -> bool:
        return self.values[term] == 1

    def cell(self, cell: Cell | None) -> object:
        """A Word, a path, None, or a list of paths where that is not one."""
        if isinstance(cell, Term):
            return Word(self.values[cell], cell.width)
        if cell is None:
            return None
        paths = [path for guard, path in cell.targets if self.true(guard)]
        paths = ["?" if path == UNSET else _plain(path) for path in paths]
        return paths[0] if len(paths) == 1 else paths


def _plain(path: Any) -> Any:
    """A path without the number of the frame, which nobody promises."""
    return re.sub(r"^%\d+", "%", path) if isinstance(path, str) else path


def compare(
    tree: Tree,
    model: Model,
    seeds: Sequence[int],
    contracts: Mapping[str, Contract] = CONTRACTS,
    cells: Mapping[str, int] = CELLS,
    fixed: Mapping[str, int] | None = None,
) -> int:
    """Run both machines and compare; how many runs came to their end."""
    symbolic = Symbolic(tree, contracts, model, cells)
    executor = symbolic.machine
    finished = 0
    for seed in seeds:
        inputs = Inputs(seed)
        inputs.fixed.update(fixed or {})
        interpreter = Interpreter(tree, contracts, OBJECTS, inputs, cells)
        interpreter.begin_phase("p")
        stuck: Stuck | None = None
        result = None
        try:
            result = model(interpreter)
        except Stuck as found:
            stuck = found
        names = [path for path in interpreter.cells if not path.startswith("%")]
        expected = {path: executor.cells.get(path) for path in names}
        initial = {p: executor.initial_value(p) for p, v in expected.items() if v is None}
        reading = Reading(symbolic, inputs, list(initial.values()))
        reasons = [f.reason for f in executor.faults if reading.true(f.guard)]
        reasons += ["assumption" for a in executor.assumptions if not reading.true(a)]
        places = [
            (place.text, place.reason)
            for place in executor.not_understood_places
            if reading.true(place.guard)
        ]
        unknown = [p for p in places if p != ("half", "known")]
        assert (stuck is not None) == bool(reasons or unknown), (stuck, reasons, unknown, seed)
        if stuck is not None:
            continue
        finished += 1
        assert [(p.text, p.reason) for p in interpreter.not_understood_places] == places
        events = [
            (op, register, reading.cell(before), reading.cell(after))
            for guard, op, register, before, after in symbolic.events
            if reading.true(guard)
        ]
        assert events == [
            (s.op, s.register, Word(s.before, s.width), Word(s.after, s.width))
            for s in interpreter.trace
        ], seed
        assert reading.cell(symbolic.result) == result, seed
        for path, value in expected.items():
            cell = initial[path] if value is None else value
            assert reading.cell(cell) == _plain(interpreter.cells[path]), (path, seed)
        for path, value in executor.cells.items():
            if isinstance(value, Term) and path not in expected:
                untouched = inputs(f"init/{path}", value.width)
                kind = executor._objects.type_of(path)
                if getattr(kind, "boolean", False):
                    untouched = int(untouched != 0)
                assert reading.cell(value) == Word(untouched, value.width), (path, seed)
    return finished


def run_f(m: Any) -> Any:
    """Calls the tree as models do."""
    where = m.ite(m.fresh("which", 0), m.address("room.first"), m.address("room.boxes[1]"))
    with m.when(m.fresh("early", 0)):
        m.call("leaf", m.fresh("n", 32), where)
        m.set("ghost.seen", 1)
    return m.call("f", m.fresh("a", U32.width), where)


SEEDS = range(6)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=True), st.booleans())
def test_runs_agree(rng: random.Random, strange: bool) -> None:
    compare(program(rng, strange=strange), run_f, SEEDS)
