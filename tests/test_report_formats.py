"""What all printers must do with any report, and what each format demands of a text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import schemas
from tests.report_sample import (
    COMPARED,
    PROVED,
    REFUTED,
    REPORT,
    STEPS,
    TRACE,
    UNKNOWN,
    with_results,
)
from verify.report import b4, formats, html, junit, ktap, sarif
from verify.report.plain import code
from verify.result import Cause, Report, Violation

CLEAN = replace(REPORT, not_understood=(), input=replace(REPORT.input, patches=(), changes=()))
RULE = replace(
    REFUTED,
    property="order.BLUE",
    reason="the end state is wrong",
    trace=replace(
        TRACE,
        steps=(*STEPS[:1], *(replace(s, phase=f"B:{s.phase}") for s in STEPS[1:])),
        violation=Violation("", None, None, "BLUE must be written last"),
        cause=Cause("", ()),
        notable=(),
    ),
)
REPORTS = {
    "one of everything": REPORT,
    "all proved": replace(CLEAN, results=(PROVED,)),
    "refuted": with_results(REFUTED, RULE),
    "unknown": with_results(UNKNOWN, replace(UNKNOWN, property="leak.hall")),
    "compared": COMPARED,
    "no patch": replace(CLEAN, results=(REFUTED, PROVED), assumptions=()),
}
EVIL = (
    "\x1b[2J\x00\r\n\u202e]]> {0} [x](http://e) <script>alert('1')</script> &amp; # SKIP "
    "\ud800\uffff"
)


def hostile(evil: str) -> Report:
    """The sample with this text wherever text comes from elsewhere."""
    steps = (replace(STEPS[0], note=evil), replace(STEPS[1], code=evil, file=evil), *STEPS[2:])
    trace = replace(TRACE, steps=steps, cause=replace(TRACE.cause, text=evil or "x"))
    report = with_results(
        replace(REFUTED, reason=evil, trace=trace), replace(UNKNOWN, reason=evil or "x")
    )
    [patch, other] = report.input.patches
    [change] = report.input.changes
    failed = (replace(patch.failed[0], file=evil),)
    patch = replace(patch, subject=evil, source=evil, failed=failed, attribution=evil)
    given = replace(
        report.input,
        patches=(patch, replace(other, message_id=evil)),
        kernel=evil,
        changes=(replace(change, heading=evil, lines=(f"+{evil}", *change.lines)),),
    )
    parts = tuple(replace(n, text=evil, file=evil) for n in report.not_understood)
    return replace(report, input=given, not_understood=parts)


def rendered(report: Report, form: str) -> str:
    return formats.render(report, form, 80, False)


@pytest.mark.parametrize("form", formats.FORMATS)
@pytest.mark.parametrize("name", REPORTS)
def test_every_format_prints_every_report(form: str, name: str) -> None:
    report = REPORTS[name]
    text = rendered(report, form)
    assert text.endswith("\n") and text == rendered(report, form)
    text.encode("utf-8")
    for result in report.results:
        assert result.property in text


@pytest.mark.parametrize("form", formats.FORMATS)
def test_what_comes_from_elsewhere_steers_no_terminal(form: str) -> None:
    text = rendered(hostile(EVIL), form)
    text.encode("utf-8", "surrogateescape" if form == "text" else "strict")
    assert not set("\x1b\x00\r\u202e") & set(text)


@settings(max_examples=50)
@given(st.text(min_size=1, max_size=30))
def test_structures_hold_whatever_the_text(evil: str) -> None:
    report = hostile(evil)
    json.loads(sarif.render(report))
    json.loads(b4.render(report))
    ElementTree.fromstring(junit.render(report))
    ktap_is_right(ktap.render(report), ["not ok", "ok"])
    assert Page(html.render(report)).tags == Page(html.render(hostile("x"))).tags


@pytest.mark.parametrize("form", formats.FORMATS)
def test_every_format_tells_the_difference(form: str) -> None:
    assert "introduces" in rendered(COMPARED, form)
    assert "introduces" not in rendered(REPORT, form)


@pytest.mark.parametrize("form", ["text", "mail", "html"])
def test_what_changes_on_the_way_is_told(form: str) -> None:
    text = " ".join(re.sub(r"<[^>]*>", " ", rendered(COMPARED, form)).split())
    for said in (
        "cannot be checked: no function lamp_load",
        "0123456789ab Lamp: dim",
        "introduces restore.BLUE, if none of these does: [PATCH 1/2] Lamp: keep BLUE",
        "unknown: leak.room-room",
    ):
        assert said in text
    assert ("restore.GONE" in text) == (form != "mail")


# SARIF -------------------------------------------------------------------------------------------


def run_of(report: Report) -> Any:
    log = json.loads(sarif.render(report))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    return run


def test_sarif_has_a_rule_and_a_result_for_each_property() -> None:
    run = run_of(REPORT)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["restore.BLUE", "restore.RED", "leak.room-room"]
    assert rules[0]["shortDescription"]["text"] == "BLUE at entry is as the guest left it"
    found = [(r["kind"], r["level"], rules[r["ruleIndex"]]["id"]) for r in run["results"]]
    assert found == [
        ("fail", "error", "restore.BLUE"),
        ("pass", "none", "restore.RED"),
        ("open", "none", "leak.room-room"),
    ]
    assert "no answer in 60 s" in run["results"][2]["message"]["text"]
    assert run["invocations"][0]["exitCode"] == 1


def test_sarif_has_the_trace_as_a_code_flow() -> None:
    result = run_of(REPORT)["results"][0]
    [place] = result["locations"]
    assert place["physicalLocation"]["region"]["startLine"] == 15, "the step that breaks it"
    [flow] = result["codeFlows"]
    [thread] = flow["threadFlows"]
    assert [step["executionOrder"] for step in thread["locations"]] == [1, 2, 3]
    assert [step["importance"] for step in thread["locations"]] == [
        "important",
        "essential",
        "essential",
    ]
    assert thread["locations"][1]["state"] == {"BLUE": {"text": "0x7"}}
    threads = run_of(with_results(RULE))["results"][0]["codeFlows"][0]["threadFlows"]
    assert [(t["id"], len(t["locations"])) for t in threads] == [("vcpu", 1), ("B", 2)]


def test_sarif_fingerprints_know_the_mistake_again() -> None:
    def fingerprint(**changes: Any) -> str:
        steps = tuple(replace(step, **changes) for step in STEPS)
        report = with_results(replace(REFUTED, trace=replace(TRACE, steps=steps)))
        return str(run_of(report)["results"][0]["partialFingerprints"]["msrproof/v1"])

    same = fingerprint()
    assert fingerprint(line=99) == fingerprint(before=5, after=6) == same
    assert fingerprint(function="other") != same
    other = run_of(with_results(RULE))["results"][0]["partialFingerprints"]["msrproof/v1"]
    assert other != same


def test_sarif_tells_what_was_left_out() -> None:
    texts = [
        n["message"]["text"] for n in run_of(REPORT)["invocations"][0]["toolExecutionNotifications"]
    ]
    assert texts == [
        "a hunk was not applied: no such lines; could affect restore.RED",
        "a hunk was not applied: the tree has no file lamp/notes.txt;"
        " could affect nothing that was checked",
        "changed, but no answer depends on it; could affect nothing that was checked",
        "changed, but no answer depends on it; could affect nothing that was checked",
        "not understood: assembler; could affect every property",
    ]


def test_sarif_messages_have_neither_placeholders_nor_links() -> None:
    text = run_of(hostile(EVIL))["results"][0]["message"]["text"]
    assert "{{0}}" in text and "\\[x\\](http" in text


@pytest.mark.external
@pytest.mark.parametrize("name", [*REPORTS, "hostile"])
def test_sarif_fits_its_schema(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    if not schemas.SARIF.path.is_file():
        pytest.skip(f"no {schemas.SARIF.path} (python -m tests.schemas)")
    schema = json.loads(schemas.SARIF.path.read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    report = REPORTS.get(name) or hostile(EVIL)
    assert [e.message for e in validator.iter_errors(json.loads(sarif.render(report)))] == []
    assert not validator.is_valid({"version": "2.1.0"}), "it must be able to fail"


# JUnit -------------------------------------------------------------------------------------------


def test_junit_counts_and_tells() -> None:
    [suite] = ElementTree.fromstring(junit.render(REPORT))
    counts = [suite.get(key) for key in ("tests", "failures", "errors", "skipped")]
    assert counts == ["3", "1", "1", "0"]
    cases = suite.findall("testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases] == [
        ("lamp.restore", "restore.BLUE"),
        ("lamp.restore", "restore.RED"),
        ("lamp.leak", "leak.room-room"),
    ]
    [failure] = cases[0]
    assert (failure.tag, failure.get("message")) == ("failure", "lamp_load (load.c:15) clears BLUE")
    assert "WRITE BLUE 0x1 -> 0x7" in (failure.text or "")
    assert len(cases[1]) == 0
    [error] = cases[2]
    assert (error.tag, error.get("message")) == ("error", "no answer in 60 s")
    assert "only one hand is at the switch" in (suite.findtext("system-out") or "")


@pytest.mark.external
@pytest.mark.parametrize("name", [*REPORTS, "hostile"])
def test_junit_fits_the_schema_of_jenkins(name: str) -> None:
    etree = pytest.importorskip("lxml.etree")
    if not schemas.JUNIT.path.is_file():
        pytest.skip(f"no {schemas.JUNIT.path} (python -m tests.schemas)")
    schema = etree.XMLSchema(etree.parse(schemas.JUNIT.path))
    report = REPORTS.get(name) or hostile(EVIL)
    schema.assertValid(etree.fromstring(junit.render(report).encode()))
    assert not schema.validate(etree.fromstring("<testsuites><other/></testsuites>"))


# KTAP --------------------------------------------------------------------------------------------

KTAP_LINE = re.compile(r"(ok|not ok) (\d+) ((?:[^#\\]|\\.)+?)(?: # (SKIP )?(.*))?")


def ktap_is_right(text: str, expected: list[str]) -> None:
    """The grammar of the kernel's Documentation/dev-tools/ktap.rst, and these results."""
    version, plan, *rest = text.splitlines()
    assert version == "KTAP version 1" and plan == f"1..{len(expected)}"
    found = []
    for line in rest:
        if line.startswith("# "):
            continue
        match = KTAP_LINE.fullmatch(line)
        assert match, line
        found.append(match.group(1))
        assert int(match.group(2)) == len(found)
    assert found == expected


def test_ktap() -> None:
    text = ktap.render(REPORT)
    ktap_is_right(text, ["not ok", "ok", "ok"])
    assert "\nok 2 restore.RED\n" in text
    assert "\nok 3 leak.room-room # SKIP no answer in 60 s\n" in text
    before, _, after = text.partition("not ok 1 restore.BLUE")
    assert "WRITE BLUE 0x1 -> 0x7" in before and "lamp/asm.c:3" in after
    ktap_is_right(ktap.render(hostile(EVIL)), ["not ok", "ok"])


# b4 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ((PROVED,), "pass"),
        ((PROVED, UNKNOWN), "warn"),
        ((UNKNOWN, REFUTED, PROVED), "fail"),
    ],
)
def test_b4_says_the_worst(results: tuple[Any, ...], status: str) -> None:
    [entry] = json.loads(b4.render(with_results(*results)))
    assert set(entry) == {"tool", "status", "summary", "details"}
    assert (entry["tool"], entry["status"]) == ("msrproof", status)
    assert "\n" not in entry["summary"] and "restore.RED" in entry["details"]


@pytest.mark.external
def test_b4_itself_takes_it(tmp_path: Path) -> None:
    checks = pytest.importorskip("b4.review.checks")
    from email.message import EmailMessage

    (tmp_path / "answer").write_text(b4.render(REPORT))
    script = f"cat > /dev/null; cat {tmp_path}/answer; exit 1"
    message = EmailMessage()
    message["Subject"] = "[PATCH] lamp"
    message.set_content("diff")
    found = checks._run_external_cmd(["sh", "-c", script], message, str(tmp_path))
    assert [(entry["tool"], entry["status"]) for entry in found] == [("msrproof", "fail")]


# HTML --------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value or "")
            elif key == "href" and (value or "").startswith("#"):
                self.links.append((value or "")[1:])
            elif key in ("href", "src", "style", "srcset", "action") or key.startswith("on"):
                self.outside.append(f"{tag} {key}={value}")


@pytest.mark.parametrize("name", [*REPORTS, "hostile"])
def test_html_needs_nothing_and_runs_nothing(name: str) -> None:
    text = html.render(REPORTS.get(name) or hostile(EVIL))
    page = Page(text)
    assert page.outside == [] and not {"script", "img", "link", "iframe"} & set(page.tags)
    assert "url(" not in text and "@import" not in text
    assert set(page.links) <= set(page.ids) and len(set(page.ids)) == len(page.ids)
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text


def test_html_tells_a_run_once() -> None:
    again = replace(REFUTED, property="nmi.restore.BLUE")
    text = html.render(with_results(REFUTED, again))
    assert text.count('class="trace"') == 1 and text.count('href="#trace-1"') == 2
    assert "restore.BLUE, nmi.restore.BLUE</h3>" in text


def test_html_marks_cause_and_violation_and_joins_them() -> None:
    table = html.timeline(TRACE)
    assert table.registers == ("BLUE", "RED")
    assert [(band.phase, band.actor) for band in table.bands] == [
        ("guest", "guest"),
        ("load", "kvm"),
    ]
    first, second, third = [row for band in table.bands for row in band.rows]
    assert [row.wire for row in (first, second, third)] == ["", "start", "end"]
    assert [cell.states for cell in second.cells] == [("cause", "wired", "changed"), ()]
    assert third.cells[0].states == ("wrong", "wired")
    assert [cell.value for cell in third.cells] == ["0x7", "0x0"]


def test_html_of_a_broken_rule_marks_the_step_that_breaks_it() -> None:
    rule = replace(TRACE, violation=Violation("BLUE", None, None, "BLUE is last"))
    rows = [row for band in html.timeline(rule).bands for row in band.rows]
    assert rows[2].cells[0].states == ("through",)
    assert rows[2].cells[1].states == ("wrong", "wired", "used")


def test_html_tells_the_vcpus_apart() -> None:
    steps = tuple(
        replace(STEPS[0], phase=phase, op=op)
        for phase, op in (
            ("A:host", "host"),
            ("A:reguest", "guest"),
            ("A:put", "WRITE"),
            ("B:load", "WRITE"),
        )
    )
    table = html.timeline(replace(TRACE, steps=steps, cause=Cause("", (1,))))
    assert [band.actor for band in table.bands] == ["host", "guest", "kvm", "other"]
    rows = [row for band in table.bands for row in band.rows]
    assert [row.wire for row in rows] == ["", "start", "on", "end"]


# Any --------------------------------------------------------------------------------------------


@given(st.text())
def test_code_keeps_its_tabs(text: str) -> None:
    assert code(text).count("\t") == text.count("\t")


def test_formats_are_imported_on_demand() -> None:
    script = "import sys, verify.cli; sys.exit('jinja2' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
