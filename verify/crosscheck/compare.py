"""The comparison: runs of the interpreter, replayed by the compiled C."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from verify.crosscheck import native
from verify.crosscheck.encode import Encoder, Vocabulary
from verify.crosscheck.minimise import minimise
from verify.crosscheck.native import Crash, Difference
from verify.crosscheck.record import Script
from verify.crosscheck.sample import Case, Run, Sampler
from verify.crosscheck.unit import Unit, part
from verify.errors import BadInput
from verify.ir.program import Dialect
from verify.source.program import CProgram
from verify.target import Target

BATCH = 500
LEFT_OUT = 10  # so many times more runs may be left out than are compared


@dataclass(frozen=True, slots=True)
class Found:
    """A difference and the run that shows it; `names` are what the numbers of it stand for."""

    case: Case
    script: Script
    what: Difference | Crash
    words: Vocabulary
    outside: Sequence[str]
    encoder: Encoder


@dataclass(slots=True)
class Outcome:
    """How many runs were the same, how many of each step, and how many the interpreter could not
    make, by reason; `found` is the first difference."""

    same: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    functions: int = 0
    found: Found | None = None


class Compiled:
    """The unit for all that was named so far, compiled again when there is more."""

    def __init__(
        self, gcc: str, target: Target, program: CProgram, dialect: Dialect, folder: Path
    ) -> None:
        self.encoder = Encoder(Vocabulary())
        self.outside: list[str] = []
        self._gcc = gcc
        self._target = target
        self._program = program
        self._dialect = dialect
        self._folder = folder
        self._size: tuple[int, ...] = ()
        self._programs: list[Path] = []
        self._undeclared: set[str] = set()

    def replay(self, scripts: Sequence[Script]) -> Difference | Crash | None:
        """The first difference that one of the programs has with the scripts."""
        encoded = [self.encoder.encode(script) for script in scripts]
        while self.encoder.words.size() != self._size:
            self._compile()
        for program in self._programs:
            found = native.replay(program, encoded)
            if found is not None:
                return found
        return None

    def _compile(self) -> None:
        words, undeclared = self.encoder.words, self._undeclared
        unit = Unit(self._target, self._program, self._dialect, words, undeclared)
        text = unit.text() + part("pipe.c") + part("runtime.c")
        try:
            self._programs = native.build(self._gcc, text, self._folder)
        except native.Undeclared as found:
            if found.names <= undeclared:
                raise BadInput(
                    f"crosscheck: the tree's functions use {min(found.names)}, which none of the"
                    " files that are read declares"
                ) from None
            undeclared |= found.names
            return
        self._size, self.outside = words.size(), unit.names


def crosscheck(
    target: Target, program: CProgram, dialect: Dialect, runs: int, seed: int = 0
) -> Outcome:
    """Compare this many runs, or as many as it takes to the first difference, which is minimised.
    BadInput without gcc, and for a tree that it does not compile."""
    gcc = native.find_gcc()
    outcome = Outcome()
    sampler = Sampler(target, program, seed)
    with TemporaryDirectory(prefix="msrproof-") as folder:
        compiled = Compiled(gcc, target, program, dialect, Path(folder))
        batch: list[tuple[Run, Script]] = []
        for run in sampler:
            if run.script is None:
                outcome.left_out[re.sub(r"\d+", "N", run.reason)] += 1
                _require_some(outcome, len(batch) + min(BATCH, runs))
                continue
            batch.append((run, run.script))
            if len(batch) < min(BATCH, runs - outcome.same):
                continue
            what = compiled.replay([script for _, script in batch])
            if what is not None:
                outcome.same += what.run
                outcome.found = _smallest(sampler, compiled, batch[what.run][0].case)
                return outcome
            outcome.same += len(batch)
            outcome.steps.update(run.case.step for run, _ in batch)
            outcome.functions = len(compiled.encoder.words.run)
            batch.clear()
            if outcome.same >= runs:
                return outcome
    raise AssertionError("runs are endless")


def _require_some(outcome: Outcome, some: int) -> None:
    """BadInput when hardly any run comes to its end: it could go on for ever."""
    if outcome.left_out.total() > LEFT_OUT * (outcome.same + some):
        why = outcome.left_out.most_common(1)[0][0]
        raise BadInput(f"crosscheck: hardly any run comes to its end with this tree: {why}")


def _smallest(sampler: Sampler, compiled: Compiled, case: Case) -> Found:
    def differs(case: Case) -> tuple[Script, Difference | Crash] | None:
        script = sampler.run(case).script
        what = compiled.replay([script]) if script else None
        return (script, what) if script and what else None

    case = minimise(case, lambda smaller: differs(smaller) is not None)
    found = differs(case)
    assert found is not None
    words = compiled.encoder.words
    return Found(case, *found, words, compiled.outside, compiled.encoder)
