"""C expressions to the IR."""

from __future__ import annotations

from collections.abc import Callable

from tree_sitter import Node

from verify.ir.nodes import (
    AddressOf,
    Assign,
    Bits,
    Const,
    Declare,
    Deref,
    Expr,
    ExprStmt,
    FunctionName,
    Load,
    LValue,
    Null,
    StatementExpr,
    Stmt,
    Text,
)
from verify.ir.types import S64, U8, U64, VOID, Array, Int, Pointer, Void
from verify.source import build
from verify.source.build import ONE, ZERO, Unsupported, convert
from verify.source.c_type import literal
from verify.source.call import Calls
from verify.source.order import check_order
from verify.source.place import Within, bare, repeatable


class Expressions(Calls):
    """Values of expressions."""

    def value(self, node: Node) -> Expr:
        """The value of an expression."""
        if node.has_error:
            raise Unsupported("C that the parser does not know")
        method = _VALUES.get(node.type)
        if method is None:
            raise Unsupported(f"a {node.type.replace('_', ' ')}")
        return method(self, node)

    def truth(self, node: Node) -> Expr:
        node = bare(node)
        outer, self.loose = self.loose, node
        try:
            return self.value(node)
        finally:
            self.loose = outer

    def _number(self, node: Node) -> Expr:
        text = self.syntax.of(node)
        try:
            if text[0] in "+-":
                return build.negate(text[0], literal(text[1:]))
            return literal(text)
        except (ValueError, IndexError):
            raise Unsupported(f"the literal {text}") from None

    def _identifier(self, node: Node) -> Expr:
        name = self.syntax.of(node)
        found = self.find(name) if self.scopes else None
        if found is not None:
            return self.read(self.as_object(name, found))
        known = self.unit.enumerator(name)
        if known is not None:
            return known
        if name in ("__func__", "__FUNCTION__", "__PRETTY_FUNCTION__"):
            return Text(self.prefix, Pointer(U8))
        if self.is_function(name):
            return FunctionName(self.unit.function_name(name, self.file), Pointer(VOID))
        return self.read(self.object_named(name))

    def _load(self, node: Node) -> Expr:
        return self.read(self.place(node))

    def _string(self, node: Node) -> Expr:
        return Text(_unescaped(self.syntax.of(node)), Pointer(U8))

    def _strings(self, node: Node) -> Expr:
        parts = [self.value(child) for child in node.named_children]
        text = "".join(part.value if isinstance(part, Text) else "?" for part in parts)
        return Text(text, Pointer(U8))

    # Operators --------------------------------------------------------------------------------

    def _unary(self, node: Node) -> Expr:
        op = node.children[0].type
        if op == "!":
            return build.invert(self.truth(node.children[1]))
        return build.negate(op, self.value(node.children[1]))

    def _binary(self, node: Node) -> Expr:
        left_node, operator, right_node = node.children
        op = operator.type
        if op in ("&&", "||"):
            left = self.truth(left_node)
            known = build.truth(build.scalar(left))
            if known is not None and known == (op == "||"):
                return ONE if known else ZERO
            return build.logical(op, left, self.truth(right_node))
        if op == "/" and (length := self.array_length(left_node, right_node)) is not None:
            return Const(length, U64)
        start = len(self.written)
        left = self.value(left_node)
        middle = len(self.written)
        right = self.value(right_node)
        if len(self.written) > start:
            check_order(self.written[start:middle], left, self.written[middle:], right)
        return self.combine(op, left, right)

    def combine(self, op: str, left: Expr, right: Expr) -> Expr:
        """`left op right` for all operators that evaluate both sides."""
        if op in ("==", "!=", "<", ">", "<=", ">="):
            return build.compare(op, left, right)
        if isinstance(left.type, Pointer) and op in ("+", "-") and isinstance(right.type, Int):
            if op == "-":
                right = build.negate("-", convert(right, S64))
            return self.address(build.element(left, right))
        if isinstance(right.type, Pointer) and op == "+" and isinstance(left.type, Int):
            return self.address(build.element(right, left))
        return build.arithmetic(op, left, right)

    def _cast(self, node: Node) -> Expr:
        kind_node = node.child_by_field_name("type")
        operand = node.child_by_field_name("value")
        assert kind_node is not None and operand is not None
        kind = self.type_name(kind_node)
        value = self.truth(operand) if kind == VOID else self.value(operand)
        return self.cast(value, kind)

    def _pointer(self, node: Node) -> Expr:
        """`*p` or `&x`."""
        if node.children[0].type == "*":
            return self.read(self.place(node))
        operand = bare(node.children[1])
        if operand.type == "identifier":
            name = self.syntax.of(operand)
            if (not self.scopes or self.find(name) is None) and self.is_function(name):
                return FunctionName(self.unit.function_name(name, self.file), Pointer(VOID))
        if operand.type == "compound_literal_expression":
            body, target = self._literal(operand)
            address = AddressOf(target, Pointer(target.type))
            return StatementExpr(tuple(body), address, address.type)
        return self.address(self.place(operand))

    def _conditional(self, node: Node) -> Expr:
        condition_node = node.child_by_field_name("condition")
        then_node = node.child_by_field_name("consequence")
        else_node = node.child_by_field_name("alternative")
        assert condition_node is not None and else_node is not None
        if then_node is not None:
            condition = self.truth(condition_node)
            then = self.value(then_node)
            return build.conditional(condition, then, self.value(else_node))
        condition, orelse = self.value(condition_node), self.value(else_node)
        if isinstance(condition, Const | Null):
            return build.conditional(condition, condition, orelse)
        # GNU `a ?: b`: a is evaluated once.
        saved = self.local("value", condition.type)
        again = Load(saved, saved.type)
        choice = build.conditional(again, again, orelse)
        return StatementExpr((Declare(saved, condition, False, self.loc),), choice, choice.type)

    def _comma(self, node: Node) -> Expr:
        first, rest = self.truth(node.named_children[0]), self.value(node.named_children[1])
        return StatementExpr((ExprStmt(first, self.loc),), rest, rest.type)

    def _generic(self, node: Node) -> Expr:
        children = node.named_children
        kind = self.type_of_value(children[0])
        if isinstance(kind, Array):
            kind = Pointer(kind.of)
        fallback: Node | None = None
        chosen: list[Node] = []
        for name, value in zip(children[1::2], children[2::2], strict=False):
            if self.syntax.of(name) == "default":
                fallback = value
            elif self.type_name(name) == kind:
                chosen.append(value)
        if not chosen and fallback is not None:
            chosen = [fallback]
        if len(chosen) != 1:
            raise Unsupported("_Generic between types that are one here")
        return self.value(chosen[0])

    # Assignments ------------------------------------------------------------------------------

    def _assignment(self, node: Node) -> Expr:
        left_node, operator, right_node = node.children
        op = operator.type[:-1]
        start = len(self.written)
        place = self.place(left_node)
        if isinstance(place, Within):
            raise Unsupported("an assignment to a part of a union")
        middle = len(self.written)
        right = self.value(right_node)
        target_value = AddressOf(place, Pointer(place.type))
        if len(self.written) > start:
            check_order(self.written[start:middle], target_value, self.written[middle:], right)
            if place in self.written[start:]:
                raise Unsupported("an object is changed twice in one expression")
        if not op:
            return self.assign(place, right)
        before: list[Stmt] = []
        if not repeatable(place):
            if isinstance(place, Bits):
                raise Unsupported("a bit-field at a computed place is changed")
            pointer = self.local("place", Pointer(place.type))
            before.append(Declare(pointer, self.address(place), False, self.loc))
            place = Deref(Load(pointer, pointer.type), place.type)
        result = self.assign(place, self.combine(op, build.value_of(place), right))
        return StatementExpr(tuple(before), result, result.type) if before else result

    def assign(self, place: LValue, value: Expr) -> Expr:
        """`place = value`."""
        kind = place.type
        if isinstance(kind, Array | Void):
            raise Unsupported("an assignment to an array")
        self.written.append(place)
        return Assign(place, convert(value, kind), kind)

    def _update(self, node: Node) -> Expr:
        return self.update(node, True)

    def update(self, node: Node, used: bool) -> Expr:
        """`++` and `--`; the value of a postfix one is the old one, if it is `used`."""
        argument = node.child_by_field_name("argument")
        assert argument is not None
        prefix = node.children[0].type in ("++", "--")
        op = node.children[0 if prefix else 1].type[0]
        place = self.place(argument)
        if isinstance(place, Within) or not repeatable(place):
            raise Unsupported("a computed place is counted up or down")
        old = build.value_of(place)
        if prefix or not used:
            return self.assign(place, self.combine(op, old, ONE))
        saved = self.local("old", old.type)
        again = Load(saved, saved.type)
        step = self.assign(place, self.combine(op, again, ONE))
        body = (Declare(saved, old, False, self.loc), ExprStmt(step, self.loc))
        return StatementExpr(body, again, again.type)

    # What has statements within ---------------------------------------------------------------

    def _parenthesized(self, node: Node) -> Expr:
        inner = node.named_children
        if len(inner) != 1:
            raise Unsupported("parentheses")
        if inner[0].type == "compound_statement":
            return self._statement_expression(inner[0])
        return self.value(inner[0])

    def _statement_expression(self, node: Node) -> Expr:
        self.nesting += 1
        children = node.named_children
        outer, self.result_node = self.result_node, children[-1] if children else None
        try:
            body = list(self.statement_list(node))
        finally:
            self.nesting -= 1
            self.result_node = outer
        last = body[-1] if body else None
        if isinstance(last, ExprStmt):
            kind = last.expr.type
            if len(body) == 1:
                return last.expr
            if isinstance(kind, Void):
                return StatementExpr(tuple(body), None, VOID)
            return StatementExpr(tuple(body[:-1]), last.expr, kind)
        return StatementExpr(tuple(body), None, VOID)

    def _compound_literal(self, node: Node) -> Expr:
        body, target = self._literal(node)
        value = build.value_of(target)
        return StatementExpr(tuple(body), value, value.type)

    def _literal(self, node: Node) -> tuple[list[Stmt], LValue]:
        kind_node = node.child_by_field_name("type")
        values = node.child_by_field_name("value")
        assert kind_node is not None and values is not None
        target = self.local("literal", self.type_name(kind_node))
        body: list[Stmt] = [Declare(target, None, True, self.loc)]
        self.braces(target, values, body)
        return body, target


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "'": "'"}


def _unescaped(text: str) -> str:
    inner = text[text.index('"') + 1 : -1]
    if "\\" not in inner:
        return inner
    out: list[str] = []
    i = 0
    while i < len(inner):
        if inner[i] == "\\" and i + 1 < len(inner):
            i += 1
            out.append(_ESCAPES.get(inner[i], inner[i]))
        else:
            out.append(inner[i])
        i += 1
    return "".join(out)


_VALUES: dict[str, Callable[[Expressions, Node], Expr]] = {
    "number_literal": Expressions._number,
    "char_literal": Expressions._number,
    "identifier": Expressions._identifier,
    "parenthesized_expression": Expressions._parenthesized,
    "field_expression": Expressions._load,
    "subscript_expression": Expressions._load,
    "pointer_expression": Expressions._pointer,
    "unary_expression": Expressions._unary,
    "binary_expression": Expressions._binary,
    "conditional_expression": Expressions._conditional,
    "assignment_expression": Expressions._assignment,
    "update_expression": Expressions._update,
    "cast_expression": Expressions._cast,
    "call_expression": Expressions._call,
    "sizeof_expression": Expressions.size_value,
    "comma_expression": Expressions._comma,
    "string_literal": Expressions._string,
    "concatenated_string": Expressions._strings,
    "generic_expression": Expressions._generic,
    "compound_literal_expression": Expressions._compound_literal,
    "true": lambda self, node: ONE,
    "false": lambda self, node: ZERO,
    "null": lambda self, node: Null(Pointer(VOID)),
}
