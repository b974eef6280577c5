"""Execution of functions on numbers: statements, expressions and lvalues of the IR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from verify.errors import InternalError
from verify.ir.contract import CallSite, Contract, Names
from verify.ir.machine import Machine
from verify.ir.memory import Address, Fault, Memory, Scope
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
from verify.ir.types import S32, Int, Pointer, Record, Type, Void
from verify.ir.word import Word

LOOP_BOUND = 4096
CALL_DEPTH = 100


class Stuck(Exception):
    """The run cannot go on: C gives it no meaning here, or the IR does not say what happens."""

    def __init__(self, reason: str, loc: Loc | None) -> None:
        super().__init__(f"{loc.file}:{loc.line}: {reason}" if loc else reason)
        self.reason = reason
        self.loc = loc


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
    """An activation of a function: `loc` is the statement being executed."""

    function: Function
    scope: Scope
    loc: Loc


class Evaluator:
    """Runs functions of the tree; `machine` is what contracts act on and where faults go.
    `skipped` is told why of each `if` that has a branch which is not taken."""

    def __init__(
        self,
        program: Program,
        contracts: Mapping[str, Contract],
        memory: Memory,
        names: Names,
        machine: Machine,
        skipped: Callable[[str], None],
    ) -> None:
        self._program = program
        self._contracts = contracts
        self._memory = memory
        self._names = names
        self._machine = machine
        self._skipped = skipped
        self._frames: list[_Frame] = []

    @property
    def loc(self) -> Loc | None:
        """The statement being executed in the innermost function, None outside of all."""
        return self._frames[-1].loc if self._frames else None

    @property
    def function(self) -> str:
        """The name of the innermost function, "" outside of all."""
        return self._frames[-1].function.name if self._frames else ""

    def stuck(self, reason: str) -> Stuck:
        """The run cannot go on here."""
        return Stuck(reason, self.loc)

    def fault(self, fault: Fault) -> Stuck:
        """A fault is an event, and the end of the run."""
        if fault.path is not None:
            self._machine.emit("FAULT", fault.path, Word(0, 1), Word(0, 1), fault.reason)
        return self.stuck(fault.reason)

    # Functions and statements -----------------------------------------------------------------

    def run(self, function: Function, args: tuple[Any, ...]) -> Any:
        """Run a body with arguments that are values, ints, addresses, or paths of records."""
        if len(args) != len(function.parameters):
            raise self.stuck(f"{function.name} is called with {len(args)} arguments")
        if len(self._frames) >= CALL_DEPTH:
            raise self.stuck("calls nest too deep")
        scope = self._memory.open_scope()
        try:
            for parameter, arg in zip(function.parameters, args, strict=True):
                path = scope.declare(parameter, None)
                if isinstance(parameter.type, Record):
                    self._memory.copy(pointed(arg), path, parameter.type)
                elif isinstance(parameter.type, Int):
                    self._memory.store(path, as_word(arg, parameter.type.width))
                else:
                    self._memory.store(path, arg)
            self._frames.append(_Frame(function, scope, function.loc))
            try:
                self._list(function.body)
                if not isinstance(function.result, Void):
                    raise self.stuck(f"{function.name} ends without a value")
            except _Return as leave:
                return leave.value
            finally:
                self._frames.pop()
        finally:
            self._memory.close_scope(scope)
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
        try:
            self._execute(frame, stmt)
        except Fault as fault:
            raise self.fault(fault) from None

    def _execute(self, frame: _Frame, stmt: Stmt) -> None:
        match stmt:
            case ExprStmt(expr):
                self._eval(expr)
            case Declare():
                self._declare(frame, stmt)
            case If(condition, then, orelse):
                true = self._true(condition)
                if orelse if true else then:
                    self._skipped(f"the condition is {'true' if true else 'false'}")
                self._list(then if true else orelse)
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
                raise self.stuck(f"not modelled ({reason}): {text}")

    def _declare(self, frame: _Frame, stmt: Declare) -> None:
        name = None
        if stmt.init is None and not stmt.zeroed:
            name = self._names.label(f"undef/{stmt.local.name}")
        path = frame.scope.declare(stmt.local, name)
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
        raise self.stuck(f"more than {LOOP_BOUND} rounds of a loop")

    def _switch(self, value: int, arms: tuple[Arm, ...]) -> None:
        chosen = None
        for i, arm in enumerate(arms):
            if any(low <= value <= high for low, high in arm.ranges):
                chosen = i
                break
            if arm.default:
                chosen = i
        if chosen is not None:
            with suppress(_Break):
                self._list(tuple(stmt for arm in arms[chosen:] for stmt in arm.body))

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
                    raise self.stuck(f"container_of: {path} is no {tail}")
                return path.removesuffix(tail)

    def _number(self, expr: Expr) -> Word:
        """The value of an integer expression."""
        value = self._eval(expr)
        if not isinstance(value, Word):
            raise self.stuck(f"{value!r} is used as an integer")
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
            return _resize(part, lvalue.type.signed, lvalue.type.width)
        path = self._path(lvalue)
        if isinstance(kind, Int | Pointer):
            return self._memory.load(path, kind)
        return path

    def _assign(self, path: str, source: Expr, kind: Type) -> Any:
        value: Any = self._number(source) if isinstance(kind, Int) else self._eval(source)
        if isinstance(kind, Record):
            self._memory.copy(pointed(value), path, kind)
        else:
            self._memory.store(path, value)
        return value

    def _assign_bits(self, lvalue: Bits, source: Expr) -> Word:
        """Bits of an integer are replaced; the rest of it is read for that."""
        base = lvalue.base
        if not isinstance(base.type, Int):
            raise self.stuck("bits of what is no integer")
        path = self._path(base)
        part = Word(self._number(source).value, lvalue.width)
        whole = self._memory.load(path, base.type)
        assert isinstance(whole, Word)
        mask = ((1 << lvalue.width) - 1) << lvalue.low
        self._memory.store(path, (whole & ~mask) | (part.value << lvalue.low))
        return _resize(part, lvalue.type.signed, lvalue.type.width)

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
                    raise self.stuck("division by zero")
                if signed and left.value == 1 << (left.width - 1) and right.signed == -1:
                    raise self.stuck("division overflows")
                if expr.op == "/":
                    return left.sdiv(right) if signed else left.udiv(right)
                return left.srem(right) if signed else left.urem(right)
            case "<<" | ">>":
                # A negative count is a large one as an unsigned number.
                if right.value >= left.width:
                    raise self.stuck("shift count")
                if expr.op == "<<":
                    return left << right.value
                return left.sar(right.value) if signed else left >> right.value
        raise InternalError(f"no binary operator {expr.op}")

    def _compare(self, expr: Compare) -> bool:
        if not isinstance(expr.left.type, Int):
            left, right = (
                None if (path := self._eval(side)) is None else self._memory.scalar(path)
                for side in (expr.left, expr.right)
            )
            return (left == right) == (expr.op == "==")
        a, b = self._int(expr.left), self._int(expr.right)
        order = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
        return order[expr.op]

    def _cast(self, operand: Expr, kind: Type) -> Any:
        if isinstance(kind, Int) and kind.boolean:
            return Word(self._true(operand), kind.width)
        if isinstance(kind, Int) and isinstance(operand.type, Int):
            return _resize(self._number(operand), operand.type.signed, kind.width)
        value = self._eval(operand)
        if isinstance(kind, Void):
            return None
        if isinstance(kind, Int):
            if value is None:
                return Word(0, kind.width)
            raise self.stuck("a pointer is used as a number")
        if isinstance(value, Word):
            if value.value:
                raise self.stuck("a number is used as a pointer")
            return None
        return value

    def _call(self, call: Call) -> Any:
        args = tuple(
            self._number(arg) if isinstance(arg.type, Int) else self._eval(arg) for arg in call.args
        )
        contract = self._contracts.get(call.name)
        body = None if contract else self._program.function(call.name)
        frame = self._frames[-1]
        before = frame.loc
        self._names.enter(f"{call.name}:{call.loc.line}")
        try:
            if contract:
                # An argument may have been a statement expression, with lines of its own.
                frame.loc = call.loc
                result = contract(self._machine, CallSite(call.name, args, call.type, call.loc))
                if result is not None and isinstance(call.type, Int):
                    return as_word(result, call.type.width)
                return result
            if body is None:
                raise self.stuck(f"{call.name} has neither a contract nor a body")
            return self.run(body, args)
        finally:
            frame.loc = before
            self._names.leave()

    # LValues ----------------------------------------------------------------------------------

    def _path(self, lvalue: LValue) -> str:
        """The path of an object in memory; faults for a null pointer and an index too large."""
        match lvalue:
            case Local():
                return self._frames[-1].scope.path(lvalue)
            case Global(name, kind):
                return self._memory.root(name, kind)
            case Field(base, name):
                return f"{self._path(base)}.{name}"
            case Deref(pointer):
                return pointed(self._eval(pointer))
            case Index(base, index):
                path = self._path(base)
                return self._memory.element(path, self._int(index))
            case Bits():
                raise self.stuck("the address of bits")


def as_word(value: Any, width: int) -> Word:
    """A model's value for a place of `width` bits."""
    if isinstance(value, int):
        return Word(value, width)
    if not isinstance(value, Word) or value.width != width:
        raise InternalError(f"a model gives {value!r} where {width} bits are needed")
    return value


def _resize(word: Word, signed: bool, width: int) -> Word:
    """Truncation or extension to `width`."""
    return Word(word.signed if signed else word.value, width)


def pointed(pointer: Address) -> str:
    """The path of what a pointer points to; a Fault for a null pointer."""
    if not isinstance(pointer, str):
        raise Fault("null pointer", "NULL")
    return pointer
