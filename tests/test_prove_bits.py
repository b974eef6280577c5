"""What bits of terms tell: never more than is true of every value of their variables."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verify.encode import term as t
from verify.encode.term import Term
from verify.prove.bits import alike, fixed

WIDTH = 8
X, Y = t.var("x", WIDTH), t.var("y", WIDTH)
CONDITION = t.var("c", 0)
VALUE = st.integers(0, (1 << WIDTH) - 1)
TERMS = st.recursive(
    st.sampled_from([X, Y]) | st.builds(lambda n: t.const(n, WIDTH), VALUE),
    lambda parts: st.one_of(
        st.builds(lambda a, b: a & b, parts, parts),
        st.builds(lambda a, b: a | b, parts, parts),
        st.builds(lambda a: ~a, parts),
        st.builds(lambda a, b: t.ite(CONDITION, a, b), parts, parts),
    ),
    max_leaves=8,
)


def never(term: Term) -> bool:
    return False


@given(TERMS, VALUE, VALUE, st.booleans())
def test_bits_that_are_said_to_be_those_of_a_variable_are(
    term: Term, x: int, y: int, c: bool
) -> None:
    (value,) = t.evaluate([term], {"x": x, "y": y, "c": int(c)})
    assert (value ^ x) & alike(term, X, never) == 0
    ones, zeros = fixed(term)
    assert value & ones == ones
    assert value & zeros == 0


def test_the_bits_that_are_kept_are_found() -> None:
    kept = (X & t.const(0xF7, WIDTH)) | t.const(0x80, WIDTH)
    assert alike(kept, X, never) == 0x77
    assert alike(t.ite(CONDITION, kept, X), X, never) == 0x77
    assert alike(t.ite(CONDITION, kept, Y), X, never) == 0
    assert alike(X & Y, X, lambda term: term is Y) == 0xFF
