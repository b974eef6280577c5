"""verify.report.json: the schema msrproof/1, to the letter, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report_sample import COMPARED, PROVED, REFUTED, REPORT, TRACE, UNKNOWN, with_results
from verify.report.json import as_object, parse, render
from verify.result import Report, TraceStep, Violation

TEXT, NUMBER, OPTIONAL = "text", "number", "text or null"
# The shape that scripts depend on: design.md, command line.
STEP = {
    "phase": TEXT,
    "file": OPTIONAL,
    "line": "number or null",
    "function": OPTIONAL,
    "code": OPTIONAL,
    "op": TEXT,
    "register": OPTIONAL,
    "before": OPTIONAL,
    "after": OPTIONAL,
    "note": TEXT,
    "patch_line": OPTIONAL,
}
RESULT = {
    "property": TEXT,
    "family": TEXT,
    "verdict": TEXT,
    "reason": TEXT,
    "seconds": NUMBER,
    "variants": {"*": {"*": TEXT}},
    "certificate": OPTIONAL,
    "trace": {
        "config": {"*": "number or text"},
        "steps": [STEP],
        "violation": {
            "register": TEXT,
            "expected": OPTIONAL,
            "observed": OPTIONAL,
            "text": TEXT,
        },
        "cause": {"text": TEXT, "steps": [NUMBER], "advice": TEXT},
        "replayed": "truth",
        "notable": [TEXT],
    },
    "statement": TEXT,
    "base": OPTIONAL,
    "difference": OPTIONAL,
    "open": [TEXT],
}
WHOLE = {
    "schema": TEXT,
    "tool": {"name": TEXT, "version": TEXT},
    "input": {
        "kernel": OPTIONAL,
        "kernel_version": TEXT,
        "target": TEXT,
        "defines": {"*": TEXT},
        "config": {"*": NUMBER},
        "hardware": {"*": TEXT},
        "patches": [
            {
                "subject": TEXT,
                "message_id": OPTIONAL,
                "applied": NUMBER,
                "failed": [{"file": TEXT, "line": NUMBER, "reason": TEXT, "affects": [TEXT]}],
                "source": TEXT,
                "attribution": TEXT,
            }
        ],
        "changes": [
            {
                "file": TEXT,
                "old_start": NUMBER,
                "start": NUMBER,
                "heading": TEXT,
                "lines": [TEXT],
            }
        ],
        "compare": "truth",
        "git": OPTIONAL,
        "outside": [{"file": TEXT, "line": NUMBER, "function": OPTIONAL}],
    },
    "assumptions": [{"id": TEXT, "text": TEXT}],
    "not_understood": [
        {"file": TEXT, "line": NUMBER, "text": TEXT, "reason": TEXT, "affects": [TEXT]}
    ],
    "results": [RESULT],
    "summary": {"proved": NUMBER, "refuted": NUMBER, "unknown": NUMBER, "seconds": NUMBER},
    "series": [{"name": TEXT, "commit": OPTIONAL, "verdicts": {"*": TEXT}, "problem": TEXT}],
    "turns": [{"property": TEXT, "difference": TEXT, "stages": [NUMBER]}],
}
NAMES = {str: "text", int: "number", float: "number", bool: "truth", type(None): "null"}


def has_shape(value: Any, shape: Any, where: str = "") -> None:
    if isinstance(shape, str):
        assert NAMES[type(value)] in shape.split(" or "), where
    elif value is None:
        assert where in (".results[].trace", ".results[].open"), where
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for item in value:
            has_shape(item, shape[0], f"{where}[]")
    elif "*" in shape:
        for key, item in value.items():
            has_shape(item, shape["*"], f"{where}.{key}")
    else:
        assert list(value) == list(shape), where
        for key, item in value.items():
            has_shape(item, shape[key], f"{where}.{key}")


def test_every_key_is_there_and_in_order() -> None:
    has_shape(json.loads(render(REPORT)), WHOLE)


def test_the_values() -> None:
    found = json.loads(render(REPORT))
    assert found["schema"] == "msrproof/1" and found["tool"]["name"] == "msrproof"
    assert found["summary"] == {"proved": 1, "refuted": 1, "unknown": 1, "seconds": 61.5}
    refuted, proved, unknown = found["results"]
    assert [r["verdict"] for r in found["results"]] == ["refuted", "proved", "unknown"]
    assert (refuted["seconds"], proved["trace"]) == (0.123, None)
    assert unknown["reason"] == "no answer in 60 s"
    trace = refuted["trace"]
    assert trace["steps"][0]["after"] == "0xffffffffffffffff"
    assert [trace["steps"][1][key] for key in ("file", "line", "patch_line")] == [
        "lamp/load.c",
        12,
        "+",
    ]
    assert trace["violation"]["expected"] == "0x7" and trace["cause"]["steps"] == [2, 1]
    assert refuted["variants"]["red_write"] == {
        "clear": "refuted",
        "havoc": "refuted",
        "preserve": "proved",
    }
    first, second = found["input"]["patches"]
    assert first["failed"][0]["affects"] == ["restore.RED"]
    assert (second["subject"], second["message_id"], second["failed"]) == ("", None, [])


def rounded(report: Report) -> Report:
    results = tuple(replace(r, seconds=round(r.seconds, 3)) for r in report.results)
    return replace(report, results=results, seconds=round(report.seconds, 3))


def test_what_is_read_back_is_the_report() -> None:
    assert parse(render(REPORT)) == rounded(REPORT)
    assert render(parse(render(REPORT))) == render(REPORT)
    assert parse(render(COMPARED)) == rounded(COMPARED)
    has_shape(as_object(COMPARED), WHOLE)


def test_the_smallest_report() -> None:
    report = with_results(PROVED)
    report = replace(report, input=replace(report.input, kernel=None, patches=()))
    report = replace(report, assumptions=(), not_understood=())
    has_shape(as_object(report), WHOLE)
    assert parse(render(report)) == rounded(report)


VALUES = st.none() | st.integers(0, 2**64 - 1)


@given(VALUES, VALUES, st.text(), st.none() | st.text())
def test_any_step_is_read_back(
    before: int | None, after: int | None, text: str, optional: str | None
) -> None:
    step = TraceStep(text, optional, None, optional, optional, text, optional, before, after, text)
    wrong = Violation(text, before, after, text)
    trace = replace(TRACE, steps=(step,) * 3, violation=wrong)
    report = with_results(replace(REFUTED, trace=trace), replace(UNKNOWN, reason=text or "x"))
    found = parse(render(report))
    assert found == rounded(report)
    assert render(report).isascii()


def test_orders_of_dicts_do_not_show() -> None:
    given = replace(REPORT.input, defines={"B": "1", "A": "2"})
    turned = replace(REPORT.input, defines={"A": "2", "B": "1"})
    one, other = replace(REPORT, input=given), replace(REPORT, input=turned)
    assert render(one) == render(other)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "{", '{"input": {}}'])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        parse(text)
