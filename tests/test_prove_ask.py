"""What is excluded with less is excluded with more, never the other way round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from verify.encode import term as t
from verify.encode.term import Term
from verify.prove.ask import Asker, Question
from verify.prove.goal import SAT, UNSAT, Answer, Goal

NAMES = "xyz"
X, Y, Z = (t.var(name, 2) for name in NAMES)
STATES = [dict(zip(NAMES, values, strict=True)) for values in product(range(4), repeat=3)]


def can_hold(terms: Sequence[Term]) -> bool:
    return any(all(t.evaluate(terms, state)) for state in STATES)


class BruteForce:
    """A solver of small goals; `asked` are the alternatives that it was asked about."""

    def __init__(self) -> None:
        self.asked: list[Term] = []

    def __call__(self, goals: Sequence[Goal]) -> Mapping[str, Answer]:
        return {goal.name: self._answer(goal) for goal in goals}

    def _answer(self, goal: Goal) -> Answer:
        alternatives = goal.alternatives or ()
        self.asked += alternatives
        subjects = goal.subjects or range(len(alternatives))
        found: list[int] = []
        for i, alternative in enumerate(alternatives):
            known = subjects[i] in (subjects[k] for k in found)
            if known or can_hold([*goal.assertions, alternative]):
                found.append(i)
        return Answer(SAT if found else UNSAT, possible=frozenset(found))


def test_what_has_been_excluded_is_not_asked_again() -> None:
    solver = BruteForce()
    asker = Asker(solver)
    question = Question("q", (X.ult(2),), X.eq(3))
    assert asker.each([question])[0].status == UNSAT
    solver.asked.clear()
    assert asker.each([question, Question("r", (Y.eq(0), X.ult(2)), X.eq(3))])[1].status == UNSAT
    assert not solver.asked


def test_what_a_larger_context_excluded_is_asked_again() -> None:
    asker = Asker(BruteForce())
    assert asker.each([Question("q", (X.ult(2), Y.eq(X)), Y.eq(3))])[0].status == UNSAT
    assert asker.each([Question("q", (Y.eq(X),), Y.eq(3))])[0].status == SAT


def atoms() -> st.SearchStrategy[Term]:
    values = st.sampled_from([X, Y, Z, X + Y, Y & Z, t.const(2, 2)])
    pairs = st.tuples(values, values)
    return st.one_of(pairs.map(lambda p: p[0].eq(p[1])), pairs.map(lambda p: p[0].ult(p[1])))


def questions() -> st.SearchStrategy[Question]:
    contexts = st.lists(atoms(), max_size=4).map(tuple)
    terms = st.lists(atoms(), min_size=1, max_size=2).map(t.conj)
    return st.builds(Question, st.sampled_from(["a", "b"]), contexts, terms)


@given(st.lists(st.lists(questions(), max_size=4), max_size=4))
def test_answers_are_those_of_the_whole_context(batches: list[list[Question]]) -> None:
    asker = Asker(BruteForce())
    for batch in batches:
        for question, answer in zip(batch, asker.each(batch), strict=True):
            expected = can_hold([*question.context, question.term])
            assert (answer.status == SAT) == expected


@given(st.lists(questions(), max_size=6), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_what_is_asked_about_the_same_is_answered_together(
    batch: list[Question], subjects: list[int]
) -> None:
    asked = [replace(q, about=s) for q, s in zip(batch, subjects, strict=False)]
    answers = Asker(BruteForce()).each(asked)
    truth = [can_hold([*q.context, q.term]) for q in asked]
    for question, answer, possible in zip(asked, answers, truth, strict=True):
        alike = [i for i, other in enumerate(asked) if other.about == question.about]
        assert any(answers[i].status == SAT for i in alike) == any(truth[i] for i in alike)
        assert answer.status == SAT or not possible
