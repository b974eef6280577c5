"""Which solver works on what: time slices, races, and what becomes of those that fail.

Everything goes to the first solver. What is not answered within a slice of time, or not properly,
goes to the other solvers as well; the first definite answer counts, and the rest is killed.

Processes are forked for each batch of goals and inherit its terms: to send new terms to processes
that stay costs more code and saves a few milliseconds. What the first solver makes of the terms is
built here, before the fork, once for all batches and all processes.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from verify.encode import term as t
from verify.errors import InternalError
from verify.prove.goal import SAT, UNKNOWN, Answer, Goal
from verify.prove.solvers.backend import Backend
from verify.prove.worker import Part, Worker

Make = Callable[[], Backend]


_backends: dict[Make, Backend] = {}


def _inherited(make: Make) -> Backend:
    """The solver of this process, which only builds terms; its forks ask it."""
    if make not in _backends:
        _backends[make] = make()
    return _backends[make]


@contextmanager
def isolated() -> Iterator[None]:
    """Within it answers are those of a new process (see `term.fresh`)."""
    global _backends
    outer, _backends = _backends, {}
    try:
        with t.fresh():
            yield
    finally:
        _backends = outer


class _Case:
    """A part in work: who works on it, who has been asked or not, and who failed and why."""

    def __init__(self, part: Part, goal: Goal, solvers: Sequence[str]) -> None:
        self.part = part
        self.goal = goal
        self.began = time.monotonic()
        self.running: list[Worker] = []
        # Several alternatives: what the first solver leaves undecided comes again, one by one.
        self.untried = list(solvers[:1] if part.size > 1 else solvers)
        self.asked: list[str] = []
        self.failures: list[str] = []

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def unknown(self, reasons: Sequence[str]) -> Answer:
        return Answer(UNKNOWN, reason="; ".join(reasons), seconds=self.seconds())


class Race:
    """Parts of goals in, answers out. `goals` are all that parts can be of.

    `timeout`: seconds for one part, all solvers together; `slice_seconds`: for the first solver
    before the others are asked too (a quarter of the time-out for a model), and for one
    of several alternatives. At most jobs + 2 processes, as one part at a time is raced.
    """

    def __init__(
        self,
        goals: Sequence[Goal],
        solvers: Mapping[str, Make],
        jobs: int,
        timeout: float,
        slice_seconds: float,
        memory: int,
    ) -> None:
        self._goals = goals
        self._solvers = dict(solvers)
        self._jobs = jobs
        self._timeout = timeout
        self._patience = timeout / 4
        self._slice = min(slice_seconds, self._patience)
        self._memory = memory
        self._waiting: deque[Part] = deque()
        self._cases: list[_Case] = []
        self._workers: list[Worker] = []
        self._idle: list[Worker] = []
        first = next(iter(solvers))
        # What fails here fails again in the processes, which report it.
        with contextlib.suppress(Exception):
            backend = _inherited(solvers[first])
            self._solvers[first] = lambda: backend
            for goal in goals:
                backend.build([*goal.assertions, *(goal.alternatives or ())])

    def add(self, part: Part) -> None:
        """One more, also while `run` is on."""
        self._waiting.append(part)

    def run(self) -> Iterator[tuple[Part, Answer]]:
        """The answers as they come. InternalError when solvers contradict each other."""
        while self._waiting or self._cases:
            while self._waiting and len(self._cases) < self._jobs:
                part = self._waiting.popleft()
                case = _Case(part, self._goals[part.number], list(self._solvers))
                self._cases.append(case)
                self._ask(case)
            replies = self._replies()
            for case in list(self._cases):
                answer = self._settle(case, replies.get(case.part, []))
                if answer is not None:
                    self._cases.remove(case)
                    yield case.part, answer

    def kill(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.stop()
        while self._workers:
            self._workers.pop().kill()

    def _ask(self, case: _Case) -> None:
        """Give the case to the next solver that it has not been given to."""
        solver = case.untried.pop(0)
        case.asked.append(solver)
        worker = next((w for w in self._idle if w.solver == solver), None)
        if worker is None:
            worker = Worker(solver, self._solvers[solver], self._goals, self._slice, self._memory)
            self._workers.append(worker)
            try:
                worker.start()
            except OSError as error:
                self._drop(worker)
                case.failures.append(f"{solver} cannot be started ({error.strerror})")
                return
        else:
            self._idle.remove(worker)
        worker.ask(case.part)
        case.running.append(worker)

    def _drop(self, worker: Worker) -> None:
        worker.kill()
        self._workers.remove(worker)

    def _stop(self, case: _Case) -> None:
        for worker in case.running:
            self._drop(worker)
        case.running.clear()

    def _replies(self) -> dict[Part, list[tuple[Worker, Answer]]]:
        """Replies by part, after a wait for the first, or for what is next by the clock."""
        poll = select.poll()
        owner = {}
        for case in self._cases:
            for worker in case.running:
                owner[worker.replies] = case, worker
                poll.register(worker.replies, select.POLLIN)
        found: dict[Part, list[tuple[Worker, Answer]]] = {}
        for fd, _ in poll.poll(max(0.0, self._next_event()) * 1000 + 1):
            case, worker = owner[fd]
            reply = worker.read()
            if reply is not None:
                found.setdefault(case.part, []).append((worker, reply))
        return found

    def _alone(self, case: _Case) -> float:
        """Seconds for the first solver: more for a model, as each solver has another, and which one
        people are told should not depend on how busy the machine is."""
        return self._patience if case.goal.wanted is None else self._slice

    def _racing(self) -> bool:
        return any(len(case.asked) > 1 for case in self._cases)

    def _next_event(self) -> float:
        """Seconds until a case times out, may be raced, or has nobody who works on it."""
        limits = [self._timeout - case.seconds() for case in self._cases]
        if not self._racing():
            limits += [self._alone(c) - c.seconds() for c in self._cases if c.untried]
        limits += [0 for case in self._cases if not case.running]
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
                self._idle.append(worker)
            if case.part.size > 1:
                return replace(reply, seconds=case.seconds(), solver=worker.solver)
            if not reason:
                definite.append((worker, reply))
        if definite:
            return self._definite(case, definite)
        if case.seconds() >= self._timeout:
            self._stop(case)
            reason = f"time-out after {self._timeout:g} s ({', '.join(case.asked)})"
            return case.unknown([reason, *case.failures])
        late = case.seconds() >= self._alone(case) and not self._racing()
        while case.untried and (late or not case.running):
            self._ask(case)
        return None if case.running else case.unknown(case.failures)

    def _definite(self, case: _Case, answers: Sequence[tuple[Worker, Answer]]) -> Answer:
        if len({reply.status for _, reply in answers}) > 1:
            said = ", ".join(f"{w.solver} says {r.status}" for w, r in answers)
            raise InternalError(f"solvers contradict each other on {case.goal.name}: {said}")
        self._stop(case)
        worker, reply = answers[0]
        wanted = reply.model if case.goal.wanted is None else case.goal.wanted
        model = {name: reply.model[name] for name in wanted if name in reply.model}
        return replace(reply, model=model, seconds=case.seconds(), solver=worker.solver)


def _is_shown(goal: Goal, answer: Answer) -> bool:
    """The model is one. Alternatives need none: to call too many possible proves nothing."""
    if goal.alternatives is not None:
        return True
    return all(t.evaluate(goal.assertions, answer.model)) and all(
        answer.model.get(str(v.name), 0) <= v.hi for v in t.free_vars(goal.assertions)
    )
