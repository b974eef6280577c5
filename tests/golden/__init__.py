"""What the tool must say of the reference tree, in full: the files here and README's example; the
folder `formats` has a little of it in each format.

A change of an answer shows as a difference of these texts. `python -m tests.golden` accepts it.
Of a counterexample the kernel's own steps are compared, and no values: a solver may choose others.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from proofs import selfcheck
from verify.report import formats
from verify.result import NMI, PROVED, Report, Result, TraceStep

POSTED = "perf-metrics-as-posted.patch"
PATCHES = (selfcheck.RIGHT, selfcheck.WRONG, POSTED)
FOLDER = Path(__file__).parent
README = FOLDER.parents[1] / "README.md"
_EXAMPLE = re.compile(r"(<!-- example: begin[^\n]*-->\n)(.*)(<!-- example: end -->)", re.S)


@cache
def report(patch: str) -> Report:
    """The tool's answers on the reference tree with one of its patches, worked out anew."""
    return selfcheck.checked(patch, cache=False)


def path_of(patch: str) -> Path:
    """Where the accepted answers are."""
    return FOLDER / f"{Path(patch).stem}.json"


def rendered(found: Report) -> str:
    """A report as it is kept: without times and values."""
    given = found.input
    kept = {
        "kernel": f"{given.target} on {given.kernel_version}",
        "patches": [
            {"subject": p.subject, "applied": p.applied, "failed": [h.file for h in p.failed]}
            for p in given.patches
        ],
        "assumptions": [a.id for a in found.assumptions],
        "not_understood": [f"{n.file}:{n.line}: {n.reason}" for n in found.not_understood],
        "results": {result.property: _result(result) for result in found.results},
    }
    return json.dumps(kept, indent=1) + "\n"


def _result(result: Result) -> dict[str, Any] | str:
    if result.verdict == PROVED:
        return result.verdict
    kept: dict[str, Any] = {"verdict": result.verdict}
    if result.reason:
        kept["reason"] = result.reason
    if result.variants:
        kept["variants"] = {name: dict(by) for name, by in sorted(result.variants.items())}
    # With NMIs there are too many ways to the same end for one of them to be the accepted one.
    if result.trace is not None and not result.property.startswith(NMI):
        kept["violation"] = result.trace.violation.register
        kept["text"] = result.trace.violation.text
        kept["cause"] = re.sub(r"\b0x[0-9a-f]+", "VALUE", result.trace.cause.text)
        kept["trace"] = list(dict.fromkeys(_step(s) for s in result.trace.steps if s.file))
    return kept


def _step(step: TraceStep) -> str:
    return f"{step.phase}: {step.patch_line or ''}{step.function} ({step.file}:{step.line})"


FORMS = ("mail", "html", "sarif", "junit", "ktap", "b4")
_FEW = ("restore.FIXED_CTR3", selfcheck.SHOWN)
_VALUES = (
    (re.compile(r"0x[0-9a-f]+"), "VALUE"),
    (re.compile(r"=\d+\b"), "=N"),
    (re.compile(r'": \d+'), '": N'),
    (re.compile(r"\b\d+\.\d+\b"), "S"),
    (re.compile(r"<style>.*</style>", re.S), "<style>STYLE</style>"),
    (re.compile(r"sha256-[^']*"), "sha256-HASH"),
)


def printed(found: Report, form: str) -> str:
    """Little of a report in one format, without times, values and style."""
    few = replace(
        found,
        results=tuple(result for result in found.results if result.property in _FEW),
        assumptions=found.assumptions[:2],
    )
    text = formats.render(few, form, 80, False)
    for pattern, mark in _VALUES:
        text = pattern.sub(mark, text)
    return text


def path_of_printed(form: str) -> Path:
    """Where the accepted text is."""
    return FOLDER / "formats" / f"{form}.txt"


def example(right: Report, wrong: Report) -> str:
    """What README shows: the output of `make verify`."""
    return f"```\n{selfcheck.summary(right, wrong)}```\n"


def shown_example(readme: str) -> str:
    """README's example as it is. ValueError when its markers are not there."""
    found = _EXAMPLE.search(readme)
    if found is None:
        raise ValueError("README.md: the markers of the example are gone")
    return found.group(2)


def with_example(readme: str, text: str) -> str:
    """README with another example."""
    return _EXAMPLE.sub(lambda found: found.group(1) + text + found.group(3), readme)
