"""Many goals to solvers in processes that can be killed.

Every goal goes to the first solver. One that is not answered within a slice of time, or not
properly, goes to the other solvers as well; the first definite answer counts.

Processes are forked for each batch of goals and inherit its terms: to send new terms to processes
that stay costs more code and saves a few milliseconds. What the first solver makes of the terms is
built here, before the fork, once for all batches and all processes.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

from verify.encode import term as t
from verify.errors import InternalError
from verify.prove.goal import SAT, UNKNOWN, UNSAT, Answer, Goal
from verify.prove.solvers import SOLVERS
from verify.prove.solvers.backend import Backend
from verify.prove.worker import Worker

SLICE_SECONDS = 1.5
MEMORY_BYTES = 512 << 20

Make = Callable[[], Backend]


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
    jobs + 2 processes. `timeout`: seconds for one goal, all solvers together. `memory`: bytes that
    one process may allocate. `solvers`: in the order in which they are asked. All processes are
    gone when the iterator ends or is closed. Raises InternalError when solvers contradict each
    other; everything else that goes wrong is the reason of an unknown answer.
    """
    hard = []
    for goal in goals:
        answer = _trivial(goal)
        if answer is None:
            hard.append(goal)
        else:
            yield goal, answer
    if hard:
        batch = _Batch(hard, solvers, max(jobs, 1), timeout, slice_seconds, memory)
        try:
            yield from batch.run()
        finally:
            batch.kill()


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


@cache
def _inherited(make: Make) -> Backend:
    """The solver of this process, which only builds terms; its forks ask it."""
    return make()


class _Case:
    """A goal in work: who works on it, who has been asked or not, and who failed and why."""

    def __init__(self, number: int, goal: Goal, solvers: Sequence[str]) -> None:
        self.number = number
        self.goal = goal
        self.began = time.monotonic()
        self.running: list[Worker] = []
        self.untried = list(solvers)
        self.asked: list[str] = []
        self.failures: list[str] = []

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def unknown(self, reasons: Sequence[str]) -> Answer:
        return Answer(UNKNOWN, reason="; ".join(reasons), seconds=self.seconds())


class _Batch:
    def __init__(
        self,
        goals: Sequence[Goal],
        solvers: Mapping[str, Make],
        jobs: int,
        timeout: float,
        slice_seconds: float,
        memory: int,
    ) -> None:
        self.waiting = deque(enumerate(goals))
        self.goals = goals
        self.solvers = dict(solvers)
        self.jobs = jobs
        self.timeout = timeout
        self.slice = min(slice_seconds, timeout / 4)
        self.memory = memory
        self.cases: list[_Case] = []
        self.workers: list[Worker] = []
        self.idle: list[Worker] = []
        first = next(iter(solvers))
        # What fails here fails again in the processes, which report it.
        with contextlib.suppress(Exception):
            backend = _inherited(solvers[first])
            self.solvers[first] = lambda: backend
            for goal in goals:
                backend.build([*goal.assertions, *(goal.alternatives or ())])

    def run(self) -> Iterator[tuple[Goal, Answer]]:
        """The answers as they come."""
        while self.waiting or self.cases:
            while self.waiting and len(self.cases) < self.jobs:
                case = _Case(*self.waiting.popleft(), list(self.solvers))
                self.cases.append(case)
                self._ask(case)
            replies = self._replies()
            for case in list(self.cases):
                answer = self._settle(case, replies.get(case.number, []))
                if answer is not None:
                    self.cases.remove(case)
                    yield case.goal, answer

    def kill(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.stop()
        while self.workers:
            self.workers.pop().kill()

    def _ask(self, case: _Case) -> None:
        """Give the case to the next solver that it has not been given to."""
        solver = case.untried.pop(0)
        case.asked.append(solver)
        worker = next((w for w in self.idle if w.solver == solver), None)
        if worker is None:
            try:
                worker = Worker(solver, self.solvers[solver], self.goals, self.memory)
            except OSError as error:
                case.failures.append(f"{solver} cannot be started ({error.strerror})")
                return
            self.workers.append(worker)
        else:
            self.idle.remove(worker)
        worker.ask(case.number)
        case.running.append(worker)

    def _drop(self, worker: Worker) -> None:
        worker.kill()
        self.workers.remove(worker)

    def _replies(self) -> dict[int, list[tuple[Worker, Answer]]]:
        """Replies by case, after a wait for the first, or for what is next by the clock."""
        poll = select.poll()
        owner = {}
        for case in self.cases:
            for worker in case.running:
                owner[worker.replies] = case, worker
                poll.register(worker.replies, select.POLLIN)
        found: dict[int, list[tuple[Worker, Answer]]] = {}
        for fd, _ in poll.poll(max(0.0, self._next_event()) * 1000 + 1):
            case, worker = owner[fd]
            reply = worker.read()
            if reply is not None:
                found.setdefault(case.number, []).append((worker, reply))
        return found

    def _racing(self) -> bool:
        return any(len(case.asked) > 1 for case in self.cases)

    def _next_event(self) -> float:
        """Seconds until a case times out, may be raced, or has nobody who works on it."""
        limits = [self.timeout - case.seconds() for case in self.cases]
        if not self._racing():
            limits += [self.slice - case.seconds() for case in self.cases if case.untried]
        limits += [0 for case in self.cases if not case.running]
        return min(limits)

    def _settle(self, case: _Case, replies: Sequence[tuple[Worker, Answer]]) -> Answer | None:
        """The answer that ends a case, if it has one; else see to it that somebody works on it."""
        definite: list[tuple[Worker, Answer]] = []
        for worker, reply in replies:
            case.running.remove(worker)
            reason = reply.reason
            if reply.status == SAT and not _is_shown(case.goal, reply):
                reason = "gave a wrong model"
            if reason:
                case.failures.append(f"{worker.solver} {reason}")
                self._drop(worker)
            else:
                definite.append((worker, reply))
                self.idle.append(worker)
        if definite:
            return self._definite(case, definite)
        if case.seconds() >= self.timeout:
            self._stop(case)
            reason = f"time-out after {self.timeout:g} s ({', '.join(case.asked)})"
            return case.unknown([reason, *case.failures])
        late = case.seconds() >= self.slice and not self._racing()
        while case.untried and (late or not case.running):
            self._ask(case)
        return None if case.running else case.unknown(case.failures)

    def _definite(self, case: _Case, answers: Sequence[tuple[Worker, Answer]]) -> Answer:
        if len({(reply.status, reply.possible) for _, reply in answers}) > 1:
            said = ", ".join(f"{w.solver} says {r.status}" for w, r in answers)
            raise InternalError(f"solvers contradict each other on {case.goal.name}: {said}")
        self._stop(case)
        worker, reply = answers[0]
        wanted = reply.model if case.goal.wanted is None else case.goal.wanted
        model = {name: reply.model[name] for name in wanted if name in reply.model}
        return replace(reply, model=model, seconds=case.seconds(), solver=worker.solver)

    def _stop(self, case: _Case) -> None:
        for worker in case.running:
            self._drop(worker)
        case.running.clear()


def _is_shown(goal: Goal, answer: Answer) -> bool:
    """The model is one. Alternatives need none: to call too many possible proves nothing."""
    if goal.alternatives is not None:
        return True
    return all(t.evaluate(goal.assertions, answer.model)) and all(
        answer.model.get(str(v.name), 0) <= v.hi for v in t.free_vars(goal.assertions)
    )
