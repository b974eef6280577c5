"""Many goals to solvers in processes that can be killed: what engines ask."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence

from verify.encode import term as t
from verify.prove.goal import SAT, UNKNOWN, UNSAT, Answer, Goal
from verify.prove.race import Make, Race
from verify.prove.solvers import SOLVERS
from verify.prove.worker import Part

SLICE_SECONDS = 1.5
MEMORY_BYTES = 512 << 20
# Fewer alternatives are not worth a second process.
_SMALLEST_PART = 4


def solve_all(
    goals: Sequence[Goal],
    *,
    jobs: int,
    timeout: float,
    solvers: Mapping[str, Make] = SOLVERS,
    slice_seconds: float = SLICE_SECONDS,
    memory: int = MEMORY_BYTES,
) -> Generator[tuple[Goal, Answer], None, None]:
    """Each goal with its answer, in the order in which they come.

    `jobs`: goals in work at once; one of them at a time is raced, so that there are at most
    jobs + 2 processes. `timeout`: seconds for one goal (or one of its alternatives), all solvers
    together. `memory`: bytes that one process may allocate. `solvers`: in the order in which they
    are asked. All processes are gone when the iterator ends or is closed. Raises InternalError
    when solvers contradict each other; everything else that goes wrong is the reason of an unknown
    answer.
    """
    hard = []
    for goal in goals:
        answer = _trivial(goal)
        if answer is None:
            hard.append(goal)
        else:
            yield goal, answer
    if not hard:
        return
    jobs = max(jobs, 1)
    race = Race(hard, solvers, jobs, timeout, slice_seconds, memory)
    wholes = [_Whole() for _ in hard]
    for part in _parts(hard, jobs):
        wholes[part.number].open += 1
        race.add(part)
    try:
        for part, answer in race.run():
            goal, whole = hard[part.number], wholes[part.number]
            if goal.alternatives is None:
                yield goal, answer
                continue
            for single in whole.take(part, answer):
                race.add(single)
            if not whole.open:
                yield goal, whole.answer()
    finally:
        race.kill()


def _trivial(goal: Goal) -> Answer | None:
    """The answer that needs no solver."""
    if any(a is t.false for a in goal.assertions):
        return Answer(UNSAT, solver="simplifier")
    if goal.alternatives is not None:
        if all(a is t.false for a in goal.alternatives):
            return Answer(UNSAT, solver="simplifier")
    elif all(a is t.true for a in goal.assertions):
        return Answer(SAT, solver="simplifier")
    return None


def _parts(goals: Sequence[Goal], jobs: int) -> Iterator[Part]:
    """The goals; one that has a large share of all alternatives in parts."""
    total = sum(len(goal.alternatives or ()) for goal in goals)
    share = max(-(-total // jobs), _SMALLEST_PART)
    for number, goal in enumerate(goals):
        count = len(goal.alternatives or ())
        for first in range(0, max(count, 1), share):
            yield Part(number, first, min(first + share, count))


class _Whole:
    """A goal with alternatives, from the answers to its parts."""

    def __init__(self) -> None:
        self.open = 0
        self.possible: set[int] = set()
        self.undecided: set[int] = set()
        self.solvers: set[str] = set()
        self.reasons: dict[str, None] = {}
        self.began = time.monotonic()

    def take(self, part: Part, answer: Answer) -> list[Part]:
        """Note the answer to a part; the parts to ask instead where it leaves some undecided."""
        self.open -= 1
        self.possible |= {part.first + i for i in answer.possible}
        if answer.status != UNKNOWN:
            self.solvers.add(answer.solver)
            return []
        undecided = [part.first + i for i in sorted(answer.undecided or range(part.size))]
        if part.size > 1:
            self.open += len(undecided)
            return [Part(part.number, i, i + 1) for i in undecided]
        self.undecided |= set(undecided)
        self.reasons[answer.reason] = None
        return []

    def answer(self) -> Answer:
        """Of the whole, when nothing is open."""
        return Answer(
            UNKNOWN if self.undecided else SAT if self.possible else UNSAT,
            reason="; ".join(self.reasons),
            seconds=time.monotonic() - self.began,
            solver="" if self.undecided else ", ".join(sorted(self.solvers)),
            possible=frozenset(self.possible),
            undecided=frozenset(self.undecided),
        )
