"""The concrete interpreter: runs IR and models on numbers.

Counterexamples are replayed with it before they are shown, so it has nothing in common with the
encoder but the IR and the names of inputs (`verify.ir.contract`).

A cell is an integer or a pointer and has a path. Objects of the kernel and models start at a root
(`vmx.vcpu.arch.pmu.version`), locals at the number of their frame (`%3.i`), and what a never
assigned pointer `p` points to is `p->`. A pointer's value is the path of what it points to, or
None for NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from verify.errors import InternalError
from verify.ir.contract import CallSite, Contract, Names
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
from verify.ir.program import Program
from verify.ir.types import S32, Array, Int, Pointer, Record, Type, Void
from verify.ir.word import Word

LOOP_BOUND = 4096
CALL_DEPTH = 100

Inputs = Callable[[str, int], int]
"""The value of an input, by name and width in bits (0: a truth value)."""

Observer = Callable[[Machine, str, str, Any, Any], None]
"""Told of each `emit`: machine, operation, register, value before and after."""

_Pointed = str | None


class Stuck(Exception):
    """The run cannot go on: C gives it no meaning here, or the IR does not say what happens."""

    def __init__(self, reason: str, loc: Loc | None) -> None:
        super().__init__(f"{loc.file}:{loc.line}: {reason}" if loc else reason)
        self.reason = reason
        self.loc = loc


@dataclass(frozen=True, slots=True)
class Step:
    """One hardware access or event. `loc` and `function` are those of the innermost function of
    the tree (None and "" when a model acts of itself); `before` and `after` have `width` bits."""

    phase: str
    loc: Loc | None
    function: str
    op: str
    register: str
    before: int
    after: int
    width: int
    note: str


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A place that a contract said it could not understand."""

    loc: Loc | None
    text: str
    reason: str


class _Leave(Exception):
    """Control leaves a statement otherwise than at its end."""


class _Break(_Leave):
    pass


class _Continue(_Leave):
    pass


class _Return(_Leave):
    def __init__(self, value: Any) -> None:
        self.value = value


class _Goto(_Leave):
    def __init__(self, label: str) -> None:
        self.label = label


@dataclass(slots=True)
class _Frame:
    """An activation of a function. `undefined` has for each declared local the name of the input
    that its unassigned parts are, or None when they are zero."""

    prefix: str
    function: Function
    loc: Loc
    cells: dict[str, Word | _Pointed] = field(default_factory=dict)
    types: dict[str, Type] = field(default_factory=dict)
    undefined: dict[str, str | None] = field(default_factory=dict)

    def path(self, local: Local) -> str:
        """Where a local is; a dot in its name would look like a member."""
        return self.prefix + local.name.replace(".", "~")


class Interpreter:
    """`verify.ir.machine.Machine` on `Word`s.

    `objects` gives kernel objects that exist from the start, as root name -> C type; `cells` the
    models' own cells, as path -> width. Effects under a `when` that does not hold are dropped;
    `call` gives zero or None there and `read` zero where it could not load.
    """

    def __init__(
        self,
        program: Program,
        contracts: Mapping[str, Contract],
        objects: Mapping[str, str],
        inputs: Inputs = lambda name, width: 0,
        cells: Mapping[str, int] | None = None,
    ) -> None:
        self.trace: list[Step] = []
        self.observers: list[Observer] = []
        self.not_understood_places: list[NotUnderstood] = []
        self.store: dict[str, Word | _Pointed] = {}
        self._program = program
        self._contracts = contracts
        self._objects = objects
        self._inputs = inputs
        self._cells = cells or {}
        self._names = Names()
        self._phase = ""
        self._live = True
        self._frames: list[_Frame] = []
        self._frames_made = 0
        self._alive: dict[str, _Frame] = {}
        self._types: dict[str, Type | None] = {}

    # What models ask for ----------------------------------------------------------------------

    def begin_phase(self, name: str) -> None:
        """Start a phase: `name` begins the names of its inputs and marks its steps."""
        self._phase = name
        self._names.begin(name)

    @property
    def current_loc(self) -> Loc | None:
        """The statement being executed in the innermost function of the tree."""
        return self._frames[-1].loc if self._frames else None

    def const(self, value: int, width: int) -> Word:
        """A bit vector constant."""
        return Word(value, width)

    def flag(self, value: bool) -> Word:
        """A truth value constant."""
        return Word(value, 0)

    def get(self, cell: str) -> Any:
        """The value of a cell; InternalError when there is no such cell."""
        return self._load(cell, self._declared(cell))

    def set(self, cell: str, value: Any) -> None:
        """Assign a cell; InternalError when there is no such cell or the width is not its own."""
        kind = self._declared(cell)
        if isinstance(kind, Pointer):
            if self._live:
                self._store(cell, value)
            return
        word = self._word(value, kind.width)
        if self._live:
            self._store(cell, word)

    def ite(self, condition: Any, then: Any, orelse: Any) -> Any:
        """`then` where the condition is true, else `orelse`; one of them may be an int."""
        if isinstance(then, Word) or isinstance(orelse, Word):
            width = then.width if isinstance(then, Word) else orelse.width
            then, orelse = self._word(then, width), self._word(orelse, width)
        return then if _holds(condition) else orelse

    @contextmanager
    def when(self, condition: Any) -> Iterator[None]:
        """Effects of the body happen only where `condition` is true; the body always runs."""
        outer = self._live
        self._live = outer and _holds(condition)
        try:
            yield
        finally:
            self._live = outer

    def fresh(self, label: str, width: int) -> Word:
        """An input, named by its place and `label`."""
        return Word(self._inputs(self._names.label(label), width), width)

    def assume(self, condition: Any) -> None:
        """Stuck when the condition is false: these inputs are no run at all."""
        if self._live and not _holds(condition):
            raise self._stuck("an assumption does not hold")

    def emit(self, op: str, register: str, before: Any, after: Any, note: str = "") -> None:
        """Record a step and tell the observers."""
        if not self._live:
            return
        function = self._frames[-1].function.name if self._frames else ""
        place = (self._phase, self.current_loc, function)
        values = (before.value, after.value, after.width)
        self.trace.append(Step(*place, op, register, *values, note))
        for observer in self.observers:
            observer(self, op, register, before, after)

    def call(self, function: str, *args: Any) -> Any:
        """Run a function of the tree, also one that has a contract. Arguments are Words of the
        parameters' widths, ints, or addresses. InternalError when the tree has no such function.
        """
        body = self._program.function(function)
        if body is None:
            raise InternalError(f"a model calls {function}, which the tree does not define")
        loc = self.current_loc
        self._names.enter(f"{function}:{loc.line if loc else 0}")
        try:
            if self._live:
                return self._run(body, args)
            return Word(0, body.result.width) if isinstance(body.result, Int) else None
        except RecursionError:
            raise self._stuck("calls nest too deep") from None
        finally:
            self._names.leave()

    def address(self, path: str) -> _Pointed:
        """A pointer to the object at `path`; InternalError when there is none."""
        if self._type(path) is None:
            raise InternalError(f"no object {path}")
        return path

    def read(self, pointer: Any, member: str, width: int) -> Any:
        """Load the integer at `pointer`; Stuck for a null pointer."""
        if not self._live and pointer is None:
            return Word(0, width)
        return self._load(self._member(pointer, member), Int(width, False))

    def write(self, pointer: Any, member: str, value: Any) -> None:
        """Store an integer at `pointer`; Stuck for a null pointer."""
        if self._live:
            path = self._member(pointer, member)
            kind = self._type(path)
            width = kind.width if isinstance(kind, Int) else getattr(value, "width", 0)
            self._store(path, self._word(value, width))

    def width_of(self, pointer: Any) -> int:
        """Width in bits of the integer that `pointer` points to; Stuck when it does not."""
        kind = self._type(self._member(pointer, ""))
        if not isinstance(kind, Int):
            raise self._stuck(f"{pointer} is not known to be an integer")
        return kind.width

    def not_understood(self, text: str, reason: str) -> None:
        """Record the current place in `not_understood_places`."""
        if self._live:
            self.not_understood_places.append(NotUnderstood(self.current_loc, text, reason))

    # Cells ------------------------------------------------------------------------------------

    def _stuck(self, reason: str) -> Stuck:
        return Stuck(reason, self.current_loc)

    def _fault(self, path: str, reason: str) -> Stuck:
        self.emit("FAULT", path, Word(0, 1), Word(0, 1), reason)
        return self._stuck(reason)

    def _word(self, value: Any, width: int) -> Word:
        """A model's value for a place of `width` bits."""
        if isinstance(value, int):
            return Word(value, width)
        if not isinstance(value, Word) or value.width != width:
            raise InternalError(f"a model gives {value!r} where {width} bits are needed")
        return value

    def _declared(self, path: str) -> Int | Pointer:
        """The type of a cell that a model names."""
        kind = self._type(path)
        if not isinstance(kind, Int | Pointer):
            raise InternalError(f"no cell {path}")
        return kind

    def _type(self, path: str) -> Type | None:
        """The type of what is at `path`, None when that is not known."""
        if path.startswith("%"):
            return self._type_now(path)
        if path not in self._types:
            self._types[path] = self._type_now(path)
        return self._types[path]

    def _type_now(self, path: str) -> Type | None:
        width = self._cells.get(path)
        if width is not None:
            return Int(width, False)
        if path.endswith("->"):
            pointer = self._type(path[:-2])
            return pointer.to if isinstance(pointer, Pointer) else None
        if path.endswith("]"):
            array = self._type(path[: path.rindex("[")])
            return array.of if isinstance(array, Array) else None
        base, dot, name = path.rpartition(".")
        if not dot:
            text = self._objects.get(path)
            return self._program.object_type(path) if text is None else self._program.type_of(text)
        if base.startswith("%") and base[1:].isdigit():
            return self._frame(path).types.get(path)
        record = self._type(base)
        if not isinstance(record, Record):
            return None
        try:
            member = self._program.record(record.tag).members.get(name)
        except KeyError:
            return None
        return member.type if member else None

    def _frame(self, path: str) -> _Frame:
        """The frame of a local's path."""
        frame = self._alive.get(path[: path.index(".") + 1])
        if frame is None:
            raise self._stuck("a pointer to a local of a function that has returned")
        return frame

    def _place(self, path: str) -> tuple[dict[str, Word | _Pointed], str]:
        """The store that has a path, and the path of the scalar itself: an array's address is
        that of its first element."""
        while isinstance(self._type(path), Array):
            path += "[0]"
        return (self._frame(path).cells if path.startswith("%") else self.store), path

    def _load(self, path: str, kind: Int | Pointer) -> Word | _Pointed:
        cells, path = self._place(path)
        if path not in cells:
            cells[path] = self._initial(path, kind)
        value = cells[path]
        if isinstance(kind, Pointer) == isinstance(value, Word):
            raise self._stuck(f"{path} is read as something else than it is")
        if isinstance(value, Word) and isinstance(kind, Int) and value.width != kind.width:
            raise self._stuck(f"{path} has {value.width} bits and is read as {kind.width}")
        return value

    def _initial(self, path: str, kind: Int | Pointer) -> Word | _Pointed:
        """What a cell holds that was never assigned."""
        actual = self._type(path) or kind
        undefined: str | None = f"init/{path}"
        if path.startswith("%"):
            undefined = self._undefined(path)
        if isinstance(actual, Pointer):
            if undefined is None:
                return None
            if path.startswith("%"):
                raise self._stuck(f"{path} is used uninitialised")
            return path + "->"
        if not isinstance(actual, Int):
            raise self._stuck(f"{path} is not a scalar")
        if undefined is None:
            return Word(0, actual.width)
        value = self._inputs(undefined, actual.width)
        return Word(value != 0 if actual.boolean else value, actual.width)

    def _undefined(self, path: str) -> str | None:
        """The name of the input that a never assigned part of a local is, or None for zero."""
        frame = self._frame(path)
        end = min((path.find(c, len(frame.prefix)) % (len(path) + 1) for c in ".[-"))
        name = frame.undefined.get(path[:end])
        return None if name is None else name + path[end:]

    def _store(self, path: str, value: Word | _Pointed) -> None:
        cells, path = self._place(path)
        kind = self._type(path)
        if isinstance(kind, Int) and (not isinstance(value, Word) or value.width != kind.width):
            raise self._stuck(f"{path} has {kind.width} bits and is written as something else")
        if isinstance(kind, Pointer) and isinstance(value, Word):
            raise self._stuck(f"{path} is a pointer and is written as an integer")
        cells[path] = value

    def _member(self, pointer: _Pointed, member: str) -> str:
        """The path of a part of what a model's pointer points to."""
        if pointer is None:
            raise self._fault("NULL", "null pointer")
        if member.startswith("["):
            end = member.index("]")
            return self._element(pointer, int(member[1:end])) + member[end + 1 :]
        return pointer + member if member else self._place(pointer)[1]

    def _element(self, path: str, index: int) -> str:
        """The path of an element of the array at `path`, or that follows the element there."""
        array = self._type(path)
        if not isinstance(array, Array) and path.endswith("]"):
            start = path.rindex("[")
            path, index = path[:start], int(path[start + 1 : -1]) + index
            array = self._type(path)
        if isinstance(array, Array):
            if not 0 <= index < array.length:
                raise self._fault(path, f"index {index} out of bounds of {array.length}")
            return f"{path}[{index}]"
        if index:
            raise self._fault(path, f"index {index} of what is no array")
        return path

    def _copy(self, source: str, target: str, kind: Type) -> None:
        """Copy a record, all of whose members are read before one is written."""
        found: dict[str, Word | _Pointed] = {}
        absent: list[str] = []
        for part, scalar in self._scalars(kind):
            cells, path = self._place(source + part)
            if isinstance(scalar, Pointer) and path not in cells and path.startswith("%"):
                if self._undefined(path) is not None:
                    absent.append(part)
                    continue
            found[part] = self._load(path, scalar)
        for part in absent:
            cells, path = self._place(target + part)
            cells.pop(path, None)
        for part, value in found.items():
            self._store(target + part, value)

    def _scalars(self, kind: Type) -> Iterator[tuple[str, Int | Pointer]]:
        """The integers and pointers in a type, by the path from its start. A member whose type
        the program does not know has none."""
        if isinstance(kind, Int | Pointer):
            yield "", kind
        elif isinstance(kind, Array):
            for index in range(kind.length):
                for part, scalar in self._scalars(kind.of):
                    yield f"[{index}]{part}", scalar
        elif isinstance(kind, Record):
            try:
                members = self._program.record(kind.tag).members
            except KeyError:
                return
            for member in members.values():
                for part, scalar in self._scalars(member.type):
                    yield f".{member.name}{part}", scalar

    # Functions and statements -----------------------------------------------------------------

    def _run(self, function: Function, args: tuple[Any, ...]) -> Any:
        """Run a body with arguments that are values, ints, addresses, or paths of records."""
        if len(args) != len(function.parameters):
            raise self._stuck(f"{function.name} is called with {len(args)} arguments")
        if len(self._frames) >= CALL_DEPTH:
            raise self._stuck("calls nest too deep")
        self._frames_made += 1
        frame = _Frame(f"%{self._frames_made}.", function, function.loc)
        self._alive[frame.prefix] = frame
        try:
            for parameter, arg in zip(function.parameters, args, strict=True):
                path = frame.path(parameter)
                frame.types[path] = parameter.type
                frame.undefined[path] = None
                if isinstance(parameter.type, Record):
                    self._copy(arg, path, parameter.type)
                elif isinstance(parameter.type, Int):
                    self._store(path, self._word(arg, parameter.type.width))
                else:
                    self._store(path, arg)
            self._frames.append(frame)
            try:
                self._list(function.body)
            finally:
                self._frames.pop()
        except _Return as leave:
            return leave.value
        finally:
            del self._alive[frame.prefix]
        return None

    def _list(self, body: tuple[Stmt, ...]) -> None:
        """Run statements in order, and from a label in this list when one jumps to it."""
        at = 0
        while at < len(body):
            try:
                self._statement(body[at])
            except _Goto as leave:
                targets = [
                    i
                    for i in range(at + 1, len(body))
                    if isinstance(label := body[i], Label) and label.name == leave.label
                ]
                if not targets:
                    raise
                at = targets[0]
            at += 1

    def _statement(self, stmt: Stmt) -> None:
        frame = self._frames[-1]
        frame.loc = stmt.loc
        match stmt:
            case ExprStmt(expr):
                self._eval(expr)
            case Declare():
                self._declare(frame, stmt)
            case If(condition, then, orelse):
                self._list(then if self._true(condition) else orelse)
            case Loop():
                self._loop(frame, stmt)
            case Switch(value, arms):
                self._switch(self._int(value), arms)
            case Block(body):
                self._list(body)
            case Return(value):
                raise _Return(None if value is None else self._eval(value))
            case Break():
                raise _Break
            case Continue():
                raise _Continue
            case Goto(label):
                raise _Goto(label)
            case Label():
                pass
            case Unmodelled(text, reason):
                raise self._stuck(f"not modelled ({reason}): {text}")

    def _declare(self, frame: _Frame, stmt: Declare) -> None:
        path = frame.path(stmt.local)
        # In a later round of a loop this is a new object at the same path.
        for cell in [c for c in frame.cells if c == path or c.startswith((path + ".", path + "["))]:
            del frame.cells[cell]
        frame.types[path] = stmt.local.type
        zeroed = stmt.zeroed or stmt.init is not None
        name = None if zeroed else self._names.label(f"undef/{stmt.local.name}")
        frame.undefined[path] = name
        if stmt.init is not None:
            self._assign(path, stmt.init, stmt.local.type)

    def _loop(self, frame: _Frame, stmt: Loop) -> None:
        for count in range(LOOP_BOUND):
            self._names.enter(f"@{stmt.loc.line}#{count}")
            try:
                frame.loc = stmt.loc
                if not stmt.test_last and stmt.condition and not self._true(stmt.condition):
                    return
                try:
                    self._list(stmt.body)
                except _Continue:
                    pass
                except _Break:
                    return
                frame.loc = stmt.loc
                if stmt.step is not None:
                    self._eval(stmt.step)
                if stmt.test_last and stmt.condition and not self._true(stmt.condition):
                    return
            finally:
                self._names.leave()
        raise self._stuck(f"more than {LOOP_BOUND} rounds of a loop")

    def _switch(self, value: int, arms: tuple[Arm, ...]) -> None:
        chosen = None
        for i, arm in enumerate(arms):
            if any(low <= value <= high for low, high in arm.ranges):
                chosen = i
                break
            if arm.default:
                chosen = i
        if chosen is not None:
            try:
                self._list(tuple(stmt for arm in arms[chosen:] for stmt in arm.body))
            except _Break:
                pass

    # Expressions ------------------------------------------------------------------------------

    def _eval(self, expr: Expr) -> Any:
        """The value: a Word, a pointer's path or None, a `str` for text and functions, the path
        of a record that is loaded, None for no value."""
        match expr:
            case Const(value, kind):
                return Word(value, kind.width)
            case Load(lvalue, kind):
                return self._read(lvalue, kind)
            case Binary():
                return self._binary(expr)
            case Compare():
                return Word(self._compare(expr), S32.width)
            case Logical(op, left, right):
                holds = self._true(left)
                if holds == (op == "&&"):
                    holds = self._true(right)
                return Word(holds, S32.width)
            case Cast(operand, kind):
                return self._cast(operand, kind)
            case Not(operand):
                return Word(not self._true(operand), S32.width)
            case Unary(op, operand):
                word = self._number(operand)
                return ~word if op == "~" else Word(-word.value, word.width)
            case Conditional(condition, then, orelse):
                return self._eval(then if self._true(condition) else orelse)
            case Assign(lvalue, source, kind):
                if isinstance(lvalue, Bits):
                    return self._assign_bits(lvalue, source)
                return self._assign(self._path(lvalue), source, kind)
            case Call():
                return self._call(expr)
            case AddressOf(lvalue):
                return self._path(lvalue)
            case Null():
                return None
            case Text(text):
                return text
            case FunctionName(name):
                return name
            case StatementExpr(body, last):
                self._list(body)
                return None if last is None else self._eval(last)
            case ContainerOf(pointer, member):
                path, tail = self._eval(pointer), "." + ".".join(member)
                if path is None or not path.endswith(tail):
                    raise self._stuck(f"container_of: {path} is no {tail}")
                return path.removesuffix(tail)

    def _number(self, expr: Expr) -> Word:
        """The value of an integer expression."""
        value = self._eval(expr)
        if not isinstance(value, Word):
            raise self._stuck(f"{value!r} is used as an integer")
        return value

    def _int(self, expr: Expr) -> int:
        """The mathematical value of an integer expression."""
        word = self._number(expr)
        return word.signed if isinstance(expr.type, Int) and expr.type.signed else word.value

    def _true(self, expr: Expr) -> bool:
        if isinstance(expr.type, Int):
            return self._number(expr).value != 0
        return self._eval(expr) is not None

    def _read(self, lvalue: LValue, kind: Type) -> Any:
        if isinstance(lvalue, Bits):
            word = self._number(Load(lvalue.base, lvalue.base.type))
            part = word.extract(lvalue.low + lvalue.width - 1, lvalue.low)
            return self._resize(part, lvalue.type.signed, lvalue.type.width)
        path = self._path(lvalue)
        if isinstance(kind, Int | Pointer):
            return self._load(path, kind)
        return path

    def _resize(self, word: Word, signed: bool, width: int) -> Word:
        """Truncation or extension to `width`."""
        return Word(word.signed if signed else word.value, width)

    def _assign(self, path: str, source: Expr, kind: Type) -> Any:
        value = self._eval(source)
        if isinstance(kind, Record):
            self._copy(value, path, kind)
        else:
            if isinstance(kind, Int) and not isinstance(value, Word):
                raise self._stuck(f"{value!r} is used as an integer")
            self._store(path, value)
        return value

    def _assign_bits(self, lvalue: Bits, source: Expr) -> Word:
        """Bits of an integer are replaced; the rest of it is read for that."""
        base = lvalue.base
        if not isinstance(base.type, Int):
            raise self._stuck("bits of what is no integer")
        path = self._path(base)
        part = Word(self._number(source).value, lvalue.width)
        whole = self._load(path, base.type)
        assert isinstance(whole, Word)
        mask = ((1 << lvalue.width) - 1) << lvalue.low
        self._store(path, (whole & ~mask) | (part.value << lvalue.low))
        return self._resize(part, lvalue.type.signed, lvalue.type.width)

    def _binary(self, expr: Binary) -> Word:
        left, right = self._number(expr.left), self._number(expr.right)
        signed = expr.type.signed
        match expr.op:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "&":
                return left & right
            case "|":
                return left | right
            case "^":
                return left ^ right
            case "/" | "%":
                if not right.value:
                    raise self._fault("division", "division by zero")
                if expr.op == "/":
                    return left.sdiv(right) if signed else left.udiv(right)
                return left.srem(right) if signed else left.urem(right)
            case "<<" | ">>":
                # A negative count is a large one as an unsigned number.
                if right.value >= left.width:
                    raise self._fault("shift", "shift count")
                if expr.op == "<<":
                    return left << right.value
                return left.sar(right.value) if signed else left >> right.value
        raise InternalError(f"no binary operator {expr.op}")

    def _compare(self, expr: Compare) -> bool:
        if not isinstance(expr.left.type, Int):
            left, right = (self._scalar_at(self._eval(e)) for e in (expr.left, expr.right))
            return (left == right) == (expr.op == "==")
        a, b = self._int(expr.left), self._int(expr.right)
        order = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
        return order[expr.op]

    def _scalar_at(self, pointer: _Pointed) -> _Pointed:
        """A pointer as it compares: to an array is to its first element."""
        return None if pointer is None else self._place(pointer)[1]

    def _cast(self, operand: Expr, kind: Type) -> Any:
        if isinstance(kind, Int) and kind.boolean:
            return Word(self._true(operand), kind.width)
        value = self._eval(operand)
        if isinstance(kind, Void):
            return None
        if isinstance(kind, Int) and isinstance(operand.type, Int):
            if not isinstance(value, Word):
                raise self._stuck(f"{value!r} is used as an integer")
            return self._resize(value, operand.type.signed, kind.width)
        if isinstance(kind, Int):
            if value is None:
                return Word(0, kind.width)
            raise self._stuck("a pointer is used as a number")
        if isinstance(value, Word):
            if value.value:
                raise self._stuck("a number is used as a pointer")
            return None
        return value

    def _call(self, call: Call) -> Any:
        args = tuple(self._eval(arg) for arg in call.args)
        contract = self._contracts.get(call.name)
        body = None if contract else self._program.function(call.name)
        self._names.enter(f"{call.name}:{call.loc.line}")
        try:
            if contract:
                result = contract(self, CallSite(call.name, args, call.type, call.loc))
                if isinstance(result, Word) and isinstance(call.type, Int):
                    return self._word(result, call.type.width)
                return result
            if body is None:
                raise self._stuck(f"{call.name} has neither a contract nor a body")
            return self._run(body, args)
        finally:
            self._names.leave()

    # LValues ----------------------------------------------------------------------------------

    def _path(self, lvalue: LValue) -> str:
        """The path of an object in memory; faults for a null pointer and an index too large."""
        match lvalue:
            case Local():
                return self._frames[-1].path(lvalue)
            case Global(name, kind):
                if self._type(name) is None:
                    self._types[name] = kind
                return name
            case Field(base, name):
                return f"{self._path(base)}.{name}"
            case Deref(pointer):
                path = self._eval(pointer)
                if not isinstance(path, str):
                    raise self._fault("NULL", "null pointer")
                return path
            case Index(base, index):
                path = self._path(base)
                return self._element(path, self._int(index))
            case Bits():
                raise self._stuck("the address of bits")


def _holds(condition: Any) -> bool:
    """A model's truth value as Python's."""
    if isinstance(condition, bool):
        return condition
    if not isinstance(condition, Word) or condition.width:
        raise InternalError(f"{condition!r} is not a truth value")
    return condition.value == 1
