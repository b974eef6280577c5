"""The report for `b4 review`: what its check commands print (b4.review-perpatch-check-cmd).

A JSON array with one object: `tool` heads a column, `status` is pass, warn or fail, `summary` a
line, `details` what is shown on demand (b4's documentation, "CI check integration"). b4 takes what
is printed whatever the exit status; when nothing is printed, a status other than 0 is a failure.
"""

from __future__ import annotations

import json

from verify.report import text
from verify.report.plain import clean
from verify.result import PROVED, REFUTED, UNKNOWN, VERDICTS, Report

_STATUS = {PROVED: "pass", REFUTED: "fail", UNKNOWN: "warn"}


def render(report: Report) -> str:
    """The array, plain ASCII, with an end of line. What is not known is `warn`."""
    worst = next(v for v in (REFUTED, UNKNOWN, PROVED) if report.count(v) or v == PROVED)
    counts = [f"{report.count(v)} {v}" for v in VERDICTS if report.count(v)]
    refuted = [
        f"{result.property} ({result.difference})" if result.difference else result.property
        for result in report.results
        if result.verdict == REFUTED
    ]
    summary = ", ".join(counts) + (f": {', '.join(refuted)}" if refuted else "")
    entry = {
        "tool": "msrproof",
        "status": _STATUS[worst],
        "summary": clean(summary),
        "details": text.render(report),
    }
    return json.dumps([entry], indent=2) + "\n"
