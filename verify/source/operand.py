"""Types and sizes of operands: `typeof`, `sizeof`, `offsetof`."""

from __future__ import annotations

from tree_sitter import Node

from verify.ir.nodes import Const, Expr
from verify.ir.types import U64, Array, Record, Type
from verify.source.build import Unsupported
from verify.source.c_lex import Token
from verify.source.names import is_lvalue
from verify.source.place import PLACES, Places, bare
from verify.source.syntax import Syntax


class Operands(Places):
    """Questions about operands, which are not evaluated."""

    def constant(self, node: Node) -> int | None:
        found = self.value(node)
        return found.value if isinstance(found, Const) else None

    def typeof(self, tokens: list[Token]) -> Type:
        inner = Syntax(tokens, self.unit.is_type, "int _ = sizeof(", ");")
        outer, self.syntax = self.syntax, inner
        try:
            node = _descend(inner.root, "sizeof_expression")
            if node is None or inner.root.has_error:
                raise Unsupported("typeof")
            return self.operand_type(node)
        finally:
            self.syntax = outer

    def operand_type(self, node: Node) -> Type:
        """The type that `sizeof` is asked about."""
        kind = node.child_by_field_name("type")
        if kind is not None:
            return self.type_name(kind)
        operand = node.child_by_field_name("value")
        if operand is None:
            raise Unsupported("sizeof")
        if operand.type == "parenthesized_expression":
            name = operand.named_children[0]
            if name.type == "identifier" and self.names_type(self.syntax.of(name)):
                return self.type_called(self.syntax.of(name))
        kept = len(self.written)
        try:
            return self.type_of_value(operand)
        finally:
            del self.written[kept:]

    def type_of_value(self, node: Node) -> Type:
        node = bare(node)
        if node.type in PLACES and node.type != "identifier":
            return self.place(node).type
        if node.type == "identifier":
            name = self.syntax.of(node)
            found = self.find(name) if self.scopes else None
            kind = found.type if found is not None and is_lvalue(found) else None
            kind = kind or (self.unit.object(name) if found is None else None)
            if kind is not None:
                return kind
        return self.value(node).type

    def names_type(self, name: str) -> bool:
        if self.scopes and (found := self.find(name)) is not None:
            return not is_lvalue(found)
        return self.unit.is_type(name) or name.startswith("__typeof_")

    def size_value(self, node: Node) -> Expr:
        size = self.unit.size_of(self.operand_type(node))
        if size is None:
            raise Unsupported("the size of what is not known in full")
        return Const(size[0], U64)

    def array_length(self, left: Node, right: Node) -> int | None:
        """`sizeof(array) / sizeof(array[0])`, also where the sizes are not known."""
        left, right = bare(left), bare(right)
        if left.type != "sizeof_expression" or right.type != "sizeof_expression":
            return None
        whole, part = self.operand_type(left), self.operand_type(right)
        return whole.length if isinstance(whole, Array) and whole.of == part else None

    def _offsetof(self, nodes: list[Node]) -> Expr:
        kind = self.operand_type(bare(nodes[0]))
        low = 0
        for name in self._path(nodes[1]):
            layout = self.unit.layout(kind.tag) if isinstance(kind, Record) else None
            measure = layout.measure() if layout else None
            found = measure.places.get(name) if measure else None
            if found is None or found[1] is not None:
                raise Unsupported("offsetof")
            low, kind = low + found[0], found[2]
        return Const(low // 8, U64)

    def _path(self, node: Node) -> list[str]:
        if node.type == "identifier":
            return [self.syntax.of(node)]
        if node.type == "field_expression":
            return [*self._path(node.children[0]), self.syntax.of(node.children[2])]
        raise Unsupported("a member designator")


def _descend(node: Node, kind: str) -> Node | None:
    """The first node of a kind, in order of the text."""
    if node.type == kind:
        return node
    for child in node.named_children:
        if (found := _descend(child, kind)) is not None:
            return found
    return None
