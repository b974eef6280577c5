"""What one case of a campaign comes to."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from types import FrameType

SECONDS = 300  # of this process, not of the machine


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kind`: what became of the case, a word or two to count by. `fault`: what the tool did that
    it must not do, "" for nothing."""

    kind: str
    fault: str = ""


Job = Callable[[Random], Outcome]
"""Makes one case by chance and tries it."""


class Endless(Exception):
    """A case does not come to an end."""


@contextmanager
def _bounded() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Endless(f"no end after {SECONDS} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def tried(job: Job, seed: str) -> Outcome:
    """One case of the job, which this seed makes again; an exception is a fault."""
    try:
        with _bounded():
            return job(Random(seed))
    except Exception:
        return Outcome("fault", traceback.format_exc())
