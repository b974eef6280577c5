"""The symbolic executor against the interpreter, which runs the same things on numbers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.ir_programs import CELLS, CONTRACTS, OBJECTS, program
from tests.test_ir_interp import (
    BOX,
    CHART,
    FIRST,
    ROOM,
    ROOM_OBJECT,
    L,
    Tree,
    at,
    function,
    let,
    member,
    plus,
    pointer_to,
    u32,
    value,
)
from verify.encode import term as t
from verify.encode.execute import Executor, Pointer, through_havoc
from verify.encode.statements import LOOP_ROUNDS, RECURSION
from verify.encode.store import UNSET, Cell
from verify.encode.term import Term
from verify.errors import BadInput, InternalError
from verify.ir.contract import CallSite, Contract
from verify.ir.interp import SKIP, Interpreter, Stuck
from verify.ir.machine import Machine
from verify.ir.nodes import (
    AddressOf,
    Arm,
    Assign,
    Binary,
    Bits,
    Block,
    Break,
    Call,
    Cast,
    Compare,
    Conditional,
    Const,
    ContainerOf,
    Continue,
    Declare,
    Deref,
    Expr,
    ExprStmt,
    Function,
    FunctionName,
    Global,
    Goto,
    If,
    Index,
    Label,
    Local,
    Logical,
    Loop,
    Not,
    Null,
    Return,
    StatementExpr,
    Stmt,
    Switch,
    Text,
    Unmodelled,
)
from verify.ir.types import BOOL, S8, S16, S32, U8, U16, U32, U64, VOID, Array, Int, Type
from verify.ir.types import Pointer as PointerType
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
            if s.op != SKIP
        ], seed
        assert reading.cell(symbolic.result) == result, seed
        for path, held in expected.items():
            cell = initial[path] if held is None else held
            assert reading.cell(cell) == _plain(interpreter.cells[path]), (path, seed)
        for path, cell in executor.cells.items():
            if isinstance(cell, Term) and path not in expected:
                untouched = inputs(f"init/{path}", cell.width)
                kind = executor._objects.type_of(path)
                if getattr(kind, "boolean", False):
                    untouched = int(untouched != 0)
                assert reading.cell(cell) == Word(untouched, cell.width), (path, seed)
    return finished


def run_f(m: Any) -> Any:
    """Calls the tree as models do."""
    where = m.ite(m.fresh("which", 0), m.address("room.first"), m.address("room.boxes[1]"))
    with m.when(m.fresh("early", 0)):
        m.call("leaf", m.fresh("n", 32), where)
        m.set("ghost.seen", 1)
    return m.call("f", m.fresh("a", U32.width), where)


SEEDS = range(6)


@settings(max_examples=80)
@example(random.Random(7747), False, False)  # A contract calls after a statement expression.
@given(st.randoms(use_true_random=True), st.booleans(), st.booleans())
def test_runs_agree(rng: random.Random, strange: bool, unknown: bool) -> None:
    compare(program(rng, 2, strange, unknown), run_f, SEEDS)


# Programs by hand -------------------------------------------------------------------------

A, Q = Local("a", U32), Local("q", PointerType(BOX))
SLOTS = member(FIRST, "slots")
FLAG = Cast(value(Global("choice", U32)), U32)


def choose(bit: int) -> Compare:
    """Bit `bit` of an input."""
    return Compare("!=", Binary("&", FLAG, u32(1 << bit), U32), u32(0))


def noise(line: int = 1) -> Call:
    """A call that gives an input."""
    return Call("noise", (), U32, at(line))


NOISE: dict[str, Contract] = {
    "noise": lambda m, site: m.fresh("n", 32),
    "note": lambda m, site: m.emit("NOTE", "wide", m.get("wide"), site.args[0].zext(64)),
    "limit": lambda m, site: m.assume(site.args[0].ule(3)),
    "again": lambda m, site: m.call("leaf"),
}


def note(expr: Expr) -> ExprStmt:
    return ExprStmt(Call("note", (expr,), VOID, L), L)


def agree(*body: Stmt, leaf: Sequence[Stmt] = (), result: Type = VOID, runs: int = 24) -> int:
    """Compare the machines on a function with this body, with many inputs."""
    tree = Tree(
        function(*body, result=result),
        function(*leaf, Return(noise(), L), name="leaf", result=U32),
    )
    return compare(tree, lambda m: m.call("f"), range(runs), NOISE)


def execute(
    *body: Stmt, result: Type = VOID, contracts: Mapping[str, Contract] = NOISE, **more: Function
) -> tuple[Executor, Any]:
    """A machine that ran a function with this body, and the result."""
    tree = Tree(function(*body, result=result), *more.values())
    machine = Executor(tree, contracts, OBJECTS, CELLS)
    machine.begin_phase("p")
    return machine, machine.call("f")


def inputs_of(*terms: Any) -> set[str]:
    return {str(v.name) for v in t.free_vars(terms)}


def two(first: Stmt, second: Stmt) -> tuple[Stmt, ...]:
    return (If(choose(0), (first,), (second,), L),)


def set_size(expr: Expr, line: int = 1) -> ExprStmt:
    return let(member(FIRST, "size"), expr, line)


ADD = plus(value(member(FIRST, "size")), noise())


@pytest.mark.parametrize(
    "body",
    [
        # The same call in both arms is the same place; after one arm it is the second.
        two(set_size(noise()), set_size(noise())),
        (*two(set_size(noise()), Block((), L)), set_size(ADD)),
        (*two(set_size(noise()), set_size(noise(2))), set_size(ADD), set_size(ADD, 2)),
        (If(Logical("&&", choose(0), noise()), (), (), L), set_size(noise())),
        (set_size(Conditional(choose(0), noise(), u32(1), U32)), set_size(ADD)),
        (set_size(Conditional(choose(0), u32(1), noise(), U32)), set_size(ADD)),
        (
            *two(set_size(noise()), Block((), L)),
            If(choose(1), (set_size(ADD),), (), L),
            *two(Block((), L), set_size(ADD)),
            set_size(ADD),
        ),
        # Calls below a place that has two names.
        (
            *two(ExprStmt(Call("leaf", (), U32, L), L), Block((), L)),
            set_size(Call("leaf", (), U32, L)),
        ),
        # A jump takes the names of its way along.
        (
            If(choose(0), (set_size(noise()), Goto("out", L)), (), L),
            If(choose(1), (set_size(noise()), set_size(noise()), Goto("out", L)), (), L),
            Label("out", L),
            set_size(ADD),
        ),
        # Rounds of one line, left early, and again.
        (
            Loop(choose(0), None, (If(noise(), (Break(L),), (), L), Break(L)), False, L),
            Loop(choose(1), None, (set_size(noise()), Break(L)), False, L),
        ),
        # The line of a call that a contract makes in a loop's step.
        (
            Loop(
                Not(value(member(FIRST, "size"))),
                Assign(member(FIRST, "size"), Call("again", (), U32, at(7)), U32),
                (set_size(u32(0), 9), If(choose(2), (Continue(at(8)),), (), at(8))),
                False,
                at(5),
            ),
        ),
    ],
)
def test_inputs_have_the_names_of_their_place(body: tuple[Stmt, ...]) -> None:
    bounded = (*body, note(value(member(FIRST, "size"))))
    assert agree(*bounded) > 8


def test_a_declaration_before_a_label_holds_after_it() -> None:
    x = Local("x", U32)
    body = (
        Declare(x, noise(), False, L),
        If(choose(0), (Goto("out", L),), (), L),
        let(x, u32(5)),
        Label("out", L),
        Return(value(x), L),
    )
    assert agree(*body, result=U32) == 24


def test_casts_decide_by_the_bits_they_keep() -> None:
    for kind in (U8, U64, BOOL):
        body = (If(Cast(noise(), kind), (note(u32(1)),), (note(u32(2)),), L),)
        assert agree(*body) == 24


def test_the_first_of_overlapping_arms_wins() -> None:
    x = Local("x", U32)
    arms = (
        Arm(((0, 2),), False, (let(x, u32(1)), note(u32(1)), Break(L)), L),
        Arm(((2, 3), (-7, -1), (9, 5)), False, (let(x, u32(2)), note(u32(2)), Break(L)), L),
        Arm(((1 << 40, 1 << 41),), False, (let(x, u32(3)),), L),
    )
    for kind in (U8, S8, U32):
        body = (
            Declare(x, u32(0), False, L),
            Switch(Cast(noise(), kind), arms, L),
            Return(value(x), L),
        )
        assert agree(*body, result=U32) == 24


# Faults -----------------------------------------------------------------------------------

MAYBE_NULL = Conditional(choose(0), pointer_to(FIRST), Null(PointerType(BOX)), PointerType(BOX))
WAY = Local("w", PointerType(U16))


@pytest.mark.parametrize(
    "expr",
    [
        value(member(Deref(MAYBE_NULL, BOX), "size")),
        Binary("/", u32(7), noise(), U32),
        Binary("%", Const(-7, S32), Cast(noise(), S32), S32),
        Binary(
            "/",
            Const(-(2**31), S32),
            Cast(Binary("|", noise(), u32(0xFFFFFFFE), U32), S32),
            S32,
        ),
        Binary("<<", u32(1), Binary("&", noise(), u32(32), U32), U32),
        Binary(">>", Const(1, U64), Cast(Binary("&", noise(), u32(255), U32), S8), U64),
        value(Index(SLOTS, noise(), U16)),
        value(Index(SLOTS, Cast(noise(), S8), U16)),
        value(Index(Deref(value(WAY), U16), Cast(noise(), S8), U16)),
        value(Index(member(FIRST, "size"), noise(), U32)),
        Cast(MAYBE_NULL, U64),
        Not(Cast(noise(), PointerType(BOX))),
        value(Deref(AddressOf(FIRST, PointerType(U64)), U64)),
        value(Deref(AddressOf(member(FIRST, "size"), PointerType(U64)), U64)),
        ContainerOf(MAYBE_NULL, ("first",), PointerType(ROOM)),
        Logical("||", MAYBE_NULL, value(member(Deref(MAYBE_NULL, BOX), "open"))),
        Conditional(choose(1), value(Deref(MAYBE_NULL, BOX)), value(FIRST), BOX),
    ],
)
def test_what_has_no_meaning_is_a_fault_where_the_interpreter_is_stuck(expr: Expr) -> None:
    second = pointer_to(Index(SLOTS, u32(1), U16))
    body = (
        Declare(WAY, second, False, L),
        ExprStmt(expr, at(4)),
        note(u32(1)),
    )
    finished = agree(*body)
    machine, _ = execute(*body)
    assert machine.faults
    assert {(f.file, f.line) for f in machine.faults} == {("f.c", 4)}
    # Nothing happens on those paths any more.
    assert all(t.conj((f.guard, machine.condition)) is t.false for f in machine.faults)
    assert finished < 24


def test_what_is_not_evaluated_has_no_fault() -> None:
    opened = value(member(Deref(MAYBE_NULL, BOX), "open"))
    for expr in (
        Logical("&&", MAYBE_NULL, opened),
        Logical("||", Not(MAYBE_NULL), opened),
        Conditional(MAYBE_NULL, opened, Const(3, BOOL), BOOL),
    ):
        body = (note(Cast(expr, U32)),)
        assert not execute(*body)[0].faults
        assert agree(*body) == 24


def test_wide_arrays_know_negative_indices() -> None:
    long = Local("long", Array(U8, 200))
    index = Cast(noise(), S8)
    body = (
        Declare(long, None, True, L),
        let(Index(long, index, U8), Const(1, U8)),
        Return(Cast(value(Index(long, u32(127), U8)), U32), L),
    )
    assert 0 < agree(*body, result=U32) < 24


def test_faults_are_events_under_their_condition() -> None:
    seen: list[tuple[str, str, Term]] = []
    tree = Tree(function(let(Index(SLOTS, noise(), U16), Const(1, U16))))
    machine = Executor(tree, NOISE, OBJECTS, CELLS)
    machine.observers.append(
        lambda m, op, register, before, after: seen.append((op, register, machine.condition))
    )
    machine.begin_phase("p")
    machine.call("f")
    index = t.var("p/f:0/noise:1/n", 32)
    assert seen == [("FAULT", "room.first.slots", t.const(2, 32).ult(index))]
    (fault,) = machine.faults
    assert (fault.reason, fault.guard) == ("index out of bounds of 3", seen[0][2])
    assert machine.condition is index.ult(3)


def test_locals_of_functions_that_have_returned() -> None:
    leak = function(
        Declare(A, u32(1), False, L),
        Return(pointer_to(A), L),
        name="leak",
        result=PointerType(U32),
    )
    way = Local("w", PointerType(U32))
    start = Declare(way, Call("leak", (), PointerType(U32), L), False, L)
    for use in (
        value(Deref(value(way), U32)),
        Assign(Deref(value(way), U32), u32(1), U32),
        Compare("==", value(way), Null(PointerType(U32))),
    ):
        machine, _ = execute(start, ExprStmt(use, L), leak=leak)
        assert [f.reason for f in machine.faults] == ["a local of a function that has returned"]
        assert machine.condition is t.false
    machine, _ = execute(start, leak=leak)
    assert not machine.faults
    assert not [cell for cell in machine.cells if cell.startswith("%")]


def test_a_pointer_that_was_never_assigned_may_be_copied_but_not_used() -> None:
    one, other = Local("one", BOX), Local("two", BOX)
    copied = (Declare(one, None, False, L), Declare(other, None, True, L), let(other, value(one)))
    assert not execute(*copied)[0].faults
    machine, _ = execute(*copied, ExprStmt(value(member(other, "next")), L))
    assert [f.reason for f in machine.faults] == ["a pointer that was never assigned"]


# Loops ------------------------------------------------------------------------------------

INDEX = Local("i", U32)


def count_to(bound: Expr, *body: Stmt, kind: Int = U32) -> tuple[Stmt, ...]:
    """`for (i = 0; i < bound; i++) body`, at line 3."""
    index = Local("i", kind)
    step = Assign(index, Binary("+", value(index), Const(1, kind), kind), kind)
    loop = Loop(Compare("<", value(index), bound), step, body, False, at(3))
    return (Declare(index, Const(0, kind), False, L), loop)


def rounds(machine: Executor) -> set[str]:
    """The rounds in which an input was made."""
    made = inputs_of(*(v for v in machine.cells.values() if isinstance(v, Term)))
    return {name.split("/")[2] for name in made if "/@" in name}


SIZE = member(FIRST, "size")
GROW = let(SIZE, plus(value(SIZE), noise()))


def test_a_loop_runs_as_often_as_assumptions_allow() -> None:
    bound = Local("n", U32)
    body = (
        Declare(bound, noise(), False, L),
        ExprStmt(Call("limit", (value(bound),), VOID, L), L),
        *count_to(value(bound), GROW),
        Return(value(INDEX), L),
    )
    machine, result = execute(*body, result=U32)
    assert rounds(machine) == {f"@3#{i}" for i in range(3)}
    assert not machine.faults and not machine.not_understood_places
    assert inputs_of(result) == {"p/f:0/noise:1/n"}
    assert machine.condition is t.true
    assert agree(*body, result=U32) > 8


@pytest.mark.parametrize(
    ("bound", "most"),
    [
        (Binary("&", noise(), u32(5), U32), 5),
        (Cast(value(Bits(SIZE, 3, 2, U8)), U32), 3),
        (Cast(value(member(FIRST, "open")), U32), 1),
        (u32(4), 4),
        (u32(0), 0),
    ],
)
def test_a_loop_runs_as_often_as_its_bound_allows(bound: Expr, most: int) -> None:
    n = Local("n", U32)
    lid = member(FIRST, "lid")
    grow = let(lid, plus(value(lid), Cast(noise(), U64), U64))
    body = (Declare(n, bound, False, L), *count_to(value(n), grow))
    machine, _ = execute(*body)
    assert rounds(machine) == {f"@3#{i}" for i in range(most)}
    assert agree(*body) > 8


@pytest.mark.parametrize("last", [0, 1, 2])
def test_a_loop_that_counts_down_ends_where_its_start_allows(last: int) -> None:
    """`for (i = (s32)n - 1; i >= last; i--)`, where n is at most 5."""

    def number(value: int) -> Const:
        return Const(value, S32)

    index = Local("i", S32)
    many = Cast(Binary("&", noise(), u32(5), U32), S32)
    step = Assign(index, Binary("-", value(index), number(1), S32), S32)
    grow = let(member(FIRST, "lid"), plus(value(member(FIRST, "lid")), Cast(noise(), U64), U64))
    start = Declare(index, Binary("-", many, number(1), S32), False, L)
    body = (start, Loop(Compare(">=", value(index), number(last)), step, (grow,), False, at(3)))
    machine, _ = execute(*body)
    assert rounds(machine) == {f"@3#{i}" for i in range(5 - last)}
    assert not machine.not_understood_places
    assert agree(*body) > 8


def test_a_loop_that_counts_to_one_value_ends_where_its_start_allows() -> None:
    """`n = noise & 7; while (n--) lid += noise;`: it is left at one value after the other."""
    n, before = Local("n", U32), Local("before", U32)
    lid = member(FIRST, "lid")
    less = Assign(n, Binary("-", value(n), u32(1), U32), U32)
    taken = StatementExpr(
        (Declare(before, value(n), False, L), ExprStmt(less, L)),
        Compare("!=", value(before), u32(0)),
        S32,
    )
    body = (
        Declare(n, Binary("&", noise(), u32(7), U32), False, L),
        Loop(taken, None, (let(lid, plus(value(lid), Cast(noise(), U64), U64)),), False, at(3)),
    )
    machine, _ = execute(*body)
    assert rounds(machine) == {f"@3#{i}" for i in range(7)}
    assert not machine.not_understood_places
    assert agree(*body) > 8


def test_a_configured_bound_ends_a_loop() -> None:
    grow = let(member(FIRST, "lid"), Cast(noise(), U64))
    machine = Executor(Tree(function(*count_to(value(SIZE), grow))), NOISE, OBJECTS, CELLS)
    machine.cells["room.first.size"] = t.var("config/nr", 32, 2)
    machine.begin_phase("p")
    machine.call("f")
    assert not machine.not_understood_places
    assert rounds(machine) <= {"@3#0", "@3#1"}


def test_the_end_of_an_array_ends_a_loop() -> None:
    body = count_to(noise(), let(Index(SLOTS, value(INDEX), U16), Const(1, U16)))
    machine, _ = execute(*body)
    assert [f.reason for f in machine.faults] == ["index 3 out of bounds of 3"]
    assert not machine.not_understood_places
    assert agree(*body) > 0


def test_a_loop_without_a_known_end_is_unknown_code() -> None:
    leave = If(Compare("==", value(SIZE), u32(7)), (Return(u32(1), L),), (), L)
    body = (
        Declare(Q, pointer_to(FIRST), False, L),
        *count_to(value(member(FIRST, "lid")), leave, GROW, kind=U64),
        Return(Cast(value(INDEX), U32), L),
    )
    machine, result = execute(*body, result=U32)
    (place,) = machine.not_understood_places
    assert (place.file, place.line) == ("f.c", 3)
    assert place.reason == f"the loop does not end within {LOOP_ROUNDS} rounds"
    # It may have returned from there, with any value.
    assert any(through_havoc(name) and "return" in name for name in inputs_of(result))
    assert inputs_of(machine.get("room.first.size")) >= {"p/f:0/?havoc~1/room.first.size"}


def test_a_loop_that_runs_unknown_code_ends_soon() -> None:
    body = count_to(value(SIZE), ExprStmt(Call("mystery", (pointer_to(SIZE),), VOID, L), L))
    machine, _ = execute(*body)
    assert len(machine.not_understood_places) <= 20
    assert "does not end" in machine.not_understood_places[-1].reason


# Code that is not understood --------------------------------------------------------------


def mystery(*args: Expr, result: Type = VOID) -> Call:
    return Call("mystery", args, result, at(8))


def changed(machine: Executor, cell: str) -> bool:
    """The cell holds what unknown code left in it."""
    return all(through_havoc(name) for name in inputs_of(machine.get(cell)))


def test_unknown_code_may_write_what_its_pointers_and_globals_lead_to() -> None:
    other = member(ROOM_OBJECT, "boxes")
    knob = Global("knob", U32)
    local, plain = Local("b", BOX), Local("x", U32)
    body = (
        Declare(local, None, True, L),
        Declare(plain, u32(3), False, L),
        let(knob, u32(1)),
        set_size(u32(1)),
        let(member(local, "next"), pointer_to(Index(other, u32(1), BOX))),
        ExprStmt(mystery(pointer_to(local)), at(8)),
        note(value(member(local, "size"))),
        note(value(plain)),
        Return(Cast(Not(value(member(local, "next"))), U32), L),
    )
    events: list[Term] = []
    tree = Tree(function(*body, result=U32))
    machine = Executor(tree, NOISE, OBJECTS, CELLS)
    machine.observers.append(lambda m, op, register, before, after: events.append(after))
    machine.begin_phase("p")
    machine.set("reg", 1)
    machine.set("ghost.seen", 1)
    result = machine.call("f")
    for cell in ("reg", "wide", "flag", "knob", "room.first.size", "room.boxes[1].open"):
        assert changed(machine, cell), cell
    assert machine.get("ghost.seen") is t.const(1, 32)
    assert machine.get("room.boxes[1].next") == Pointer.to("room.boxes[1].next->")
    size, x = events
    assert inputs_of(size) == {"p/f:0/mystery:8/?havoc~1/%1.b.size"}
    assert x is t.const(3, 64)
    assert inputs_of(result) == {"p/f:0/mystery:8/?havoc~1/%1.b.next/null"}
    (place,) = machine.not_understood_places
    assert (place.file, place.line, place.text) == ("f.c", 8, "mystery(...)")
    assert place.reason == "it has neither a contract nor a body"
    assert place.guard is t.true and not machine.faults


def test_constants_hold_what_their_initialisers_give_whatever_runs() -> None:
    x = Local("x", U32)
    body = (
        ExprStmt(value(Index(CHART, u32(0), S16)), L),
        ExprStmt(mystery(u32(1)), L),
        Return(value(Index(CHART, value(x), S16)), L),
    )
    machine = Executor(Tree(function(*body, parameters=[x], result=S16)), NOISE, OBJECTS, CELLS)
    machine.begin_phase("p")
    found = machine.call("f", t.var("at", 32))
    values = [t.evaluate([found], {"at": at})[0] for at in range(3)]
    assert values == [5, 0, 0xFFFF] and inputs_of(found) == {"at"}


def test_unknown_code_without_a_pointer_reaches_no_object_that_needs_one() -> None:
    machine, _ = execute(set_size(u32(1)), ExprStmt(mystery(u32(1)), L))
    assert machine.get("room.first.size") is t.const(1, 32)
    assert changed(machine, "reg") and changed(machine, "wide")


def test_unknown_code_runs_only_on_its_paths() -> None:
    body = (
        set_size(u32(1)),
        If(choose(0), (ExprStmt(mystery(pointer_to(FIRST)), L),), (), L),
    )
    machine, _ = execute(*body)
    (place,) = machine.not_understood_places
    size = machine.get("room.first.size")
    assert size.op == "ite" and size.args[0] is place.guard
    # A cell that nobody had looked at.
    later = machine.get("room.first.lid")
    assert inputs_of(later) >= {"init/room.first.lid"}
    assert t.substitute([later], {t.var("init/choice", 32): t.const(0, 32)}) == [
        t.var("init/room.first.lid", 64)
    ]
    assert agree(*body) > 0


def test_what_unknown_code_returns() -> None:
    kind = PointerType(BOX)
    body = (
        Declare(Q, mystery(result=kind), False, L),
        If(Not(value(Q)), (Return(u32(0), L),), (), L),
        Return(value(member(Deref(value(Q), BOX), "size")), L),
    )
    machine, _ = execute(*body, result=U32)
    assert [f.reason for f in machine.faults] == ["a pointer that unknown code has made"]
    null = t.var("p/f:0/mystery:8/?havoc~1/return/null", 0)
    assert machine.faults[0].guard is ~null
    same = Compare("==", value(Q), pointer_to(FIRST))
    machine, result = execute(body[0], Return(Cast(same, U32), L), result=U32)
    assert not machine.faults
    assert inputs_of(result) == {"p/f:0/?havoc/compare", str(null.name)}
    machine, result = execute(Return(mystery(result=BOOL), L), result=BOOL)
    assert result.hi == 1 and inputs_of(result) == {"p/f:0/mystery:8/?havoc~1/return"}


def test_unknown_pointers_may_lead_anywhere() -> None:
    body = (
        set_size(u32(1)),
        Declare(Q, mystery(result=PointerType(BOX)), False, L),
        ExprStmt(mystery(value(Q)), at(9)),
    )
    assert changed(execute(*body)[0], "room.first.size")


def test_a_fork_remembers_unknown_code() -> None:
    machine, _ = execute(ExprStmt(mystery(pointer_to(FIRST)), L))
    assert changed(machine.fork(), "room.first.size")


def test_statements_that_are_not_modelled_reach_the_locals() -> None:
    x = Local("x", U32)
    body = (
        Declare(x, u32(1), False, L),
        Unmodelled("asm(x)", "assembly", at(6)),
        Return(value(x), L),
    )
    machine, result = execute(*body, result=U32)
    assert inputs_of(result) == {"p/f:0/?havoc~1/%1.x"}
    assert [(p.line, p.text, p.reason) for p in machine.not_understood_places] == [
        (6, "asm(x)", "assembly")
    ]


def test_deep_recursion_is_unknown_code() -> None:
    again = ExprStmt(Call("f", (), VOID, at(2)), at(2))
    machine, _ = execute(If(Compare("<", noise(), u32(9)), (again, again), (), L))
    places = machine.not_understood_places
    assert {p.reason for p in places} == {"calls nest too deep"}
    assert max(name.count("f:") for p in places for name in inputs_of(p.guard)) == RECURSION
    assert machine.functions == {"f"}


# The machine of models --------------------------------------------------------------------


def model(*functions: Function) -> Executor:
    machine = Executor(Tree(*functions), NOISE, OBJECTS, CELLS)
    machine.begin_phase("p")
    return machine


def test_guards_hold_back_every_effect() -> None:
    setter = function(set_size(u32(1)), Return(u32(1), L), name="setter", result=U32)
    m = model(setter)
    m.observers.append(lambda *event: pytest.fail("an event"))
    with m.when(m.flag(True)), m.when(m.flag(False)):
        m.set("reg", 3)
        m.write(m.address("room.first"), ".size", 4)
        m.write(None, ".size", 4)
        m.emit("W", "reg", m.const(0, 8), m.const(1, 8))
        m.assume(m.flag(False))
        m.not_understood("text", "reason")
        assert m.call("setter") is m.const(0, 32)
        assert m.read(None, ".size", 32) is m.const(0, 32)
        m.fresh("a", 8)
    assert m.fresh("a", 8) is t.var("p/a~1", 8)
    assert m.get("reg") is t.var("init/reg", 8)
    assert not m.assumptions and not m.faults and not m.not_understood_places
    assert m.functions == set()


def test_effects_under_a_condition() -> None:
    m = model()
    c, d = m.fresh("c", 0), m.fresh("d", 0)
    with m.when(c):
        m.set("reg", 3)
        with m.when(d):
            m.set("reg", m.get("reg") + 1)
            m.assume(m.get("wide").ult(8))
        m.not_understood("text", "reason")
    assert m.get("reg") is t.ite(c, t.ite(d, t.const(4, 8), t.const(3, 8)), t.var("init/reg", 8))
    assert m.assumptions == [~(c & d & ~t.var("init/wide", 64).ult(8))]
    (place,) = m.not_understood_places
    assert (place.file, place.line, place.text, place.guard) == ("", 0, "text", c)


def test_models_read_and_write_through_pointers() -> None:
    m = model()
    c = m.fresh("c", 0)
    box = m.ite(c, m.address("room.boxes[1]"), m.address("room.first"))
    m.write(box, ".slots[2]", 0x1FFFF)
    old = t.var("init/room.first.slots[2]", 16)
    assert m.get("room.first.slots[2]") is t.ite(c, old, t.const(0xFFFF, 16))
    assert m.read(box, ".slots[2]", 16) is t.const(0xFFFF, 16)
    slots = m.address("room.boxes[1].slots")
    assert m.read(slots, "[2]", 16) is m.read(m.address("room.boxes[1].slots[1]"), "[1]", 16)
    assert m.width_of(slots) == 16
    assert not m.faults
    m.read(m.ite(c, box, None), ".size", 32)
    assert [(f.reason, f.guard) for f in m.faults] == [("null pointer", ~c)]
    assert m.condition is c


def test_contracts_see_evaluated_arguments() -> None:
    sites: list[CallSite] = []
    contracts: dict[str, Contract] = {"g": lambda m, site: sites.append(site)}
    args = (
        u32(1),
        pointer_to(SIZE),
        Null(PointerType(U8)),
        Text("hi", PointerType(U8)),
        FunctionName("f", PointerType(VOID)),
        MAYBE_NULL,
    )
    execute(ExprStmt(Call("g", args, VOID, at(9)), L), contracts=contracts)
    (site,) = sites
    assert site.args[:5] == (t.const(1, 32), Pointer.to("room.first.size"), None, "hi", "f")
    assert [path for _, path in site.args[5].targets] == ["room.first", None]
    assert (site.name, site.result, site.loc) == ("g", VOID, at(9))


def test_a_fork_shares_nothing_that_changes() -> None:
    m = model(function(set_size(u32(1))))
    m.assume(t.var("init/wide", 64).ule(9))
    copy = m.fork()
    copy.begin_phase("q")
    copy.set("reg", 7)
    copy.call("f")
    assert copy.upper(copy.get("wide")) == 9
    assert m.get("reg") is t.var("init/reg", 8)
    assert m.functions == set() and copy.functions == {"f"}
    assert (len(m.assumptions), copy.assumptions) == (1, [])
    assert copy.initial_value("room.first.size") is t.var("init/room.first.size", 32)
    assert copy.fresh("a", 1) is t.var("q/a", 1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda m: m.get("romo.first"),
        lambda m: m.get("room.first"),
        lambda m: m.set("register", 1),
        lambda m: m.set("reg", m.const(1, 16)),
        lambda m: m.set("flag", m.const(1, 1)),
        lambda m: m.address("rooms"),
        lambda m: m.call("missing"),
        lambda m: m.assume(m.const(1, 1)),
        lambda m: m.ite(m.const(1, 8), 1, 2),
    ],
)
def test_mistakes_of_models_are_internal_errors(wrong: Callable[[Machine], object]) -> None:
    with pytest.raises(InternalError):
        wrong(model())


def test_a_member_that_the_tree_has_not_is_bad_input() -> None:
    with pytest.raises(BadInput, match=r"the tree has no room\.frist, which the models look at"):
        model().get("room.frist")
