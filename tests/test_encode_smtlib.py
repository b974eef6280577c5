"""Terms as SMT-LIB text mean what they mean as terms, as z3's reader sees it."""

from __future__ import annotations

import io

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_encode_term import Pair, environments, truths, vectors
from verify.encode import term as t
from verify.encode.smt import Formulas
from verify.encode.smtlib import Copy, Speller, Text, constant, script, symbol, to_smtlib
from verify.encode.term import Term


def answer(text: str) -> str:
    solver = z3.Solver()
    solver.from_string(text)
    return str(solver.check())


def equalities(variables: list[Term], env: dict[str, int]) -> list[Term]:
    return [v.eq(t.const(env.get(str(v.name), 0), v.width)) for v in variables]


def whole(speller: Speller, assertions: list[Text]) -> str:
    return script(speller, (), [("", [*speller.bounds(assertions), *assertions])])


@settings(max_examples=100)
@given(vectors(8, 3) | vectors(3, 4) | truths(4), environments)
def test_the_text_means_the_term(pair: Pair, env: dict[str, int]) -> None:
    term, _ = pair
    (value,) = t.evaluate([term], env)
    inputs = equalities(t.free_vars([term]), env)
    speller = Speller()
    spelled = speller.spell(term)
    known = [speller.spell(i) for i in inputs]
    for number, expected in ((value, "sat"), (value ^ 1, "unsat")):
        same = Text(f"(= {spelled} {constant(number, term.width)})", spelled.names)
        assert answer(whole(speller, [*known, same])) == expected


@settings(max_examples=100)
@given(truths(4), environments, environments, st.sets(st.sampled_from("abch")))
def test_a_second_run_shares_what_is_not_secret(
    pair: Pair, one: dict[str, int], two: dict[str, int], secret: set[str]
) -> None:
    term, _ = pair
    speller = Speller()
    copy = Copy("a", lambda name: name[0] in secret)
    other = speller.named("claim", term, copy)
    texts = [speller.spell(i) for i in equalities(t.free_vars([term]), one)]
    doubles = [t.var(f"{v.name}'2", v.width) for v in t.free_vars([term])]
    values = {f"{name}'2": value for name, value in two.items()}
    texts += [speller.spell(i) for i in equalities(doubles, values)]
    mixed = {name: (two if name[0] in secret else one)[name] for name in one}
    (holds,) = t.evaluate([term], mixed)
    function = speller.function("function", term)
    for claim in (other, speller.call(function, copy=copy)):
        assert answer(whole(speller, [*texts, claim])) == ("sat" if holds else "unsat")


@settings(max_examples=60)
@given(truths(4), environments)
def test_a_function_takes_other_values(pair: Pair, env: dict[str, int]) -> None:
    term, _ = pair
    speller = Speller()
    function = speller.function("f", term)
    values = {
        str(v.name): Text(constant(env.get(str(v.name), 0), v.width), frozenset())
        for v in t.free_vars([term])
    }
    (holds,) = t.evaluate([term], env)
    called = speller.call(function, values)
    assert answer(whole(speller, [called])) == ("sat" if holds else "unsat")


def test_the_text_grows_with_the_number_of_terms() -> None:
    term = t.var("x", 64)
    for i in range(300):
        term = t.ite(t.var(f"c{i}", 0), term + term, term ^ (term + i))
    text = to_smtlib([term.ne(5)], ("deep",))
    assert text.startswith("; deep\n(set-logic QF_BV)\n")
    assert len(text) < 60 * t.size([term])
    assert answer(text) == "sat"


def test_one_term_has_one_name_in_all_scripts() -> None:
    speller = Speller()
    x, y, z = (t.var(f"a variable whose name is long: {i}", 8) for i in range(3))
    first, second = speller.spell((x + y).ult(z)), speller.spell(z.ult(x + y))
    one, other = ({c for c in speller.commands([s]) if "bvadd" in c} for s in (first, second))
    assert one == other and len(one) == 1


@pytest.mark.parametrize("name", ["", "a|b", "a\\b"])
def test_names_that_cannot_be_quoted(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name"):
        symbol(name)


def test_two_widths() -> None:
    speller = Speller()
    speller.spell(t.var("x", 8))
    with pytest.raises(ValueError, match="two widths"):
        speller.spell(t.var("x", 9))


@settings(max_examples=40)
@given(truths(4))
def test_pysmt_reads_the_text_as_its_own_formula(pair: Pair) -> None:
    """Two ways from terms to SMT-LIB that share nothing say the same."""
    from pysmt.shortcuts import BV, BVULE, Iff, Not, Solver, reset_env
    from pysmt.smtlib.parser import SmtLibParser

    term, _ = pair
    formulas = Formulas()
    own = formulas.formula(term)
    env = reset_env()
    read = SmtLibParser(env).get_script(io.StringIO(to_smtlib([term])))
    script_says = read.get_last_formula()
    own = env.formula_manager.normalize(own)
    with Solver(name="z3") as solver:
        for name, limit in ((v.name, v.hi) for v in t.free_vars([term]) if v.width):
            # The script says so too.
            variable = env.formula_manager.get_symbol(name)
            solver.add_assertion(BVULE(variable, BV(limit, variable.bv_width())))
        assert not solver.is_sat(Not(Iff(own, script_says)))
