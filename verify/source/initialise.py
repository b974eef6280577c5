"""Braced initialisers: of locals as assignments, of file-scope objects as constants."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from verify.ir.nodes import Bits, Const, Expr, ExprStmt, Field, Global, Index, LValue, Stmt
from verify.ir.types import S32, Array, Int, Pointer, Record, Type
from verify.source.build import Unsupported, convert
from verify.source.expression import Expressions
from verify.source.place import Place, Within

# `.name =`, and the older `name:` of GNU.
_NAMING = ("field_designator", "field_identifier")


class Initialisers(Expressions):
    """Expressions, and initialisers made of them."""

    def sized(self, kind: Type, node: Node) -> Type:
        """The type of an object with this initialiser: an array may get its length from it."""
        if not isinstance(kind, Array) or kind.length or node.type != "initializer_list":
            return kind
        if node.has_error:
            raise Unsupported("C that the parser does not know")
        length = at = 0
        for child in node.named_children:
            if child.type == "initializer_pair":
                designator = child.named_children[0]
                values = [self.constant(n) for n in designator.named_children]
                if not values or values[-1] is None:
                    raise Unsupported("an initialiser of an array")
                at = values[-1]
            at += 1
            length = max(length, at)
        return Array(kind.of, length)

    def braces(self, target: LValue, node: Node, out: list[Stmt]) -> None:
        for place, value_node in self._parts(target, node):
            if isinstance(place, Within):
                raise Unsupported("an initialiser of a part of a union")
            value = self.value(value_node)
            out.append(ExprStmt(self.assign(place, value), self.line(value_node)))

    def _parts(self, target: Place, node: Node) -> Iterator[tuple[Place, Node]]:
        """The parts that an initialiser gives, with the expressions for them."""
        kind = target.type
        if node.has_error:
            raise Unsupported("C that the parser does not know")
        if node.type != "initializer_list":
            yield target, node
            return
        children = node.named_children
        if isinstance(kind, Int | Pointer):
            if len(children) == 1:
                yield from self._parts(target, children[0])
            elif children:
                raise Unsupported("an initialiser of a scalar")
            return
        names: list[str] = []
        if isinstance(kind, Record):
            layout = self.unit.layout(kind.tag)
            if layout is None:
                raise Unsupported("an initialiser of what is not known")
            names = list(layout.slots)
        at = 0
        for child in children:
            if child.type == "initializer_pair":
                *designators, value = child.named_children
                first = designators[0]
                if first.type in _NAMING:
                    name = self._designated_name(first)
                    at = names.index(name) + 1 if name in names else len(names)
                else:
                    at = self._at(first.named_children[-1]) + 1
                for place in self._designated(target, designators):
                    yield from self._parts(place, value)
                continue
            if isinstance(kind, Array):
                place = self._element(target, at)
            elif at < len(names):
                place = self.member(target, names[at])
            else:
                raise Unsupported("an initialiser with too many values")
            at += 1
            if isinstance(place.type, Array | Record) and child.type != "initializer_list":
                if not (child.type == "number_literal" and self.constant(child) == 0):
                    raise Unsupported("an initialiser without its inner braces")
                continue
            yield from self._parts(place, child)

    def _designated(self, target: Place, designators: list[Node]) -> Iterator[Place]:
        if not designators:
            yield target
            return
        first, *rest = designators
        if first.type in _NAMING:
            yield from self._designated(self.member(target, self._designated_name(first)), rest)
            return
        low = self._at(first.named_children[0])
        for index in range(low, self._at(first.named_children[-1]) + 1):
            yield from self._designated(self._element(target, index), rest)

    def _designated_name(self, node: Node) -> str:
        return self.syntax.of(node).lstrip(". ")

    def _at(self, node: Node) -> int:
        index = self.constant(node)
        if index is None:
            raise Unsupported("a designator that is not constant")
        return index

    def _element(self, target: Place, index: int) -> Place:
        kind = target.type
        if isinstance(target, Within) or not isinstance(kind, Array):
            raise Unsupported("an element of what is no array")
        return Index(target, Const(index, S32), kind.of)

    def is_const(self, node: Node, declarator: Node) -> bool:
        """Whether a declaration makes a declarator's object, or all elements of it, `const`."""
        inner: Node | None = declarator
        while inner is not None and inner.type == "array_declarator":
            inner = inner.child_by_field_name("declarator")
        qualifiers = {self.syntax.of(c) for c in node.children if c.type == "type_qualifier"}
        return inner is not None and inner.type == "identifier" and "const" in qualifiers

    # At file scope ----------------------------------------------------------------------------

    def initial(self, target: Global, node: Node) -> dict[str, Expr | None]:
        """What an initialiser gives, by the path from the object; None for what is not known.

        Parts that are not in it are zero.
        """
        found: dict[str, Expr | None] = {}
        for place, value_node in self._parts(target, node):
            path, word, low, width = _path(place)
            try:
                if isinstance(place, Within):
                    raise Unsupported("a part of a union")
                value: Expr | None = convert(self.value(value_node), place.type)
            except Unsupported:
                value = None
            if word is not None:
                before = found.get(path, Const(0, word))
                if isinstance(before, Const) and isinstance(value, Const):
                    mask = (1 << width) - 1 << low
                    value = Const(before.value & ~mask | (value.value << low) & mask, word)
                else:
                    value = None
            found[path] = value
        return found


def _path(place: Place) -> tuple[str, Int | None, int, int]:
    """The path of a place from its object; for bits also their word, first bit and width."""
    if isinstance(place, Within):
        return _steps(place.word), None, 0, 0
    if isinstance(place, Bits):
        assert isinstance(place.base.type, Int)
        return _steps(place.base), place.base.type, place.low, place.width
    return _steps(place), None, 0, 0


def _steps(place: LValue) -> str:
    match place:
        case Field(base, name):
            return f"{_steps(base)}.{name}"
        case Index(base, Const(index)):
            return f"{_steps(base)}[{index}]"
    return ""
