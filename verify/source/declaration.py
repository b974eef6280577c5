"""Declarations in functions."""

from __future__ import annotations

from tree_sitter import Node

from verify.ir.nodes import Const, Declare, Expr, Global, Loc, Stmt
from verify.ir.types import VOID, Array, Record, Type, Void
from verify.source.build import ZERO, Unsupported, convert
from verify.source.declare import DECLARATORS
from verify.source.initialise import Initialisers


class Declarations(Initialisers):
    """Variables, records and typedefs of a function."""

    def declaration(self, node: Node, out: list[Stmt]) -> None:
        loc = self.loc
        type_node = node.child_by_field_name("type")
        storage = {self.syntax.of(c) for c in node.children if c.type == "storage_class_specifier"}
        if type_node is None:
            raise Unsupported("a declaration without a type")
        auto = type_node.type == "type_identifier" and self.syntax.of(type_node) == "__auto_type"
        base = VOID if auto else self.named(type_node, f"{self.prefix}.{node.start_byte}")
        name_node = type_node.child_by_field_name("name")
        if name_node is not None and type_node.child_by_field_name("body") is not None:
            self.bind(f"struct {self.syntax.of(name_node)}", base)
        for child in node.children:
            value_node = None
            declarator = child
            if child.type == "init_declarator":
                value_node = child.child_by_field_name("value")
                inner = child.child_by_field_name("declarator")
                assert inner is not None
                declarator = inner
            elif child.type not in DECLARATORS or child == type_node:
                continue
            name, kind = self.declared(declarator, base)
            if auto:
                self._auto(name, value_node, loc, out)
            elif "extern" in storage:
                self.bind(name, Global(name, kind))
            elif declarator.type == "function_declarator":
                continue
            elif "static" in storage:
                self._static(name, kind, value_node, self.is_const(node, declarator))
            else:
                self._variable(name, kind, value_node, loc, out)

    def _auto(self, name: str, value_node: Node | None, loc: Loc, out: list[Stmt]) -> None:
        if value_node is None:
            raise Unsupported("__auto_type without a value")
        value = self.value(value_node)
        local = self.local(name, value.type)
        self.bind(name, local)
        out.append(Declare(local, value, False, loc))

    def _variable(
        self, name: str, kind: Type, value_node: Node | None, loc: Loc, out: list[Stmt]
    ) -> None:
        if value_node is None:
            self._check_known(kind)
            local = self.local(name, kind)
            self.bind(name, local)
            out.append(Declare(local, None, False, loc))
            return
        kind = self.sized(kind, value_node)
        self._check_known(kind)
        local = self.local(name, kind)
        self.bind(name, local)
        if value_node.type == "initializer_list" and isinstance(kind, Array | Record):
            out.append(Declare(local, None, True, loc))
            self.braces(local, value_node, out)
            return
        if value_node.type == "initializer_list":
            values = value_node.named_children
            if len(values) > 1:
                raise Unsupported("an initialiser of a scalar")
            value: Expr = self.value(values[0]) if values else ZERO
        else:
            value = self.value(value_node)
        out.append(Declare(local, convert(value, kind), False, loc))

    def _check_known(self, kind: Type) -> None:
        while isinstance(kind, Array):
            kind = kind.of
        if isinstance(kind, Void):
            raise Unsupported("a variable without a type")
        if isinstance(kind, Record) and self.unit.layout(kind.tag) is None:
            raise Unsupported(f"the type {kind.tag}")

    def _static(self, name: str, kind: Type, value_node: Node | None, const: bool) -> None:
        """A local that lives on: a global object of its own."""
        if value_node is not None:
            kind = self.sized(kind, value_node)
        target = Global(f"{self.prefix}${name}", kind)
        found = {} if value_node is None else self.initial(target, value_node)
        known = {path: value for path, value in found.items() if isinstance(value, Const)}
        self.unit.define(target.name, kind, known if len(known) == len(found) else None, const)
        self.bind(name, target)

    def specifier(self, node: Node, out: list[Stmt]) -> None:
        """A record or enumeration that is only declared."""
        kind = self.named(node, f"{self.prefix}.{node.start_byte}")
        name = node.child_by_field_name("name")
        if name is not None:
            self.bind(f"struct {self.syntax.of(name)}", kind)

    def typedef(self, node: Node, out: list[Stmt]) -> None:
        base = self.specified(node, f"{self.prefix}.{node.start_byte}")
        for declarator in node.children_by_field_name("declarator"):
            name, kind = self.declared(declarator, base)
            self.bind(name, kind)

    def bind_unknown(self, node: Node, out: list[Stmt]) -> None:
        """Declare what a declaration that is not understood declares."""
        type_node = node.child_by_field_name("type")
        for child in node.children:
            declarator: Node | None = child
            if child.type == "init_declarator":
                declarator = child.child_by_field_name("declarator")
            if declarator is None or declarator.type not in DECLARATORS or declarator == type_node:
                continue
            try:
                name, kind = self.declared(declarator, self.specified(node, ""))
                self._check_known(kind)
                local = self.local(name, kind)
                out.append(Declare(local, None, False, self.loc))
            except Unsupported:
                name = self.name_of(declarator)
                local = self.local(name, VOID)
            self.bind(name, local)
