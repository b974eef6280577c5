"""models/environment/kernel.h: what stands for the kernel's helpers does what they do."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from models.environment import prelude
from tests.source_text import program
from verify.ir.interp import Interpreter
from verify.ir.word import Word
from verify.source.program import CProgram

TEXT = """
u64 weight(u64 x) { return hweight64(x) << 32 | hweight32(x) << 16 | hweight8(x); }
u64 last(u64 x) { return (u64)fls64(x) << 32 | fls(x); }
u64 first(u64 x) { return ffs(x); }
u64 places(u64 x) { return __ffs(x) << 32 | __fls(x) << 16 | (u64)ilog2(x); }
u64 next(u64 x, u64 at)
{
	unsigned long map[1] = { x };

	return find_next_bit(map, 60, at) << 16 | find_first_bit(map, 60) << 8 | bitmap_weight(map, 60);
}
u64 field(u64 x, u64 y)
{
	return FIELD_GET(GENMASK_ULL(47, 40), x) << 32 | FIELD_PREP(GENMASK_ULL(11, 4), y);
}
u64 sign(u64 x) { return sign_extend64(x, 39); }
u64 halves(u64 x) { return (u64)lower_32_bits(x) << 32 | upper_32_bits(x); }
u64 swapped(u64 x, u64 y)
{
	swap(x, y);
	return x - 3 * y;
}
u64 exchanged(u64 x, u64 y)
{
	u64 was = xchg(&x, y);

	return was ^ x << 1;
}
u64 compared(u64 x, u64 y)
{
	u64 was = cmpxchg(&x, y, 7);

	return was ^ x << 1;
}
u64 clamped(u64 x, u64 y) { return clamp(x, 5, y | 5); }
u64 narrow(u64 x, u64 y) { return clamp_t(u8, x, 5, y | 5); }
u64 three(u64 x, u64 y) { return min3(x, y, 9) << 32 ^ max3(x, y, 9); }
u64 words(u64 x) { return BIT_MASK(x & 127) ^ (u64)BIT_WORD(x & 127) ^ DIV_ROUND_UP(x >> 1, 7); }
u64 died(u64 x)
{
	BUG_ON(!x);
	if (!x)
		BUG();
	return __ffs64(x);
}
u64 interrupts(u64 x)
{
	unsigned long flags;

	local_irq_save(flags);
	x++;
	local_irq_restore(flags);
	return x;
}
TRACE_EVENT(lamp,
	TP_PROTO(u64 x, u64 y),
	TP_ARGS(x, y),
	TP_STRUCT__entry(__field(u64, x) __field(u64, y)),
	TP_fast_assign(__entry->x = x; __entry->y = y++;),
	TP_printk("%llu %llu", __entry->x, __entry->y)
);
u64 guarded(u64 x)
{
	u64 i, count = 0;

	guard(preempt)();
	for (i = 0; i < 8; i++) {
		scoped_guard(irqsave) {
			if (!(x & BIT_ULL(i)))
				break;
			count++;
		}
		count += 16;
	}
	trace_lamp(x, count);
	pr_warn_once("%llu\\n", count++);
	return count;
}
"""
MASK = (1 << 64) - 1
WORDS = st.one_of(
    st.integers(0, MASK), st.integers(0, 63).map(lambda i: 1 << i), st.sampled_from((0, MASK))
)


@cache
def helpers() -> CProgram:
    return program(TEXT, prelude("kernel.h"))


def run(name: str, *args: int) -> int:
    found = Interpreter(helpers(), {}, {}, lambda name, width: 0, {}).call(
        name, *(Word(arg, 64) for arg in args)
    )
    assert isinstance(found, Word)
    return found.value


def lowest(word: int) -> int:
    """The place of the lowest bit, from 1 on; 0 when there is none."""
    return (word & -word).bit_length()


@given(x=WORDS, y=WORDS, at=st.integers(0, 70))
def test_bits(x: int, y: int, at: int) -> None:
    low = x & 0xFFFFFFFF
    weights = (x.bit_count() << 32) | (low.bit_count() << 16) | (x & 0xFF).bit_count()
    assert run("weight", x) == weights
    assert run("last", x) == (x.bit_length() << 32) | low.bit_length()
    assert run("first", x) == lowest(low)
    if x:
        top = x.bit_length() - 1
        assert run("places", x) == ((lowest(x) - 1) << 32) | (top << 16) | top
    inside = x & ((1 << 60) - 1)
    following = [i for i in range(at, 60) if (inside >> i) & 1]
    found = (min(following, default=60), lowest(inside) - 1 if inside else 60)
    assert run("next", x, at) == (found[0] << 16) | (found[1] << 8) | inside.bit_count()
    assert run("field", x, y) == ((x >> 40 & 0xFF) << 32) | (y << 4 & 0xFF0)
    cut = x & ((1 << 40) - 1)
    assert run("sign", x) == (cut - (1 << 40) if cut >> 39 else cut) & MASK
    assert run("halves", x) == (low << 32) | x >> 32


@given(x=WORDS, y=WORDS)
def test_values_that_change_places(x: int, y: int) -> None:
    assert run("swapped", x, y) == (y - 3 * x) & MASK
    assert run("exchanged", x, y) == x ^ (y << 1 & MASK)
    assert run("compared", x, y) == x ^ ((7 if x == y else x) << 1 & MASK)
    assert run("clamped", x, y) == min(max(x, 5), y | 5)
    assert run("narrow", x, y) == min(max(x & 0xFF, 5), (y | 5) & 0xFF)
    assert run("three", x, y) == (min(x, y, 9) << 32 & MASK) ^ max(x, y, 9)
    at = x & 127
    assert run("words", x) == 1 << at % 64 ^ at // 64 ^ -(-(x >> 1) // 7)
    assert run("interrupts", x) == x + 1 & MASK
    if x:
        assert run("died", x) == lowest(x) - 1


@given(x=st.integers(0, 255))
def test_guards_leave_what_they_enclose_and_messages_are_fetched(x: int) -> None:
    assert run("guarded", x) == x.bit_count() + 8 * 16 + 1
