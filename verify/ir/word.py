"""Concrete values: the numbers that the interpreter computes with."""

from __future__ import annotations

from typing import NoReturn


class Word:
    """`verify.ir.machine.Value` as a number.

    `value` is the unsigned reading, below 2**`width`; width 0 is a truth value, 0 or 1. Division
    by zero is what SMT-LIB says (`udiv` all ones, `urem` the dividend, the signed ones alike). A
    right operand of another width, or an operator that a truth value has not, is a TypeError, and
    so is a Word used as a Python condition.
    """

    __slots__ = ("value", "width")
    value: int
    width: int

    def __init__(self, value: int, width: int) -> None:
        self.value = value & ((1 << (width or 1)) - 1)
        self.width = width

    @property
    def signed(self) -> int:
        """The two's complement reading."""
        self._vector(0)
        return self.value - ((self.value >> (self.width - 1)) << self.width)

    def _bits(self, other: Word | int) -> int:
        """The right operand's bits; of a bit vector or a truth value."""
        if isinstance(other, int):
            return Word(other, self.width).value
        if other.width != self.width:
            raise TypeError(f"operands of {self.width} and {other.width} bits")
        return other.value

    def _vector(self, other: Word | int) -> int:
        """The right operand's bits; not of truth values."""
        if not self.width:
            raise TypeError("a truth value has no arithmetic")
        return self._bits(other)

    def _amount(self, other: Word | int) -> int:
        """How far to shift: at most `width`."""
        self._vector(0)
        amount = other if isinstance(other, int) else self._vector(other)
        return min(amount, self.width) if amount >= 0 else self.width

    def __bool__(self) -> NoReturn:
        raise TypeError("a value cannot decide a Python branch; use `when` or `ite`")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Word) and (self.value, self.width) == (other.value, other.width)

    def __hash__(self) -> int:
        return hash((self.value, self.width))

    def __repr__(self) -> str:
        return f"Word({self.value:#x}, {self.width})"

    def __and__(self, other: Word | int) -> Word:
        return Word(self.value & self._bits(other), self.width)

    def __or__(self, other: Word | int) -> Word:
        return Word(self.value | self._bits(other), self.width)

    def __xor__(self, other: Word | int) -> Word:
        return Word(self.value ^ self._vector(other), self.width)

    def __add__(self, other: Word | int) -> Word:
        return Word(self.value + self._vector(other), self.width)

    def __sub__(self, other: Word | int) -> Word:
        return Word(self.value - self._vector(other), self.width)

    def __mul__(self, other: Word | int) -> Word:
        return Word(self.value * self._vector(other), self.width)

    def __invert__(self) -> Word:
        return Word(~self.value, self.width)

    def __lshift__(self, other: Word | int) -> Word:
        return Word(self.value << self._amount(other), self.width)

    def __rshift__(self, other: Word | int) -> Word:
        return Word(self.value >> self._amount(other), self.width)

    def sar(self, other: Word | int) -> Word:
        """Arithmetic shift to the right."""
        return Word(self.signed >> self._amount(other), self.width)

    def udiv(self, other: Word | int) -> Word:
        """Unsigned quotient."""
        divisor = self._vector(other)
        return Word(self.value // divisor if divisor else -1, self.width)

    def urem(self, other: Word | int) -> Word:
        """Unsigned remainder."""
        divisor = self._vector(other)
        return Word(self.value % divisor if divisor else self.value, self.width)

    def sdiv(self, other: Word | int) -> Word:
        """Signed quotient, rounded towards zero."""
        dividend, divisor = self.signed, Word(self._vector(other), self.width).signed
        if not divisor:
            return Word(1 if dividend < 0 else -1, self.width)
        quotient = abs(dividend) // abs(divisor)
        return Word(-quotient if (dividend < 0) != (divisor < 0) else quotient, self.width)

    def srem(self, other: Word | int) -> Word:
        """Signed remainder, with the sign of the dividend."""
        dividend, divisor = self.signed, Word(self._vector(other), self.width).signed
        if not divisor:
            return self
        remainder = abs(dividend) % abs(divisor)
        return Word(-remainder if dividend < 0 else remainder, self.width)

    def eq(self, other: Word | int) -> Word:
        """Equal, as a truth value."""
        return Word(self.value == self._bits(other), 0)

    def ne(self, other: Word | int) -> Word:
        """Not equal, as a truth value."""
        return Word(self.value != self._vector(other), 0)

    def ult(self, other: Word | int) -> Word:
        """Below, unsigned, as a truth value."""
        return Word(self.value < self._vector(other), 0)

    def ule(self, other: Word | int) -> Word:
        """Below or equal, unsigned, as a truth value."""
        return Word(self.value <= self._vector(other), 0)

    def slt(self, other: Word | int) -> Word:
        """Below, signed, as a truth value."""
        return Word(self.signed < Word(self._vector(other), self.width).signed, 0)

    def sle(self, other: Word | int) -> Word:
        """Below or equal, signed, as a truth value."""
        return Word(self.signed <= Word(self._vector(other), self.width).signed, 0)

    def extract(self, high: int, low: int) -> Word:
        """Bits `high` to `low`, both included."""
        if not 0 <= low <= high < self.width:
            raise TypeError(f"bits {high}:{low} of {self.width}")
        return Word(self.value >> low, high - low + 1)

    def zext(self, width: int) -> Word:
        """Zero extension to `width`."""
        return Word(self.value, self._wider(width))

    def sext(self, width: int) -> Word:
        """Sign extension to `width`."""
        return Word(self.signed, self._wider(width))

    def _wider(self, width: int) -> int:
        if not 0 < self.width <= width:
            raise TypeError(f"extension of {self.width} bits to {width}")
        return width

    def nonzero(self) -> Word:
        """`!= 0`, as a truth value."""
        return self.ne(0)
