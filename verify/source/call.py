"""Calls: of functions, through op tables, and of what the compiler knows."""

from __future__ import annotations

from collections.abc import Callable

from tree_sitter import Node

from verify.ir.nodes import (
    AddressOf,
    Call,
    ContainerOf,
    Deref,
    Expr,
    ExprStmt,
    Field,
    FunctionName,
    LValue,
    Null,
    StatementExpr,
)
from verify.ir.types import S32, S64, VOID, Array, Int, Pointer, Record, Type
from verify.source import build
from verify.source.build import ONE, ZERO, Unsupported, convert
from verify.source.c_type import Signature
from verify.source.operand import Operands
from verify.source.order import check_order
from verify.source.place import Place, bare
from verify.source.syntax import ASM, VALUE


class Calls(Operands):
    """Calls in expressions."""

    def _call(self, node: Node) -> Expr:
        callee = bare(node.children[0])
        arguments = node.children[1].named_children
        if callee.type == "identifier":
            name = self.syntax.of(callee)
            builtin = _BUILTINS.get(name)
            if builtin is not None:
                return builtin(self, arguments)
            if callee != node.children[0] and self.names_type(name) and len(arguments) == 1:
                return self.cast(self.value(arguments[0]), self.type_called(name))
            found = self.find(name) if self.scopes else None
            if found is not None or (
                self.unit.signature(name) is None and self.unit.object(name) is not None
            ):
                raise Unsupported(f"a call through the pointer {name}")
            return self._direct(name, arguments, node)
        if callee.type == "pointer_expression" and callee.children[0].type == "*":
            callee = bare(callee.children[1])
            if callee.type == "identifier" and self.is_function(self.syntax.of(callee)):
                return self._direct(self.syntax.of(callee), arguments, node)
        patched = _static_call(callee)
        callee = patched or callee
        target = self.value(callee)
        if isinstance(target, FunctionName):
            return self.call_to(target.name, arguments, node)
        if callee.type == "field_expression" and isinstance(target, Null):
            call = self._absent(callee, arguments, node)
            if patched and call.type == VOID:
                # x86 writes a NOP where the call was (arch/x86/kernel/static_call.c: __sc_insn).
                return StatementExpr(tuple(ExprStmt(a, self.loc) for a in call.args), None, VOID)
            return call
        raise Unsupported("a call through a pointer")

    def _absent(self, callee: Node, nodes: list[Node], node: Node) -> Call:
        """A call of what an op table does not have: of a function that nobody defines."""
        place = self.place(callee)
        assert isinstance(place, Field) and isinstance(place.base.type, Record)
        layout = self.unit.layout(place.base.type.tag)
        function = layout.functions.get(place.name) if layout else None
        signature = function() if function else None
        if signature is None:
            raise Unsupported("a call of a function that the table does not have")
        name = f"{self.unit.table(place.base.type.tag)}.{place.name}"
        return self._converted(name, self._arguments(nodes), signature, node)

    def _direct(self, name: str, nodes: list[Node], node: Node) -> Expr:
        return self.call_to(self.unit.function_name(name, self.file), nodes, node)

    def call_to(self, name: str, nodes: list[Node], node: Node) -> Expr:
        if name.startswith("__builtin_") and self.unit.signature(name) is None:
            raise Unsupported(name)
        args = self._arguments(nodes)
        signature = self.unit.signature(name)
        if signature is None:
            self.unit.note_implicit(name)
            if node != self.loose:
                raise Unsupported(f"{name} has no prototype")
            return Call(name, tuple(map(_default, args)), S32, self.line(node))
        return self._converted(name, args, signature, node)

    def _arguments(self, nodes: list[Node]) -> list[Expr]:
        """The values of arguments, whose order must not matter."""
        start = len(self.written)
        args: list[Expr] = []
        ends: list[int] = []
        for argument in nodes:
            args.append(self.value(argument))
            ends.append(len(self.written))
        if len(self.written) > start:
            low = start
            for i, high in enumerate(ends):
                for other in args[:i] + args[i + 1 :]:
                    check_order(self.written[low:high], args[i], [], other)
                low = high
        return args

    def _converted(self, name: str, args: list[Expr], signature: Signature, node: Node) -> Call:
        """A call with its arguments as the function's type wants them."""
        count = len(signature.parameters)
        if len(args) < count or (len(args) > count and not signature.variadic):
            raise Unsupported(f"{name} is called with {len(args)} arguments")
        converted = [
            convert(arg, kind) for arg, kind in zip(args, signature.parameters, strict=False)
        ]
        converted += map(_default, args[count:])
        return Call(name, tuple(converted), signature.result, self.line(node))

    def cast(self, value: Expr, kind: Type) -> Expr:
        """An explicit conversion."""
        if isinstance(kind, Array) or (isinstance(kind, Record) and kind != value.type):
            raise Unsupported("a cast to a record or array")
        return convert(value, kind)

    # What the compiler knows ------------------------------------------------------------------

    def _expect(self, nodes: list[Node]) -> Expr:
        return convert(build.promote(self.value(nodes[0])), S64)

    def _constant_p(self, nodes: list[Node]) -> Expr:
        """gcc may say either for what is not a literal; 0 keeps the general path."""
        return ZERO

    def _choose(self, nodes: list[Node]) -> Expr:
        known = build.truth(self.value(nodes[0]))
        if known is None:
            raise Unsupported("a choice that is not constant")
        return self.value(nodes[1 if known else 2])

    def _same_type(self, nodes: list[Node]) -> Expr:
        one, two = (self.operand_type(bare(node)) for node in nodes)
        return ONE if one == two else ZERO

    def _nothing(self, nodes: list[Node]) -> Expr:
        return StatementExpr((), None, VOID)

    def _operand(self, nodes: list[Node]) -> Expr:
        """What stood in parentheses: an expression, or several with commas."""
        before = tuple(ExprStmt(self.truth(node), self.loc) for node in nodes[:-1])
        value = self.value(nodes[-1])
        return StatementExpr(before, value, value.type) if before else value

    def _asm(self, nodes: list[Node]) -> Expr:
        raise Unsupported("inline assembly")

    def _container_of(self, nodes: list[Node]) -> Expr:
        pointer = self.value(nodes[0])
        kind = self.operand_type(bare(nodes[1]))
        if isinstance(pointer, AddressOf):
            # The record around a member that is named right here.
            target: LValue | None = pointer.lvalue
            for name in reversed(self._path(nodes[2])):
                named = isinstance(target, Field) and target.name == name
                target = target.base if named and isinstance(target, Field) else None
            if target is not None and target.type == kind:
                return self.address(target)
        place: Place = Deref(Null(Pointer(kind)), kind)
        names: list[str] = []
        for name in self._path(nodes[2]):
            place = self.member(place, name)
            if not isinstance(place, Field):
                raise Unsupported("container_of a part of a union")
            names.append(place.name)
        return ContainerOf(pointer, tuple(names), Pointer(kind))


def _static_call(callee: Node) -> Node | None:
    """The pointer in `__static_call(pointer)`, which is called without a test for NULL."""
    if callee.type == "call_expression" and callee.children[0].text == b"__static_call":
        return bare(callee.children[1].named_children[0])
    return None


def _default(value: Expr) -> Expr:
    """Default argument promotion."""
    return build.promote(value) if isinstance(value.type, Int) else value


_BUILTINS: dict[str, Callable[[Calls, list[Node]], Expr]] = {
    "__builtin_expect": Calls._expect,
    "__builtin_constant_p": Calls._constant_p,
    "__builtin_choose_expr": Calls._choose,
    "__builtin_unreachable": Calls._nothing,
    "__same_type_p": Calls._same_type,
    "__offsetof": Calls._offsetof,
    "__container_of": Calls._container_of,
    "_Static_assert": Calls._nothing,
    "static_assert": Calls._nothing,
    ASM: Calls._asm,
    VALUE: Calls._operand,
}
