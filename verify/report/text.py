"""The report for a terminal, a pager or a file: verdicts first, then what a reviewer needs."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from verify import __version__
from verify.report import words
from verify.report.plain import clean
from verify.report.words import (
    affected,
    all_outside,
    deciding,
    effect,
    fixed,
    remark,
    shared_reasons,
    told_before,
    wrong,
)
from verify.result import (
    PROVED,
    REFUTED,
    UNKNOWN,
    VERDICTS,
    FailedHunk,
    Input,
    Report,
    Result,
    TraceStep,
)

_STYLE = {PROVED: "green", REFUTED: "bold red", UNKNOWN: "yellow"}
_PATCH_STYLE = {"+": "green", "-": "red"}
MIN_WIDTH = 40
_BESIDE = 45  # what the columns of a comparison need


def render(report: Report, width: int = 80, colour: bool = False) -> str:
    """The report as text of at most `width` columns (single words may be longer)."""
    out = _Page(width, colour)
    _heading(out, report.input)
    _patches(out, report.input, report.results)
    _table(out, report.results)
    _comparison(out, report)
    told = told_before(report.results)
    for result in report.results:
        if (earlier := told.get(result.property)) is None:
            _refuted(out, result)
            continue
        text = f"{result.property}: refuted, by the same run as {earlier.property}"
        out.line(text, hang=2, style=_STYLE[REFUTED])
        out.blank()
    _not_understood(out, report)
    _assumptions(out, report)
    counts = [f"{report.count(verdict)} {verdict}" for verdict in VERDICTS]
    out.line(f"{', '.join(counts)} in {report.seconds:.2f} s", style="bold")
    return out.text()


def heading(report: Report) -> str:
    """What was checked, and what became of the patches."""
    out = _Page(80, False)
    _heading(out, report.input)
    _patches(out, report.input, report.results)
    return out.text()


def footing(report: Report) -> str:
    """What was not understood, and the assumptions."""
    out = _Page(80, False)
    _not_understood(out, report)
    _assumptions(out, report)
    return out.text()


def render_trace(result: Result, width: int = 80, colour: bool = False) -> str:
    """What the report says of one refuted property; nothing of another one."""
    out = _Page(width, colour)
    _refuted(out, result)
    text = out.text().rstrip()
    return f"{text}\n" if text else ""


class _Page:
    """Lines of text, wrapped by hand so that what hangs together stays aligned."""

    def __init__(self, width: int, colour: bool) -> None:
        self.width = max(width, MIN_WIDTH)
        self._colour = colour
        self._file = io.StringIO()
        self.console = Console(
            file=self._file,
            width=self.width,
            force_terminal=colour,
            color_system="standard" if colour else None,
            highlight=False,
        )

    def line(self, text: str, indent: int = 0, hang: int = 0, style: str = "") -> None:
        """One paragraph: the first line `indent` blanks in, the others `hang` blanks further."""
        text = clean(text).rstrip()
        wrapped = [" " * indent + text] if text else []
        if indent + len(text) > self.width:
            wrapped = textwrap.wrap(
                text,
                self.width,
                initial_indent=" " * indent,
                subsequent_indent=" " * (indent + hang),
                break_long_words=False,
                break_on_hyphens=False,
            )
        for line in wrapped:
            if style and self._colour:
                # rich would cut a long word at the edge without soft_wrap.
                self.console.print(Text(line, style=style), soft_wrap=True)
            else:
                self._file.write(f"{line}\n")

    def blank(self) -> None:
        """An empty line."""
        self._file.write("\n")

    def text(self) -> str:
        """All that was put on the page, without blanks at line ends."""
        lines = self._file.getvalue().splitlines()
        return "".join(line.rstrip() + "\n" for line in lines)


def _heading(out: _Page, given: Input) -> None:
    where = given.kernel or "the embedded reference tree"
    out.line(f"msrproof {__version__}: {given.target} on {where} ({given.kernel_version})", hang=2)
    for option, value in fixed(given):
        out.line(f"{option} {value}", indent=2, hang=2)


def _patches(out: _Page, given: Input, checked: Sequence[Result]) -> None:
    for patch in given.patches:
        total = patch.applied + len(patch.failed)
        name = patch.subject or "patch without a subject"
        out.line(f"{name}: {patch.applied} of {total} hunks applied", indent=2, hang=2)
        for hunk in patch.failed:
            _failed_hunk(out, hunk, checked)
    if given.outside:
        text = f"changed, but no answer depends on it: {all_outside(given.outside)}"
        out.line(text, indent=2, hang=2, style=_STYLE[UNKNOWN])
    out.blank()


def _failed_hunk(out: _Page, hunk: FailedHunk, checked: Sequence[Result]) -> None:
    place = f"{hunk.file}:{hunk.line}" if hunk.line else hunk.file
    out.line(f"not applied: {place}: {hunk.reason}", indent=4, hang=2, style=_STYLE[UNKNOWN])
    out.line(f"could affect {affected(hunk.affects, checked)}", indent=6, hang=2)


def _table(out: _Page, results: Sequence[Result]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
    beside = any(result.difference for result in results)
    longest = max((len(clean(result.property)) for result in results), default=0)
    room = max(out.width - _BESIDE, 0) if beside else 0
    table.add_column("property", overflow="fold", min_width=min(longest, room))
    if beside:
        table.add_column("base", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    if beside:
        table.add_column("difference", no_wrap=True)
    else:
        table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("remark", overflow="fold")
    notes = shared_reasons(results)
    for result in results:
        note = notes.get(result.reason)
        base = result.base or "-"
        table.add_row(
            Text(clean(result.property)),
            *([Text(base, style=_STYLE.get(base, ""))] if beside else []),
            Text(result.verdict, style=_STYLE[result.verdict]),
            *([Text(result.difference or "")] if beside else []),
            *([] if beside else [Text(f"{result.seconds:.2f}")]),
            Text(f"see note {note}" if note else clean(remark(result))),
        )
    out.console.print(table)
    for text, number in notes.items():
        out.line(f"note {number}: {text}", hang=2)
    out.blank()


def _comparison(out: _Page, report: Report) -> None:
    if not report.series:
        return
    for text, names in words.compared(report):
        out.line(f"{text}: {', '.join(names)}", hang=2)
    if names := words.gone(report):
        out.line(f"no longer there to be checked: {', '.join(names)}", hang=2)
    if len(report.series) > 2 or any(stage.problem for stage in report.series):
        out.line("commits:" if report.input.git else "series:", style="bold")
        for name, said in words.stages(report):
            out.line(name, indent=2, hang=4)
            for text in said:
                out.line(text, indent=4, hang=2)
    out.blank()


def _refuted(out: _Page, result: Result) -> None:
    trace = result.trace
    if result.verdict != REFUTED or trace is None:
        return
    out.line(f"{result.property}: refuted", style=_STYLE[REFUTED])
    if result.reason:
        out.line(result.reason, indent=2, hang=2)
    for text in deciding(result):
        out.line(text, indent=2, hang=2)
    if trace.config:
        values = " ".join(f"{name}={value}" for name, value in sorted(trace.config.items()))
        out.line(f"with {values}", indent=2, hang=5)
    phase = None
    for number, step in enumerate(trace.steps, start=1):
        if step.phase != phase:
            phase = step.phase
            out.line(f"{phase}:", indent=2, style="bold")
        _step(out, number, step)
    out.line(f"violation: {wrong(trace.violation)}", 2, 2, "bold")
    out.line(trace.violation.text, indent=4)
    out.line(f"cause{_named(trace.cause.steps)}:", indent=2, style="bold")
    out.line(trace.cause.text, indent=4)
    out.blank()


def _named(steps: Sequence[int]) -> str:
    if not steps:
        return ""
    numbers = " and ".join(str(index + 1) for index in steps)
    return f" (step{'s' if len(steps) > 1 else ''} {numbers})"


def _step(out: _Page, number: int, step: TraceStep) -> None:
    if step.file:
        place = f"{step.function or '?'}  {step.file}:{step.line}"
        out.line(f"{number:>3}  {place}", indent=2, hang=5)
    if step.code:
        mark = step.patch_line or " "
        code = " ".join(step.code.split())
        out.line(f"{mark} {code}", 7, 4, _PATCH_STYLE.get(mark, ""))
    head = "     " if step.file else f"{number:>3}  "
    out.line(f"{head}{effect(step)}", indent=2, hang=7)


def _not_understood(out: _Page, report: Report) -> None:
    if not report.not_understood:
        return
    out.line("not understood (it may do anything):", style="bold")
    for part in report.not_understood:
        out.line(f"{part.file}:{part.line}: {part.reason}", indent=2, hang=2)
        out.line(part.text, indent=6, hang=2)
        out.line(f"could affect {affected(part.affects, report.results)}", indent=6, hang=2)
    out.blank()


def _assumptions(out: _Page, report: Report) -> None:
    if not report.assumptions:
        return
    out.line("assumptions:", style="bold")
    for assumption in report.assumptions:
        out.line(f"{assumption.id}: {assumption.text}", indent=2, hang=4)
    out.blank()
