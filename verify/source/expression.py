"""C expressions to the IR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeGuard

from tree_sitter import Node

from verify.ir.nodes import (
    AddressOf,
    Assign,
    Binary,
    Bits,
    Call,
    Cast,
    Compare,
    Const,
    ContainerOf,
    Declare,
    Deref,
    Expr,
    ExprStmt,
    Field,
    FunctionName,
    Global,
    Index,
    Load,
    Loc,
    Local,
    LValue,
    Not,
    Null,
    StatementExpr,
    Stmt,
    Text,
    Unary,
)
from verify.ir.types import S8, S32, S64, U64, VOID, Array, Int, Pointer, Record, Type, Void
from verify.source import build
from verify.source.build import ONE, ZERO, Unsupported, convert
from verify.source.c_lex import Token
from verify.source.c_type import literal
from verify.source.declare import Types, Typing
from verify.source.layout import Hidden, Overlay, Part, Step, Whole
from verify.source.order import check_order
from verify.source.syntax import ASM, Syntax


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's type."""

    result: Type
    parameters: tuple[Type, ...]
    variadic: bool


class Unit(Types, Protocol):
    """What is known at file scope."""

    def enumerator(self, name: str) -> Const | None:
        """An enumeration constant."""

    def object(self, name: str) -> Type | None:
        """The type of an object."""

    def signature(self, name: str) -> Signature | None:
        """The type of a function."""

    def table(self, tag: str) -> str | None:
        """The initialised variable that every record with this tag stands for."""

    def entry(self, variable: str, member: str) -> Expr | None:
        """What a member of an initialised variable holds, None when it is not given."""

    def is_type(self, name: str) -> bool:
        """Whether a name is a typedef's."""

    def define(self, name: str, kind: Type, initial: dict[str, Const] | None) -> None:
        """A function has an object of its own (`static`)."""

    def note_implicit(self, name: str) -> None:
        """A function without a prototype is called."""


@dataclass(frozen=True, slots=True)
class Within:
    """An aggregate that lies in an integer, from bit `low`."""

    word: LValue
    low: int
    type: Type


Place = LValue | Within


class Expressions(Typing):
    """Expressions of one parsed text.

    `loc` is where the statement at hand is. Lowering raises Unsupported for what is outside of
    the subset.
    """

    def __init__(self, unit: Unit, syntax: Syntax, file: str, prefix: str) -> None:
        super().__init__(unit, syntax, prefix)
        self.unit = unit
        self.file = file
        self.loc = Loc(file, syntax.first)
        self._scopes: list[dict[str, LValue | Type]] = []
        self._used: dict[str, int] = {}
        # Lvalues that the expression at hand has assigned within itself.
        self.written: list[LValue] = []
        # How many statement expressions are around the statement at hand.
        self.nesting = 0
        # The statement whose value is that of the innermost statement expression.
        self.result_node: Node | None = None
        # A call of which only the truth of the result matters, so that its type need not be known.
        self._loose: Node | None = None

    # Given by the statements.

    def statement_list(self, node: Node) -> tuple[Stmt, ...]:
        """The statements of a compound statement in a scope of its own."""
        raise NotImplementedError

    def braces(self, target: LValue, node: Node, out: list[Stmt]) -> None:
        """Assignments for a braced initialiser of a zeroed object."""
        raise NotImplementedError

    # Names ------------------------------------------------------------------------------------

    def find(self, name: str) -> LValue | Type | None:
        """What a name stands for in the function's scopes."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def bind(self, name: str, what: LValue | Type) -> None:
        """Let a name stand for something in the innermost scope."""
        self._scopes[-1][name] = what

    def local(self, name: str, kind: Type) -> Local:
        """A local that has no other's name."""
        count = self._used.get(name, 0) + 1
        self._used[name] = count
        return Local(name if count == 1 else f"{name}.{count}", kind)

    def local_type(self, name: str) -> Type | None:
        found = self.find(name) if self._scopes else None
        if found is None or isinstance(found, Int | Void | Pointer | Array | Record):
            return found
        raise Unsupported(f"{name} is an object and the name of a type")

    def line(self, node: Node) -> Loc:
        """Where a node is."""
        return Loc(self.file, self.syntax.first + node.start_point[0])

    # Values -----------------------------------------------------------------------------------

    def value(self, node: Node) -> Expr:
        """The value of an expression."""
        if node.has_error:
            raise Unsupported("C that the parser does not know")
        method = _VALUES.get(node.type)
        if method is None:
            raise Unsupported(f"a {node.type.replace('_', ' ')}")
        return method(self, node)

    def truth(self, node: Node) -> Expr:
        """An expression of which only the truth matters, or nothing."""
        node = bare(node)
        outer, self._loose = self._loose, node
        try:
            return self.value(node)
        finally:
            self._loose = outer

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
            return self._operand_type(node)
        finally:
            self.syntax = outer

    def _operand_type(self, node: Node) -> Type:
        """The type that `sizeof` is asked about."""
        kind = node.child_by_field_name("type")
        if kind is not None:
            return self.type_name(kind)
        operand = node.child_by_field_name("value")
        if operand is None:
            raise Unsupported("sizeof")
        if operand.type == "parenthesized_expression":
            name = operand.named_children[0]
            if name.type == "identifier" and self._is_type(self.syntax.of(name)):
                return self._type_name(self.syntax.of(name))
        kept = len(self.written)
        try:
            return self._type_of_value(operand)
        finally:
            del self.written[kept:]

    def _type_of_value(self, node: Node) -> Type:
        node = bare(node)
        if node.type in _PLACES and node.type != "identifier":
            return self.place(node).type
        if node.type == "identifier":
            name = self.syntax.of(node)
            found = self.find(name) if self._scopes else None
            kind = found.type if found is not None and _is_lvalue(found) else None
            kind = kind or (self.unit.object(name) if found is None else None)
            if kind is not None:
                return kind
        return self.value(node).type

    def _is_type(self, name: str) -> bool:
        if self._scopes and (found := self.find(name)) is not None:
            return not _is_lvalue(found)
        return self.unit.is_type(name) or name.startswith("__typeof_")

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
        found = self.find(name) if self._scopes else None
        if found is not None:
            return self._read(self._named(name, found))
        known = self.unit.enumerator(name)
        if known is not None:
            return known
        if name in ("__func__", "__FUNCTION__", "__PRETTY_FUNCTION__"):
            return Text(self.prefix, Pointer(S8))
        if self._is_function(name):
            return FunctionName(name, Pointer(VOID))
        return self._read(self._object(name))

    def _named(self, name: str, found: LValue | Type) -> LValue:
        if not _is_lvalue(found):
            raise Unsupported(f"the type {name} is used as a value")
        return found

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

    def _read(self, place: Place) -> Expr:
        if isinstance(place, Within):
            if isinstance(place.type, Array):
                return convert(self._address(place), Pointer(place.type.of))
            raise Unsupported("the value of a part of a union")
        if isinstance(place, Field):
            base = place.base.type
            if isinstance(base, Record) and (entry := self._entry(base, place)) is not None:
                return entry
        return build.value_of(place)

    def _entry(self, record: Record, place: Field) -> Expr | None:
        """What a member of an op table is known to hold."""
        variable = self.unit.table(record.tag)
        if variable is None or isinstance(place.type, Array | Record):
            return None
        found = self.unit.entry(variable, place.name)
        if found is not None:
            return convert(found, place.type)
        return Const(0, place.type) if isinstance(place.type, Int) else convert(ZERO, place.type)

    def _load(self, node: Node) -> Expr:
        return self._read(self.place(node))

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
        if op == "/" and (length := self._array_length(left_node, right_node)) is not None:
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
            return self._address(build.element(left, right))
        if isinstance(right.type, Pointer) and op == "+" and isinstance(left.type, Int):
            return self._address(build.element(right, left))
        return build.arithmetic(op, left, right)

    def _array_length(self, left: Node, right: Node) -> int | None:
        """`sizeof(array) / sizeof(array[0])`, also where the sizes are not known."""
        left, right = bare(left), bare(right)
        if left.type != "sizeof_expression" or right.type != "sizeof_expression":
            return None
        whole, part = self._operand_type(left), self._operand_type(right)
        return whole.length if isinstance(whole, Array) and whole.of == part else None

    def _sizeof(self, node: Node) -> Expr:
        size = self.unit.size_of(self._operand_type(node))
        if size is None:
            raise Unsupported("the size of what is not known in full")
        return Const(size[0], U64)

    def _cast(self, node: Node) -> Expr:
        kind_node = node.child_by_field_name("type")
        operand = node.child_by_field_name("value")
        assert kind_node is not None and operand is not None
        kind = self.type_name(kind_node)
        value = self.truth(operand) if kind == VOID else self.value(operand)
        return self.cast(value, kind)

    def cast(self, value: Expr, kind: Type) -> Expr:
        """An explicit conversion."""
        if isinstance(kind, Array) or (isinstance(kind, Record) and kind != value.type):
            raise Unsupported("a cast to a record or array")
        return convert(value, kind)

    def _pointer(self, node: Node) -> Expr:
        """`*p` or `&x`."""
        if node.children[0].type == "*":
            return self._read(self.place(node))
        operand = bare(node.children[1])
        if operand.type == "identifier":
            name = self.syntax.of(operand)
            if (not self._scopes or self.find(name) is None) and self._is_function(name):
                return FunctionName(name, Pointer(VOID))
        if operand.type == "compound_literal_expression":
            body, target = self._literal(operand)
            address = AddressOf(target, Pointer(target.type))
            return StatementExpr(tuple(body), address, address.type)
        return self._address(self.place(operand))

    def _address(self, place: Place) -> Expr:
        if isinstance(place, Within):
            size = self.unit.size_of(place.type)
            return _whole(place.word, place.low, 0 if size is None else size[0] * 8, place.type)
        if isinstance(place, Bits):
            return _whole(place.base, place.low, place.width, place.type)
        if isinstance(place, Deref):
            return place.pointer
        return AddressOf(place, Pointer(place.type))

    def _is_function(self, name: str) -> bool:
        return self.unit.object(name) is None and self.unit.signature(name) is not None

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

    def _string(self, node: Node) -> Expr:
        return Text(_unescaped(self.syntax.of(node)), Pointer(S8))

    def _strings(self, node: Node) -> Expr:
        parts = [self.value(child) for child in node.named_children]
        text = "".join(part.value if isinstance(part, Text) else "?" for part in parts)
        return Text(text, Pointer(S8))

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
        if not _repeatable(place):
            if isinstance(place, Bits):
                raise Unsupported("a bit-field at a computed place is changed")
            pointer = self.local("place", Pointer(place.type))
            before.append(Declare(pointer, self._address(place), False, self.loc))
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
        if isinstance(place, Within) or not _repeatable(place):
            raise Unsupported("a computed place is counted up or down")
        old = build.value_of(place)
        if prefix or not used:
            return self.assign(place, self.combine(op, old, ONE))
        saved = self.local("old", old.type)
        again = Load(saved, saved.type)
        step = self.assign(place, self.combine(op, again, ONE))
        body = (Declare(saved, old, False, self.loc), ExprStmt(step, self.loc))
        return StatementExpr(body, again, again.type)

    # Places -----------------------------------------------------------------------------------

    def place(self, node: Node) -> Place:
        """The object that an expression names."""
        match node.type:
            case "identifier":
                return self._object(self.syntax.of(node))
            case "field_expression":
                return self._field(node)
            case "subscript_expression":
                return self._subscript(node)
            case "parenthesized_expression" if (inner := bare(node)) != node:
                return self.place(inner)
            case "pointer_expression" if node.children[0].type == "*":
                return build.pointed(self.value(node.children[1]))
        return self._lvalue(self.value(node))

    def _lvalue(self, value: Expr) -> LValue:
        """The object whose value an expression is; for what yields a record."""
        if isinstance(value, Load) and isinstance(value.type, Record):
            return value.lvalue
        if isinstance(value, StatementExpr) and isinstance(value.type, Record):
            return Deref(
                StatementExpr(
                    value.body,
                    AddressOf(self._lvalue(value.value), Pointer(value.type)),  # type: ignore[arg-type]
                    Pointer(value.type),
                ),
                value.type,
            )
        raise Unsupported("a value is used as an object")

    def _object(self, name: str) -> LValue:
        found = self.find(name) if self._scopes else None
        if found is not None:
            return self._named(name, found)
        kind = self.unit.object(name)
        if kind is not None:
            return Global(name, kind)
        raise Unsupported(f"{name} is not declared")

    def _field(self, node: Node) -> Place:
        argument, dot, member = node.children
        base: Place
        if dot.type == "->":
            base = build.pointed(self.value(argument))
        else:
            base = self.place(argument)
        return self.member(base, self.syntax.of(member))

    def member(self, base: Place, name: str) -> Place:
        """A member of a record."""
        kind = base.type
        layout = self.unit.layout(kind.tag) if isinstance(kind, Record) else None
        if layout is None:
            raise Unsupported(f".{name} of what is not known")
        if isinstance(base, Within):
            measure = layout.measure()
            found = measure.places.get(name) if measure else None
            if found is None:
                raise Unsupported(f"the member {name} of a part of a union")
            low, width, part = found
            return self._within(base.word, base.low + low, width, part)
        slot = layout.slots.get(name)
        match slot:
            case Whole(real, member):
                return Field(base, real, member())
            case Part(word, low, width, part_kind):
                return _bits(_walk(base, word), low, width, part_kind)
            case Overlay(word, low, part):
                return Within(_walk(base, word), low, part)
            case Hidden(reason):
                raise Unsupported(f"{name} is {reason}")
        raise Unsupported(f"no member {name} in {layout.tag}")

    def _within(self, word: LValue, low: int, width: int | None, kind: Type) -> Place:
        if isinstance(kind, Int):
            return _bits(word, low, kind.width if width is None else width, kind)
        if isinstance(kind, Pointer):
            raise Unsupported("a pointer within a union")
        return Within(word, low, kind)

    def _subscript(self, node: Node) -> Place:
        argument, index_node = node.children[0], node.children[2]
        base: Place | None = None
        if argument.type in _PLACES:
            base = self.place(argument)
        index = self.value(index_node)
        if isinstance(base, Within):
            size = self.unit.size_of(base.type.of) if isinstance(base.type, Array) else None
            if not isinstance(index, Const) or size is None or not isinstance(base.type, Array):
                raise Unsupported("an element of a part of a union")
            low = base.low + index.value * size[0] * 8
            return self._within(base.word, low, None, base.type.of)
        pointer = self._read(base) if base is not None else self.value(argument)
        if isinstance(pointer.type, Int):
            pointer, index = index, pointer
        return build.element(pointer, index)

    # Calls ------------------------------------------------------------------------------------

    def _call(self, node: Node) -> Expr:
        callee = bare(node.children[0])
        arguments = node.children[1].named_children
        if callee.type == "identifier":
            name = self.syntax.of(callee)
            builtin = _BUILTINS.get(name)
            if builtin is not None:
                return builtin(self, arguments)
            if callee != node.children[0] and self._is_type(name) and len(arguments) == 1:
                return self.cast(self.value(arguments[0]), self._type_name(name))
            found = self.find(name) if self._scopes else None
            if found is not None or (
                self.unit.signature(name) is None and self.unit.object(name) is not None
            ):
                raise Unsupported(f"a call through the pointer {name}")
            return self._direct(name, arguments, node)
        if callee.type == "pointer_expression" and callee.children[0].type == "*":
            callee = bare(callee.children[1])
            if callee.type == "identifier" and self._is_function(self.syntax.of(callee)):
                return self._direct(self.syntax.of(callee), arguments, node)
        target = self.value(callee)
        if isinstance(target, FunctionName):
            return self._direct(target.name, arguments, node)
        if callee.type == "field_expression" and isinstance(target, Null):
            return self._absent(callee, arguments, node)
        raise Unsupported("a call through a pointer")

    def _absent(self, callee: Node, nodes: list[Node], node: Node) -> Expr:
        """A call of what an op table does not have: of a function that nobody defines."""
        place = self.place(callee)
        assert isinstance(place, Field) and isinstance(place.base.type, Record)
        layout = self.unit.layout(place.base.type.tag)
        result = layout.results.get(place.name) if layout else None
        if result is None:
            raise Unsupported("a call of a function that the table does not have")
        name = f"{self.unit.table(place.base.type.tag)}.{place.name}"
        args = tuple(_default(self.value(argument)) for argument in nodes)
        return Call(name, args, result(), self.line(node))

    def _direct(self, name: str, nodes: list[Node], node: Node) -> Expr:
        if name.startswith("__builtin_") and self.unit.signature(name) is None:
            raise Unsupported(name)
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
        signature = self.unit.signature(name)
        if signature is None:
            self.unit.note_implicit(name)
            if node != self._loose:
                raise Unsupported(f"{name} has no prototype")
            return Call(name, tuple(map(_default, args)), S32, self.line(node))
        count = len(signature.parameters)
        if len(args) < count or (len(args) > count and not signature.variadic):
            raise Unsupported(f"{name} is called with {len(args)} arguments")
        converted = [
            convert(arg, kind) for arg, kind in zip(args, signature.parameters, strict=False)
        ]
        converted += map(_default, args[count:])
        return Call(name, tuple(converted), signature.result, self.line(node))

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
        one, two = (self._operand_type(bare(node)) for node in nodes)
        return ONE if one == two else ZERO

    def _nothing(self, nodes: list[Node]) -> Expr:
        return StatementExpr((), None, VOID)

    def _asm(self, nodes: list[Node]) -> Expr:
        raise Unsupported("inline assembly")

    def _offsetof(self, nodes: list[Node]) -> Expr:
        kind = self._operand_type(bare(nodes[0]))
        low = 0
        for name in self._path(nodes[1]):
            layout = self.unit.layout(kind.tag) if isinstance(kind, Record) else None
            measure = layout.measure() if layout else None
            found = measure.places.get(name) if measure else None
            if found is None or found[1] is not None:
                raise Unsupported("offsetof")
            low, kind = low + found[0], found[2]
        return Const(low // 8, U64)

    def _container_of(self, nodes: list[Node]) -> Expr:
        pointer = self.value(nodes[0])
        kind = self._operand_type(bare(nodes[1]))
        if isinstance(pointer, AddressOf):
            # The record around a member that is named right here.
            target: LValue | None = pointer.lvalue
            for name in reversed(self._path(nodes[2])):
                named = isinstance(target, Field) and target.name == name
                target = target.base if named and isinstance(target, Field) else None
            if target is not None and target.type == kind:
                return self._address(target)
        place: Place = Deref(Null(Pointer(kind)), kind)
        names: list[str] = []
        for name in self._path(nodes[2]):
            place = self.member(place, name)
            if not isinstance(place, Field):
                raise Unsupported("container_of a part of a union")
            names.append(place.name)
        return ContainerOf(pointer, tuple(names), Pointer(kind))

    def _path(self, node: Node) -> list[str]:
        if node.type == "identifier":
            return [self.syntax.of(node)]
        if node.type == "field_expression":
            return [*self._path(node.children[0]), self.syntax.of(node.children[2])]
        raise Unsupported("a member designator")

    def _generic(self, node: Node) -> Expr:
        children = node.named_children
        kind = self._type_of_value(children[0])
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


def _is_lvalue(what: LValue | Type) -> TypeGuard[LValue]:
    return isinstance(what, Local | Global | Deref | Field | Index | Bits)


def _default(value: Expr) -> Expr:
    """Default argument promotion."""
    return build.promote(value) if isinstance(value.type, Int) else value


def bare(node: Node) -> Node:
    """The expression within parentheses."""
    while node.type == "parenthesized_expression" and node.named_child_count == 1:
        inner = node.named_children[0]
        if inner.type == "compound_statement":
            break
        node = inner
    return node


def _descend(node: Node, kind: str) -> Node | None:
    """The first node of a kind, in order of the text."""
    if node.type == kind:
        return node
    for child in node.named_children:
        if (found := _descend(child, kind)) is not None:
            return found
    return None


def _walk(base: LValue, steps: tuple[Step, ...]) -> LValue:
    for step, kind in steps:
        if isinstance(step, int):
            base = Index(base, Const(step, S32), kind)
        else:
            base = Field(base, step, kind)
    return base


def _bits(word: LValue, low: int, width: int, kind: Int) -> LValue:
    if low == 0 and word.type == kind and width == kind.width:
        return word
    return Bits(word, low, width, kind)


def _whole(word: LValue, low: int, width: int, kind: Type) -> Expr:
    """The address of an integer as one of what fills it."""
    if low or not isinstance(word.type, Int) or word.type.width != width:
        raise Unsupported("the address of a part of an integer")
    return AddressOf(word, Pointer(kind))


def _repeatable(place: LValue) -> bool:
    """Whether a place may be evaluated twice: it has no effects and no calls."""
    while True:
        match place:
            case Local() | Global():
                return True
            case Field(base) | Bits(base):
                place = base
            case Index(base, index):
                if not _plain(index):
                    return False
                place = base
            case Deref(pointer):
                return _plain(pointer)


def _plain(value: Expr) -> bool:
    match value:
        case Const() | Null() | Text() | FunctionName():
            return True
        case Load(lvalue) | AddressOf(lvalue):
            return _repeatable(lvalue)
        case Cast(operand):
            return _plain(operand)
        case ContainerOf(pointer):
            return _plain(pointer)
        case Binary(_, left, right) | Compare(_, left, right):
            return _plain(left) and _plain(right)
        case Unary(_, operand) | Not(operand):
            return _plain(operand)
    return False


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


_PLACES = frozenset(
    ("identifier", "field_expression", "subscript_expression", "pointer_expression")
)

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
    "sizeof_expression": Expressions._sizeof,
    "comma_expression": Expressions._comma,
    "string_literal": Expressions._string,
    "concatenated_string": Expressions._strings,
    "generic_expression": Expressions._generic,
    "compound_literal_expression": Expressions._compound_literal,
    "true": lambda self, node: ONE,
    "false": lambda self, node: ZERO,
    "null": lambda self, node: Null(Pointer(VOID)),
}

_BUILTINS: dict[str, Callable[[Expressions, list[Node]], Expr]] = {
    "__builtin_expect": Expressions._expect,
    "__builtin_constant_p": Expressions._constant_p,
    "__builtin_choose_expr": Expressions._choose,
    "__builtin_unreachable": Expressions._nothing,
    "__same_type_p": Expressions._same_type,
    "__offsetof": Expressions._offsetof,
    "__container_of": Expressions._container_of,
    "_Static_assert": Expressions._nothing,
    "static_assert": Expressions._nothing,
    ASM: Expressions._asm,
}
