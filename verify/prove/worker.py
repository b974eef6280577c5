"""One solver in a forked process, which can be killed at any time.

The child inherits the goals, so that no formula is sent: a request is a `Part` (three numbers of
8 bytes), the reply a marshalled tuple with its length (8 bytes) before it. A child that ends
without a reply has crashed. It dies with its parent (with the thread that forked it), ignores ^C
(the parent kills it) and is silent.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import marshal
import os
import resource
import signal
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

from verify.prove.goal import UNKNOWN, Answer, Goal
from verify.prove.solvers.backend import Backend

_PR_SET_PDEATHSIG = 1
_REQUEST = struct.Struct("3q")
_LENGTH = struct.Struct("q")
_libc = ctypes.CDLL(None)


class Part(NamedTuple):
    """A goal by its number and, of its alternatives, those from `first` to before `last`."""

    number: int
    first: int = 0
    last: int = 0

    @property
    def size(self) -> int:
        """How many alternatives."""
        return self.last - self.first


class Worker:
    """A process that answers one goal after another with the solver that `make` gives.

    `limit`: seconds for each of several alternatives, after which it is undecided. `memory`: bytes
    that it may allocate beyond what it inherits. There is no process before `start`: who calls it
    can note the worker first, so that ^C finds it.
    """

    def __init__(
        self,
        solver: str,
        make: Callable[[], Backend],
        goals: Sequence[Goal],
        limit: float,
        memory: int,
    ) -> None:
        self.solver = solver
        self.pid = 0
        self.replies = self._requests = -1
        self._make = make
        self._goals = goals
        self._limit = limit
        self._memory = memory
        # What is shared with files comes to the child only when it looks at it.
        self._inherited = _statm(1) - _statm(2)
        self._buffer = bytearray()

    def start(self) -> None:
        """Fork. Raises OSError when no process can be had."""
        parent = os.getpid()
        # A ^C in the child before it ignores it would run the parent's code there; here it would
        # lose the process.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            requests, self._requests = os.pipe()
            try:
                self.replies, replies = os.pipe()
                try:
                    self.pid = os.fork()
                    if not self.pid:
                        os.close(self._requests)
                        self._child(parent, mask, requests, replies)
                finally:
                    os.close(replies)
            finally:
                os.close(requests)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def ask(self, part: Part) -> None:
        """Start on a goal, or on a part of it."""
        with contextlib.suppress(BrokenPipeError):  # it has died: the reply will tell
            os.write(self._requests, _REQUEST.pack(*part))

    def read(self) -> Answer | None:
        """The answer, or None when only a part of it is there; waits while nothing is.

        After an unknown the worker takes no more goals.
        """
        part = os.read(self.replies, 1 << 20)
        if not part:
            return Answer(UNKNOWN, reason=self._death())
        self._buffer += part
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if len(self._buffer) < _LENGTH.size + length:
            return None
        status, model, reason, possible, undecided = marshal.loads(self._buffer[_LENGTH.size :])
        self._buffer.clear()
        return Answer(status, model, reason, possible=possible, undecided=undecided)

    def _death(self) -> str:
        _, status, usage = os.wait4(self.pid, 0)
        self.pid = 0
        if os.WIFSIGNALED(status):
            text = f"crashed (signal {os.WTERMSIG(status)})"
        else:
            text = f"ended without an answer (exit status {os.WEXITSTATUS(status)})"
        # A solver that cannot allocate may end like this instead of telling.
        full = usage.ru_maxrss * 1024 - self._inherited > self._memory // 2
        return f"{text}, perhaps out of memory" if full else text

    def stop(self) -> None:
        """Begin to end it; `kill` waits until it has."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End it at once and leave no zombie; may be called again."""
        self.stop()
        if self.pid:
            os.waitpid(self.pid, 0)
            self.pid = 0
        for fd in (self._requests, self.replies):
            if fd >= 0:
                os.close(fd)
        self._requests = self.replies = -1

    def _child(self, parent: int, mask: set[Any], requests: int, replies: int) -> NoReturn:
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == parent:
                gc.disable()
                silence = os.open(os.devnull, os.O_RDWR)
                os.dup2(silence, 1)
                os.dup2(silence, 2)
                faulthandler.disable()
                _limit(self._memory)
                _serve(self._make, self._goals, self._limit, requests, replies)
        finally:
            os._exit(1)


def _limit(memory: int) -> None:
    """Let malloc fail after `memory` more bytes."""
    data = _statm(5)
    resource.setrlimit(resource.RLIMIT_DATA, (data + memory, data + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _statm(field: int) -> int:
    """A field of /proc/self/statm, in bytes: 1 is the resident memory, 2 that of files, 5 data
    and stack."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[field]) * resource.getpagesize()


def _serve(
    make: Callable[[], Backend],
    goals: Sequence[Goal],
    limit: float,
    requests: int,
    replies: int,
) -> None:
    backend: Backend | None = None
    answer = Answer("")
    while answer.status != UNKNOWN and (request := os.read(requests, _REQUEST.size)):
        try:
            part = Part(*_REQUEST.unpack(request))
            goal = goals[part.number]
            if goal.alternatives is not None:
                some = slice(part.first, part.last)
                of = None if goal.subjects is None else goal.subjects[some]
                goal = replace(goal, alternatives=goal.alternatives[some], subjects=of)
            backend = backend or make()
            answer = backend.solve(goal, limit if part.size > 1 else None)
            reason = ""
            if answer.status == UNKNOWN:
                reason = f"gave up ({backend.excuse})" if backend.excuse else "gave up"
        except MemoryError:
            answer, reason = Answer(UNKNOWN), "ran out of memory"
        except Exception as error:
            answer, reason = Answer(UNKNOWN), f"failed: {type(error).__name__}: {error}"
        data = marshal.dumps(
            (answer.status, answer.model, reason, answer.possible, answer.undecided)
        )
        data = _LENGTH.pack(len(data)) + data
        while data:
            data = data[os.write(replies, data) :]
