"""Many questions at once, asked so that solvers have little to do.

What is impossible with a part of the context is impossible with all of it, and small questions are
answered several times as fast. So a question is asked first with the part of its context around
its term, together with those of the same name, which have most of that part in common; what that
does not exclude is asked with the whole context. What has been excluded is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from verify.encode import term as t
from verify.encode.term import Term
from verify.prove.goal import SAT, UNKNOWN, UNSAT, Answer, Goal
from verify.prove.slices import Slices, conjuncts

Solve = Callable[[Sequence[Goal]], Mapping[str, Answer]]
"""Answers goals, which have different names, by name."""


@dataclass(frozen=True, slots=True)
class Question:
    """Can `term` hold where all of the context does? Questions of one `name` are alike. When one
    can that is about something, nobody wants to know of others about the same."""

    name: str
    context: tuple[Term, ...]
    term: Term
    about: Hashable = None


@dataclass(slots=True)
class _Context:
    slices: Slices
    parts: frozenset[Term]


@dataclass(slots=True)
class _Group:
    """Questions that are asked together, by their numbers, and what they are asked with."""

    numbers: list[int] = field(default_factory=list)
    parts: dict[Term, None] = field(default_factory=dict)

    def goal(self, name: str, questions: Sequence[Question]) -> Goal:
        """What is asked."""
        asked = [questions[i] for i in self.numbers]
        terms = tuple(question.term for question in asked)
        numbers: dict[Hashable, int] = {}
        subjects = [
            k if question.about is None else numbers.setdefault(question.about, k)
            for k, question in enumerate(asked)
        ]
        return Goal(name, tuple(self.parts), (), terms, tuple(subjects))


class Asker:
    """Asks `solve`, which answers goals by name."""

    def __init__(self, solve: Solve) -> None:
        self.solve = solve
        self._contexts: dict[tuple[Term, ...], _Context] = {}
        # Per term the sets of assertions with which it is impossible.
        self._excluded: dict[Term, list[frozenset[Term]]] = {}

    def each(self, questions: Sequence[Question]) -> list[Answer]:
        """The answers in the order of the questions; without models. Sat may be the answer to
        another one about the same."""
        answers = [Answer(UNSAT, solver="simplifier")] * len(questions)
        near: dict[tuple[str, tuple[Term, ...]], _Group] = {}
        for i, question in enumerate(questions):
            if question.term is t.false or self._is_excluded(question):
                continue
            group = near.setdefault((question.name, question.context), _Group())
            group.numbers.append(i)
            slices = self._context(question).slices
            group.parts.update(dict.fromkeys(slices.around(question.term)))
        left = self._ask("near", questions, near.values(), answers)
        whole: dict[tuple[Term, ...], _Group] = {}
        for i in left:
            context = questions[i].context
            group = whole.setdefault(context, _Group(parts=dict.fromkeys(context)))
            group.numbers.append(i)
        self._ask("whole", questions, whole.values(), answers)
        return answers

    def _ask(
        self,
        stage: str,
        questions: Sequence[Question],
        groups: Iterable[_Group],
        answers: list[Answer],
    ) -> list[int]:
        """Ask each group with its parts, note the answers; the numbers of those not excluded."""
        goals = {
            f"{stage} {k} {questions[group.numbers[0]].name}": group
            for k, group in enumerate(groups)
        }
        found = self.solve([group.goal(name, questions) for name, group in goals.items()])
        left = []
        for name, group in goals.items():
            answer = found[name]
            open_ = set(answer.not_excluded(group.numbers))
            parts = frozenset(p for assertion in group.parts for p in conjuncts(assertion))
            seconds = answer.seconds / len(group.numbers)
            for k, i in enumerate(group.numbers):
                if i not in open_:
                    self._excluded.setdefault(questions[i].term, []).append(parts)
                    answers[i] = Answer(UNSAT, {}, "", seconds, answer.solver)
                elif k in answer.possible:
                    answers[i] = Answer(SAT, {}, "", seconds, answer.solver)
                else:
                    answers[i] = Answer(UNKNOWN, {}, answer.reason, seconds)
            left += sorted(open_)
        return left

    def _is_excluded(self, question: Question) -> bool:
        known = self._excluded.get(question.term, ())
        return any(parts <= self._context(question).parts for parts in known)

    def _context(self, question: Question) -> _Context:
        key = question.context
        if key not in self._contexts:
            parts = frozenset(p for assertion in key for p in conjuncts(assertion))
            self._contexts[key] = _Context(Slices(key), parts)
        return self._contexts[key]
