"""The simplifier keeps the meaning: random expressions against the same arithmetic on ints."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verify.encode import term as t
from verify.encode.evaluation import Evaluation
from verify.encode.term import Term

NAMES = ("a", "b", "c")
Meaning = Callable[[dict[str, int]], int]
Pair = tuple[Term, Meaning]


def signed(value: int, width: int) -> int:
    return value - (1 << width) if value >> (width - 1) else value


def divide(x: int, y: int) -> tuple[int, int]:
    """Quotient and remainder as C defines them."""
    quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
    return quotient, x - quotient * y


def meaning(op: str, x: int, y: int, w: int) -> int:
    """The operators by SMT-LIB's definitions, on ints."""
    sx, sy = signed(x, w), signed(y, w)
    match op:
        case "&":
            return x & y
        case "|":
            return x | y
        case "^":
            return x ^ y
        case "+":
            return x + y
        case "-":
            return x - y
        case "*":
            return x * y
        case "<<":
            return x * (1 << y)
        case ">>":
            return x // (1 << y)
        case "sar":
            return sx // (1 << y)
        case "udiv":
            return x // y if y else -1
        case "urem":
            return x % y if y else x
        case "sdiv":
            return divide(sx, sy)[0] if sy else (-1 if sx >= 0 else 1)
        case "srem":
            return divide(sx, sy)[1] if sy else x
        case "eq":
            return int(x == y)
        case "ne":
            return int(x != y)
        case "ult":
            return int(x < y)
        case "ule":
            return int(x <= y)
        case "slt":
            return int(sx < sy)
        case "sle":
            return int(sx <= sy)
    raise AssertionError(op)


OPERATORS: dict[str, Callable[[Term, Term], Term]] = {
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "sar": Term.sar,
    "udiv": Term.udiv,
    "urem": Term.urem,
    "sdiv": Term.sdiv,
    "srem": Term.srem,
}
COMPARISONS = ("eq", "ne", "ult", "ule", "slt", "sle")


def mask(width: int) -> int:
    return (1 << width) - 1


def bound(width: int) -> int:
    """What the variable `h` of this width does not exceed."""
    return mask(width) * 2 // 3


@st.composite
def vectors(draw: st.DrawFn, width: int, depth: int) -> Pair:
    """A term of `width` bits and what it means."""
    kinds = ["var", "const"] if depth == 0 else ["bin", "bin", "ite", "not", "resize", "concat"]
    kind = draw(st.sampled_from(kinds))
    if kind == "var":
        name = draw(st.sampled_from((*NAMES, "h"))) + str(width)
        limit = bound(width) if name[0] == "h" else None
        return t.var(name, width, limit), lambda env: env[name] & mask(width)
    if kind == "const":
        edge = st.sampled_from([0, 1, mask(width), 1 << (width - 1), mask(width) >> 1])
        value = draw(st.one_of(edge, st.integers(0, mask(width))))
        return t.const(value, width), lambda env: value
    if kind == "bin":
        op = draw(st.sampled_from(sorted(OPERATORS)))
        (x, fx), (y, fy) = (draw(vectors(width, depth - 1)) for _ in "xy")
        return OPERATORS[op](x, y), lambda env: meaning(op, fx(env), fy(env), width) & mask(width)
    if kind == "not":
        x, fx = draw(vectors(width, depth - 1))
        return ~x, lambda env: fx(env) ^ mask(width)
    if kind == "ite":
        c, fc = draw(truths(depth - 1))
        (x, fx), (y, fy) = (draw(vectors(width, depth - 1)) for _ in "xy")
        return t.ite(c, x, y), lambda env: fx(env) if fc(env) else fy(env)
    if kind == "concat" and width > 1:
        low = draw(st.integers(1, width - 1))
        x, fx = draw(vectors(width - low, depth - 1))
        y, fy = draw(vectors(low, depth - 1))
        return t.concat(x, y), lambda env: fx(env) << low | fy(env)
    inner = draw(st.integers(1, 8))
    x, fx = draw(vectors(inner, depth - 1))
    if inner >= width:
        low = draw(st.integers(0, inner - width))
        return x.extract(low + width - 1, low), lambda env: fx(env) >> low & mask(width)
    if draw(st.booleans()):
        return x.zext(width), fx
    return x.sext(width), lambda env: signed(fx(env), inner) & mask(width)


@st.composite
def truths(draw: st.DrawFn, depth: int) -> Pair:
    """A truth value and what it means."""
    kind = draw(
        st.sampled_from(["cmp", "cmp"] if depth <= 0 else ["cmp", "cmp", "n", "n", "~", "i"])
    )
    if kind == "cmp":
        width = draw(st.integers(1, 4))
        op = draw(st.sampled_from(COMPARISONS))
        (x, fx), (y, fy) = (draw(vectors(width, max(depth - 1, 0))) for _ in "xy")
        return getattr(x, op)(y), lambda env: meaning(op, fx(env), fy(env), width)
    if kind == "~":
        x, fx = draw(truths(depth - 1))
        return ~x, lambda env: 1 - fx(env)
    if kind == "i":
        (c, fc), (x, fx), (y, fy) = (draw(truths(depth - 1)) for _ in "cxy")
        return t.ite(c, x, y), lambda env: fx(env) if fc(env) else fy(env)
    parts = draw(st.lists(truths(depth - 1), min_size=1, max_size=4))
    terms = [p[0] for p in parts]
    if draw(st.booleans()):
        return t.conj(terms), lambda env: int(all([p[1](env) for p in parts]))
    return t.disj(terms), lambda env: int(any([p[1](env) for p in parts]))


environments = st.fixed_dictionaries(
    {f"{n}{w}": st.integers(0, mask(w)) for n in NAMES for w in range(1, 9)}
    | {f"h{w}": st.integers(0, bound(w)) for w in range(1, 9)}
)


@settings(max_examples=250)
@given(vectors(8, 3) | vectors(4, 4) | truths(4), st.lists(environments, min_size=4, max_size=8))
def test_meaning_is_kept(pair: Pair, envs: list[dict[str, int]]) -> None:
    term, expected = pair
    again = Evaluation([term])
    for env in envs:
        value = t.evaluate([term], env)[0]
        assert value == expected(env), term
        assert again(env) == [value], term
        assert value <= term.hi, term


def test_many_terms_are_evaluated_without_depth() -> None:
    many = [t.var(f"p{i}", 0) for i in range(10_000)]
    run = Evaluation([t.conj(many)])
    env = {str(v.name): 1 for v in many}
    assert (run(env), run({**env, "p77": 0})) == ([1], [0])


@settings(max_examples=150)
@given(truths(4), environments, environments)
def test_substitution_is_evaluation(pair: Pair, env: dict[str, int], other: dict[str, int]) -> None:
    term = pair[0]
    values = {v: t.const(env[str(v.name)], v.width) for v in t.free_vars([term])}
    assert t.substitute([term], values)[0] is t.const(t.evaluate([term], env)[0], 0)
    renamed = {v: t.var(str(v.name) + "'", v.width, v.hi) for v in t.free_vars([term])}
    there = t.substitute([term], renamed)
    assert t.evaluate(there, {n + "'": v for n, v in other.items()}) == t.evaluate([term], other)


def test_parts_are_replaced_as_variables_are() -> None:
    x, y = t.var("x", 8), t.var("y", 8)
    same = x.eq(y)
    term = t.ite(same, x, y + 1)
    assert t.substitute([term], {same: t.false, y: x}) == [x + 1]


X, Y = t.var("x", 8), t.var("y", 8)
P, Q, R = (t.var(n, 0) for n in "pqr")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (t.ite(X.ne(Y), Y, X), Y),
        (t.ite(P, t.const(1, 32), t.const(0, 32)).nonzero(), P),
        (P & ~P, t.false),
        (P | ~P, t.true),
        (P | (~P & Q), P | Q),
        ((P & Q) | (P & ~Q), P),
        (t.disj([P, ~P & Q, ~P & ~Q]), t.true),
        (X.ult(3) & X.ult(5), X.ult(3)),
        (X.ult(3) | X.ult(5), X.ult(5)),
        (X.ult(3) & ~X.ult(5), t.false),
        ((X & 4).nonzero(), ((X >> 2) & 1).eq(1)),
        ((X & 4).eq(4), X.extract(2, 2).eq(1)),
        (X.ule(Y), ~Y.ult(X)),
        ((X + 3) + 5, X + 8),
        (X - 3, X + 253),
        (X.zext(16) & 0xFF, X.zext(16)),
        (t.concat(X.extract(7, 4), X.extract(3, 0)), X),
        (t.const(8, 8).ult(t.ite(X.ule(8), X, t.const(8, 8))), t.false),
        (t.const(3, 8).ult(t.ite(t.const(8, 8).ult(X), t.const(8, 8), X)), t.const(3, 8).ult(X)),
        (t.ite(P, X, t.ite(Q, X, Y)), t.ite(P | Q, X, Y)),
    ],
)
def test_meets(left: Term, right: Term) -> None:
    assert left is right


def test_long_chains_need_no_stack() -> None:
    value: Term = t.const(0, 16)
    for i in range(3000):
        value = t.ite(t.var(f"c{i}", 0), t.const(i, 16), value)
    test = value.eq(2999)
    assert t.evaluate([test, value], {"c2999": 1}) == [1, 2999]
    deep = t.var("d", 8)
    for i in range(3000):
        deep = (deep + i) ^ X
    changed = t.substitute([deep], {X: Y})[0]
    assert t.free_vars([changed]) == [Y, t.var("d", 8)] or len(t.free_vars([changed])) == 2
    assert t.size([deep]) > 3000


@given(st.integers(0, 2**8 - 1), st.integers(0, 2**8 - 1))
def test_the_lowest_bit_is_dropped_as_often_as_there_can_be_one(among: int, value: int) -> None:
    """`while (n) n &= n - 1` ends for all values of n at once."""
    bits, rounds = t.var("lamp", 8) & among, 0
    expected = value & among
    while bits.op != "const":
        assert t.evaluate([bits], {"lamp": value}) == [expected]
        expected &= expected - 1
        bits = bits & (bits - 1) if rounds % 2 else (bits - 1) & bits
        rounds += 1
    assert bits.value == expected == 0
    assert rounds <= among.bit_count()


@pytest.mark.parametrize("less", range(9))
def test_signed_comparisons_of_differences(less: int) -> None:
    """What is not negative, less a constant, is compared as it is."""
    x = t.var("x", 4, 7)
    for key in range(16):
        below, above = (x - less).slt(key), t.const(key, 4).slt(x - less)
        assert not any(part.op == "slt" for part in t.reachable([below, above]))
        for value in range(8):
            difference, signed = value - less, key - 16 if key > 7 else key
            expected = [int(difference < signed), int(difference > signed)]
            assert t.evaluate([below, above], {"x": value}) == expected


@pytest.mark.parametrize("less", range(9))
def test_low_bits_of_differences(less: int) -> None:
    """`(u8)(x - 1) == 0` is `x == 1` where x has no more bits."""
    x = t.var("x", 16, 8)
    for key in range(256):
        term = (x - less).extract(7, 0).eq(key)
        assert term is x.eq(t.const((key + less) % 256, 16))
        for value in range(9):
            assert t.evaluate([term], {"x": value}) == [int((value - less) % 256 == key)]


def test_widths_must_agree() -> None:
    with pytest.raises(ValueError, match="8 and 16"):
        X & t.var("w", 16)
    with pytest.raises(TypeError):
        bool(P)


def test_what_was_made_before_has_no_say_in_the_order() -> None:
    """Solvers choose among right answers by it: a run would tell another one after a run."""
    later, first = t.var("a later one", 8), t.var("the first one", 8)
    assert first.eq(later).args == (later, first)
    with t.fresh():
        first, later = t.var("the first one", 8), t.var("a later one", 8)
        assert first.eq(later).args == (first, later)
        assert (first & t.const(0, 8)).eq(0) is t.true
    assert t.var("the first one", 8) is not first


def test_what_is_remembered_of_terms_goes_with_them() -> None:
    asked: list[t.Term] = []

    @t.remembered
    def name(term: t.Term) -> str:
        asked.append(term)
        return str(term.name)

    with t.fresh():
        x = t.var("x", 8)
        assert [name(x), name(x)] == ["x", "x"]
        assert asked == [x]
    name(x)
    assert asked == [x, x]
