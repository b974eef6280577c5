"""Types of the IR: C's integers with explicit width and sign, pointers, arrays and records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Int:
    """An integer of `width` bits; `boolean` marks C's `_Bool`, to which conversion is `!= 0`."""

    width: int
    signed: bool
    boolean: bool = False


@dataclass(frozen=True, slots=True)
class Void:
    """No value."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer; arithmetic on it is outside the subset."""

    to: Type


@dataclass(frozen=True, slots=True)
class Array:
    """`length` elements of one type."""

    of: Type
    length: int


@dataclass(frozen=True, slots=True)
class Record:
    """A struct or union, by tag; the program knows its members."""

    tag: str


Type = Int | Void | Pointer | Array | Record

BOOL = Int(8, False, True)
U8 = Int(8, False)
U16 = Int(16, False)
U32 = Int(32, False)
U64 = Int(64, False)
S8 = Int(8, True)
S16 = Int(16, True)
S32 = Int(32, True)
S64 = Int(64, True)
VOID = Void()


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a record: its type, and for a bit-field the place in its storage word."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class RecordDef:
    """The members of a record in order of declaration (bit-fields and unions are lowered away)."""

    tag: str
    members: Mapping[str, Member]
