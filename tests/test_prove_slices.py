"""Parts of a context: what they exclude, the whole excludes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verify.encode import term as t
from verify.encode.term import Term
from verify.prove.slices import Slices, conjuncts

X, Y, Z, W = (t.var(name, 4) for name in "xyzw")


def test_only_what_speaks_of_the_terms_variables_is_taken() -> None:
    about_x, about_both, about_y = X.ult(5), X.ult(Y), Y.ult(3)
    slices = Slices([about_x, about_both, about_y])
    assert slices.around(X.eq(2)) == [about_x]
    assert set(slices.around(X.eq(Y))) == {about_x, about_both, about_y}


def test_definitions_are_followed() -> None:
    defined, of_y, elsewhere = X.eq(Y + Z), Y.ult(3), W.ult(2)
    slices = Slices([defined, of_y, elsewhere])
    assert set(slices.around(X.eq(2))) == {defined, of_y}


def test_a_truth_value_that_is_not_equal_to_another_is_defined_by_it() -> None:
    flag = t.var("flag", 0)
    defined, of_y = t.negate(flag).eq(Y.ult(W)), Y.ult(3)
    assert defined.op == "not"
    assert set(Slices([defined, of_y]).around(flag)) == {defined, of_y}
    # That bit vectors differ defines nothing.
    assert Slices([X.ne(Y), of_y]).around(X.eq(2)) == []


def test_conjunctions_are_taken_apart() -> None:
    both = t.conj([X.ult(5), Y.ult(3)])
    assert set(conjuncts(both)) == {X.ult(5), Y.ult(3)}
    assert conjuncts(X.ult(5)) == (X.ult(5),)
    # A bit vector's `and` is no conjunction.
    assert conjuncts(X & Y) == (X & Y,)
    assert Slices([both]).around(X.eq(2)) == [X.ult(5)]


def atoms() -> st.SearchStrategy[Term]:
    values = st.sampled_from([X, Y, Z, W, X + Y, Y & Z, t.const(3, 4)])
    pairs = st.tuples(values, values)
    return st.one_of(
        pairs.map(lambda p: p[0].eq(p[1])),
        pairs.map(lambda p: p[0].ult(p[1])),
        pairs.map(lambda p: p[0].ne(p[1])),
    )


@given(st.lists(atoms(), max_size=6), atoms(), st.tuples(*[st.integers(0, 15)] * 4))
def test_a_part_holds_wherever_the_whole_does(
    context: list[Term], term: Term, values: tuple[int, ...]
) -> None:
    env = dict(zip("xyzw", values, strict=True))
    if all(t.evaluate(context, env)):
        assert all(t.evaluate(Slices(context).around(term), env))
