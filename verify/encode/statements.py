"""Statements, functions and calls of the IR on terms.

Every construct runs once: where paths part each way runs in turn, where they meet they are merged
(`Join`). Only loops run again, as long as the path does not decide that they end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from verify.encode import term as t
from verify.encode.access import Access, as_pointer, nothing
from verify.encode.expressions import Expressions, Frame, Result
from verify.encode.join import Join
from verify.encode.names import Counts, Input, Places
from verify.encode.objects import Objects
from verify.encode.store import Outcome, Pointer, Store
from verify.encode.term import Term, conj, const, disj, false, negate, true
from verify.encode.unknown import Unknown
from verify.errors import InternalError
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.ir.nodes import (
    Arm,
    Block,
    Break,
    Call,
    Cast,
    Compare,
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
    Label,
    Load,
    Loc,
    Local,
    Loop,
    Return,
    Stmt,
    Switch,
    Unmodelled,
)
from verify.ir.program import Program
from verify.ir.types import Int, Record, Type, Void
from verify.ir.types import Pointer as PointerType

LOOP_ROUNDS = 512
LOOP_TERMS = 100_000
"""Terms that a loop may build before it counts as one that does not end: ten times as many as the
largest of 7.2 and 7.3."""
UNKNOWN_ROUNDS = 16
"""The same for a loop that runs unknown code: that may change what the loop's end depends on."""
CALL_DEPTH = 50
RECURSION = 6
"""How often one function may be active."""


class Statements(Expressions):
    """Runs functions of the tree; `machine` is what contracts act on. `functions` has the names of
    all that ran."""

    def __init__(
        self,
        program: Program,
        contracts: Mapping[str, Contract],
        store: Store,
        objects: Objects,
        access: Access,
        names: Places,
        machine: Machine,
        fault: Callable[[Term, str | None, str], None],
        unknown: Unknown,
    ) -> None:
        super().__init__(store, access, names, fault)
        self.functions: set[str] = set()
        self._program = program
        self._contracts = contracts
        self._objects = objects
        self._machine = machine
        self._unknown = unknown
        self._frames_made = 0
        self._statements: dict[type, Callable[[Any], object]] = {
            ExprStmt: lambda s: self.value(s.expr),
            Declare: self._declare,
            If: self._if,
            Loop: self._loop,
            Switch: self._switch,
            Block: lambda s: self.run_list(s.body),
            Return: self._return,
            Break: lambda s: self.frames[-1].breaks[-1].park(),
            Continue: lambda s: self.frames[-1].continues[-1].park(),
            Goto: self._goto,
            Unmodelled: self._unmodelled,
        }

    @property
    def loc(self) -> Loc | None:
        """The statement being executed in the innermost function, None outside of all."""
        return self.frames[-1].loc if self.frames else None

    # Functions --------------------------------------------------------------------------------

    def run(
        self, name: str, body: Function | None, args: tuple[Any, ...], kind: Type, loc: Loc | None
    ) -> Result:
        """Run a function with arguments that are terms, ints, pointers, or paths of records. It
        is unknown code when its body cannot run."""
        reason = self._refusal(body, args)
        if body is not None:
            self.functions.add(body.name)
            if not reason:
                return self._run(body, args)
        pointers = [arg for arg in args if isinstance(arg, Pointer)]
        unknown = self._unknown.code(f"{name}(...)", reason, loc, pointers)
        return self._unknown.result(unknown, kind)

    def _run(self, function: Function, args: tuple[Any, ...]) -> Result:
        store, objects, access = self._store, self._objects, self._access
        self._frames_made += 1
        prefix = f"%{self._frames_made}."
        result = f"{prefix}?"
        # The result outlives the scope.
        store.declared[result] = store.depth
        end = Join(store, self._names)
        frame = Frame(function.name, prefix, function.loc, end)
        access.live.add(prefix)
        for parameter, arg in zip(function.parameters, args, strict=True):
            path, kind = frame.path(parameter.name), parameter.type
            objects.locals[path] = kind
            objects.undefined[path] = None
            store.declared[path] = store.depth
            if isinstance(kind, Record):
                access.copy(access.pointed(as_pointer(arg)), path, kind)
            elif isinstance(kind, Int):
                store.write(path, as_term(arg, kind.width))
            else:
                store.write(path, as_pointer(arg))
        self.frames.append(frame)
        self.run_list(function.body)
        if not store.dead and not isinstance(function.result, Void):
            self._fault(true, None, f"{function.name} ends without a value")
        self.frames.pop()
        end.close()
        access.live.discard(prefix)
        if not self.frames:
            objects.locals.clear()
            objects.undefined.clear()
            store.declared.clear()
        value = store.take(result)
        if value is None and store.dead:
            return nothing(function.result)
        return value

    def _call(self, call: Call) -> Result:
        args = tuple(self._argument(self.number_or_pointer(arg)) for arg in call.args)
        if self._store.dead:
            return nothing(call.type)
        contract = self._contracts.get(call.name)
        body = None if contract else self._program.function(call.name)
        frame = self.frames[-1]
        before = frame.loc
        self._names.enter(f"{call.name}:{call.loc.line}")
        try:
            if contract:
                # An argument may have been a statement expression, with lines of its own.
                frame.loc = call.loc
                result = contract(self._machine, CallSite(call.name, args, call.type, call.loc))
                if isinstance(call.type, Int):
                    return None if result is None else as_term(result, call.type.width)
                if isinstance(call.type, PointerType):
                    return as_pointer(result)
                return None
            return self.run(call.name, body, args, call.type, call.loc)
        finally:
            frame.loc = before
            self._names.leave()

    @staticmethod
    def _argument(value: Result) -> Result:
        return None if isinstance(value, Pointer) and value.is_null() else value

    def _refusal(self, body: Function | None, args: tuple[Any, ...]) -> str:
        """Why a body cannot run."""
        if body is None:
            return "it has neither a contract nor a body"
        if len(args) != len(body.parameters):
            return f"it is called with {len(args)} arguments"
        again = sum(1 for frame in self.frames if frame.function == body.name)
        if len(self.frames) >= CALL_DEPTH or again >= RECURSION:
            return "calls nest too deep"
        return ""

    # Statements -------------------------------------------------------------------------------

    def run_list(self, body: tuple[Stmt, ...]) -> None:
        """Run statements in order, those after a label also for the paths that jump to it."""
        store, frame, statements = self._store, self.frames[-1], self._statements
        if any(type(stmt) is Label for stmt in body):
            self._run_labelled(body)
            return
        for stmt in body:
            if store.dead:
                return
            frame.loc = stmt.loc
            statements[type(stmt)](stmt)

    def _run_labelled(self, body: tuple[Stmt, ...]) -> None:
        frame = self.frames[-1]
        labels = [stmt.name for stmt in body if isinstance(stmt, Label)]
        # The first label is the innermost scope: it ends first.
        frame.labels += [(name, Join(self._store, self._names)) for name in reversed(labels)]
        for stmt in body:
            if isinstance(stmt, Label):
                frame.labels.pop()[1].close(keep=True)
            elif not self._store.dead:
                frame.loc = stmt.loc
                self._statements[type(stmt)](stmt)

    def _declare(self, stmt: Declare) -> None:
        local = stmt.local
        name = None
        if stmt.init is None and not stmt.zeroed:
            name = self._names.label(f"undef/{local.name}")
        path = self.frames[-1].path(local.name)
        self._access.declare(path, local.type, name)
        if stmt.init is not None:
            self.assign(path, stmt.init, local.type)

    def _if(self, stmt: If) -> None:
        condition = self.truth(stmt.condition)
        store = self._store
        if store.dead:
            return
        if condition.op == "const":
            self.run_list(stmt.then if condition.value else stmt.orelse)
            return
        join = Join(store, self._names)
        store.push(condition)
        self.run_list(stmt.then)
        join.park()
        join.reset()
        store.push(negate(condition))
        self.run_list(stmt.orelse)
        join.close()

    def _loop(self, stmt: Loop) -> None:
        frame, store, names = self.frames[-1], self._store, self._names
        limit, unknown = t.created() + LOOP_TERMS, self._unknown.count
        end = Join(store, names)
        frame.breaks.append(end)
        for count in range(LOOP_ROUNDS + 1):
            most = LOOP_ROUNDS if unknown == self._unknown.count else UNKNOWN_ROUNDS
            if count >= most or t.created() > limit:
                self._endless(stmt, count)
                break
            names.enter(f"@{stmt.loc.line}#{count}")
            frame.loc = stmt.loc
            if stmt.test_last or self._goes_on(stmt, end):
                again = Join(store, names)
                frame.continues.append(again)
                self.run_list(stmt.body)
                frame.continues.pop()
                again.close()
                frame.loc = stmt.loc
                if not store.dead and stmt.step is not None:
                    self.value(stmt.step)
                if stmt.test_last:
                    self._goes_on(stmt, end)
            names.leave()
            if store.dead:
                break
        frame.breaks.pop()
        end.close()

    def _goes_on(self, stmt: Loop, end: Join) -> bool:
        """Let the paths on which the loop ends leave it; is there one on which it does not?"""
        if not self._store.dead and stmt.condition is not None:
            condition = self.truth(stmt.condition)
            if condition is false:
                end.park()
            elif condition is not true and not self._store.dead:
                self._park_end(stmt.condition, negate(condition), end)
        return not self._store.dead

    def _park_end(self, condition: Expr, ended: Term, end: Join) -> None:
        """Let the paths leave a loop where `ended` holds.

        After `for (i = 0; i < n; i++)` the counter is n: said like that it is one value for all
        numbers of rounds, and not a choice between constants.
        """
        counted = self._count(condition, ended)
        if counted is None:
            end.park_where(ended)
            return
        path, before, bound = counted
        self._store.write(path, bound)
        end.park_where(ended)
        self._store.write(path, before)

    def _count(self, condition: Expr, ended: Term) -> tuple[str, Term, Term] | None:
        """The loop's counter, its value, and the bound that has the same value where the loop has
        `ended`: where that is what `ended` says."""
        store = self._store
        if not isinstance(condition, Compare):
            return None
        counter, bound = _plain(condition.left), _plain(condition.right)
        if not (isinstance(counter, Load) and isinstance(counter.lvalue, Local) and _pure(bound)):
            return None
        path = self.frames[-1].path(counter.lvalue.name)
        value, limit = store.cells.get(path), self.value(bound)
        if not (isinstance(value, Term) and isinstance(limit, Term) and value.op == "const"):
            return None
        limits = t.interval(ended)
        if limit.op == "const" or limit.width != value.width or limits is None:
            return None
        low, high = store.limits(limit)
        if limits[0] is limit and max(low, limits[1]) == min(high, limits[2]) == value.value:
            return path, value, limit
        return None

    def _endless(self, stmt: Loop, rounds: int) -> None:
        """The rounds that were not run may do anything, and leave the loop in any way."""
        text = self._program.line(stmt.loc.file, stmt.loc.line) or "a loop"
        name = self._unmodelled(
            Unmodelled(text, f"the loop does not end within {rounds} rounds", stmt.loc)
        )
        frame = self.frames[-1]
        for kind, label in _exits(stmt.body):
            leaves = self._unknown.flag(name, f"leaves/{label}")
            join = Join(self._store, self._names)
            self._store.push(leaves)
            if kind is Return:
                function = self._program.function(frame.function)
                if function is not None:
                    value = self._unknown.result(name, function.result)
                    if value is not None:
                        self._store.write(f"{frame.prefix}?", _cell(value))
                frame.end.park()
            else:
                self._goto(Goto(label, stmt.loc))
            join.reset()
            self._store.push(negate(leaves))
            join.close(keep=True)

    def _switch(self, stmt: Switch) -> None:
        value = self.number(stmt.value)
        store, frame = self._store, self.frames[-1]
        if store.dead:
            return
        kind = stmt.value.type
        signed = isinstance(kind, Int) and kind.signed
        conditions = [store.fold(_in_ranges(value, signed, arm)) for arm in stmt.arms]
        # An earlier arm wins, and the default takes what is left.
        taken = false
        for i, arm in enumerate(stmt.arms):
            if arm.ranges:
                conditions[i], taken = (
                    conj((conditions[i], negate(taken))),
                    disj((taken, conditions[i])),
                )
        rest = store.fold(negate(taken))
        for i, arm in enumerate(stmt.arms):
            if arm.default:
                conditions[i] = disj((conditions[i], rest))
                rest = false
        end = Join(store, self._names)
        frame.breaks.append(end)
        falls: list[tuple[Outcome, Counts]] = []
        for arm, condition in zip(stmt.arms, conditions, strict=True):
            self._enter_arm(end, falls, condition)
            if not store.dead:
                self.run_list(arm.body)
            taken_now = end.take()
            falls = [] if taken_now is None else [taken_now]
        frame.breaks.pop()
        self._enter_arm(end, falls, rest)
        end.close()

    @staticmethod
    def _enter_arm(end: Join, falls: list[tuple[Outcome, Counts]], condition: Term) -> None:
        """Go on with the paths that fall through and those that come from the switch."""
        end.enter(falls if condition is false else [*falls, end.start(condition)])

    def _return(self, stmt: Return) -> None:
        frame = self.frames[-1]
        if stmt.value is not None:
            value = self.number_or_pointer(stmt.value)
            if value is not None:
                self._store.write(f"{frame.prefix}?", _cell(value))
        frame.end.park()

    def _goto(self, stmt: Goto) -> None:
        for name, join in reversed(self.frames[-1].labels):
            if name == stmt.label:
                join.park()
                return
        raise InternalError(f"{stmt.loc.file}:{stmt.loc.line}: no label {stmt.label} further on")

    def _unmodelled(self, stmt: Unmodelled) -> Input:
        prefix = self.frames[-1].prefix
        roots = {path for path in self._store.declared if path.startswith(prefix)}
        return self._unknown.code(stmt.text, stmt.reason, stmt.loc, [], roots)


def as_term(value: Any, width: int) -> Term:
    """A model's value for a place of `width` bits."""
    if isinstance(value, int):
        return const(value, width)
    if not isinstance(value, Term) or value.width != width:
        raise InternalError(f"a model gives {value!r} where {width} bits are needed")
    return value


def _cell(value: Result) -> Term | Pointer:
    return value if isinstance(value, Term) else as_pointer(value)


def _in_ranges(value: Term, signed: bool, arm: Arm) -> Term:
    """The value is in one of the ranges of an arm."""
    width = value.width
    least, most = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    parts: list[Term] = []
    for low, high in arm.ranges:
        low, high = max(low, least), min(high, most)
        if low == high:
            parts.append(value.eq(low))
        elif low < high:
            first, last = const(low, width), const(high, width)
            if signed:
                parts.append(conj((first.sle(value), value.sle(last))))
            else:
                parts.append(conj((first.ule(value), value.ule(last))))
    return disj(parts)


def _exits(body: tuple[Stmt, ...]) -> Iterator[tuple[type, str]]:
    """The ways in which statements leave the loop around them, but by `break`."""
    found: dict[tuple[type, str], None] = {}

    def look(statements: tuple[Stmt, ...]) -> None:
        for stmt in statements:
            if isinstance(stmt, Return):
                found[Return, ""] = None
            elif isinstance(stmt, Goto):
                found[Goto, stmt.label] = None
            elif isinstance(stmt, If):
                look(stmt.then)
                look(stmt.orelse)
            elif isinstance(stmt, Loop | Block):
                look(stmt.body)
            elif isinstance(stmt, Switch):
                for arm in stmt.arms:
                    look(arm.body)

    look(body)
    return iter(found)


def _plain(expr: Expr) -> Expr:
    """An integer expression without the conversions around it."""
    while isinstance(expr, Cast) and isinstance(expr.operand.type, Int):
        expr = expr.operand
    return expr


def _pure(expr: Expr) -> bool:
    """Evaluating it again changes nothing: a load of a member of what a local points to."""
    if not isinstance(expr, Load):
        return False
    lvalue = expr.lvalue
    while isinstance(lvalue, Field | Deref):
        if isinstance(lvalue, Deref):
            if not isinstance(lvalue.pointer, Load):
                return False
            lvalue = lvalue.pointer.lvalue
        else:
            lvalue = lvalue.base
    return isinstance(lvalue, Local | Global)
