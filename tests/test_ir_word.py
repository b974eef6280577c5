"""`Word` against Python's own integers."""

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.ir.machine import Value
from verify.ir.word import Word

Operation = Callable[[Word, Word], Word]


def signed(value: int, width: int) -> int:
    return value - (1 << width) if value >> (width - 1) else value


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, int, int]:
    width = draw(st.sampled_from([1, 3, 8, 32, 64]))
    edge = st.sampled_from([0, 1, (1 << width) - 1, 1 << (width - 1)])
    number = edge | st.integers(0, (1 << width) - 1)
    return width, draw(number), draw(number)


@pytest.mark.parametrize(
    "op", [operator.add, operator.sub, operator.mul, operator.and_, operator.or_, operator.xor]
)
@given(pair=pairs())
def test_arithmetic_wraps(op: Callable[..., Any], pair: tuple[int, int, int]) -> None:
    width, a, b = pair
    expected = Word(op(a, b) % (1 << width), width)
    assert op(Word(a, width), Word(b, width)) == expected
    assert op(Word(a, width), b) == expected
    assert op(Word(a, width), b - (1 << width)) == expected


@given(pair=pairs())
def test_division(pair: tuple[int, int, int]) -> None:
    width, a, b = pair
    x, y = Word(a, width), Word(b, width)
    if b == 0:
        assert x.udiv(y) == Word(-1, width)
        assert x.urem(y) == x.srem(y) == x
        assert x.sdiv(y) == Word(1 if signed(a, width) < 0 else -1, width)
        return
    assert (x.udiv(y).value, x.urem(y).value) == divmod(a, b)
    q, r = x.sdiv(y), x.srem(y)
    assert q * y + r == x
    sa, sb = signed(a, width), signed(b, width)
    assert abs(r.signed) < abs(sb)
    assert r.value == 0 or (r.signed < 0) == (sa < 0)


@given(pair=pairs(), amount=st.integers(0, 80))
def test_shifts(pair: tuple[int, int, int], amount: int) -> None:
    width, a, _ = pair
    x = Word(a, width)
    assert x << amount == Word((a << amount) % (1 << width), width)
    assert x >> amount == Word(a >> amount, width)
    assert x.sar(amount) == Word(signed(a, width) >> amount, width)
    if amount < 1 << width:
        assert x << Word(amount, width) == x << amount
        assert x.sar(Word(amount, width)) == x.sar(amount)


@given(pair=pairs())
def test_comparisons(pair: tuple[int, int, int]) -> None:
    width, a, b = pair
    x, y = Word(a, width), Word(b, width)
    sa, sb = signed(a, width), signed(b, width)
    got = [x.eq(y), x.ne(y), x.ult(y), x.ule(y), x.slt(y), x.sle(y), x.nonzero(), x.slt(b)]
    expected = [a == b, a != b, a < b, a <= b, sa < sb, sa <= sb, a != 0, sa < sb]
    assert got == [Word(e, 0) for e in expected]


@given(pair=pairs(), data=st.data())
def test_parts(pair: tuple[int, int, int], data: st.DataObject) -> None:
    width, a, _ = pair
    x = Word(a, width)
    high = data.draw(st.integers(0, width - 1))
    low = data.draw(st.integers(0, high))
    assert x.extract(high, low) == Word((a >> low) % (1 << (high - low + 1)), high - low + 1)
    assert x.zext(width + 5) == Word(a, width + 5)
    assert x.sext(width + 5).signed == signed(a, width)
    assert ~x == Word(a ^ ((1 << width) - 1), width)


def test_truth_values() -> None:
    yes, no = Word(1, 0), Word(0, 0)
    assert ~yes == no
    assert (yes & no, yes | no, yes.eq(no), yes.eq(yes)) == (no, yes, no, yes)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, y: x + Word(1, 4),
        lambda x, y: x & y,
        lambda x, y: y + 1,
        lambda x, y: y.ult(y),
        lambda x, y: y.slt(1),
        lambda x, y: y << 1,
        lambda x, y: y.zext(8),
        lambda x, y: x.zext(4),
        lambda x, y: x.extract(8, 0),
        lambda x, y: x if x else y,
    ],
)
def test_mistakes_are_errors(wrong: Operation) -> None:
    with pytest.raises(TypeError):
        wrong(Word(1, 8), Word(1, 0))


def test_a_word_is_a_value() -> None:
    value: Value = Word(1, 8)
    assert value.width == 8
