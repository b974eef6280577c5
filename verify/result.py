"""What a run finds out: the one object that every printer shows.

Fields and their order are those of the JSON schema `msrproof/1`. Values of registers are unsigned
integers as the hardware holds them; None where there is no value to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from verify.errors import InternalError
from verify.source.changes import Change
from verify.target import Assumption

SCHEMA = "msrproof/1"

PROVED = "proved"
REFUTED = "refuted"
UNKNOWN = "unknown"
VERDICTS = (PROVED, REFUTED, UNKNOWN)

NMI = "nmi."
"""What the name of a property begins with that holds whenever an interrupt hits."""

INTRODUCES = "introduces"
FIXES = "fixes"
KEEPS = "keeps"
LEAVES = "leaves"
DIFFERENCES = (INTRODUCES, FIXES, KEEPS, LEAVES, UNKNOWN)

VACUOUS = "vacuous: "
"""How the reason starts when a property is unknown because it speaks of nothing in this tree."""


@dataclass(frozen=True, slots=True)
class FailedHunk:
    """A hunk that was not applied; `affects`: the checked properties whose answer it could change.

    `line`: where it starts in the old file, from 1; 0 when the patch does not say.
    """

    file: str
    line: int
    reason: str
    affects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PatchSummary:
    """What became of one patch: how many hunks were applied, and which were not. `message_id`:
    without its brackets. `source`: what the user called the input. `attribution`: the line with
    which a reply begins what it quotes of the patch; "" when that is not known."""

    subject: str
    message_id: str | None
    applied: int
    failed: tuple[FailedHunk, ...] = ()
    source: str = ""
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class Outside:
    """A changed function that no answer depends on, by the first changed line; or a changed file
    that is not read, as line 0 and no function."""

    file: str
    line: int = 0
    function: str | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """What was checked. `kernel`: the folder as the user named it, None for the embedded tree.

    `defines`, `config` and `hardware` hold what the user fixed, not the defaults. `changes`: what
    all patches together did to the tree. `compare`: with the tree before. `git`: the range of
    commits that was checked, in the repository `kernel`. `outside`: what patches changed besides.
    """

    kernel: str | None
    kernel_version: str
    target: str
    defines: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, int] = field(default_factory=dict)
    hardware: Mapping[str, str] = field(default_factory=dict)
    patches: tuple[PatchSummary, ...] = ()
    changes: tuple[Change, ...] = ()
    compare: bool = False
    git: str | None = None
    outside: tuple[Outside, ...] = ()


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A piece of the tree that may do anything, and the properties whose answer it can sway."""

    file: str
    line: int
    text: str
    reason: str
    affects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of a counterexample.

    `code` is the tree's own line at `file`:`line`; all of them and `function` are None for a step
    that no C makes (hardware, guest, host). `patch_line`: "+" or "-" when the patch touches it.
    """

    phase: str
    file: str | None
    line: int | None
    function: str | None
    code: str | None
    op: str
    register: str | None
    before: int | None
    after: int | None
    note: str = ""
    patch_line: str | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong at the end of a trace. In two runs: the value of the first and the second."""

    register: str
    expected: int | None
    observed: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Why it goes wrong. `steps`: indexes into the trace, from 0: the step that breaks the
    property, then the earlier one that it should have come after, if there is one. `advice`: what
    the code should do instead, as an order; it may be empty."""

    text: str
    steps: tuple[int, ...]
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """A counterexample. `config`: the values under which it happens. `replayed`: the concrete
    interpreter ran it and came to the same violation. `notable`: those of `config` that are not
    what most machines have."""

    config: Mapping[str, int | str]
    steps: tuple[TraceStep, ...]
    violation: Violation
    cause: Cause
    replayed: bool
    notable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """InternalError when the cause names steps that the trace does not have."""
        if any(not 0 <= index < len(self.steps) for index in self.cause.steps):
            raise InternalError(
                f"a cause names steps {self.cause.steps} of a trace of {len(self.steps)}"
            )


@dataclass(frozen=True, slots=True)
class Result:
    """The answer for one property.

    `reason` says why it is unknown (else it may be empty). `seconds`: wall-clock time spent on it.
    `variants`: verdict by hardware parameter and value. `certificate`: folder of the proof.
    `statement`: what the property says. `base`: the verdict before the patches, if that was asked
    for and the property speaks of something there; `difference`: one of DIFFERENCES, if asked for.
    `open`: the registers, by the kernel's names, at which it is not proved, whatever becomes of it
    at others; None when that is not known.
    """

    property: str
    family: str
    verdict: str
    reason: str = ""
    seconds: float = 0.0
    variants: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    certificate: str | None = None
    trace: Trace | None = None
    statement: str = ""
    base: str | None = None
    difference: str | None = None
    open: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """InternalError for an answer that must not be shown."""
        verdicts = [self.verdict, *(v for by in self.variants.values() for v in by.values())]
        if any(verdict not in VERDICTS for verdict in verdicts):
            raise InternalError(f"{self.property}: no such verdict among {verdicts}")
        if self.verdict == UNKNOWN and not self.reason:
            raise InternalError(f"{self.property}: unknown without a reason")
        if self.verdict == REFUTED and (self.trace is None or not self.trace.replayed):
            raise InternalError(f"{self.property}: refuted without a replayed trace")
        if self.difference not in (None, *DIFFERENCES):
            raise InternalError(f"{self.property}: no such difference: {self.difference}")

    def is_vacuous(self) -> bool:
        """Nothing violates the property, as there is nothing in this tree that it speaks of."""
        return self.verdict == UNKNOWN and self.reason.startswith(VACUOUS)


@dataclass(frozen=True, slots=True)
class Stage:
    """A tree on the way from base to what was checked, of which this keeps the verdicts.

    `name`: of the patch or commit that made it. `commit`: its full hash. `problem`: why it could
    not be checked.
    """

    name: str
    commit: str | None = None
    verdicts: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a property begins to fail (INTRODUCES) or to hold (FIXES): at one of these stages, by
    index. There are several when those before the last are unknown."""

    property: str
    difference: str
    stages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All answers of a run. `seconds`: wall-clock time of the whole run. `series`: when trees were
    compared, all of them, the base first; `turns`: what changed on the way."""

    input: Input
    assumptions: tuple[Assumption, ...]
    not_understood: tuple[NotUnderstood, ...]
    results: tuple[Result, ...]
    seconds: float
    series: tuple[Stage, ...] = ()
    turns: tuple[Turn, ...] = ()

    def count(self, verdict: str) -> int:
        """How many properties have this verdict."""
        return sum(result.verdict == verdict for result in self.results)

    @property
    def exit_status(self) -> int:
        """0 all proved, 1 something refuted, 2 nothing refuted but something unknown.

        InternalError when nothing was checked at all: that proves nothing.
        """
        return exit_status([result.verdict for result in self.results])


def exit_status(verdicts: list[str]) -> int:
    """The status of a run with these verdicts (see Report.exit_status)."""
    if not verdicts:
        raise InternalError("no property was checked")
    if REFUTED in verdicts:
        return 1
    return 2 if UNKNOWN in verdicts else 0
