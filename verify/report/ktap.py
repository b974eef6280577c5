"""The report as KTAP version 1 (the kernel's Documentation/dev-tools/ktap.rst).

A property is a test: proved is `ok`, refuted `not ok`, unknown `# SKIP`. What is said about it
comes before its line, as diagnostics.
"""

from __future__ import annotations

from collections.abc import Iterator

from verify.report import text, words
from verify.report.plain import clean
from verify.result import PROVED, REFUTED, UNKNOWN, Report, Result


def render(report: Report) -> str:
    """Version line, plan, and the tests in order."""
    lines = ["KTAP version 1", f"1..{len(report.results)}"]
    lines += _said(text.heading(report))
    for number, result in enumerate(report.results, start=1):
        lines += _said(text.render_trace(result))
        lines.append(_line(number, result))
    lines += _said(text.footing(report))
    return "".join(f"{line}\n" for line in lines)


def _line(number: int, result: Result) -> str:
    name = _plain(result.property)
    if result.verdict == UNKNOWN:
        return f"ok {number} {name} # SKIP {_plain(result.reason)}"
    parts = [result.difference or "", words.remark(result) if result.verdict == REFUTED else ""]
    remark = "; ".join(filter(None, parts))
    mark = "ok" if result.verdict == PROVED else "not ok"
    return f"{mark} {number} {name}" + (f" # {_plain(remark)}" if remark else "")


def _plain(said: str) -> str:
    """`#` starts a directive."""
    return clean(said).replace("#", "\\#")


def _said(said: str) -> Iterator[str]:
    return (f"# {line}" for line in said.splitlines() if line.strip())
