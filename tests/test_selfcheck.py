"""proofs.selfcheck: `make verify` must fail when an answer is not the expected one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from proofs import selfcheck
from tests.report_sample import PROVED, REFUTED, UNKNOWN, with_results
from verify.result import Report, Result

NAMES = ("restore.PMC", "order.quiet", *sorted(selfcheck.BROKEN))


def report(broken: Iterable[str]) -> Report:
    return with_results(
        *(replace(REFUTED if name in broken else PROVED, property=name) for name in NAMES)
    )


GOOD = {selfcheck.RIGHT: report(()), selfcheck.WRONG: report(selfcheck.BROKEN)}


def run(reports: dict[str, Report], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(selfcheck, "checked", reports.__getitem__)
    return selfcheck.main()


def test_both_as_expected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(GOOD, monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["A: perf-metrics.patch", "B: perf-metrics-wrong-order.patch"]
    table = [line.split() for line in lines if line.startswith(("property", *NAMES))]
    assert table[:2] == [["property", "A", "B"], ["restore.PMC", "proved", "proved"]]
    assert ["access.closed", "proved", "refuted"] in table and len(table) == 1 + len(NAMES)
    assert lines.count("B: restore.PERF_METRICS: refuted") == 1, "one trace"
    assert sum("violation" in line for line in lines) == 1
    assert lines[-1].startswith("as expected, in ")


UNDECIDED = replace(UNKNOWN, property="order.quiet")


@pytest.mark.parametrize(
    ("patch", "results", "text"),
    [
        (selfcheck.RIGHT, GOOD[selfcheck.WRONG].results, "A: access.closed is refuted, expected"),
        (selfcheck.WRONG, GOOD[selfcheck.RIGHT].results, "B: access.closed is proved, expected"),
        (
            selfcheck.RIGHT,
            (UNDECIDED,),
            "A: order.quiet is unknown (no answer in 60 s), expected proved",
        ),
        (selfcheck.WRONG, GOOD[selfcheck.WRONG].results[:-1], "B: restore.PERF_METRICS was not"),
    ],
)
def test_an_answer_that_is_not_expected_is_named(
    patch: str,
    results: tuple[Result, ...],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run({**GOOD, patch: with_results(*results)}, monkeypatch) == 1
    shown = capsys.readouterr().out
    assert text in shown and "\nNOT as expected" in shown
