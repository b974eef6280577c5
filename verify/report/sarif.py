"""The report as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format).

A property is a rule. Refuted is a result of kind `fail` with its trace as a code flow, proved
`pass`, unknown `open`; what did not apply or was not understood is a notification.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from verify import __version__
from verify.report import words
from verify.report.plain import clean, code
from verify.result import PROVED, REFUTED, UNKNOWN, Report, Result, Trace, TraceStep

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_KIND = {PROVED: "pass", REFUTED: "fail", UNKNOWN: "open"}
_ROOT = "SRCROOT"


def render(report: Report) -> str:
    """One run, plain ASCII, with an end of line."""
    run = {
        "tool": {
            "driver": {
                "name": "msrproof",
                "version": __version__,
                "rules": [_rule(result) for result in report.results],
            }
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": report.exit_status,
                "commandLine": clean(" ".join(words.command(report.input))),
                "toolExecutionNotifications": _notifications(report),
            }
        ],
        "originalUriBaseIds": {_ROOT: {"description": _message("the kernel tree")}},
        "results": [_result(index, result) for index, result in enumerate(report.results)],
        "properties": {
            "target": clean(report.input.target),
            "kernelVersion": clean(report.input.kernel_version),
            "assumptions": [clean(f"{a.id}: {a.text}") for a in report.assumptions],
        },
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _message(text: str) -> dict[str, str]:
    """Text as it is: braces would be placeholders, and `[...](...)` a link."""
    plain = clean(text).replace("{", "{{").replace("}", "}}")
    if "](" in plain:
        plain = plain.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return {"text": plain}


def _rule(result: Result) -> dict[str, Any]:
    return {
        "id": clean(result.property),
        "shortDescription": _message(result.statement or result.property),
        "properties": {"tags": [clean(result.family)]},
    }


def _result(index: int, result: Result) -> dict[str, Any]:
    trace = result.trace if result.verdict == REFUTED else None
    found: dict[str, Any] = {
        "ruleId": clean(result.property),
        "ruleIndex": index,
        "kind": _KIND[result.verdict],
        "level": "error" if trace else "none",
        "message": _message(_said(result, trace)),
        "partialFingerprints": {"msrproof/v1": _fingerprint(result, trace)},
    }
    if result.difference is not None:
        found["properties"] = {"base": result.base, "difference": result.difference}
    if trace is not None:
        found["locations"] = [_location(step) for step in _blamed(trace)[:1]]
        found["codeFlows"] = [_code_flow(trace)]
        found["properties"] = found.get("properties", {}) | {
            "configuration": {clean(name): value for name, value in trace.config.items()},
            "variants": result.variants,
        }
    return found


def _said(result: Result, trace: Trace | None) -> str:
    if trace is None:
        return f"{result.verdict}: {result.reason or result.statement or result.property}"
    parts = [trace.violation.text, trace.cause.text, words.remark(result)]
    return "; ".join(part for part in parts if part)


def _blamed(trace: Trace) -> list[TraceStep]:
    """The steps with code, those that the cause names first, then from the last on."""
    steps = [trace.steps[index] for index in trace.cause.steps] + [*reversed(trace.steps)]
    return [step for step in steps if step.file]


def _fingerprint(result: Result, trace: Trace | None) -> str:
    """The same for the same mistake in a tree whose lines have moved, whatever the values."""
    parts = [result.property, result.verdict]
    if trace is not None:
        blamed = [f"{step.function} {step.op} {step.register}" for step in _blamed(trace)]
        parts += [trace.violation.register, *dict.fromkeys(blamed)]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _place(file: str, line: int | None, snippet: str | None) -> dict[str, Any]:
    place: dict[str, Any] = {
        "artifactLocation": {"uri": quote(file.encode("utf-8", "replace")), "uriBaseId": _ROOT}
    }
    if line:
        place["region"] = {"startLine": line}
        if snippet:
            place["region"]["snippet"] = {"text": code(snippet)}
    return place


def _location(step: TraceStep) -> dict[str, Any]:
    found: dict[str, Any] = {"message": _message(words.effect(step))}
    if step.file:
        found["physicalLocation"] = _place(step.file, step.line, step.code)
    if step.function:
        found["logicalLocations"] = [{"name": clean(step.function), "kind": "function"}]
    return found


def _code_flow(trace: Trace) -> dict[str, Any]:
    """A thread for each vCPU; the order of execution goes through all of them."""
    threads: dict[str, list[dict[str, Any]]] = {}
    for order, step in enumerate(trace.steps, start=1):
        vcpu = step.phase.rpartition(":")[0]
        essential = order - 1 in trace.cause.steps
        flow: dict[str, Any] = {
            "location": _location(step),
            "executionOrder": order,
            "importance": "essential" if essential else "important",
            "properties": {"phase": clean(step.phase)},
        }
        if step.register and step.after is not None:
            flow["state"] = {clean(step.register): {"text": f"{step.after:#x}"}}
        threads.setdefault(vcpu, []).append(flow)
    return {
        "message": _message(trace.violation.text),
        "threadFlows": [
            {"id": clean(vcpu or "vcpu"), "locations": flows} for vcpu, flows in threads.items()
        ],
    }


def _notifications(report: Report) -> list[dict[str, Any]]:
    found = []
    for patch in report.input.patches:
        for hunk in patch.failed:
            text = f"a hunk was not applied: {hunk.reason}"
            found.append(_notification(report, text, hunk.file, hunk.line, None, hunk.affects))
    for place in report.input.outside:
        text = "changed, but no answer depends on it"
        found.append(_notification(report, text, place.file, place.line, place.function, ()))
    for part in report.not_understood:
        text = f"not understood: {part.reason}"
        found.append(_notification(report, text, part.file, part.line, part.text, part.affects))
    return found


def _notification(
    report: Report,
    text: str,
    file: str,
    line: int,
    snippet: str | None,
    affects: Sequence[str],
) -> dict[str, Any]:
    affected = words.affected(affects, report.results)
    return {
        "level": "warning",
        "message": _message(f"{text}; could affect {affected}"),
        "locations": [{"physicalLocation": _place(file, line, snippet)}],
    }
