"""The report as a reply to the patch: its own lines quoted, and below them what breaks and why.

Plain ASCII, 72 columns but for the kernel's lines, which stay as they are.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from email.header import Header

from verify import __version__
from verify.report import words
from verify.report.plain import clean, code
from verify.result import KEEPS, LEAVES, NMI, PROVED, REFUTED, UNKNOWN, Report, Result, Trace
from verify.source.changes import Change

WIDTH = 72
_AROUND = 8  # lines of a long hunk that are quoted before and after the one it is about
_MESSAGE_ID = re.compile(r"[!-;=?-~]+")  # without its brackets
_REPLY = re.compile(r"^(\s*re:\s*)+", re.I)
_FUNCTION = re.compile(r"[a-z]\w*_\w+", re.ASCII)  # when it is all of a note
_VCPUS = "A and B are two vCPUs that run on one CPU, one after the other; the values are of B"

Anchor = tuple[int, int]
"""A line of the patch: index of the hunk, and of the line in it."""


def render(report: Report) -> str:
    """Headers, if the patch came as a mail that can be answered, and the body."""
    paragraphs = [
        _opening(report),
        *_compared(report),
        *_not_applied(report),
        *_findings(report),
        *_unknown(report),
        *_not_understood(report),
        *_outside(report),
        *_closing(report),
    ]
    return _ascii(_headers(report) + "\n\n".join(paragraphs) + "\n")


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _headers(report: Report) -> str:
    for patch in reversed(report.input.patches):
        if patch.message_id and _MESSAGE_ID.fullmatch(patch.message_id):
            subject = "Re: " + _REPLY.sub("", clean(patch.subject))
            return (
                f"Subject: {Header(subject, header_name='Subject').encode()}\n"
                f"In-Reply-To: <{patch.message_id}>\nReferences: <{patch.message_id}>\n\n"
            )
    return ""


def _wrapped(text: str, indent: str = "", hang: str | None = None) -> str:
    return textwrap.fill(
        _ascii(clean(text)),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if hang is None else hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


# What first ---------------------------------------------------------------------------------


def _opening(report: Report) -> str:
    given, total = report.input, len(report.results)
    what = "this patch" if len(given.patches) == 1 else "these patches"
    where = f"{given.kernel_version} with {what}" if given.patches else given.kernel_version
    given_values = ", ".join(value for _, value in words.fixed(given))
    where += f" ({given_values})" if given_values else ""
    refuted, proved = report.count(REFUTED), report.count(PROVED)
    asked_for = f"the property that was asked for of {given.target} on {where}"
    if total == 1 and (proved or refuted):
        text = f"msrproof {'proves' if proved else 'refutes'} {asked_for}."
    elif proved == total:
        text = f"msrproof proves all {total} properties of {given.target} on {where}."
    elif refuted:
        text = f"msrproof refutes {refuted} of {total} properties of {given.target} on {where}."
    else:
        unknown = report.count(UNKNOWN)
        text = (
            f"msrproof can't tell {unknown} of {total} properties of {given.target} on {where};"
            " it refutes none."
        )
    return _wrapped(text)


def _compared(report: Report) -> Iterator[str]:
    if not report.series:
        return
    # What is kept is proved, and named as such.
    said = [f"{what} {', '.join(n)}" for what, n in words.compared(report) if what != KEEPS]
    yield _wrapped(f"Compared with the tree before: {'; '.join(said) or 'changes nothing'}.")
    if len(report.series) > 2:
        for name, changes in words.stages(report):
            if changes:
                yield _wrapped(f"{name}: {'; '.join(changes)}.", "", "  ")


def _not_applied(report: Report) -> Iterator[str]:
    for patch in report.input.patches:
        for hunk in patch.failed:
            place = f"{hunk.file}:{hunk.line}" if hunk.line else hunk.file
            yield _wrapped(
                f"A hunk does not apply: {place}: {hunk.reason}. It could affect"
                f" {words.affected(hunk.affects, report.results)}."
            )


# What breaks, under the lines that it is about ------------------------------------------------


def _findings(report: Report) -> Iterator[str]:
    hunks = report.input.changes
    groups: dict[Anchor | None, list[Result]] = {}
    for result in report.results:
        # What the patches leave as it was is not for their author.
        if result.trace is not None and result.difference != LEAVES:
            groups.setdefault(_anchor(result.trace, hunks), []).append(result)
    elsewhere = groups.pop(None, [])
    quoted = ""
    for index, hunk in enumerate(hunks):
        lines = sorted(line for at, line in filter(None, groups) if at == index)
        if not lines:
            continue
        quote = _quote(hunk, lines, hunk.file != quoted)
        yield quote if quoted else _attribution(report) + quote
        quoted = hunk.file
        yield from _comments([result for line in lines for result in groups[index, line]])
    if elsewhere and quoted:
        yield "Not at a line of the patch:"
    yield from _comments(elsewhere)


def _attribution(report: Report) -> str:
    """Who wrote what is quoted, where that is one mail's, or several's that say the same."""
    said = {patch.attribution for patch in report.input.patches}
    line = said.pop() if len(said) == 1 else ""
    return _wrapped(line) + "\n" if line else ""


def _anchor(trace: Trace, hunks: Sequence[Change]) -> Anchor | None:
    """The line of the patch that a trace is about: one of the cause's, else the last that it
    comes by."""
    places = {
        (hunk.file, number): (index, line)
        for index, hunk in enumerate(hunks)
        for line, (number, text) in enumerate(hunk.numbered())
        if text.startswith("+")
    }
    steps = [trace.steps[index] for index in trace.cause.steps] + [*reversed(trace.steps)]
    found = (places.get((step.file or "", step.line)) for step in steps)
    return next((anchor for anchor in found if anchor is not None), None)


def _quote(hunk: Change, lines: Sequence[int], name_file: bool) -> str:
    quoted = [f"diff --git a/{hunk.file} b/{hunk.file}"] if name_file else []
    quoted.append(f"@@ ... @@ {hunk.heading}".rstrip())
    first, last = max(0, lines[0] - _AROUND), lines[-1] + _AROUND + 1
    quoted += ["[...]"] * (first > 0)
    quoted += hunk.lines[first:last]
    quoted += ["[...]"] * (last < len(hunk.lines))
    return "\n".join(f"> {code(line)}".rstrip() for line in quoted)


def _comments(results: Sequence[Result]) -> Iterator[str]:
    """One comment for all properties that break in the same way, values aside."""
    same: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        if (trace := result.trace) is not None:
            steps = tuple((s.phase, s.file, s.line, s.op, s.register) for s in trace.steps)
            key = (trace.cause, steps, words.remark(result))
            same.setdefault(key, []).append(result)
    for group in same.values():
        yield _comment(sorted(group, key=_size))


def _size(result: Result) -> int:
    """Small values read best."""
    return sum(step.after or 0 for step in result.trace.steps) if result.trace else 0


def _comment(group: Sequence[Result]) -> str:
    result, trace = group[0], group[0].trace
    assert trace is not None
    why = _called(trace.cause.text, trace)
    parts = [_wrapped(f"{': '.join(filter(None, (trace.cause.advice, why)))}.")] if why else []
    broken: dict[str, list[str]] = {}
    for r in group:
        if r.trace is not None:
            broken.setdefault(r.trace.violation.text, []).append(r.property)
    breaks = [f"Breaks {', '.join(names)}: {text}." for text, names in broken.items()]
    parts.append("\n".join(_wrapped(line, "", "  ") for line in breaks))
    if result.reason:
        parts.append(_wrapped(f"{result.reason[:1].upper()}{result.reason[1:]}."))
    parts += [_wrapped(f"Depends on {text}.") for text in words.deciding(result)]
    parts.append(_setting(trace))
    parts.append(_steps(trace))
    return "\n\n".join(parts)


def _called(text: str, trace: Trace) -> str:
    """Functions as the list writes them: with brackets."""
    names = {re.escape(step.function) for step in trace.steps if step.function}
    names |= {step.note for step in trace.steps if _FUNCTION.fullmatch(step.note)}
    return re.sub(rf"\b({'|'.join(names)})\b(?!\()", r"\1()", text) if names else text


def _setting(trace: Trace) -> str:
    names = trace.notable or sorted(trace.config)
    values = " ".join(f"{name}={trace.config[name]}" for name in names if name in trace.config)
    text = f"With {values}:" if values else "In any configuration:"
    two = any(":" in step.phase for step in trace.steps)
    return _wrapped(f"{text[:-1]} ({_VCPUS}):" if two else text)


def _steps(trace: Trace) -> str:
    """The schedule: phase, where in the code, and what happens to which register."""
    phases = [clean(step.phase.partition("/")[0]) for step in trace.steps]
    width = max(map(len, phases), default=0)
    lines, last = [], ""
    place: tuple[str, str | None, int | None] | None = None
    for step, phase in zip(trace.steps, phases, strict=True):
        head = f"  {'' if phase == last else phase:<{width}}  "
        rest = " " * len(head)
        here, last = (phase, step.file, step.line), phase
        if step.file and here == place:
            head = rest + "  "
        elif step.file:
            lines.append(_wrapped(words.place(step), head, rest))
            lines.append(f"{rest}{step.patch_line or ' '} {code((step.code or '').strip())}")
            head = rest + "  "
        place = here
        # Who acts is said by the phase where it is the guest or the host.
        text = _called(words.effect(step), trace)
        if phase.endswith(step.op):
            text = text.removeprefix(step.op).lstrip()
        lines.append(_wrapped(text, head, rest + "    "))
    if trace.violation.observed is not None:
        lines.append(_wrapped(f"=> {words.wrong(trace.violation)}", "  ", "     "))
    return "\n".join(line.rstrip() for line in lines)


# The rest ------------------------------------------------------------------------------------


def _unknown(report: Report) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for result in report.results:
        if result.verdict == UNKNOWN:
            reasons.setdefault(result.reason, []).append(result.property)
    for reason, names in reasons.items():
        yield _wrapped(f"Unknown: {', '.join(names)}: {reason}.")


def _not_understood(report: Report) -> Iterator[str]:
    for part in report.not_understood:
        yield _wrapped(
            f"Not understood, so taken as something that may do anything: {part.file}:{part.line}:"
            f" {part.text} ({part.reason})."
        )


def _outside(report: Report) -> Iterator[str]:
    if report.input.outside:
        places = words.all_outside(report.input.outside)
        yield _wrapped(f"Changed, but no answer depends on it: {places}.")


def _closing(report: Report) -> Iterator[str]:
    names = [result.property for result in report.results if result.verdict == PROVED]
    both = [name for name in names if NMI + name in names]
    if both:
        yield _wrapped(
            f"Proved, for any number of switches, with and without NMIs: {', '.join(both)}."
        )
    if rest := [name for name in names if name not in both and name.removeprefix(NMI) not in both]:
        yield _wrapped(f"Proved, for any number of switches: {', '.join(rest)}.")
    parameters = {name for result in report.results for name in result.variants}
    said = " ".join(words.remark(result) for result in report.results)
    if named := sorted(name for name in parameters if name in said):
        yield _wrapped(
            f"{', '.join(named)}: hardware behaviour that the model leaves open"
            " (msrproof list hardware)."
        )
    if report.assumptions:
        yield _assumed([assumption.id for assumption in report.assumptions])
    yield f"Reproduce with msrproof {__version__}:\n\n{_command(words.command(report.input))}"


def _assumed(names: Sequence[str]) -> str:
    """Two lines: as many names as they hold."""
    for shown in range(len(names), -1, -1):
        left = len(names) - shown
        more = f"{'and' if shown else ''} {left} more (msrproof list assumptions)" if left else ""
        text = f"Assumes {', '.join(names[:shown])} {more}"
        lines = _wrapped(" ".join(text.split()) + ".")
        if lines.count("\n") < 2:
            break
    return lines


def _command(parts: Sequence[str]) -> str:
    """One command, folded between its options."""
    lines = [f"  {parts[0]}"]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 3 <= WIDTH:
            lines[-1] += f" {clean(part)}"
        else:
            lines[-1] += " \\"
            lines.append(f"    {clean(part)}")
    return "\n".join(lines)
