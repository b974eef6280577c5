"""Expressions of the IR with C's conversions made explicit and constants folded."""

from __future__ import annotations

from verify.ir.nodes import (
    AddressOf,
    Binary,
    Bits,
    Cast,
    Compare,
    Conditional,
    Const,
    Deref,
    Expr,
    Field,
    FunctionName,
    Index,
    Load,
    Logical,
    LValue,
    Not,
    Null,
    Text,
    Unary,
)
from verify.ir.types import S32, VOID, Array, Int, Pointer, Type, Void
from verify.source.c_type import common, promoted, promoted_bits, wrap


class Unsupported(Exception):
    """C outside the subset; the text says why."""


ZERO = Const(0, S32)
ONE = Const(1, S32)
VOID_POINTER = Pointer(VOID)


def convert(expr: Expr, to: Type) -> Expr:
    """The value as another type. Unsupported when the IR has no such conversion."""
    kind = expr.type
    if kind == to:
        return expr
    if isinstance(to, Int):
        if isinstance(expr, Const):
            return Const(wrap(expr.value, to), to)
        if isinstance(expr, Null):
            return Const(0, to)
        if isinstance(kind, Int | Pointer):
            if isinstance(expr, Cast) and _keeps_value(expr.operand.type, kind):
                return convert(expr.operand, to)
            return Cast(expr, to)
    elif isinstance(to, Pointer):
        if isinstance(expr, Null) or (isinstance(expr, Const) and expr.value == 0):
            return Null(to)
        if isinstance(expr, FunctionName):
            return FunctionName(expr.name, to)
        if isinstance(kind, Pointer | Int):
            return Cast(expr, to)
    elif isinstance(to, Void):
        return Cast(expr, to)
    raise Unsupported("conversion between types of different kinds")


def _keeps_value(before: Type, after: Type) -> bool:
    """Whether every value of one integer type is one of another."""
    if not isinstance(before, Int) or not isinstance(after, Int) or after.boolean:
        return False
    if before.signed == after.signed:
        return before.width <= after.width
    return after.signed and before.width < after.width


def promote(expr: Expr) -> Expr:
    """Integer promotion. Unsupported for what is no integer."""
    kind = expr.type
    if not isinstance(kind, Int):
        raise Unsupported("arithmetic on what is no integer")
    if isinstance(expr, Load) and isinstance(expr.lvalue, Bits):
        return convert(expr, promoted_bits(kind, expr.lvalue.width))
    return convert(expr, promoted(kind))


def _int_type(expr: Expr) -> Int:
    assert isinstance(expr.type, Int)
    return expr.type


def arithmetic(op: str, left: Expr, right: Expr) -> Expr:
    """`left op right` of two integers, after the usual conversions."""
    left, right = promote(left), promote(right)
    kind = _int_type(left)
    if op not in ("<<", ">>"):
        kind = common(kind, _int_type(right))
        left, right = convert(left, kind), convert(right, kind)
    if isinstance(left, Const) and isinstance(right, Const):
        value = _fold(op, left.value, right.value, kind.width)
        if value is not None:
            return Const(wrap(value, kind), kind)
    return Binary(op, left, right, kind)


def _fold(op: str, a: int, b: int, width: int) -> int | None:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "&":
            return a & b
        case "|":
            return a | b
        case "^":
            return a ^ b
        case "<<" | ">>":
            if not 0 <= b < width:
                return None
            return a << b if op == "<<" else a >> b
    if not b:
        return None
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient if op == "/" else a - quotient * b


def negate(op: str, operand: Expr) -> Expr:
    """`-`, `+` or `~` of an integer."""
    operand = promote(operand)
    kind = _int_type(operand)
    if op == "+":
        return operand
    if isinstance(operand, Const):
        return Const(wrap(-operand.value if op == "-" else ~operand.value, kind), kind)
    return Unary(op, operand, kind)


def compare(op: str, left: Expr, right: Expr) -> Expr:
    """A comparison of two integers or two pointers."""
    if isinstance(left.type, Pointer) or isinstance(right.type, Pointer):
        kind = left.type if isinstance(left.type, Pointer) else right.type
        if op not in ("==", "!="):
            raise Unsupported("order of pointers")
        left, right = _pointer(left, kind), _pointer(right, kind)
        if isinstance(left, Null) and isinstance(right, Null):
            return ONE if op == "==" else ZERO
        return Compare(op, left, right)
    left, right = promote(left), promote(right)
    kind = common(_int_type(left), _int_type(right))
    left, right = convert(left, kind), convert(right, kind)
    if isinstance(left, Const) and isinstance(right, Const):
        a, b = left.value, right.value
        order = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
        return ONE if order[op] else ZERO
    return Compare(op, left, right)


def _pointer(expr: Expr, kind: Type) -> Expr:
    if isinstance(expr.type, Int) and not isinstance(expr, Const):
        raise Unsupported("a pointer is compared with an integer")
    return convert(expr, kind)


def scalar(expr: Expr) -> Expr:
    """The expression, which must have a truth value."""
    if not isinstance(expr.type, Int | Pointer):
        raise Unsupported("the truth of what is neither integer nor pointer")
    while isinstance(expr, Cast) and _keeps_truth(expr.operand.type, expr.type):
        expr = expr.operand
    return expr


def _keeps_truth(before: Type, after: Type) -> bool:
    if isinstance(before, Int) and isinstance(after, Int):
        return after.boolean or after.width >= before.width
    return isinstance(before, Pointer) and isinstance(after, Pointer)


def truth(expr: Expr) -> bool | None:
    """Whether the expression is known to be true or false."""
    if isinstance(expr, Const):
        return expr.value != 0
    if isinstance(expr, Null):
        return False
    if isinstance(expr, FunctionName | AddressOf | Text):
        # Objects and functions have addresses. A part at null's address is no object.
        return True if isinstance(expr, FunctionName | Text) or _has_root(expr.lvalue) else None
    return None


def _has_root(lvalue: LValue) -> bool:
    while isinstance(lvalue, Field | Index | Bits):
        lvalue = lvalue.base
    return not isinstance(lvalue, Deref)


def invert(operand: Expr) -> Expr:
    """`!operand`."""
    operand = scalar(operand)
    known = truth(operand)
    if known is not None:
        return ZERO if known else ONE
    return Not(operand)


def logical(op: str, left: Expr, right: Expr) -> Expr:
    """`left && right` or `left || right`."""
    left, right = scalar(left), scalar(right)
    first, second = truth(left), truth(right)
    if first is not None:
        if first == (op == "||"):
            return ONE if first else ZERO
        if second is not None:
            return ONE if second else ZERO
        return boolean(right)
    return Logical(op, left, right)


def boolean(expr: Expr) -> Expr:
    """0 or 1 as `int`."""
    if isinstance(expr, Compare | Logical | Not):
        return expr
    return invert(invert(expr))


def conditional(condition: Expr, then: Expr, orelse: Expr) -> Expr:
    """`condition ? then : orelse`, with the common type of the arms."""
    kind: Type
    if isinstance(then.type, Int) and isinstance(orelse.type, Int):
        then, orelse = promote(then), promote(orelse)
        kind = common(_int_type(then), _int_type(orelse))
    elif isinstance(then.type, Void) or isinstance(orelse.type, Void):
        kind = VOID
    elif isinstance(then.type, Pointer) and isinstance(orelse.type, Pointer):
        kind = then.type
        if isinstance(then, Null) and then.type == VOID_POINTER:
            kind = orelse.type
        elif orelse.type == VOID_POINTER and not isinstance(orelse, Null):
            kind = VOID_POINTER
    else:
        kind = then.type if isinstance(then.type, Pointer) else orelse.type
        if not isinstance(kind, Pointer):
            raise Unsupported("a choice between records")
    then, orelse = convert(then, kind), convert(orelse, kind)
    condition = scalar(condition)
    known = truth(condition)
    if known is not None:
        return then if known else orelse
    return Conditional(condition, then, orelse, kind)


def value_of(lvalue: LValue) -> Expr:
    """What an lvalue holds; an array is its address."""
    kind = lvalue.type
    if isinstance(kind, Array):
        return AddressOf(lvalue, Pointer(kind.of))
    if isinstance(kind, Void):
        raise Unsupported("the value of what has no type")
    return Load(lvalue, kind)


def pointed(pointer: Expr) -> LValue:
    """`*pointer`."""
    kind = pointer.type
    if not isinstance(kind, Pointer):
        raise Unsupported("what is no pointer is followed")
    if isinstance(pointer, AddressOf):
        target = pointer.lvalue
        if target.type == kind.to:
            return target
        if isinstance(target.type, Array) and target.type.of == kind.to:
            return Index(target, ZERO, kind.to)
    return Deref(pointer, kind.to)


def element(pointer: Expr, index: Expr) -> LValue:
    """`pointer[index]`."""
    kind = pointer.type
    if not isinstance(kind, Pointer) or isinstance(kind.to, Void):
        raise Unsupported("an index into what is no array")
    index = promote(index)
    if isinstance(pointer, AddressOf):
        target = pointer.lvalue
        if isinstance(target.type, Array) and target.type.of == kind.to:
            return Index(target, index, kind.to)
    return Index(Deref(pointer, kind.to), index, kind.to)
