"""IR as text that reads like C, for people and for golden files; it is not meant to compile."""

from __future__ import annotations

from collections.abc import Iterator

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
from verify.ir.types import Array, Int, Pointer, Record, Type, Void


def type_text(kind: Type) -> str:
    """A type: `u32`, `bool`, `u64 *`, `u8[4]`, `struct tag`."""
    match kind:
        case Int(width, signed, boolean):
            return "bool" if boolean else f"{'s' if signed else 'u'}{width}"
        case Void():
            return "void"
        case Pointer(to):
            return f"{type_text(to)} *"
        case Array(of, length):
            return f"{type_text(of)}[{length}]"
        case Record(tag):
            return f"struct {tag}"


def lvalue_text(lvalue: LValue) -> str:
    """An lvalue; bits are `base<high:low>`."""
    match lvalue:
        case Local(name) | Global(name):
            return name
        case Deref(pointer):
            return f"(*{expr_text(pointer)})"
        case Field(Deref(pointer), name):
            return f"{expr_text(pointer)}->{name}"
        case Field(base, name):
            return f"{lvalue_text(base)}.{name}"
        case Index(base, index):
            return f"{lvalue_text(base)}[{expr_text(index)}]"
        case Bits(base, low, width):
            return f"{lvalue_text(base)}<{low + width - 1}:{low}>"


def expr_text(expr: Expr) -> str:
    """An expression with all its conversions, and parentheses around every operator."""
    match expr:
        case Const(value, kind):
            text = str(value) if abs(value) < 1024 else hex(value)
            return (
                text + ("" if kind.signed else "u") + ("" if kind.width == 32 else f"_{kind.width}")
            )
        case Null():
            return "NULL"
        case Text(text):
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case Load(lvalue):
            return lvalue_text(lvalue)
        case AddressOf(lvalue):
            return f"&{lvalue_text(lvalue)}"
        case FunctionName(name):
            return name
        case Unary(op, operand):
            return f"{op}{expr_text(operand)}"
        case Not(operand):
            return f"!{expr_text(operand)}"
        case Binary(op, left, right) | Compare(op, left, right) | Logical(op, left, right):
            return f"({expr_text(left)} {op} {expr_text(right)})"
        case Conditional(condition, then, orelse):
            return f"({expr_text(condition)} ? {expr_text(then)} : {expr_text(orelse)})"
        case Cast(operand, kind):
            return f"({type_text(kind)}){expr_text(operand)}"
        case Assign(lvalue, value):
            return f"({lvalue_text(lvalue)} = {expr_text(value)})"
        case Call(name, args):
            return f"{name}({', '.join(map(expr_text, args))})"
        case StatementExpr(body, last):
            inner = [line.strip() for stmt in body for line in _lines(stmt)]
            tail = [] if last is None else [f"{expr_text(last)};"]
            return f"({{ {' '.join(inner + tail)} }})"
        case ContainerOf(pointer, member):
            return f"container_of({expr_text(pointer)}, {'.'.join(member)})"


def _top(expr: Expr) -> str:
    """An expression that needs no parentheses of its own."""
    text = expr_text(expr)
    bare = isinstance(expr, Assign | Binary | Compare | Logical | Conditional)
    return text[1:-1] if bare else text


def _body(body: tuple[Stmt, ...]) -> Iterator[str]:
    for stmt in body:
        for line in _lines(stmt):
            yield "    " + line


def _arm(arm: Arm) -> Iterator[str]:
    for low, high in arm.ranges:
        yield f"case {low}:" if low == high else f"case {low} ... {high}:"
    if arm.default:
        yield "default:"
    yield from _body(arm.body)


def _lines(stmt: Stmt) -> Iterator[str]:
    match stmt:
        case ExprStmt(expr):
            yield f"{_top(expr)};"
        case Declare(local, init, zeroed):
            value = " = {}" if zeroed and init is None else ""
            if init is not None:
                value = f" = {_top(init)}"
            yield f"{type_text(local.type)} {local.name}{value};"
        case If(condition, then, orelse):
            yield f"if ({_top(condition)}) {{"
            yield from _body(then)
            if orelse:
                yield "} else {"
                yield from _body(orelse)
            yield "}"
        case Loop(condition, step, body, test_last):
            test = "1" if condition is None else _top(condition)
            end = "" if step is None else _top(step)
            yield "do {" if test_last else f"for (; {test}; {end}) {{"
            yield from _body(body)
            yield f"}} while ({test});" if test_last else "}"
        case Switch(value, arms):
            yield f"switch ({_top(value)}) {{"
            for arm in arms:
                yield from _arm(arm)
            yield "}"
        case Block(body):
            yield "{"
            yield from _body(body)
            yield "}"
        case Return(None):
            yield "return;"
        case Return(expr) if expr is not None:
            yield f"return {_top(expr)};"
        case Break():
            yield "break;"
        case Continue():
            yield "continue;"
        case Goto(label):
            yield f"goto {label};"
        case Label(name):
            yield f"{name}:"
        case Unmodelled(text, reason):
            yield f"/* not modelled ({reason}): {text} */"


def function_text(function: Function) -> str:
    """A function with its body, ending in a newline."""
    parameters = ", ".join(f"{type_text(p.type)} {p.name}" for p in function.parameters)
    head = f"{type_text(function.result)} {function.name}({parameters or 'void'}) {{"
    return "\n".join([head, *_body(function.body), "}"]) + "\n"
