"""Names within a function: scopes and locals."""

from __future__ import annotations

from typing import TypeGuard

from tree_sitter import Node

from verify.ir.nodes import Bits, Deref, Expr, Field, Global, Index, Loc, Local, LValue, Stmt
from verify.ir.types import Array, Int, Pointer, Record, Type, Void
from verify.source.build import Unsupported
from verify.source.declare import Typing
from verify.source.file_scope import FileScope
from verify.source.syntax import Syntax


class Names(Typing):
    """What names stand for in one parsed text of a file.

    `loc` is where the statement at hand is. What is lowered raises Unsupported when it is outside
    of the subset.
    """

    def __init__(self, unit: FileScope, syntax: Syntax, file: str, prefix: str) -> None:
        super().__init__(unit, syntax, prefix)
        self.unit = unit
        self.file = file
        self.loc = Loc(file, syntax.first)
        self.scopes: list[dict[str, LValue | Type]] = []
        self._used: dict[str, int] = {}
        # Lvalues that the expression at hand has assigned within itself.
        self.written: list[LValue] = []
        # How many statement expressions are around the statement at hand.
        self.nesting = 0
        # The statement whose value is that of the innermost statement expression.
        self.result_node: Node | None = None
        # A call of which only the truth of the result matters, so that its type need not be known.
        self.loose: Node | None = None

    # Given by expressions, initialisers and statements.

    def value(self, node: Node) -> Expr:
        """The value of an expression."""
        raise NotImplementedError

    def truth(self, node: Node) -> Expr:
        """An expression of which only the truth matters, or nothing."""
        raise NotImplementedError

    def statement_list(self, node: Node) -> tuple[Stmt, ...]:
        """The statements of a compound statement in a scope of its own."""
        raise NotImplementedError

    def braces(self, target: LValue, node: Node, out: list[Stmt]) -> None:
        """Assignments for a braced initialiser of a zeroed object."""
        raise NotImplementedError

    # Names.

    def find(self, name: str) -> LValue | Type | None:
        """What a name stands for in the function's scopes."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    def bind(self, name: str, what: LValue | Type) -> None:
        """Let a name stand for something in the innermost scope."""
        self.scopes[-1][name] = what

    def local(self, name: str, kind: Type) -> Local:
        """A local that has no other's name."""
        count = self._used.get(name, 0) + 1
        self._used[name] = count
        return Local(name if count == 1 else f"{name}.{count}", kind)

    def local_type(self, name: str) -> Type | None:
        found = self.find(name) if self.scopes else None
        if found is None or isinstance(found, Int | Void | Pointer | Array | Record):
            return found
        raise Unsupported(f"{name} is an object and the name of a type")

    def line(self, node: Node) -> Loc:
        """Where a node is."""
        return Loc(self.file, self.syntax.first + node.start_point[0])


def is_lvalue(what: LValue | Type) -> TypeGuard[LValue]:
    return isinstance(what, Local | Global | Deref | Field | Index | Bits)
