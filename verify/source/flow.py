"""Questions about control flow in lowered statements."""

from __future__ import annotations

from verify.ir.nodes import (
    Block,
    Break,
    Cast,
    Const,
    Continue,
    Declare,
    Expr,
    ExprStmt,
    Goto,
    If,
    Label,
    Loop,
    Return,
    StatementExpr,
    Stmt,
    Switch,
    Unmodelled,
)


def is_nothing(value: Expr) -> bool:
    """Whether evaluation has no effect, as that of `((void)0)`."""
    if isinstance(value, Cast):
        return is_nothing(value.operand)
    if isinstance(value, StatementExpr):
        return not value.body and (value.value is None or is_nothing(value.value))
    return isinstance(value, Const)


def without_breaks(body: tuple[Stmt, ...], label: str) -> tuple[Stmt, ...]:
    """A list with jumps for what would leave the switch around it."""
    out: list[Stmt] = []
    for stmt in body:
        match stmt:
            case Break(loc):
                out.append(Goto(label, loc))
            case If(condition, then, orelse, loc):
                then, orelse = without_breaks(then, label), without_breaks(orelse, label)
                out.append(If(condition, then, orelse, loc))
            case Block(inner, loc):
                out.append(Block(without_breaks(inner, label), loc))
            case _:
                out.append(stmt)
    return tuple(out)


def leaves_loop(body: tuple[Stmt, ...]) -> bool:
    """Whether a `break` or `continue` of the loop around is in a list."""
    for stmt in body:
        match stmt:
            case Break() | Continue():
                return True
            case If(_, then, orelse):
                if leaves_loop(then) or leaves_loop(orelse):
                    return True
            case Block(inner):
                if leaves_loop(inner):
                    return True
            case Switch(_, arms):
                if any(_continues(arm.body) for arm in arms):
                    return True
    return False


def _continues(body: tuple[Stmt, ...]) -> bool:
    for stmt in body:
        match stmt:
            case Continue():
                return True
            case If(_, then, orelse):
                if _continues(then) or _continues(orelse):
                    return True
            case Block(inner):
                if _continues(inner):
                    return True
            case Switch(_, arms):
                if any(_continues(arm.body) for arm in arms):
                    return True
    return False


def jumps_forward(body: tuple[Stmt, ...], later: frozenset[str]) -> bool:
    """Whether every `goto` finds its label further on in a list around it."""
    labels = [stmt.name if isinstance(stmt, Label) else None for stmt in body]
    for i, stmt in enumerate(body):
        if isinstance(stmt, ExprStmt | Declare | Return | Label | Unmodelled | Break | Continue):
            continue
        ahead = later.union(name for name in labels[i + 1 :] if name)
        match stmt:
            case Goto(label):
                if label not in ahead:
                    return False
            case If(_, then, orelse):
                if not jumps_forward(then, ahead) or not jumps_forward(orelse, ahead):
                    return False
            case Loop(body=inner) | Block(body=inner):
                if not jumps_forward(inner, ahead):
                    return False
            case Switch(arms=arms):
                if not all(jumps_forward(arm.body, ahead) for arm in arms):
                    return False
    return True
