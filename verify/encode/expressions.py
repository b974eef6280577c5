"""Expressions and lvalues of the IR on terms, on the current path of the store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from verify.encode.access import (
    NOWHERE,
    NULL,
    Access,
    Place,
    as_pointer,
    not_null,
    nothing,
    pointer_to,
)
from verify.encode.join import Join
from verify.encode.names import HAVOC, Places, value_of
from verify.encode.store import Cell, Pointer, Store, merge
from verify.encode.term import Term, conj, const, disj, false, ite, negate, true
from verify.errors import InternalError
from verify.ir.nodes import (
    AddressOf,
    Assign,
    Binary,
    Bits,
    Call,
    Cast,
    Compare,
    Conditional,
    Const,
    ContainerOf,
    Deref,
    Expr,
    Field,
    FunctionName,
    Global,
    Index,
    Load,
    Loc,
    Local,
    Logical,
    LValue,
    Not,
    Null,
    StatementExpr,
    Stmt,
    Text,
    Unary,
)
from verify.ir.types import S32, Int, Record, Type, Void
from verify.ir.types import Pointer as PointerType

Result = Term | Pointer | str | None
"""A value: a term, a pointer, `str` for text and a function's name, the address of a record that
is loaded, None for no value."""

_ONE, _ZERO = const(1, 32), const(0, 32)


class Frame:
    """An activation of a function: `loc` is the statement being executed."""

    __slots__ = ("breaks", "continues", "end", "function", "labels", "loc", "paths", "prefix")

    def __init__(self, function: str, prefix: str, loc: Loc, end: Join) -> None:
        self.function = function
        self.prefix = prefix
        self.loc = loc
        self.end = end
        self.breaks: list[Join] = []
        self.continues: list[Join] = []
        self.labels: list[tuple[str, Join]] = []
        self.paths: dict[str, str] = {}

    def path(self, name: str) -> str:
        """Where a local is; a dot in its name would look like a member."""
        path = self.paths.get(name)
        if path is None:
            path = self.paths[name] = self.prefix + name.replace(".", "~")
        return path


class Expressions(ABC):
    """Evaluates expressions in the innermost frame.

    `fault` takes the conditions under which C or the paths give no meaning. When the path has
    ended, what is evaluated has no effect and its value no meaning.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        names: Places,
        fault: Callable[[Term, str | None, str], None],
    ) -> None:
        self.frames: list[Frame] = []
        self._store = store
        self._access = access
        self._names = names
        self._fault = fault
        self._values: dict[type, Callable[[Any], Result]] = {
            Const: lambda e: const(e.value, e.type.width),
            Load: self._load,
            Binary: self._binary,
            Compare: self._from_truth,
            Logical: self._from_truth,
            Not: self._from_truth,
            Cast: self._cast,
            Unary: self._unary,
            Conditional: self._conditional,
            Assign: self._assignment,
            Call: self._call,
            AddressOf: lambda e: pointer_to(self.place(e.lvalue)),
            Null: lambda e: NULL,
            Text: lambda e: e.value,
            FunctionName: lambda e: e.name,
            StatementExpr: self._statement_expression,
            ContainerOf: self._container_of,
        }
        self._truths: dict[type, Callable[[Any], Term]] = {
            Compare: self._compare,
            Logical: self._logical,
            Not: lambda e: negate(self.truth(e.operand)),
            Cast: self._truth_of_cast,
        }
        self._places: dict[type, Callable[[Any], Place]] = {
            Local: lambda v: self.frames[-1].path(v.name),
            Global: self._global,
            Field: lambda v: self._access.field(self.place(v.base), "." + v.name),
            Deref: lambda v: self._access.pointed(as_pointer(self.pointer(v.pointer))),
            Index: self._element,
            Bits: self._place_of_bits,
        }

    @abstractmethod
    def run_list(self, body: tuple[Stmt, ...]) -> None:
        """Run statements."""

    @abstractmethod
    def _call(self, call: Call) -> Result:
        """The value of a call."""

    def value(self, expr: Expr) -> Result:
        """The value of an expression."""
        return self._values[type(expr)](expr)

    def number(self, expr: Expr) -> Term:
        """The value of an integer expression."""
        value = self._values[type(expr)](expr)
        if isinstance(value, Term):
            return value
        self._fault(true, None, "what is no integer is used as one")
        assert isinstance(expr.type, Int)
        return const(0, expr.type.width)

    def pointer(self, expr: Expr) -> Pointer | str | None:
        """The value of a pointer, or the address of a record."""
        value = self._values[type(expr)](expr)
        if isinstance(value, Term):
            self._fault(true, None, "a number is used as a pointer")
            return NULL
        return value

    def truth(self, expr: Expr) -> Term:
        """The expression is not 0 or NULL, as far as the path does not decide it."""
        find = self._truths.get(type(expr))
        if find is not None:
            return find(expr)
        if isinstance(expr.type, Int):
            return self._store.fold(self.number(expr).nonzero())
        return self._store.fold(not_null(as_pointer(self.pointer(expr))))

    def number_or_pointer(self, expr: Expr) -> Result:
        """The value, checked where it is an integer."""
        return self.number(expr) if isinstance(expr.type, Int) else self.value(expr)

    # Values -----------------------------------------------------------------------------------

    def _from_truth(self, expr: Compare | Logical | Not) -> Term:
        return _as_int(self.truth(expr), S32.width)

    def _load(self, expr: Load) -> Result:
        lvalue, kind = expr.lvalue, expr.type
        if isinstance(lvalue, Bits):
            word = self.number(Load(lvalue.base, lvalue.base.type))
            part = word.extract(lvalue.low + lvalue.width - 1, lvalue.low)
            return resize(part, lvalue.type.signed, lvalue.type.width)
        place = self.place(lvalue)
        if isinstance(kind, Int | PointerType):
            return self._access.load(place, kind)
        return pointer_to(place)

    def _binary(self, expr: Binary) -> Term:
        left, right = self.number(expr.left), self.number(expr.right)
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
                self._fault(negate(right.nonzero()), None, "division by zero")
                if signed:
                    # The processor faults, whatever the compiler takes for defined.
                    overflows = left.eq(1 << (left.width - 1)) & right.eq((1 << right.width) - 1)
                    self._fault(overflows, None, "division overflows")
                if expr.op == "/":
                    return left.sdiv(right) if signed else left.udiv(right)
                return left.srem(right) if signed else left.urem(right)
            case "<<" | ">>":
                return self._shift(expr.op, left, right, signed)
        raise InternalError(f"no binary operator {expr.op}")

    def _shift(self, op: str, left: Term, right: Term, signed: bool) -> Term:
        """A negative count is a large one as an unsigned number."""
        width = left.width
        if right.hi >= width:
            self._fault(const(width - 1, right.width).ult(right), None, "shift count")
        # What is cut off is not below the width.
        count = resize(right, False, width)
        if op == "<<":
            return left << count
        return left.sar(count) if signed else left >> count

    def _unary(self, expr: Unary) -> Term:
        operand = self.number(expr.operand)
        return ~operand if expr.op == "~" else const(0, operand.width) - operand

    def _conditional(self, expr: Conditional) -> Result:
        condition = self.truth(expr.condition)
        if condition.op == "const":
            return self.number_or_pointer(expr.then if condition.value else expr.orelse)
        store = self._store
        if store.dead:
            return nothing(expr.type)
        join = Join(store, self._names)
        store.push(condition)
        then = self.number_or_pointer(expr.then)
        quiet = join.quiet()
        lost = store.dead
        if not quiet:
            join.park()
        join.reset()
        store.push(negate(condition))
        orelse = self.number_or_pointer(expr.orelse)
        if quiet and join.quiet():
            join.cancel()
        else:
            if quiet:
                join.add_quiet(condition)
            if store.dead:
                orelse = then
            join.close()
        if lost:
            return orelse
        return _choose(condition, then, orelse, expr.type)

    def _assignment(self, expr: Assign) -> Result:
        lvalue = expr.lvalue
        if isinstance(lvalue, Bits):
            return self._assign_bits(lvalue, expr.value)
        place = self.place(lvalue)
        return self.assign(place, expr.value, expr.type)

    def assign(self, place: Place, source: Expr, kind: Type) -> Result:
        """Store the value of an expression; the value."""
        if isinstance(kind, Int):
            number = self.number(source)
            self._access.store(place, number)
            return number
        value = self.value(source)
        if isinstance(kind, Record):
            pointer = as_pointer(None if isinstance(value, Term) else value)
            self._access.copy(self._access.pointed(pointer), place, kind)
        else:
            self._access.store(place, value if isinstance(value, Term) else as_pointer(value))
        return value

    def _assign_bits(self, lvalue: Bits, source: Expr) -> Term:
        """Bits of an integer are replaced; the rest of it is read for that."""
        base = lvalue.base
        if not isinstance(base.type, Int):
            raise InternalError("bits of what is no integer")
        place = self.place(base)
        part = resize(self.number(source), False, lvalue.width)
        whole = self._access.load(place, base.type)
        assert isinstance(whole, Term)
        mask = ((1 << lvalue.width) - 1) << lvalue.low
        changed = resize(part, False, whole.width) << lvalue.low
        self._access.store(place, (whole & ~mask) | changed)
        return resize(part, lvalue.type.signed, lvalue.type.width)

    def _cast(self, expr: Cast) -> Result:
        operand, kind = expr.operand, expr.type
        if isinstance(kind, Int):
            if kind.boolean:
                return _as_int(self.truth(operand), kind.width)
            if isinstance(operand.type, Int):
                return resize(self.number(operand), operand.type.signed, kind.width)
            pointer = as_pointer(self.pointer(operand))
            self._fault(not_null(pointer), None, "a pointer is used as a number")
            return const(0, kind.width)
        value = self.value(operand)
        if isinstance(kind, Void):
            return None
        if isinstance(value, Term):
            self._fault(value.nonzero(), None, "a number is used as a pointer")
            return NULL
        return value

    def _statement_expression(self, expr: StatementExpr) -> Result:
        self.run_list(expr.body)
        if expr.value is not None:
            return self.value(expr.value)
        return None

    def _container_of(self, expr: ContainerOf) -> Result:
        pointer = self._store.narrow_pointer(as_pointer(self.pointer(expr.pointer)))
        tail = "." + ".".join(expr.member)
        found: list[tuple[Term, str | None]] = []
        for guard, path in pointer.targets:
            if path is not None and path.endswith(tail):
                found.append((guard, path.removesuffix(tail)))
            else:
                self._fault(guard, None, f"container_of: {path} is no {tail}")
        return Pointer(tuple(found)) if found else NULL

    # Truth values -----------------------------------------------------------------------------

    def _compare(self, expr: Compare) -> Term:
        op = expr.op
        if not isinstance(expr.left.type, Int):
            left, right = (as_pointer(self.pointer(e)) for e in (expr.left, expr.right))
            same = self._access.same(left, right, self._unknown_comparison)
            return same if op == "==" else negate(same)
        a, b = self.number(expr.left), self.number(expr.right)
        if op == "==":
            holds = a.eq(b)
        elif op == "!=":
            holds = a.ne(b)
        else:
            signed = isinstance(expr.left.type, Int) and expr.left.type.signed
            if op in (">", "<="):
                a, b = b, a
            holds = a.slt(b) if signed else a.ult(b)
            if op in (">=", "<="):
                holds = negate(holds)
        return self._store.fold(holds)

    def _unknown_comparison(self) -> Term:
        return value_of(self._names.label(f"{HAVOC}/compare"), 0)

    def _logical(self, expr: Logical) -> Term:
        left = self.truth(expr.left)
        both = expr.op == "&&"
        if left.op == "const":
            return self.truth(expr.right) if bool(left.value) == both else left
        store = self._store
        if store.dead:
            return false
        join = Join(store, self._names)
        needed = left if both else negate(left)
        store.push(needed)
        right = self.truth(expr.right)
        if join.quiet():
            join.cancel()
        else:
            lost = store.dead
            join.park()
            join.reset()
            store.push(negate(needed))
            join.close()
            if lost:
                return false if both else true
        return conj((left, right)) if both else disj((left, right))

    def _truth_of_cast(self, expr: Cast) -> Term:
        operand, kind = expr.operand, expr.type
        if isinstance(kind, Int):
            if kind.boolean:
                return self.truth(operand)
            if isinstance(operand.type, Int) and kind.width >= operand.type.width:
                return self.truth(operand)
            number = self._cast(expr)
            assert isinstance(number, Term)
            return self._store.fold(number.nonzero())
        value = self._cast(expr)
        return self._store.fold(not_null(as_pointer(None if isinstance(value, Term) else value)))

    # LValues ----------------------------------------------------------------------------------

    def place(self, lvalue: LValue) -> Place:
        """Where an object is; faults for a null pointer and an index out of bounds."""
        return self._places[type(lvalue)](lvalue)

    def _global(self, lvalue: Global) -> Place:
        self._access.use(lvalue.name, lvalue.type)
        return lvalue.name

    def _element(self, lvalue: Index) -> Place:
        place = self.place(lvalue.base)
        index = self.number(lvalue.index)
        if self._store.dead:
            return NOWHERE
        kind = lvalue.index.type
        return self._access.element(place, index, isinstance(kind, Int) and kind.signed)

    def _place_of_bits(self, lvalue: Bits) -> Place:
        self._fault(true, None, "the address of bits")
        return NOWHERE


def resize(value: Term, signed: bool, width: int) -> Term:
    """Truncation or extension to `width`."""
    if value.width > width:
        return value.extract(width - 1, 0)
    return value.sext(width) if signed else value.zext(width)


def _as_int(truth: Term, width: int) -> Term:
    if width == 32:
        return ite(truth, _ONE, _ZERO)
    return ite(truth, const(1, width), const(0, width))


def _choose(condition: Term, then: Result, orelse: Result, kind: Type) -> Result:
    """The value of a conditional expression."""
    if isinstance(kind, Int):
        assert isinstance(then, Term) and isinstance(orelse, Term)
        return ite(condition, then, orelse)
    if then is orelse or isinstance(then, Term) or isinstance(orelse, Term):
        return then
    if isinstance(kind, Void):
        return None
    merged: Cell = merge(condition, as_pointer(then), as_pointer(orelse))
    assert isinstance(merged, Pointer)
    return merged
