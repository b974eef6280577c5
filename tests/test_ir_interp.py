"""The concrete interpreter on IR built by hand, and as the machine of models."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

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
    Field,
    Function,
    FunctionName,
    Global,
    Goto,
    If,
    Index,
    Label,
    Load,
    Loc,
    Local,
    Logical,
    Loop,
    LValue,
    Not,
    Null,
    Return,
    StatementExpr,
    Stmt,
    Switch,
    Text,
    Unary,
    Unmodelled,
)
from verify.ir.types import (
    BOOL,
    S8,
    S16,
    S32,
    U8,
    U16,
    U32,
    U64,
    VOID,
    Array,
    Int,
    Member,
    Pointer,
    Record,
    RecordDef,
    Type,
)
from verify.ir.word import Word

BOX = Record("box")
ROOM = Record("room")
RECORDS: dict[str, dict[str, Type]] = {
    "box": {
        "size": U32,
        "open": BOOL,
        "lid": U64,
        "slots": Array(U16, 3),
        "next": Pointer(BOX),
        "odd": Record("?odd"),
    },
    "room": {"first": BOX, "boxes": Array(BOX, 2), "shelf": Pointer(BOX)},
}


class Tree:
    """A program of hand-made functions and the records above."""

    def __init__(self, *functions: Function) -> None:
        self.functions = {f.name: f for f in functions}

    def function(self, name: str) -> Function | None:
        return self.functions.get(name)

    def record(self, tag: str) -> RecordDef:
        return RecordDef(tag, {n: Member(n, t) for n, t in RECORDS[tag].items()})

    def type_of(self, text: str) -> Type:
        return Record(text.removeprefix("struct "))

    def object_type(self, name: str) -> Type | None:
        return {"knob": U32, "chart": CHART.type}.get(name)

    def initialiser(self, name: str) -> dict[str, Const] | None:
        return {"[0]": Const(5, S16), "[2]": Const(-1, S16)} if name == "chart" else None

    def constant(self, text: str) -> int | None:
        return None

    def line(self, file: str, line: int) -> str:
        return ""

    def sources(self) -> Sequence[tuple[str, int, int]]:
        return ()


def at(line: int) -> Loc:
    return Loc("f.c", line)


L = at(1)


def function(
    *body: Stmt, name: str = "f", parameters: Sequence[Local] = (), result: Type = VOID
) -> Function:
    return Function(name, parameters, result, body, L, 99)


def value(lvalue: LValue) -> Load:
    return Load(lvalue, lvalue.type)


def let(lvalue: LValue, expr: Expr, line: int = 1) -> ExprStmt:
    return ExprStmt(Assign(lvalue, expr, lvalue.type), at(line))


def u32(number: int) -> Const:
    return Const(number, U32)


def plus(a: Expr, b: Expr, kind: Int = U32) -> Binary:
    return Binary("+", a, b, kind)


def pointer_to(lvalue: LValue) -> AddressOf:
    return AddressOf(lvalue, Pointer(lvalue.type))


def member(base: LValue, name: str) -> Field:
    assert isinstance(base.type, Record)
    return Field(base, name, RECORDS[base.type.tag][name])


ROOM_OBJECT = Global("room", ROOM)
FIRST = member(ROOM_OBJECT, "first")
CHART = Global("chart", Array(S16, 3))
X, INDEX = Local("x", U32), Local("i", U32)


def machine(
    *functions: Function,
    contracts: Mapping[str, Contract] | None = None,
    inputs: Mapping[str, int] | None = None,
    cells: Mapping[str, int] | None = None,
) -> Interpreter:
    given = inputs or {}
    m = Interpreter(
        Tree(*functions),
        contracts or {},
        {"room": "struct room"},
        lambda name, width: given.get(name, 0),
        cells or {"reg": 8, "flag": 0},
    )
    m.begin_phase("p")
    return m


def run(*body: Stmt, result: Type = U32, **options: Any) -> Any:
    """The value of a function with this body, as an int (or a path)."""
    got = machine(function(*body, result=result), **options).call("f")
    return got.value if isinstance(got, Word) else got


def evaluate(expr: Expr, **options: Any) -> Any:
    return run(Return(expr, L), result=expr.type, **options)


# Expressions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (Unary("-", Const(1, U8), U8), 255),
        (Unary("~", Const(0, U16), U16), 0xFFFF),
        (Not(u32(0)), 1),
        (Not(Null(Pointer(U8))), 1),
        (Not(pointer_to(FIRST)), 0),
        (plus(Const(0xFF, U8), Const(2, U8), U8), 1),
        (Binary("/", Const(-7, S32), Const(2, S32), S32), 0xFFFFFFFD),
        (Binary("%", Const(-7, S32), Const(2, S32), S32), 0xFFFFFFFF),
        (Binary("/", u32(0xFFFFFFF9), u32(2), U32), 0x7FFFFFFC),
        (Binary("%", u32(7), u32(4), U32), 3),
        (Binary("-", u32(1), u32(2), U32), 0xFFFFFFFF),
        (Binary("*", Const(20, U8), Const(20, U8), U8), 400 % 256),
        (Binary("&", u32(12), u32(10), U32), 8),
        (Binary("|", u32(12), u32(10), U32), 14),
        (Binary("^", u32(12), u32(10), U32), 6),
        (Binary(">>", Const(-8, S32), Const(1, U64), S32), 0xFFFFFFFC),
        (Binary(">>", u32(0xFFFFFFF8), Const(1, S32), U32), 0x7FFFFFFC),
        (Binary("<<", Const(3, U64), Const(63, S32), U64), 1 << 63),
        (Compare("<", Const(-1, S32), Const(1, S32)), 1),
        (Compare("<", u32(0xFFFFFFFF), u32(1)), 0),
        (Compare(">=", Const(-1, S8), Const(-1, S8)), 1),
        (Compare("<=", u32(2), u32(1)), 0),
        (Compare(">", u32(2), u32(1)), 1),
        (Compare("!=", u32(2), u32(2)), 0),
        (Compare("==", pointer_to(FIRST), pointer_to(FIRST)), 1),
        (Compare("!=", pointer_to(FIRST), Null(Pointer(BOX))), 1),
        (
            Compare(
                "==",
                pointer_to(member(FIRST, "slots")),
                pointer_to(Index(member(FIRST, "slots"), u32(0), U16)),
            ),
            1,
        ),
        (Cast(Const(-1, S8), U32), 0xFFFFFFFF),
        (Cast(Const(0xFF, U8), U32), 0xFF),
        (Cast(u32(0x1FF), U8), 0xFF),
        (Cast(u32(0x100), BOOL), 1),
        (Cast(pointer_to(FIRST), BOOL), 1),
        (Cast(Null(Pointer(U8)), U64), 0),
        (Conditional(u32(0), u32(1), u32(2), U32), 2),
        (StatementExpr((Declare(X, u32(4), False, L),), plus(value(X), u32(1)), U32), 5),
        (ContainerOf(pointer_to(FIRST), ("first",), Pointer(ROOM)), "room"),
        (Cast(Const(0, S32), Pointer(BOX)), None),
    ],
)
def test_expressions(expr: Expr, expected: object) -> None:
    assert evaluate(expr) == expected


@pytest.mark.parametrize(
    ("op", "left", "expected"), [("&&", 0, 0), ("||", 1, 1), ("&&", 3, 1), ("||", 0, 1)]
)
def test_the_right_operand_is_evaluated_only_when_needed(op: str, left: int, expected: int) -> None:
    seen: list[str] = []

    def touch(m: Machine, site: CallSite) -> Word:
        seen.append(site.name)
        return Word(7, 32)

    expr = Logical(op, u32(left), Call("touch", (), U32, L))
    assert evaluate(expr, contracts={"touch": touch}) == expected
    assert len(seen) == ((left != 0) if op == "&&" else (left == 0))


@pytest.mark.parametrize(
    ("expr", "reason"),
    [
        (Binary("/", u32(1), u32(0), U32), "division by zero"),
        (Binary("%", Const(1, S32), Const(0, S32), S32), "division by zero"),
        (Binary("/", Const(-(2**31), S32), Const(-1, S32), S32), "division overflows"),
        (Binary("%", Const(-(2**31), S32), Const(-1, S32), S32), "division overflows"),
        (Binary("<<", u32(1), u32(32), U32), "shift count"),
        (Binary(">>", Const(1, U64), Const(-1, S32), U64), "shift count"),
        (Call("nowhere", (), U32, L), "neither a contract nor a body"),
        (Cast(pointer_to(FIRST), U64), "pointer"),
        (Cast(u32(4), Pointer(BOX)), "pointer"),
        (ContainerOf(pointer_to(FIRST), ("second",), Pointer(ROOM)), "container_of"),
        (value(Deref(Null(Pointer(U32)), U32)), "null"),
        (value(Deref(pointer_to(member(FIRST, "size")), U64)), "32 bits"),
    ],
)
def test_what_has_no_meaning_is_stuck_at_its_place(expr: Expr, reason: str) -> None:
    with pytest.raises(Stuck, match=reason) as stuck:
        run(Return(u32(0), at(5)) if expr is None else Return(expr, at(7)), result=expr.type)
    assert stuck.value.loc == at(7)


# LValues and cells ------------------------------------------------------------------------


def test_bits_leave_the_rest_alone_and_give_what_was_stored() -> None:
    word = member(FIRST, "size")
    field = Bits(word, 4, 3, S8)
    m = machine(
        function(
            let(word, u32(0xFFFFFFFF)),
            let(X, Cast(Assign(field, Const(0b1101, S8), S8), U32)),
            Return(plus(value(X), Cast(value(field), U32)), L),
            result=U32,
        )
    )
    assert m.call("f") == Word(-6, 32)
    assert m.get("room.first.size") == Word(0xFFFFFFDF, 32)


def test_array_elements_by_index_and_by_pointer() -> None:
    slots = member(FIRST, "slots")
    second = Index(slots, Cast(value(INDEX), S32), U16)
    p = Local("p", Pointer(U16))
    assert (
        run(
            Declare(INDEX, u32(1), False, L),
            let(second, Const(9, U16)),
            Declare(p, pointer_to(second), False, L),
            Return(plus(Cast(value(Deref(value(p), U16)), U32), value(INDEX)), L),
        )
        == 10
    )


def test_an_array_decays_to_its_first_element() -> None:
    p = Local("p", Pointer(U16))
    m = machine(
        function(
            Declare(p, AddressOf(member(FIRST, "slots"), Pointer(U16)), False, L),
            let(Deref(value(p), U16), Const(5, U16)),
        )
    )
    m.call("f")
    assert m.get("room.first.slots[0]") == Word(5, 16)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_out_of_bounds_is_a_fault(index: int) -> None:
    element = Index(member(FIRST, "slots"), Const(index, S32), U16)
    m = machine(function(let(element, Const(1, U16), line=4)))
    with pytest.raises(Stuck, match="out of bounds of 3"):
        m.call("f")
    assert [(s.op, s.register, s.loc) for s in m.trace] == [("FAULT", "room.first.slots", at(4))]


def test_never_assigned_cells_are_inputs_and_pointers_lead_to_new_objects() -> None:
    shelf = Deref(value(member(ROOM_OBJECT, "shelf")), BOX)
    chain = Deref(value(member(shelf, "next")), BOX)
    body = (
        let(member(shelf, "size"), plus(value(member(chain, "size")), value(Global("knob", U32)))),
        Return(Cast(value(member(shelf, "open")), U32), L),
    )
    m = machine(
        function(*body, result=U32),
        inputs={"init/room.shelf->.next->.size": 40, "init/knob": 2, "init/room.shelf->.open": 6},
    )
    assert m.call("f") == Word(1, 32)
    assert m.get("room.shelf") == "room.shelf->"
    assert m.get("room.shelf->.size") == Word(42, 32)


def test_constants_hold_what_their_initialisers_give() -> None:
    m = machine(function(Return(value(Index(CHART, value(X), S16)), L), parameters=[X], result=S16))
    for index, number in enumerate((5, 0, 0xFFFF)):
        assert m.call("f", Word(index, 32)) == Word(number, 16)
    assert m.get("chart[2]") == Word(0xFFFF, 16)


def test_records_are_copied_member_by_member() -> None:
    one, two = (Index(member(ROOM_OBJECT, "boxes"), u32(i), BOX) for i in (0, 1))
    m = machine(
        function(
            let(member(one, "size"), u32(3)),
            let(member(two, "size"), u32(4)),
            let(member(two, "next"), Null(Pointer(BOX))),
            let(one, value(two)),
            let(member(two, "size"), u32(5)),
        ),
        inputs={"init/room.boxes[1].slots[2]": 8, "init/room.boxes[0].slots[2]": 9},
    )
    m.call("f")
    assert m.get("room.boxes[0].size") == Word(4, 32)
    assert m.get("room.boxes[0].next") is None
    assert m.get("room.boxes[0].slots[2]") == Word(8, 16)


def test_locals_without_a_value_are_named_inputs() -> None:
    local = Local("b.2", BOX)
    body = (
        Declare(X, None, False, L),
        Declare(local, None, False, L),
        Declare(local, None, False, L),
        Return(plus(value(X), value(member(local, "size"))), L),
    )
    inputs = {"p/f:0/undef/x": 30, "p/f:0/undef/b.2~1.size": 4}
    assert run(*body, inputs=inputs) == 34


def test_a_local_pointer_without_a_value_may_be_copied_but_not_used() -> None:
    a, b = Local("a", BOX), Local("b", BOX)
    copied = (Declare(a, None, False, L), Declare(b, None, True, L), let(b, value(a)))
    run(*copied, result=VOID)
    with pytest.raises(Stuck, match="never assigned"):
        run(*copied, Return(value(member(b, "next")), L), result=Pointer(BOX))


def test_zeroed_records_are_zero_where_nothing_was_assigned() -> None:
    local = Local("b", BOX)
    fields = value(member(local, "size")), Cast(Not(value(member(local, "next"))), U32)
    body = (Declare(local, None, True, L), let(member(local, "lid"), Const(1, U64)))
    assert run(*body, Return(plus(*fields), L)) == 1


def test_a_pointer_to_a_local_works_until_the_function_returns() -> None:
    p = Local("p", Pointer(U32))
    store = function(let(Deref(value(p), U32), u32(6)), name="store", parameters=[p])
    leak = function(
        Declare(X, u32(1), False, L),
        Return(pointer_to(X), L),
        name="leak",
        result=Pointer(U32),
    )
    good = function(
        Declare(X, u32(1), False, L),
        ExprStmt(Call("store", (pointer_to(X),), VOID, L), L),
        Return(value(X), L),
        result=U32,
    )
    assert machine(good, store).call("f") == Word(6, 32)
    dangling = Deref(Call("leak", (), Pointer(U32), L), U32)
    with pytest.raises(Stuck, match="has returned"):
        machine(function(Return(value(dangling), L)), leak).call("f")


# Statements -------------------------------------------------------------------------------


def test_loops_with_break_and_continue() -> None:
    odd = Binary("&", value(INDEX), u32(1), U32)
    body = (
        Declare(X, u32(0), False, L),
        Declare(INDEX, u32(0), False, L),
        Loop(
            None,
            Assign(INDEX, plus(value(INDEX), u32(1)), U32),
            (
                If(Compare("==", value(INDEX), u32(7)), (Break(L),), (), L),
                If(odd, (Continue(L),), (), L),
                let(X, plus(value(X), value(INDEX))),
            ),
            False,
            L,
        ),
        Return(plus(Binary("*", value(X), u32(100), U32), value(INDEX)), L),
    )
    assert run(*body) == (0 + 2 + 4 + 6) * 100 + 7


def test_a_do_loop_tests_last_also_after_continue() -> None:
    body = (
        Declare(X, u32(0), False, L),
        Loop(
            Compare("<", value(X), u32(0)),
            None,
            (let(X, plus(value(X), u32(1))), Continue(L)),
            True,
            L,
        ),
        Return(value(X), L),
    )
    assert run(*body) == 1


def test_an_endless_loop_is_stuck() -> None:
    with pytest.raises(Stuck, match="4096 rounds"):
        run(Loop(None, None, (), False, L))


def switch(number: int) -> int:
    def add(amount: int) -> ExprStmt:
        return let(X, plus(value(X), u32(amount)))

    arms = (
        Arm(((1, 1),), False, (add(1), Break(L)), L),
        Arm((), True, (add(10),), L),
        Arm(((-5, -2), (8, 8)), False, (add(100),), L),
    )
    expr = Const(number, S32)
    result: int = run(
        Declare(X, u32(0), False, L), Switch(expr, arms, L), add(1000), Return(value(X), L)
    )
    return result


@pytest.mark.parametrize(
    ("number", "expected"), [(1, 1001), (0, 1110), (8, 1100), (-3, 1100), (-1, 1110)]
)
def test_switch_falls_through_and_has_ranges(number: int, expected: int) -> None:
    assert switch(number) == expected


def test_goto_goes_forward_to_an_enclosing_list() -> None:
    body = (
        Declare(X, u32(0), False, L),
        Block((Loop(None, None, (Goto("out", L),), False, L), let(X, u32(5))), L),
        let(X, plus(value(X), u32(2))),
        Label("out", L),
        let(X, plus(value(X), u32(1))),
        Return(value(X), L),
    )
    assert run(*body) == 1


def test_a_function_that_ends_without_its_value_is_stuck() -> None:
    with pytest.raises(Stuck, match="f ends without a value"):
        machine(function(result=U32)).call("f")
    assert machine(function()).call("f") is None


def test_return_from_within_an_expression() -> None:
    inner = StatementExpr((Return(u32(3), L),), u32(1), U32)
    assert run(ExprStmt(inner, L), Return(u32(2), L)) == 3


def test_unmodelled_statements_are_stuck() -> None:
    with pytest.raises(Stuck, match=r"f\.c:3: not modelled \(assembly\): asm"):
        run(Unmodelled("asm", "assembly", at(3)))


# Calls, contracts, names ------------------------------------------------------------------


def test_a_contract_wins_over_a_body_and_sees_evaluated_arguments() -> None:
    sites: list[CallSite] = []

    def answer(m: Machine, site: CallSite) -> Word:
        sites.append(site)
        return Word(2, 32)

    args = (
        u32(1),
        pointer_to(member(FIRST, "size")),
        Null(Pointer(U8)),
        Text("hi", Pointer(U8)),
        FunctionName("f", Pointer(VOID)),
    )
    call = Call("g", args, U32, at(9))
    other = function(Return(u32(5), L), name="g", result=U32)
    m = machine(function(Return(call, L), result=U32), other, contracts={"g": answer})
    assert m.call("f") == Word(2, 32)
    assert sites == [CallSite("g", (Word(1, 32), "room.first.size", None, "hi", "f"), U32, at(9))]
    assert m.call("g") == Word(5, 32)


def test_records_are_passed_by_value() -> None:
    b = Local("b", BOX)
    grow = function(
        let(member(b, "size"), plus(value(member(b, "size")), u32(1))),
        Return(value(member(b, "size")), L),
        name="grow",
        parameters=[b],
        result=U32,
    )
    m = machine(
        function(Return(Call("grow", (value(FIRST),), U32, L), L), result=U32),
        grow,
        inputs={"init/room.first.size": 6},
    )
    assert m.call("f") == Word(7, 32)
    assert m.get("room.first.size") == Word(6, 32)


def test_names_of_inputs_tell_calls_and_rounds() -> None:
    names: list[str] = []

    def note(name: str, width: int) -> int:
        names.append(name)
        return 0

    def device(m: Machine, site: CallSite) -> None:
        m.fresh("noise", 8)
        m.fresh("noise", 8)
        with m.when(m.flag(False)):
            m.call("leaf")
        m.call("leaf")

    leaf = function(ExprStmt(Call("tick", (), VOID, at(30)), at(30)), name="leaf")
    poke = ExprStmt(Call("device", (), VOID, at(21)), at(20))
    loop = Loop(
        Compare("<", value(INDEX), u32(2)),
        Assign(INDEX, plus(value(INDEX), u32(1)), U32),
        (poke,),
        False,
        at(19),
    )
    contracts: dict[str, Contract] = {
        "device": device,
        "tick": lambda m, site: m.assume(m.fresh("t", 0).eq(m.flag(False))),
    }
    m = Interpreter(
        Tree(function(Declare(INDEX, u32(0), False, L), loop), leaf), contracts, {}, note
    )
    m.begin_phase("load")
    m.call("f")
    expected = [
        f"load/f:0/@19#{round}/device:21/{end}"
        for round in (0, 1)
        for end in ("noise", "noise~1", "leaf:21~1/tick:30/t")
    ]
    assert names == expected
    m.call("f")
    assert names[6:] == [name.replace("f:0", "f:0~1", 1) for name in expected]
    m.begin_phase("load")
    m.call("f")
    assert names[12:] == expected


def test_recursion_is_stuck() -> None:
    with pytest.raises(Stuck, match="nest too deep"):
        run(ExprStmt(Call("f", (), VOID, L), L))


# Models -----------------------------------------------------------------------------------


def test_guards_hold_back_every_effect() -> None:
    setter = function(let(member(FIRST, "size"), u32(1)), name="setter", result=U32)
    m = machine(setter, inputs={"p/a": 5})
    with m.when(m.flag(True)), m.when(m.flag(False)):
        m.set("reg", 3)
        m.write("room.first", ".size", 4)
        m.write(None, ".size", 4)
        m.emit("W", "reg", m.const(0, 8), m.const(1, 8))
        m.assume(m.flag(False))
        m.not_understood("text", "reason")
        assert m.fresh("a", 8) == Word(5, 8)
        assert m.call("setter") == Word(0, 32)
        assert m.read(None, ".size", 32) == Word(0, 32)
    assert (m.get("reg"), m.get("room.first.size"), m.trace) == (Word(0, 8), Word(0, 32), [])
    assert not m.not_understood_places
    with m.when(m.flag(True)):
        m.set("reg", 3)
    assert m.get("reg") == Word(3, 8)


def test_steps_carry_the_callers_place_and_reach_observers() -> None:
    seen: list[tuple[str, str, Any, Any]] = []

    def write(m: Machine, site: CallSite) -> None:
        m.emit("WRMSR", "reg", m.get("reg"), site.args[0], "note")
        m.set("reg", site.args[0])

    call = ExprStmt(Call("write", (Const(9, U8),), VOID, at(12)), at(12))
    m = machine(function(call), contracts={"write": write})
    m.observers.append(
        lambda m, op, register, before, after: seen.append((op, register, before, after))
    )
    m.call("f")
    m.emit("TICK", "reg", m.get("reg"), m.const(10, 8))
    first, second = m.trace
    assert (first.phase, first.loc, first.function, first.note) == ("p", at(12), "f", "note")
    assert (first.before, first.after, first.width) == (0, 9, 8)
    assert (second.loc, second.function) == (None, "")
    assert seen[0] == ("WRMSR", "reg", Word(0, 8), Word(9, 8))


def test_a_branch_that_is_not_taken_is_a_step() -> None:
    body = (ExprStmt(Const(0, U32), L),)
    m = machine(
        function(
            If(Const(0, U32), body, (), at(3)),
            If(Const(1, U32), body, (), at(4)),
            If(Const(1, U32), body, body, at(5)),
        )
    )
    m.call("f")
    assert [(s.op, s.loc, s.function, s.note) for s in m.trace] == [
        (SKIP, at(3), "f", "the condition is false"),
        (SKIP, at(5), "f", "the condition is true"),
    ]


def test_models_read_and_write_through_pointers() -> None:
    m = machine()
    box = m.address("room.boxes[1]")
    m.write(box, ".slots[2]", 0x1FFFF)
    assert m.get("room.boxes[1].slots[2]") == Word(0xFFFF, 16)
    slots = m.address("room.boxes[1].slots")
    assert m.read(slots, "[2]", 16) == m.read(m.address("room.boxes[1].slots[1]"), "[1]", 16)
    assert m.width_of(slots) == 16
    with pytest.raises(Stuck, match="null"):
        m.read(None, "", 16)


def test_ite_takes_values_ints_and_addresses() -> None:
    m = machine()
    yes, no = m.flag(True), m.flag(False)
    assert m.ite(no, m.const(1, 8), 2) == Word(2, 8)
    assert m.ite(yes, yes, no) == yes
    assert m.ite(no, m.address("room"), None) is None


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
        wrong(machine())


def test_a_member_that_the_tree_has_not_is_bad_input() -> None:
    with pytest.raises(BadInput, match=r"the tree has no room\.frist, which the models look at"):
        machine().get("room.frist")


def test_inputs_that_break_an_assumption_are_no_run() -> None:
    with pytest.raises(Stuck, match="assumption"):
        machine().assume(Word(0, 0))
