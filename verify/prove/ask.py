"""Many questions at once: those with the same context become one goal with alternatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from verify.encode import term as t
from verify.encode.term import Term
from verify.prove.goal import SAT, UNKNOWN, UNSAT, Answer, Goal
from verify.prove.slices import Slices

Solve = Callable[[Sequence[Goal]], Mapping[str, Answer]]
"""Answers goals, which have different names, by name."""


@dataclass(frozen=True, slots=True)
class Question:
    """Can `term` hold where all of the context does?"""

    name: str
    context: tuple[Term, ...]
    term: Term


def ask_each(solve: Solve, questions: Sequence[Question]) -> list[Answer]:
    """The answers in the order of the questions; without models.

    A question is asked with the part of its context around its term first; that is enough to
    exclude most.
    """
    asked = [i for i, question in enumerate(questions) if question.term is not t.false]
    slices: dict[tuple[Term, ...], Slices] = {}
    terms = []
    for i in asked:
        question = questions[i]
        if question.context not in slices:
            slices[question.context] = Slices(question.context)
        terms.append(t.conj((*slices[question.context].around(question.term), question.term)))
    small = solve([Goal("parts", (), (), tuple(terms))])["parts"]
    answers = [Answer(UNSAT, solver="simplifier")] * len(questions)
    for i in asked:
        answers[i] = Answer(UNSAT, seconds=small.seconds / len(asked), solver=small.solver)
    groups: dict[tuple[Term, ...], list[int]] = {}
    for i in small.not_excluded(asked):
        groups.setdefault(questions[i].context, []).append(i)
    goals = [
        Goal(f"{k} {questions[group[0]].name}", context, (), _terms(questions, group))
        for k, (context, group) in enumerate(groups.items())
    ]
    found = solve(goals)
    for goal, group in zip(goals, groups.values(), strict=True):
        answer = found[goal.name]
        open_ = set(answer.not_excluded(group))
        for k, i in enumerate(group):
            status = SAT if k in answer.possible else UNKNOWN if i in open_ else UNSAT
            reason = answer.reason if status == UNKNOWN else ""
            solver = "" if status == UNKNOWN else answer.solver
            answers[i] = Answer(status, {}, reason, answer.seconds / len(group), solver)
    return answers


def _terms(questions: Sequence[Question], group: Sequence[int]) -> tuple[Term, ...]:
    return tuple(questions[i].term for i in group)
