"""The report as JSON, schema `msrproof/1`. Keys are always there and always in one order.

Register values are strings (`"0x1f"`): readers with floating point numbers would round 64 bits.
"""

from __future__ import annotations

import json
from typing import Any

from verify import __version__
from verify.result import (
    SCHEMA,
    VERDICTS,
    Cause,
    FailedHunk,
    Input,
    NotUnderstood,
    Outside,
    PatchSummary,
    Report,
    Result,
    Stage,
    Trace,
    TraceStep,
    Turn,
    Violation,
)
from verify.source.changes import Change
from verify.target import Assumption


def render(report: Report) -> str:
    """The whole object, indented, plain ASCII, with an end of line."""
    return json.dumps(as_object(report), indent=2, allow_nan=False) + "\n"


def as_object(report: Report) -> dict[str, Any]:
    """The schema's object out of dicts, lists, strings, numbers and None."""
    return {
        "schema": SCHEMA,
        "tool": {"name": "msrproof", "version": __version__},
        "input": _input(report.input),
        "assumptions": [{"id": a.id, "text": a.text} for a in report.assumptions],
        "not_understood": [
            {
                "file": n.file,
                "line": n.line,
                "text": n.text,
                "reason": n.reason,
                "affects": list(n.affects),
            }
            for n in report.not_understood
        ],
        "results": [_result(result) for result in report.results],
        "summary": {
            **{verdict: report.count(verdict) for verdict in VERDICTS},
            "seconds": round(report.seconds, 3),
        },
        "series": [
            {
                "name": stage.name,
                "commit": stage.commit,
                "verdicts": dict(stage.verdicts),
                "problem": stage.problem,
            }
            for stage in report.series
        ],
        "turns": [
            {"property": t.property, "difference": t.difference, "stages": list(t.stages)}
            for t in report.turns
        ],
    }


def _input(given: Input) -> dict[str, Any]:
    return {
        "kernel": given.kernel,
        "kernel_version": given.kernel_version,
        "target": given.target,
        "defines": dict(sorted(given.defines.items())),
        "config": dict(sorted(given.config.items())),
        "hardware": dict(sorted(given.hardware.items())),
        "patches": [_patch(patch) for patch in given.patches],
        "changes": [_change(change) for change in given.changes],
        "compare": given.compare,
        "git": given.git,
        "outside": [_outside(place) for place in given.outside],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "file": change.file,
        "old_start": change.old_start,
        "start": change.start,
        "heading": change.heading,
        "lines": list(change.lines),
    }


def _outside(place: Outside) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "function": place.function}


def _patch(patch: PatchSummary) -> dict[str, Any]:
    return {
        "subject": patch.subject,
        "message_id": patch.message_id,
        "applied": patch.applied,
        "failed": [_failed(hunk) for hunk in patch.failed],
        "source": patch.source,
        "attribution": patch.attribution,
    }


def _failed(hunk: FailedHunk) -> dict[str, Any]:
    return {
        "file": hunk.file,
        "line": hunk.line,
        "reason": hunk.reason,
        "affects": list(hunk.affects),
    }


def _result(result: Result) -> dict[str, Any]:
    return {
        "property": result.property,
        "family": result.family,
        "verdict": result.verdict,
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
        "variants": {
            name: dict(sorted(verdicts.items()))
            for name, verdicts in sorted(result.variants.items())
        },
        "certificate": result.certificate,
        "trace": _trace(result.trace) if result.trace else None,
        "statement": result.statement,
        "base": result.base,
        "difference": result.difference,
        "open": None if result.open is None else list(result.open),
    }


def _trace(trace: Trace) -> dict[str, Any]:
    return {
        "config": dict(sorted(trace.config.items())),
        "steps": [_step(step) for step in trace.steps],
        "violation": {
            "register": trace.violation.register,
            "expected": _hex(trace.violation.expected),
            "observed": _hex(trace.violation.observed),
            "text": trace.violation.text,
        },
        "cause": {
            "text": trace.cause.text,
            "steps": list(trace.cause.steps),
            "advice": trace.cause.advice,
        },
        "replayed": trace.replayed,
        "notable": list(trace.notable),
    }


def _step(step: TraceStep) -> dict[str, Any]:
    return {
        "phase": step.phase,
        "file": step.file,
        "line": step.line,
        "function": step.function,
        "code": step.code,
        "op": step.op,
        "register": step.register,
        "before": _hex(step.before),
        "after": _hex(step.after),
        "note": step.note,
        "patch_line": step.patch_line,
    }


def _hex(value: int | None) -> str | None:
    return None if value is None else f"{value:#x}"


def parse(text: str) -> Report:
    """The report that `render` printed; KeyError, TypeError or ValueError for another text."""
    whole = json.loads(text)
    given = whole["input"]
    return Report(
        input=Input(
            **{
                **given,
                "patches": tuple(_read_patch(p) for p in given["patches"]),
                "changes": tuple(_read_change(c) for c in given["changes"]),
                "outside": tuple(Outside(**place) for place in given["outside"]),
            }
        ),
        assumptions=tuple(Assumption(**a) for a in whole["assumptions"]),
        not_understood=tuple(
            NotUnderstood(**{**n, "affects": tuple(n["affects"])}) for n in whole["not_understood"]
        ),
        results=tuple(_read_result(r) for r in whole["results"]),
        seconds=whole["summary"]["seconds"],
        series=tuple(Stage(**stage) for stage in whole["series"]),
        turns=tuple(Turn(**{**t, "stages": tuple(t["stages"])}) for t in whole["turns"]),
    )


def _read_change(change: dict[str, Any]) -> Change:
    return Change(**{**change, "lines": tuple(change["lines"])})


def _read_patch(patch: dict[str, Any]) -> PatchSummary:
    failed = tuple(FailedHunk(**{**h, "affects": tuple(h["affects"])}) for h in patch["failed"])
    return PatchSummary(**{**patch, "failed": failed})


def _read_result(result: dict[str, Any]) -> Result:
    trace, places = result["trace"], result["open"]
    return Result(
        **{
            **result,
            "trace": None if trace is None else _read_trace(trace),
            "open": None if places is None else tuple(places),
        }
    )


def _read_trace(trace: dict[str, Any]) -> Trace:
    wrong, cause = trace["violation"], trace["cause"]
    return Trace(
        config=trace["config"],
        steps=tuple(TraceStep(**_numbers(step, "before", "after")) for step in trace["steps"]),
        violation=Violation(**_numbers(wrong, "expected", "observed")),
        cause=Cause(**{**cause, "steps": tuple(cause["steps"])}),
        replayed=trace["replayed"],
        notable=tuple(trace["notable"]),
    )


def _numbers(item: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {**item, **{k: None if item[k] is None else int(item[k], 0) for k in keys}}
