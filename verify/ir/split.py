"""A function cut in two at a call: what it does up to it, and what it does from there on.

The guest runs in the middle of a function of the kernel. The models, and what may happen between
any two phases, stand where the call is; what the tree itself does on either side is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from verify.ir.nodes import (
    AddressOf,
    Assign,
    Call,
    Const,
    Declare,
    ExprStmt,
    Function,
    Goto,
    Label,
    Load,
    Local,
    Return,
    Stmt,
    Unmodelled,
)
from verify.ir.types import Int, Type, Void

BEFORE, AFTER = ".before", ".after"

Find = Callable[[str], Function | None]


def part(function: Function, callee: str, which: str, find: Find) -> Function:
    """The part BEFORE the only call of `callee`, with the call, or the one AFTER it, which gets the
    locals that it needs from before. `find`: other functions. The part BEFORE gives 0 when it
    comes to its end.

    Where the function cannot be cut there, the part is unmodelled as a whole.
    """
    found = [k for k, stmt in enumerate(function.body) if _is_call(stmt, callee)]
    calls = [n for n in nodes(function.body) if isinstance(n, Call) and n.name == callee]
    if len(found) != 1 or len(calls) != 1:
        return _refused(function, f"{callee} is not called once, by a statement of its own")
    before, after = function.body[: found[0] + 1], function.body[found[0] + 1 :]
    labels = {n.name for n in nodes(after) if isinstance(n, Label)}
    if any(isinstance(n, Goto) and n.label in labels for n in nodes(before)):
        return _refused(function, f"a jump over the call of {callee}")
    if which == BEFORE:
        return replace(function, body=(*before, *_end(function.result, function)))
    needed = _needed(before, after)
    declared = [s for s in before if isinstance(s, Declare) and s.local.name in needed]
    kept = {stmt.local.name for stmt in declared}
    changed = _changed(before) & needed
    lost = needed & _locals_declared(before) - kept
    if changed or lost:
        return _refused(function, f"{min(changed | lost)} is set before {callee} and used after it")
    for stmt in declared:
        if stmt.zeroed or not _same_again(stmt.init, find):
            name = stmt.local.name
            return _refused(function, f"{name} may have another value after {callee}")
    return replace(function, body=(*declared, *after))


def nodes(value: Any) -> Iterator[Any]:
    """A part of a function and all its parts."""
    yield value
    if isinstance(value, tuple):
        for item in value:
            yield from nodes(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from nodes(getattr(value, field.name))


def _is_call(stmt: Stmt, callee: str) -> bool:
    return isinstance(stmt, ExprStmt) and isinstance(stmt.expr, Call) and stmt.expr.name == callee


def _end(result: Type, function: Function) -> tuple[Stmt, ...]:
    if isinstance(result, Void):
        return ()
    if isinstance(result, Int):
        return (Return(Const(0, result), function.loc),)
    return (Unmodelled(function.name, "a result that is no number", function.loc),)


def _refused(function: Function, reason: str) -> Function:
    return replace(function, body=(Unmodelled(f"{function.name}(...)", reason, function.loc),))


def _needed(before: tuple[Stmt, ...], after: tuple[Stmt, ...]) -> set[str]:
    """The locals of the first part that the second uses, or that their own values need."""
    needed = {n.name for n in nodes(after) if isinstance(n, Local)}
    for stmt in reversed(before):
        if isinstance(stmt, Declare) and stmt.local.name in needed:
            needed |= {n.name for n in nodes(stmt.init) if isinstance(n, Local)}
    return needed


def _locals_declared(body: tuple[Stmt, ...]) -> set[str]:
    return {n.local.name for n in nodes(body) if isinstance(n, Declare)}


def _changed(body: tuple[Stmt, ...]) -> set[str]:
    """The locals and parameters that are assigned, or whose address is taken."""
    found = set()
    for node in nodes(body):
        if isinstance(node, Assign | AddressOf):
            found |= {n.name for n in nodes(node.lvalue) if _is_root(n, node.lvalue)}
    return found


def _is_root(node: Any, lvalue: Any) -> bool:
    """The local that an lvalue is a part of."""
    while not isinstance(lvalue, Local):
        lvalue = getattr(lvalue, "base", None)
        if lvalue is None:
            return False
    return node is lvalue


def _same_again(value: Any, find: Find, depth: int = 4) -> bool:
    """An expression gives the same value when it is evaluated again later: it reads nothing but
    locals and changes nothing, and so do the bodies of the functions that it calls."""
    for node in nodes(value):
        if isinstance(node, Assign | Unmodelled):
            return False
        if isinstance(node, Declare) and node.init is None:
            return False
        if isinstance(node, Load) and not isinstance(node.lvalue, Local):
            return False
        if isinstance(node, Call):
            called = find(node.name) if depth else None
            if called is None or not _same_again(called.body, find, depth - 1):
                return False
    return True
