"""verify.report.text: what a reader must find in the report, at any width."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.report_sample import PROVED, REFUTED, REPORT, STEPS, TRACE, UNKNOWN, with_results
from verify.report.text import MIN_WIDTH, render, render_trace
from verify.result import Outside, Report, Result, Violation

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def lines(report: Report, width: int = 80) -> list[str]:
    return render(report, width).splitlines()


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_the_heading_says_what_was_checked() -> None:
    found = lines(REPORT)
    assert re.fullmatch(r"msrproof \S+: lamp on linux-lamp \(7\.2\.0\)", found[0])
    assert found[1:4] == [
        "  --define MAX_LAMPS=4",
        "  --config room.lamps=2",
        "  --hardware dimmer=0",
    ]
    embedded = replace(REPORT, input=replace(REPORT.input, kernel=None))
    assert "on the embedded reference tree (7.2.0)" in squeezed(render(embedded))


def test_each_hunk_that_failed_is_named_with_what_it_could_affect() -> None:
    text = squeezed(render(REPORT))
    assert "[PATCH 1/2] Lamp: keep BLUE: 3 of 5 hunks applied" in text
    assert "not applied: lamp/dim.c:40: no such lines could affect restore.RED" in text
    assert (
        "not applied: lamp/notes.txt: the tree has no file lamp/notes.txt "
        "could affect nothing that was checked" in text
    )
    assert "patch without a subject: 1 of 1 hunks applied" in text


def test_what_no_answer_depends_on_is_named() -> None:
    text = squeezed(render(REPORT))
    told = "changed, but no answer depends on it: lamp/room.c:7 paint_room(), lamp/paint.txt "
    assert told in text
    many = tuple(Outside(f"lamp/{i}.c") for i in range(9))
    text = squeezed(render(replace(REPORT, input=replace(REPORT.input, outside=many))))
    assert "lamp/4.c, lamp/5.c and 3 more " in text


def test_the_table_has_every_property() -> None:
    found = [line.split() for line in lines(REPORT)]
    assert ["restore.RED", "proved", "0.05"] in found
    assert ["leak.room-room", "unknown", "60.00", "no", "answer", "in", "60", "s"] in found
    text = squeezed(render(REPORT, 200))
    assert "red_write: fails under clear, havoc, holds under preserve" in text
    assert "dimmer:" not in text, "a parameter that does not matter is left out"
    assert lines(REPORT)[-1] == "1 proved, 1 refuted, 1 unknown in 61.50 s"


def test_reasons_that_are_shared_are_notes() -> None:
    again = replace(UNKNOWN, property="leak.room-hall")
    alone = replace(UNKNOWN, property="leak.hall", reason="the lamp is off")
    text = render(with_results(UNKNOWN, again, alone))
    assert text.count(UNKNOWN.reason) == 1 and text.count("see note 1") == 2
    assert f"\nnote 1: {UNKNOWN.reason}\n" in text
    assert re.search(r"leak\.hall +unknown +60\.00 +the lamp is off\n", text)


def test_the_trace_can_be_followed() -> None:
    text = render_trace(REFUTED)
    assert text.splitlines() == [
        "restore.BLUE: refuted",
        "  red_write: fails under clear, havoc, holds under preserve",
        "  with red_write=clear room.lamps=2",
        "  guest:",
        "    1  guest BLUE 0x0 -> 0xffffffffffffffff",
        "  load:",
        "    2  lamp_load  lamp/load.c:12",
        "       + set_lamp(BLUE, lamp->blue);",
        "       WRITE BLUE 0x1 -> 0x7",
        "    3  lamp_load  lamp/load.c:15",
        "         set_lamp(RED, 0);",
        "       WRITE RED = 0x0 (clears BLUE as well)",
        "  violation: BLUE: expected 0x7, observed 0x0",
        "    the guest finds another colour than it left",
        "  cause (steps 3 and 2):",
        "    lamp_load (load.c:15) clears BLUE",
    ]
    assert text in render(REPORT)


def test_a_run_is_told_once() -> None:
    again = replace(REFUTED, property="nmi.restore.BLUE", statement="whenever the bell rings")
    other = replace(again, property="nmi.restore.RED", reason="the end state is wrong")
    text = render(with_results(REFUTED, again, other))
    assert text.count("violation: BLUE") == 2
    assert "nmi.restore.BLUE: refuted, by the same run as restore.BLUE\n" in text
    assert "\nnmi.restore.RED: refuted\n" in text


@pytest.mark.parametrize("result", [PROVED, UNKNOWN])
def test_only_a_refuted_property_has_a_trace(result: Result) -> None:
    assert render_trace(result) == ""


def test_a_broken_rule_has_no_values() -> None:
    wrong = Violation("BLUE", None, None, "BLUE must be written last")
    cause = replace(TRACE.cause, steps=(1,))
    trace = replace(TRACE, violation=wrong, cause=cause)
    text = render_trace(replace(REFUTED, reason="the end state is wrong", trace=trace))
    assert "  violation: BLUE\n    BLUE must be written last\n  cause (step 2):\n" in text
    assert text.splitlines()[1] == "  the end state is wrong"
    nobody = replace(TRACE, cause=replace(TRACE.cause, steps=()))
    assert "\n  cause:\n" in render_trace(replace(REFUTED, trace=nobody))


def test_what_is_not_understood_is_listed() -> None:
    text = squeezed(render(REPORT))
    assert (
        "not understood (it may do anything): lamp/asm.c:3: assembler "
        'asm volatile("glow"); could affect every property' in text
    )
    assert "assumptions: A1: only one hand is at the switch" in text
    bare = render(replace(REPORT, not_understood=(), assumptions=()))
    assert "not understood" not in bare and "assumptions" not in bare


@pytest.mark.parametrize("width", [1, MIN_WIDTH, 60, 80, 200])
def test_lines_fit(width: int) -> None:
    for line in lines(REPORT, width):
        assert line == line.rstrip()
        assert len(line) <= max(width, MIN_WIDTH)


def test_a_long_word_is_not_cut() -> None:
    path = "lamp/" + "x" * 100
    text = render(replace(REPORT, input=replace(REPORT.input, kernel=path)), 60)
    assert any(path in line for line in text.splitlines())


def test_colour_changes_nothing_else() -> None:
    plain, coloured = render(REPORT), render(REPORT, colour=True)
    assert "\x1b" not in plain
    assert ESCAPE.search(coloured)
    assert squeezed(ESCAPE.sub("", coloured)) == squeezed(plain)


def test_a_mail_cannot_steer_the_terminal() -> None:
    evil = "\x1b[2J\r\nlast \u202e line [bold]"
    steps = (replace(STEPS[0], note=evil), replace(STEPS[1], code=evil), *STEPS[2:])
    report = with_results(
        replace(REFUTED, reason=evil, trace=replace(TRACE, steps=steps)),
        replace(UNKNOWN, reason=evil),
    )
    [patch, _] = report.input.patches
    given = replace(report.input, patches=(replace(patch, subject=evil),), kernel=evil)
    text = render(replace(report, input=given))
    assert not set("\x1b\r\u202e") & set(text)
    assert text.count("\\x1b[2J") >= 5 and "[bold]" in text
