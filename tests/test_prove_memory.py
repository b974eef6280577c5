"""Excluded alternatives are not asked twice, and no answer changes for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from verify.encode import term as t
from verify.encode.term import Term
from verify.prove.goal import SAT, UNKNOWN, UNSAT, Answer, Goal
from verify.prove.memory import remembering

TERMS = [t.var(f"in/{i}", 0) for i in range(6)]
NEVER, MAYBE = set(TERMS[:3]), set(TERMS[3:5])


class Solver:
    """Excludes NEVER, finds MAYBE possible, and does not know the rest."""

    def __init__(self) -> None:
        self.asked: list[Term] = []

    def __call__(self, goals: Sequence[Goal]) -> Mapping[str, Answer]:
        return {goal.name: self.answer(goal) for goal in goals}

    def answer(self, goal: Goal) -> Answer:
        if goal.alternatives is None:
            return Answer(SAT, {"in/0": 1})
        self.asked += goal.alternatives
        possible = frozenset(i for i, a in enumerate(goal.alternatives) if a in MAYBE)
        known = NEVER | MAYBE
        undecided = frozenset(i for i, a in enumerate(goal.alternatives) if a not in known)
        status = SAT if possible else UNKNOWN if undecided else UNSAT
        # One that knows nothing at all need not say of what.
        silent = len(undecided) == len(goal.alternatives)
        return Answer(status, possible=possible, undecided=frozenset() if silent else undecided)


@given(st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(TERMS), max_size=5)), max_size=6))
def test_the_answers_are_the_same(questions: list[tuple[bool, list[Term]]]) -> None:
    plain, solver = Solver(), Solver()
    ask = remembering(solver)
    for bare, alternatives in questions:
        goal = Goal("g", () if bare else (TERMS[0],), (), tuple(alternatives))
        expected, found = plain([goal])["g"], ask([goal])["g"]
        items = range(len(alternatives))
        assert found.possible == expected.possible
        assert found.not_excluded(items) == expected.not_excluded(items)


def test_what_is_excluded_without_assertions_is_asked_once() -> None:
    solver = Solver()
    ask = remembering(solver)
    bare, bound = Goal("bare", (), (), tuple(TERMS)), Goal("bound", (TERMS[0],), (), tuple(TERMS))
    ask([bound])
    ask([bare])
    assert solver.asked == TERMS * 2
    ask([bare])
    assert solver.asked == TERMS * 2 + TERMS[3:]
    ask([bound])
    assert len(solver.asked) == 21
    assert ask([Goal("model", ())])["model"].model == {"in/0": 1}
