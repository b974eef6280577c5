"""The report as one page of HTML that needs nothing else: no network, no script.

Every text is cleaned and escaped by the template's environment. The page forbids itself anything
but its own style, by the hash of it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from verify import __version__
from verify.report import words
from verify.report.plain import code
from verify.result import REFUTED, VERDICTS, Report, Trace, TraceStep

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Cell:
    """A register at a step. `states`: the step has "changed" or only "used" it, it is the "cause",
    it is "wrong", the line comes to it ("wired") or goes "through" it."""

    register: str
    value: str
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A step. `wire`: its part of the line from the cause to the violation: "start", "on", "end"
    or ""."""

    number: int
    step: TraceStep
    cells: tuple[Cell, ...]
    wire: str


@dataclass(frozen=True, slots=True)
class Band:
    """The steps of one phase. `actor`: "host", "guest", "other" (vCPU) or "kvm"."""

    phase: str
    actor: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A trace as a table of registers by steps."""

    registers: tuple[str, ...]
    bands: tuple[Band, ...]


def render(report: Report) -> str:
    """The whole page."""
    style = (_FOLDER / "html.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template("html.j2")
    told = words.told_before(report.results)
    number = {result.property: k for k, result in enumerate(report.results, start=1)}
    shown = {name: number[told[name].property if name in told else name] for name in number}
    text = page.render(
        report=report,
        version=__version__,
        style=_Style(style),
        hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        counts=[(verdict, report.count(verdict)) for verdict in VERDICTS],
        shown=shown,
        traces=[
            (
                number[result.property],
                result,
                [name for name in shown if shown[name] == number[result.property]],
                result.trace,
                timeline(result.trace),
            )
            for result in report.results
            if result.verdict == REFUTED and result.trace and result.property not in told
        ],
        words=words,
    )
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class _Style(str):
    """Our own text, not to be changed."""

    def __html__(self) -> str:
        return str(self)


def _safe(value: Any) -> Any:
    return code(value) if isinstance(value, str) and not isinstance(value, _Style) else value


def timeline(trace: Trace) -> Timeline:
    """The table of a trace: each register that it touches, in the order of first use."""
    named = [step.register for step in trace.steps if step.register]
    registers = tuple(dict.fromkeys(filter(None, [*named, trace.violation.register])))
    wrong, blamed = _ends(trace)
    held: dict[str, int] = {}
    rows = []
    for index, step in enumerate(trace.steps):
        if step.register and step.after is not None:
            held[step.register] = step.after
        wire = _wire(index, wrong, blamed)
        marks: dict[str, list[str]] = {}
        register = step.register
        if index == wrong and trace.violation.observed is not None and trace.violation.register:
            register = trace.violation.register
        if register and (index == wrong or index in blamed):
            marks = {r: ["through"] for r in registers[: registers.index(register)] if wire}
            marks[register] = ["wrong" if index == wrong else "cause", *(["wired"] if wire else [])]
        cells = tuple(_cell(r, step, held.get(r), marks.get(r, [])) for r in registers)
        rows.append(Row(index + 1, step, cells, wire))
    bands = (
        Band(phase, _actor(phase, trace.steps), tuple(found))
        for phase, found in groupby(rows, lambda row: row.step.phase)
    )
    return Timeline(registers, tuple(bands))


def _ends(trace: Trace) -> tuple[int, Sequence[int]]:
    """The step with the violating cell, and those that the cause names besides it.

    Where a rule is broken, no value is wrong: the step that breaks it is the violation.
    """
    steps = trace.cause.steps
    last = len(trace.steps) - 1
    wrong = steps[0] if steps and trace.violation.observed is None else last
    return wrong, [index for index in steps if index != wrong]


def _cell(register: str, step: TraceStep, held: int | None, marks: Sequence[str]) -> Cell:
    states = list(marks)
    if register == step.register:
        changed = step.before is not None and step.before != step.after
        states.append("changed" if changed else "used")
    return Cell(register, "" if held is None else f"{held:#x}", tuple(states))


def _wire(index: int, wrong: int, blamed: Sequence[int]) -> str:
    if not blamed or not min(*blamed, wrong) <= index <= max(*blamed, wrong):
        return ""
    if index == min(*blamed, wrong):
        return "start"
    return "end" if index == max(*blamed, wrong) else "on"


def _actor(phase: str, steps: Sequence[TraceStep]) -> str:
    vcpu = phase.rpartition(":")[0]
    first = next((step.phase.rpartition(":")[0] for step in steps), "")
    ops = [step.op for step in steps if step.phase == phase]
    if "host" in ops:
        return "host"
    if vcpu != first:
        return "other"
    return "guest" if any(op.startswith("guest") for op in ops) else "kvm"
