"""Words for the parts of a report that several printers use. Nothing here is made safe to show."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from verify.request import DEFAULT_TARGET
from verify.result import (
    DIFFERENCES,
    FIXES,
    INTRODUCES,
    KEEPS,
    LEAVES,
    PROVED,
    REFUTED,
    UNKNOWN,
    Input,
    Outside,
    Report,
    Result,
    Stage,
    TraceStep,
    Violation,
)
from verify.source.mail import name_of

_DIFFERENCE = {
    INTRODUCES: "introduces a violation of",
    FIXES: "fixes",
    KEEPS: "keeps",
    LEAVES: "leaves open",
    UNKNOWN: "leaves unclear",
}
_FEW = 6
_WORD = {REFUTED: "fails", PROVED: "holds", UNKNOWN: "unknown"}


def affected(names: Sequence[str], checked: Sequence[Result]) -> str:
    """Which of the checked properties these are."""
    if not names:
        return "nothing that was checked"
    if {result.property for result in checked} <= set(names):
        return "every property"
    return ", ".join(names)


def outside(place: Outside) -> str:
    """Where a change is that no answer depends on."""
    return f"{place.file}:{place.line} {place.function}()" if place.function else place.file


def all_outside(places: Sequence[Outside]) -> str:
    """These places; of many, the first, and how many there are besides."""
    shown = ", ".join(outside(place) for place in places[:_FEW])
    more = f" and {len(places) - _FEW} more" if len(places) > _FEW else ""
    return shown + more


def told_before(results: Sequence[Result]) -> dict[str, Result]:
    """By property the earlier result that says the same of a run that refutes both."""
    told: list[Result] = []
    found: dict[str, Result] = {}
    for result in results:
        if result.verdict != REFUTED:
            continue
        saying = result.trace, result.reason, result.variants
        same = (r for r in told if (r.trace, r.reason, r.variants) == saying)
        if (earlier := next(same, None)) is not None:
            found[result.property] = earlier
        else:
            told.append(result)
    return found


def shared_reasons(results: Sequence[Result]) -> dict[str, int]:
    """Numbers for the reasons that several results share."""
    reasons = [result.reason for result in results if result.verdict == UNKNOWN]
    shared = [reason for reason in dict.fromkeys(reasons) if reasons.count(reason) > 1]
    return {reason: number for number, reason in enumerate(shared, start=1)}


def remark(result: Result) -> str:
    """Why it is unknown, and the hardware parameters on which the answer depends."""
    return "; ".join([result.reason, *deciding(result)] if result.reason else deciding(result))


def deciding(result: Result) -> list[str]:
    """A text for each hardware parameter on whose value the answer depends."""
    return [
        _variant(name, verdicts)
        for name, verdicts in sorted(result.variants.items())
        if len(set(verdicts.values())) > 1
    ]


def _variant(name: str, verdicts: Mapping[str, str]) -> str:
    """`fixed3_write: fails under clear, havoc, holds under preserve`."""
    parts = []
    for verdict, word in _WORD.items():
        if values := sorted(value for value, found in verdicts.items() if found == verdict):
            under = "every value" if len(values) == len(verdicts) else ", ".join(values)
            parts.append(f"{word} under {under}")
    return f"{name}: {', '.join(parts)}"


def compared(report: Report) -> list[tuple[str, list[str]]]:
    """What the patches do to the properties, by difference; nothing unless it was asked for."""
    pairs = [
        (what, [result.property for result in report.results if result.difference == what])
        for what in DIFFERENCES
    ]
    return [(_DIFFERENCE[what], names) for what, names in pairs if names]


def stages(report: Report) -> list[tuple[str, list[str]]]:
    """Each patch or commit after the base, and what it changes."""
    found = []
    for index, stage in enumerate(report.series):
        said = [
            f"{turn.difference} {turn.property}" for turn in report.turns if turn.stages == (index,)
        ]
        for turn in report.turns:
            if turn.stages[-1] == index and len(turn.stages) > 1:
                others = ", ".join(stage_name(report.series[k]) for k in turn.stages[:-1])
                said.append(f"{turn.difference} {turn.property}, if none of these does: {others}")
        if stage.problem:
            said.append(f"cannot be checked: {stage.problem}")
        elif unknown := [name for name, verdict in stage.verdicts.items() if verdict == UNKNOWN]:
            said.append(f"unknown: {', '.join(unknown)}")
        found.append((stage_name(stage), said))
    return found


def stage_name(stage: Stage) -> str:
    """`0123456789ab subject` of a commit."""
    return f"{stage.commit[:12]} {stage.name}" if stage.commit else stage.name


def gone(report: Report) -> list[str]:
    """Properties of the base that the tree that was checked has not got."""
    here = {result.property for result in report.results}
    return [name for stage in report.series[:1] for name in stage.verdicts if name not in here]


def wrong(violation: Violation) -> str:
    """The register, and its values where there are some."""
    if violation.expected is None or violation.observed is None:
        return violation.register
    values = f"expected {violation.expected:#x}, observed {violation.observed:#x}"
    return f"{violation.register}: {values}"


def effect(step: TraceStep) -> str:
    """What a step does: operation, register, values, note."""
    parts = [step.op]
    if step.register:
        parts.append(step.register)
    if step.after is not None:
        same = step.before is None or step.before == step.after
        parts.append(f"= {step.after:#x}" if same else f"{step.before:#x} -> {step.after:#x}")
    if step.note:
        parts.append(f"({step.note})")
    return " ".join(parts)


def place(step: TraceStep) -> str:
    """`function() file:line` of a step that C makes, else nothing."""
    return f"{step.function or '?'}() {step.file}:{step.line}" if step.file else ""


def fixed(given: Input) -> list[tuple[str, str]]:
    """Option and NAME=VALUE for everything that the user fixed."""
    options: Sequence[tuple[str, Mapping[str, object]]] = (
        ("--define", given.defines),
        ("--config", given.config),
        ("--hardware", given.hardware),
    )
    return [
        (option, f"{name}={value}")
        for option, values in options
        for name, value in sorted(values.items())
    ]


def command(given: Input) -> list[str]:
    """The command that was run, as words for a shell; folders of this machine are left out."""
    words = ["msrproof check"]
    if given.kernel is not None:
        words.append(f"--kernel {_base(given.kernel)}")
    if given.target != DEFAULT_TARGET:
        words.append(f"--target {shlex.quote(given.target)}")
    words += [f"{option} {shlex.quote(value)}" for option, value in fixed(given)]
    if given.git is not None:
        words.append(f"--git {shlex.quote(given.git)}")
    if given.compare:
        words.append("--compare")
    sources = dict.fromkeys(patch.source for patch in given.patches)
    words += ["--patch -" if name == name_of("-") else f"--patch {_base(name)}" for name in sources]
    return words


def _base(name: str) -> str:
    return shlex.quote(PurePath(name).name or name)
