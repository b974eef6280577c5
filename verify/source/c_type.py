"""C's integer types: spelling, literals, promotion and the usual arithmetic conversions.

The sizes are those of gcc on x86-64, and `char` is unsigned: the kernel is built with
-funsigned-char. `long` and `long long` are one type here: they have the same values, and C converts
between them without a change.
"""

from __future__ import annotations

from dataclasses import dataclass

from verify.ir.nodes import Const
from verify.ir.types import BOOL, S8, S16, S32, S64, U8, U16, U32, U64, VOID, Int, Type
from verify.source.preprocess import character, integer

# What tree-sitter calls primitive types, and other names that the compiler knows.
NAMED: dict[str, Type] = {
    "void": VOID,
    "_Bool": BOOL,
    "bool": BOOL,
    "char": U8,
    "short": S16,
    "int": S32,
    "long": S64,
    "unsigned": U32,
    "signed": S32,
    "size_t": U64,
    "ssize_t": S64,
    "intptr_t": S64,
    "uintptr_t": U64,
    "ptrdiff_t": S64,
    "int8_t": S8,
    "int16_t": S16,
    "int32_t": S32,
    "int64_t": S64,
    "uint8_t": U8,
    "uint16_t": U16,
    "uint32_t": U32,
    "uint64_t": U64,
    "__int128": Int(128, True),
}


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's type."""

    result: Type
    parameters: tuple[Type, ...]
    variadic: bool


def spelled(words: list[str]) -> Int | None:
    """The type of a list of integer keywords in any order, None when it is none."""
    plain = words == ["char"]
    signed = "unsigned" not in words and not plain
    longs = words.count("long")
    rest = [word for word in words if word not in ("unsigned", "signed", "__signed__", "long")]
    if rest == ["char"]:
        width = 8
    elif rest == ["short"] or sorted(rest) == ["int", "short"]:
        width = 16
    elif rest in ([], ["int"]):
        width = 64 if longs else 32
    elif rest == ["__int128"]:
        width = 128
    else:
        return None
    return Int(width, signed)


def literal(text: str) -> Const:
    """A number or character; ValueError when it is no integer."""
    if text[0] in "'LuU":
        return Const(character(text), S32)
    value, suffix = integer(text)
    decimal = text[0] != "0"
    long, unsigned = "l" in suffix, "u" in suffix
    if suffix not in ("", "u", "l", "ll", "ul", "lu", "ull", "llu"):
        raise ValueError(text)
    for kind in (S32, U32, S64, U64):
        if (long and kind.width == 32) or (unsigned and kind.signed):
            continue
        # A decimal constant without `u` is never unsigned.
        if decimal and not unsigned and not kind.signed:
            continue
        if fits(value, kind):
            return Const(value, kind)
    raise ValueError(text)


def fits(value: int, kind: Int) -> bool:
    """Whether a type has a value."""
    if kind.signed:
        return -(1 << (kind.width - 1)) <= value < 1 << (kind.width - 1)
    return 0 <= value < 1 << kind.width


def wrap(value: int, kind: Int) -> int:
    """The value that conversion to a type gives."""
    if kind.boolean:
        return int(value != 0)
    value &= (1 << kind.width) - 1
    return value - (1 << kind.width) if kind.signed and value >> (kind.width - 1) else value


def promoted(kind: Int) -> Int:
    """The type after integer promotion of a value that is no bit-field."""
    return S32 if kind.width < 32 else kind


def promoted_bits(kind: Int, width: int) -> Int:
    """The type after integer promotion of a bit-field. Wide ones keep gcc's type of that width."""
    if width < 32 or (width == 32 and kind.signed):
        return S32
    return Int(width, kind.signed)


def common(left: Int, right: Int) -> Int:
    """The type of arithmetic on two promoted operands."""
    if left.width != right.width:
        return left if left.width > right.width else right
    return left if not left.signed else right
