"""Where the time of one run goes: python -m tests.bench.stages check ...

Runs the tool's own command in this process, with a stopwatch around its stages. The last line of
the output is a JSON object: seconds by stage, and what of the tool was not found to be timed. Each
moment counts for the innermost stage alone, so that the seconds add up.
"""

import builtins
import functools
import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

IMPORT = "import"
OTHER = "other"
WAITING = ", waiting for solvers"
"""Behind the name of the stage that waits. The rest of a stage is this process' own work."""

# Names are those that the callers use. Public methods stand for all that a class can do.
STAGES: dict[str, tuple[str, ...]] = {
    "front-end": (
        "verify.inputs:open_tree",
        "verify.check:patched",
        "verify.verdicts:program_of",
        "verify.source.program:CProgram.*",
    ),
    "symbolic execution": ("verify.relations:build",),
    "invariants": (
        "verify.prove.simulate:states",
        "verify.prove.context:infer",
        "verify.prove.context:Agreement",
    ),
    "proofs": ("verify.prove.judge:Judge.judge",),
    "refutations": (
        "verify.prove.judge:Judge._find_runs",
        "verify.prove.judge:variants",
        "verify.prove.judge:consequences",
    ),
    "traces": ("verify.judged:_result",),
    WAITING: ("verify.prove.race:Race._replies",),
}


class Stopwatch:
    """Seconds by stage, from now on; `clock` gives the time."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock
        self._open = [OTHER]
        self._since = clock()

    def note(self) -> None:
        """Count the time up to now for the innermost stage."""
        now, stage = self._clock(), self._open[-1]
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted for the stage; WAITING is added to the stage around it."""

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            self.note()
            self._open.append(self._open[-1] + WAITING if stage == WAITING else stage)
            try:
                return function(*args, **options)
            finally:
                self.note()
                self._open.pop()

        return call

    def watch(self, stage: str, place: str) -> bool:
        """Time `module:name` or `module:Class.name`, for * all public methods; is it there?"""
        module, _, path = place.partition(":")
        owner: Any = self.timed(IMPORT, importlib.import_module)(module)
        *outer, name = path.split(".")
        try:
            for part in outer:
                owner = getattr(owner, part)
            public = [n for n, f in vars(owner).items() if callable(f) and not n.startswith("_")]
            for each in public if name == "*" else [name]:
                setattr(owner, each, self.timed(stage, getattr(owner, each)))
        except AttributeError:
            return False
        return True


def main(words: Sequence[str]) -> int:
    """Run the command line `words` of the tool; the exit status is the tool's."""
    watch = Stopwatch()
    builtins.__import__ = watch.timed(IMPORT, builtins.__import__)
    tool = watch.timed(IMPORT, importlib.import_module)("verify.cli")
    places = [(stage, place) for stage, named in STAGES.items() for place in named]
    missing = [place for stage, place in places if not watch.watch(stage, place)]
    status: int = tool.main(words)
    watch.note()
    print(json.dumps({"seconds": watch.seconds, "missing": missing}))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
