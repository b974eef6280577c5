"""Random programs of the IR, and a tree with a few records to run them in."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.test_ir_interp import (
    BOX,
    FIRST,
    ROOM_OBJECT,
    Tree,
    member,
    pointer_to,
    value,
)
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.ir.nodes import (
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
    S8,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    Int,
    Pointer,
    Record,
    Type,
)

OBJECTS = {"room": "struct room"}
CELLS = {"reg": 8, "flag": 0, "ghost.seen": 32, "wide": 64}
KINDS = (U8, U16, U32, U64, S8, S32, S64)
BOX_POINTER = Pointer(BOX)
ROOM = Record("room")


def device(m: Machine, site: CallSite) -> object:
    """Fresh values, guarded effects, an event."""
    argument = site.args[0]
    with m.when(argument.eq(0)):
        m.set("reg", m.fresh("noise", 8))
    with m.when(argument.ult(3)):
        m.emit("WRITE", "wide", m.get("wide"), argument.zext(64))
        m.set("wide", m.get("wide") + argument.zext(64))
        with m.when(m.fresh("chance", 0)):
            m.set("flag", ~m.get("flag"))
            m.fresh("noise", 8)
    return m.ite(m.get("flag"), argument + 1, m.fresh("noise", 32))


def promise(m: Machine, site: CallSite) -> object:
    """An assumption that bounds its result."""
    result = m.fresh("promise", 32)
    m.assume(result.ule(2))
    return result


def back(m: Machine, site: CallSite) -> object:
    """Calls the tree under a condition."""
    with m.when(site.args[0].ult(2)):
        m.call("leaf", site.args[0], site.args[1])
    return m.call("leaf", site.args[0] ^ 1, site.args[1])


def touch(m: Machine, site: CallSite) -> object:
    """Reads and writes through a pointer, which may be NULL."""
    found = m.read(site.args[0], ".size", 32)
    with m.when(found.nonzero()):
        m.write(site.args[0], ".slots[1]", m.const(7, 16))
        m.not_understood("half", "known")
    m.emit("READ", "reg", m.get("reg"), m.get("reg"))
    return found


CONTRACTS: dict[str, Contract] = {
    "device": device,
    "promise": promise,
    "back": back,
    "touch": touch,
}


@dataclass
class Scene:
    """What may be used where a program is being made."""

    ints: list[Local] = field(default_factory=list)
    boxes: list[Local] = field(default_factory=list)
    pointers: list[Local] = field(default_factory=list)
    ways: list[Local] = field(default_factory=list)
    loops: int = 0
    switches: int = 0
    labels: tuple[str, ...] = ()
    inside: bool = False

    def inner(self) -> Scene:
        """A scope in this one."""
        return Scene(
            list(self.ints),
            list(self.boxes),
            list(self.pointers),
            list(self.ways),
            self.loops,
            self.switches,
            self.labels,
            True,
        )


class Maker:
    """Draws programs. `strange`: what C gives no meaning is likely; `unknown`: there is code that
    is not understood."""

    def __init__(self, rng: Random, strange: bool, unknown: bool) -> None:
        self.rng = rng
        self.unknown = unknown
        self.strange = strange
        self.made = 0
        self.result: Type = U32
        self.callable: list[str] = []

    def pick(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def chance(self, one_in: int) -> bool:
        return self.rng.randrange(one_in) == one_in - 1

    def loc(self) -> Loc:
        return Loc("f.c", self.rng.randint(1, 3))

    def name(self, start: str) -> str:
        self.made += 1
        return f"{start}{self.made}"

    # Expressions ----------------------------------------------------------------------------

    def number(self, kind: Int, scene: Scene, depth: int) -> Expr:
        """An integer expression of this type."""
        if depth <= 0:
            if self.chance(3) or not scene.ints:
                return self.constant(kind)
            return self.converted(value(self.rng.choice(scene.ints)), kind)
        choices = ["load", "load", "binary", "binary", "shift", "divide", "cast", "unary"]
        choices += ["truth", "conditional", "assign", "statements", "call", "bits"]
        match self.pick(*choices):
            case "load":
                lvalue = self.lvalue(scene, depth - 1)
                return self.converted(Load(lvalue, lvalue.type), kind)
            case "binary":
                op = self.pick("+", "-", "*", "&", "|", "^")
                left, right = (self.number(kind, scene, depth - 1) for _ in "ab")
                return Binary(op, left, right, kind)
            case "shift":
                count: Expr = self.number(U32, scene, depth - 1)
                if not self.strange or not self.chance(3):
                    count = Binary("&", count, Const(min(kind.width, 32) - 1, U32), U32)
                return Binary(
                    self.pick("<<", ">>"), self.number(kind, scene, depth - 1), count, kind
                )
            case "divide":
                divisor = self.number(kind, scene, depth - 1)
                if not self.strange or not self.chance(3):
                    divisor = Binary("|", divisor, Const(1, kind), kind)
                return Binary(
                    self.pick("/", "%"), self.number(kind, scene, depth - 1), divisor, kind
                )
            case "unary":
                return Unary(self.pick("-", "~"), self.number(kind, scene, depth - 1), kind)
            case "truth":
                return self.converted(self.truth(scene, depth - 1), kind)
            case "conditional":
                then, orelse = (self.number(kind, scene, depth - 1) for _ in "ab")
                return Conditional(self.truth(scene, depth - 1), then, orelse, kind)
            case "assign":
                lvalue = self.lvalue(scene, depth - 1)
                assert isinstance(lvalue.type, Int)
                source = self.number(lvalue.type, scene, depth - 1)
                return self.converted(Assign(lvalue, source, lvalue.type), kind)
            case "statements":
                inner = scene.inner()
                body = self.statements(inner, depth - 1, 2)
                return StatementExpr(body, self.number(kind, inner, depth - 1), kind)
            case "call":
                return self.converted(self.call(scene, depth - 1), kind)
            case "bits":
                return self.converted(value(self.bits(scene, depth - 1)), kind)
        other = self.rng.choice(KINDS)
        return self.converted(self.number(other, scene, depth - 1), kind)

    def constant(self, kind: Int) -> Const:
        low, high = (-1, 4) if kind.signed else (0, 4)
        return Const(self.rng.randint(low, high), kind)

    def converted(self, expr: Expr, kind: Int) -> Expr:
        return expr if expr.type == kind else Cast(expr, kind)

    def truth(self, scene: Scene, depth: int) -> Expr:
        """0 or 1."""
        if depth <= 0:
            return Compare(self.pick("==", "<"), self.number(U32, scene, 0), Const(2, U32))
        match self.pick("compare", "compare", "logical", "not", "pointer", "same"):
            case "compare":
                kind = self.rng.choice(KINDS)
                op = self.pick("==", "!=", "<", "<=", ">", ">=")
                left, right = (self.number(kind, scene, depth - 1) for _ in "ab")
                return Compare(op, left, right)
            case "logical":
                left, right = (self.truth(scene, depth - 1) for _ in "ab")
                return Logical(self.pick("&&", "||"), left, right)
            case "pointer":
                return Not(self.pointer(scene, depth - 1))
            case "same":
                left, right = (self.pointer(scene, depth - 1) for _ in "ab")
                return Compare(self.pick("==", "!="), left, right)
        return Not(self.truth(scene, depth - 1))

    def pointer(self, scene: Scene, depth: int) -> Expr:
        """A pointer to a box."""
        choices = ["address", "address", "local", "next", "shelf", "null"]
        if depth > 0:
            choices += ["conditional", "cast"]
        match self.pick(*choices):
            case "address":
                return pointer_to(self.box(scene, depth - 1))
            case "local" if scene.pointers:
                return value(self.rng.choice(scene.pointers))
            case "next":
                return value(member(self.box(scene, depth - 1), "next"))
            case "shelf":
                return value(member(ROOM_OBJECT, "shelf"))
            case "null" if self.strange or self.chance(4):
                return Null(BOX_POINTER)
            case "conditional":
                then, orelse = (self.pointer(scene, depth - 1) for _ in "ab")
                return Conditional(self.truth(scene, depth - 1), then, orelse, BOX_POINTER)
        return pointer_to(FIRST)

    def box(self, scene: Scene, depth: int) -> LValue:
        """A record."""
        match self.pick("first", "boxes", "local", "deref", "container"):
            case "boxes":
                return Index(member(ROOM_OBJECT, "boxes"), self.index(scene, depth, 2), BOX)
            case "local" if scene.boxes:
                return self.rng.choice(scene.boxes)
            case "deref" if depth > 0:
                return Deref(self.pointer(scene, depth - 1), BOX)
            case "container":
                room = ContainerOf(pointer_to(FIRST), ("first",), Pointer(ROOM))
                return Field(Deref(room, ROOM), "first", BOX)
        return FIRST

    def index(self, scene: Scene, depth: int, length: int) -> Expr:
        kind = self.rng.choice((U32, S32, U8, S8))
        index = self.number(kind, scene, min(depth, 1))
        if self.strange and self.chance(3):
            return index
        if self.chance(2):
            return Const(self.rng.randint(0, length - 1), kind)
        return Binary("%", self.converted(index, U32), Const(length, U32), U32)

    def lvalue(self, scene: Scene, depth: int) -> LValue:
        """An integer object."""
        choices = ["local", "local", "member", "slots", "global", "way"]
        match self.pick(*choices):
            case "member":
                return member(self.box(scene, depth), self.pick("size", "open", "lid"))
            case "slots":
                slots = member(self.box(scene, depth), "slots")
                return Index(slots, self.index(scene, depth, 3), U16)
            case "global":
                return Global("knob", U32)
            case "way" if scene.ways:
                return Deref(value(self.rng.choice(scene.ways)), U32)
        if scene.ints:
            return self.rng.choice(scene.ints)
        return member(FIRST, "size")

    def bits(self, scene: Scene, depth: int) -> Bits:
        base = member(self.box(scene, depth), self.pick("size", "lid"))
        low, width = self.rng.randint(0, 20), self.rng.randint(1, 8)
        return Bits(base, low, width, self.rng.choice((U8, S32)))

    def call(self, scene: Scene, depth: int) -> Call:
        """A call with an integer result."""
        # `back` calls `leaf`.
        contracts = [name for name in CONTRACTS if name != "back" or self.callable]
        name = self.rng.choice([*contracts, *self.callable])
        if self.unknown and self.chance(6):
            name = "mystery"
        number = self.number(U32, scene, min(depth, 1))
        pointer = self.pointer(scene, min(depth, 1))
        args: tuple[Expr, ...] = (number, pointer)
        if name == "promise":
            args = (Text("text", Pointer(U8)),)
        elif name == "touch":
            args = (pointer,)
        return Call(name, args, U32, self.loc())

    # Statements -----------------------------------------------------------------------------

    def statements(self, scene: Scene, depth: int, most: int) -> tuple[Stmt, ...]:
        """A list of statements, whose declarations come into the scene."""
        label = self.name("out") if depth > 0 and self.chance(5) else None
        outer = scene
        if label:
            # A jump may go past the declarations.
            scene = scene.inner()
            scene.labels = (*scene.labels, label)
        body = [self.statement(scene, depth) for _ in range(self.rng.randint(1, most))]
        if label:
            scene = outer
            body.append(Label(label, self.loc()))
            body.append(self.statement(scene, depth))
        return tuple(body)

    def block(self, scene: Scene, depth: int) -> tuple[Stmt, ...]:
        return self.statements(scene.inner(), depth, 3)

    def statement(self, scene: Scene, depth: int) -> Stmt:
        choices = ["let", "let", "declare", "leave", "expression", "copy", "point", "bits"]
        if depth > 0:
            choices += ["if", "if", "if", "loop", "switch", "block"]
        loc = self.loc()
        match self.pick(*choices):
            case "declare":
                return self.declare(scene, depth)
            case "leave":
                leave = self.leave(scene, depth)
                if leave is not None:
                    return If(self.truth(scene, 1), (leave,), (), loc)
            case "expression":
                return ExprStmt(self.call(scene, depth), loc)
            case "copy":
                target = self.box(scene, 1)
                return ExprStmt(Assign(target, value(self.box(scene, 1)), BOX), loc)
            case "point":
                target = member(self.box(scene, 0), "next")
                if scene.pointers and self.chance(2):
                    target = self.rng.choice(scene.pointers)
                return ExprStmt(Assign(target, self.pointer(scene, 1), BOX_POINTER), loc)
            case "bits":
                bits = self.bits(scene, 1)
                return ExprStmt(Assign(bits, self.number(bits.type, scene, 1), bits.type), loc)
            case "if":
                orelse = self.block(scene, depth - 1) if self.chance(2) else ()
                return If(self.truth(scene, 2), self.block(scene, depth - 1), orelse, loc)
            case "loop":
                return self.loop(scene, depth)
            case "switch":
                return self.switch(scene, depth)
            case "block":
                return Block(self.block(scene, depth - 1), loc)
        lvalue = self.lvalue(scene, 1)
        assert isinstance(lvalue.type, Int)
        source = self.number(lvalue.type, scene, 2)
        return ExprStmt(Assign(lvalue, source, lvalue.type), loc)

    def declare(self, scene: Scene, depth: int) -> Stmt:
        loc = self.loc()
        match self.pick("int", "int", "box", "pointer", "way"):
            case "box":
                box = Local(self.name("b."), BOX)
                init = value(self.box(scene, 1)) if self.chance(3) else None
                zeroed = init is None and self.chance(2)
                scene.boxes.append(box)
                return Declare(box, init, zeroed, loc)
            case "pointer":
                pointer = Local(self.name("p"), BOX_POINTER)
                start = None if self.strange and self.chance(4) else self.pointer(scene, 1)
                scene.pointers.append(pointer)
                return Declare(pointer, start, False, loc)
            case "way":
                way = Local(self.name("w"), Pointer(U32))
                target: LValue = member(self.box(scene, 1), "size")
                words = [local for local in scene.ints if local.type == U32]
                if words and self.chance(2):
                    target = self.rng.choice(words)
                scene.ways.append(way)
                return Declare(way, pointer_to(target), False, loc)
        kind = self.rng.choice(KINDS)
        local = Local(self.name("x"), kind)
        number = self.number(kind, scene, 2) if self.chance(2) else None
        zeroed = number is None and self.chance(3)
        scene.ints.append(local)
        return Declare(local, number, zeroed, loc)

    def leave(self, scene: Scene, depth: int) -> Stmt | None:
        choices = ["return"]
        if scene.loops:
            choices.append("continue")
        if scene.loops or scene.switches:
            choices.append("break")
        if scene.labels:
            choices += ["goto", "goto"]
        match self.pick(*choices):
            case "continue":
                return Continue(self.loc())
            case "break":
                return Break(self.loc())
            case "goto":
                return Goto(self.rng.choice(scene.labels), self.loc())
        if isinstance(self.result, Int):
            return Return(self.number(self.result, scene, 1), self.loc())
        return Return(None, self.loc())

    def loop(self, scene: Scene, depth: int) -> Stmt:
        """A loop of few rounds: a constant number, or up to a value that is bounded."""
        kind = self.rng.choice((U32, S32, U8))
        index = Local(self.name("i"), kind)
        inner = scene.inner()
        inner.loops += 1
        bound: Expr = Const(self.rng.randint(0, 3), kind)
        if self.chance(2):
            bound = Binary("&", self.number(kind, scene, 1), Const(3, kind), kind)
        limit = Local(self.name("n"), kind)
        condition = Compare("<", value(index), value(limit))
        step = Assign(index, Binary("+", value(index), Const(1, kind), kind), kind)
        loop = Loop(condition, step, self.block(inner, depth - 1), self.chance(4), self.loc())
        start = Declare(index, Const(0, kind), False, self.loc())
        return Block((Declare(limit, bound, False, self.loc()), start, loop), self.loc())

    def switch(self, scene: Scene, depth: int) -> Stmt:
        kind = self.rng.choice((U8, U32, S32))
        arms: list[Arm] = []
        inner = scene.inner()
        inner.switches += 1
        default = self.rng.randint(0, 6)
        for i, low in enumerate((-2, 0, 1, 3)[: self.rng.randint(1, 4)]):
            body = self.block(inner, depth - 1) if not self.chance(4) else ()
            if self.chance(2):
                body = (*body, Break(self.loc()))
            high = low + (1 if low == 1 else 0)
            arms.append(Arm(((low, high),), default == i, body, self.loc()))
        if default == 5:
            arms.append(Arm((), True, self.block(inner, depth - 1), self.loc()))
        return Switch(self.number(kind, scene, 1), tuple(arms), self.loc())

    # Functions ------------------------------------------------------------------------------

    def function(self, name: str, depth: int) -> Function:
        number, pointer = Local("a", U32), Local("q", BOX_POINTER)
        scene = Scene([number], [], [pointer])
        body = list(self.statements(scene, depth, 4))
        if self.unknown:
            odd = Unmodelled("asm", "assembly", self.loc())
            body.append(If(self.truth(scene, 1), (odd,), (), self.loc()))
            body.append(self.statement(scene, depth))
        body.append(Return(self.number(U32, scene, 1), self.loc()))
        return Function(name, (number, pointer), U32, tuple(body), Loc("f.c", 1), 99)


def program(rng: Random, depth: int = 2, strange: bool = False, unknown: bool = False) -> Tree:
    """A tree with `f(u32, struct box *)` and what it calls."""
    maker = Maker(rng, strange, unknown)
    leaf = maker.function("leaf", 0)
    maker.callable.append("leaf")
    middle = maker.function("middle", 1)
    maker.callable.append("middle")
    return Tree(leaf, middle, maker.function("f", depth))
