"""C's declarations to types of the IR: specifiers, declarators, records and enumerations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

from tree_sitter import Node

from verify.ir.types import VOID, Array, Pointer, Record, Type
from verify.source.build import Unsupported
from verify.source.c_lex import Token
from verify.source.c_type import NAMED, Signature, spelled
from verify.source.layout import Declared, Kind, Layout, Records
from verify.source.syntax import TYPEOF, Syntax

_NAMES = ("identifier", "field_identifier", "type_identifier")
DECLARATORS = frozenset(
    (*_NAMES, "pointer_declarator", "array_declarator", "function_declarator",
     "parenthesized_declarator", "attributed_declarator")
)  # fmt: skip
_INNER = ("parenthesized_declarator", "abstract_parenthesized_declarator", "attributed_declarator")


class Types(Records, Protocol):
    """What is known of types at file scope."""

    layouts: dict[str, Layout]

    def typedef(self, name: str) -> Type | None:
        """The type that a typedef name stands for."""

    def enumeration(self, tag: str) -> Type:
        """The integer type of a tagged enumeration."""

    def enumeration_of(self, names: list[str]) -> Type:
        """The integer type of an enumeration with these constants."""


class Typing:
    """Types of one parsed text. What is within a function is told apart by `prefix`, which
    begins the tags of records that have none of their own."""

    def __init__(self, types: Types, syntax: Syntax, prefix: str) -> None:
        self.types = types
        self.syntax = syntax
        self.prefix = prefix

    # Given by the expressions.

    def constant(self, node: Node) -> int | None:
        """The value of a constant expression, None when it is not constant."""
        raise NotImplementedError

    def typeof(self, tokens: list[Token]) -> Type:
        """The type of what stands in `typeof`."""
        raise NotImplementedError

    def local_type(self, name: str) -> Type | None:
        """The type that a typedef name or record tag of an inner scope stands for."""
        return None

    # Specifiers -------------------------------------------------------------------------------

    def specified(self, node: Node, hint: str) -> Type:
        """The type that a declaration's specifiers name. `hint` becomes the tag of a record
        without one."""
        kind = node.child_by_field_name("type")
        if kind is None:
            raise Unsupported("a declaration without a type")
        return self.named(kind, hint)

    def named(self, node: Node, hint: str = "") -> Type:
        """The type that a specifier names; for a name that is not known a record that is not."""
        match node.type:
            case "primitive_type":
                found: Type | None = NAMED.get(self.syntax.of(node))
                if found is not None:
                    return found
            case "type_identifier":
                return self.type_called(self.syntax.of(node))
            case "sized_type_specifier":
                found = spelled(self.syntax.of(node).split())
                if found is not None:
                    return found
            case "struct_specifier" | "union_specifier":
                return self._record(node, hint)
            case "enum_specifier":
                return self._enumeration(node)
        raise Unsupported(f"the type {self.syntax.of(node)}")

    def type_called(self, name: str) -> Type:
        tokens = self.syntax.typeofs.get(name) if name.startswith(TYPEOF) else None
        if tokens is not None:
            return self.typeof(tokens)
        found = self.local_type(name) or self.types.typedef(name) or NAMED.get(name)
        return found or Record(f"?{name}")

    def _record(self, node: Node, hint: str) -> Type:
        name_node, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        tag = self.syntax.of(name_node) if name_node is not None else ""
        if body is None:
            return self.local_type(f"struct {tag}") or Record(tag)
        if not tag or self.prefix:
            tag = hint if not tag else f"{self.prefix}.{tag}"
        self.types.layouts.setdefault(tag, self.layout_of(node, tag))
        return Record(tag)

    def _enumeration(self, node: Node) -> Type:
        if node.has_error:
            raise Unsupported("C that the parser does not know")
        body = node.child_by_field_name("body")
        if body is not None:
            names = [self.syntax.of(child.named_children[0]) for child in body.named_children]
            return self.types.enumeration_of(names)
        name = node.child_by_field_name("name")
        return self.types.enumeration("" if name is None else self.syntax.of(name))

    # Declarators ------------------------------------------------------------------------------

    def declared(self, node: Node | None, base: Type) -> tuple[str, Type]:
        """Name ("" for none) and type of a declarator, given the type of its specifiers."""
        while node is not None:
            kind = node.type
            if kind in _NAMES:
                return self.syntax.of(node), base
            if kind in ("pointer_declarator", "abstract_pointer_declarator"):
                base = Pointer(base)
            elif kind in ("array_declarator", "abstract_array_declarator"):
                size = node.child_by_field_name("size")
                base = Array(base, 0 if size is None else self._length(size))
            elif kind in ("function_declarator", "abstract_function_declarator"):
                # Functions have no type of their own.
                base = VOID
            elif kind not in _INNER:
                raise Unsupported(f"the declarator {self.syntax.of(node)}")
            inner = node.child_by_field_name("declarator")
            if inner is None and kind in _INNER:
                inner = next((c for c in node.named_children if "declarator" in c.type), None)
                inner = inner or next((c for c in node.named_children if c.type in _NAMES), None)
            node = inner
        return "", base

    def returned(self, declarator: Node, function: Node, base: Type) -> Type:
        """What a function returns, given the declarator around its function declarator."""
        node: Node | None = declarator
        while node is not None and node != function:
            if node.type == "pointer_declarator":
                base = Pointer(base)
            node = node.child_by_field_name("declarator")
        return base

    def _length(self, node: Node) -> int:
        length = self.constant(node)
        if length is None or length < 0:
            raise Unsupported("an array whose length is not constant")
        return length

    def type_name(self, node: Node) -> Type:
        """The type of a `type_descriptor`."""
        base = self.specified(node, f"{self.prefix}.{node.start_byte}")
        if isinstance(base, Record) and base.tag.startswith("?"):
            # It may be no type at all: the parser knows none by name.
            raise Unsupported(f"the type {base.tag[1:]}")
        return self.declared(node.child_by_field_name("declarator"), base)[1]

    def parameter(self, node: Node) -> tuple[str, Type]:
        """Name and type of a parameter; arrays and functions are pointers."""
        declarator = node.child_by_field_name("declarator")
        name, kind = self.declared(declarator, self.specified(node, ""))
        if isinstance(kind, Array):
            kind = Pointer(kind.of)
        elif declarator is not None and kind == VOID:
            kind = Pointer(VOID)
        return name, kind

    # Records ----------------------------------------------------------------------------------

    def layout_of(self, node: Node, tag: str) -> Layout:
        """The layout of a struct or union specifier with a body."""
        packed = any(
            child.type == "attribute_specifier" and "packed" in self.syntax.of(child)
            for child in node.children
        )
        body = node.child_by_field_name("body")
        assert body is not None
        members = [
            member
            for child in body.named_children
            for member in self._members(child, tag, body.has_error)
        ]
        return Layout(tag, members, node.type == "union_specifier", packed, self.types)

    def _members(self, node: Node, tag: str, errors: bool) -> Iterator[Declared]:
        if node.type != "field_declaration" or (errors and node.has_error):
            # Whatever it declares has no type.
            for word in self.syntax.of(node).replace(";", " ").split():
                if word.isidentifier():
                    yield Declared(word, lambda: Record("?"))
            return
        kind_node = node.child_by_field_name("type")
        declarators = [child for child in node.children if child.type in DECLARATORS]
        if kind_node is None:
            return
        if kind_node in declarators:
            declarators.remove(kind_node)
        if not declarators:
            if kind_node.type in ("struct_specifier", "union_specifier"):
                if kind_node.child_by_field_name("body") is not None:
                    inner = f"{tag}.{kind_node.start_byte}"
                    yield Declared("", lambda: VOID, group=self.layout_of(kind_node, inner))
            return
        for declarator in declarators:
            name = self.name_of(declarator)
            bits = declarator.next_sibling
            width: int | None = None
            if bits is not None and bits.type == "bitfield_clause":
                width = self.constant(bits.named_children[0])
                name = "" if name == "__unnamed" else name
                if width is None:
                    yield Declared(name, lambda: Record("?"))
                    continue
            kind = self._lazy(kind_node, declarator, f"{tag}.{name}")
            called = self._function(declarator)
            function = None if called is None else self._signature(kind_node, declarator, called)
            yield Declared(name, kind, width, function=function)

    def name_of(self, node: Node) -> str:
        """The name that a declarator declares."""
        inner: Node | None = node
        while inner is not None and inner.type not in _NAMES:
            found = inner.child_by_field_name("declarator")
            if found is None:
                found = next((c for c in inner.named_children if c.type in DECLARATORS), None)
            inner = found
        return "" if inner is None else self.syntax.of(inner)

    def _function(self, declarator: Node) -> Node | None:
        """The function declarator of a pointer to a function."""
        inner: Node | None = declarator
        while inner is not None and inner.type == "pointer_declarator":
            inner = inner.child_by_field_name("declarator")
        return inner if inner is not None and inner.type == "function_declarator" else None

    def _lazy(self, kind_node: Node, declarator: Node, tag: str) -> Kind:
        """The type of a declarator, found when asked for."""
        found: list[Type] = []

        def kind() -> Type:
            if not found:
                found.append(Record("?"))  # what a record within itself would be
                with suppress(Unsupported):
                    found[0] = self.declared(declarator, self.named(kind_node, tag))[1]
            return found[0]

        return kind

    def _signature(
        self, kind_node: Node, declarator: Node, function: Node
    ) -> Callable[[], Signature | None]:
        """The type of the function that a declarator's pointer is to, found when asked for."""

        def signature() -> Signature | None:
            try:
                result = self.returned(declarator, function, self.named(kind_node, ""))
                kinds = tuple(self.parameter(p)[1] for p in parameters_of(function))
            except Unsupported:
                return None
            return Signature(result, kinds, is_variadic(function))

        return signature


def parameters_of(declarator: Node) -> list[Node]:
    """The parameters of a function declarator, without `void`."""
    parameters = declarator.child_by_field_name("parameters")
    if parameters is None:
        return []
    found = [c for c in parameters.named_children if c.type == "parameter_declaration"]
    if len(found) == 1 and found[0].named_child_count == 1:
        only = found[0].named_children[0]
        if only.type == "primitive_type" and only.end_byte - only.start_byte == 4:
            return [] if only.text == b"void" else found
    return found


def is_variadic(declarator: Node) -> bool:
    """Whether a function takes more arguments than it has parameters."""
    parameters = declarator.child_by_field_name("parameters")
    return parameters is not None and any(
        child.type == "variadic_parameter" for child in parameters.named_children
    )
