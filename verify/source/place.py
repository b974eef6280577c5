"""Objects that expressions name: variables, members, elements, what pointers point to."""

from __future__ import annotations

from dataclasses import dataclass

from tree_sitter import Node

from verify.ir.nodes import (
    AddressOf,
    Binary,
    Bits,
    Cast,
    Compare,
    Const,
    ContainerOf,
    Deref,
    Expr,
    Field,
    FunctionName,
    Global,
    Index,
    Load,
    Local,
    LValue,
    Not,
    Null,
    StatementExpr,
    Text,
    Unary,
)
from verify.ir.types import S32, Array, Int, Pointer, Record, Type
from verify.source import build
from verify.source.build import ZERO, Unsupported, convert
from verify.source.layout import Hidden, Overlay, Part, Step, Whole
from verify.source.names import Names, is_lvalue

PLACES = frozenset(("identifier", "field_expression", "subscript_expression", "pointer_expression"))


@dataclass(frozen=True, slots=True)
class Within:
    """An aggregate that lies in an integer, from bit `low`."""

    word: LValue
    low: int
    type: Type


Place = LValue | Within


class Places(Names):
    """Places, what they hold and their addresses."""

    def place(self, node: Node) -> Place:
        """The object that an expression names."""
        match node.type:
            case "identifier":
                return self.object_named(self.syntax.of(node))
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

    def object_named(self, name: str) -> LValue:
        found = self.find(name) if self.scopes else None
        if found is not None:
            return self.as_object(name, found)
        name = self.unit.object_name(name, self.file)
        kind = self.unit.object(name)
        if kind is not None:
            return Global(name, kind)
        raise Unsupported(f"{name} is not declared")

    def as_object(self, name: str, found: LValue | Type) -> LValue:
        if not is_lvalue(found):
            raise Unsupported(f"the type {name} is used as a value")
        return found

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
        if argument.type in PLACES:
            base = self.place(argument)
        index = self.value(index_node)
        if isinstance(base, Within):
            size = self.unit.size_of(base.type.of) if isinstance(base.type, Array) else None
            if not isinstance(index, Const) or size is None or not isinstance(base.type, Array):
                raise Unsupported("an element of a part of a union")
            low = base.low + index.value * size[0] * 8
            return self._within(base.word, low, None, base.type.of)
        pointer = self.read(base) if base is not None else self.value(argument)
        if isinstance(pointer.type, Int):
            pointer, index = index, pointer
        return build.element(pointer, index)

    def read(self, place: Place) -> Expr:
        if isinstance(place, Within):
            if isinstance(place.type, Array):
                return convert(self.address(place), Pointer(place.type.of))
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

    def address(self, place: Place) -> Expr:
        if isinstance(place, Within):
            size = self.unit.size_of(place.type)
            return _whole(place.word, place.low, 0 if size is None else size[0] * 8, place.type)
        if isinstance(place, Bits):
            return _whole(place.base, place.low, place.width, place.type)
        if isinstance(place, Deref):
            return place.pointer
        return AddressOf(place, Pointer(place.type))

    def is_function(self, name: str) -> bool:
        return self.unit.object(name) is None and self.unit.signature(name) is not None


def bare(node: Node) -> Node:
    """The expression within parentheses."""
    while node.type == "parenthesized_expression" and node.named_child_count == 1:
        inner = node.named_children[0]
        if inner.type == "compound_statement":
            break
        node = inner
    return node


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


def repeatable(place: LValue) -> bool:
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
            return repeatable(lvalue)
        case Cast(operand):
            return _plain(operand)
        case ContainerOf(pointer):
            return _plain(pointer)
        case Binary(_, left, right) | Compare(_, left, right):
            return _plain(left) and _plain(right)
        case Unary(_, operand) | Not(operand):
            return _plain(operand)
    return False
