"""Alternatives that were excluded once, whatever else is asked: they are not asked again.

Inference asks much the same again and again, round after round and for each hardware parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from verify.encode.term import Term
from verify.prove.ask import Solve
from verify.prove.goal import UNKNOWN, Answer, Goal


def remembering(solve: Solve) -> Solve:
    """The same answers; of goals without assertions, an excluded alternative is asked once."""
    excluded: dict[Term, None] = {}

    def ask(goals: Sequence[Goal]) -> Mapping[str, Answer]:
        places = {goal.name: _open(goal, excluded) for goal in goals}
        answers = solve([_only(goal, places[goal.name]) for goal in goals])
        result = {}
        for goal in goals:
            where, answer = places[goal.name], answers[goal.name]
            if not goal.assertions and goal.alternatives is not None:
                left = set(answer.not_excluded(where))
                excluded.update((goal.alternatives[i], None) for i in where if i not in left)
                answer = _placed(answer, where)
            result[goal.name] = answer
        return result

    return ask


def _open(goal: Goal, excluded: Mapping[Term, None]) -> list[int]:
    """The alternatives that are to be asked."""
    alternatives = goal.alternatives or ()
    known = () if goal.assertions else excluded
    return [i for i, term in enumerate(alternatives) if term not in known]


def _only(goal: Goal, where: Sequence[int]) -> Goal:
    if goal.alternatives is None:
        return goal
    return replace(goal, alternatives=tuple(goal.alternatives[i] for i in where))


def _placed(answer: Answer, where: Sequence[int]) -> Answer:
    """The answer with the alternatives' numbers in the whole goal."""
    undecided = {where[i] for i in answer.undecided}
    if answer.status == UNKNOWN and not undecided:
        undecided = set(where)
    possible = frozenset(where[i] for i in answer.possible)
    return replace(answer, possible=possible, undecided=frozenset(undecided))
