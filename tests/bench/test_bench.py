"""What the benchmark prints and refuses. Nothing here is timed."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.bench import bench, cbmc, growth, measure, queries
from tests.bench.measure import Command, RunFailed, Sample, Series
from tests.bench.stages import Stopwatch
from tests.kernels import programs
from tests.kernels.apt import FetchError
from verify import cli, verdicts
from verify.encode import term as t
from verify.prove.goal import Goal


def _command(code: str, good: frozenset[int] = frozenset({0})) -> Command:
    return Command("it", [sys.executable, "-c", code], os.environ, good)


def _results(**walls: float) -> dict[str, Series]:
    names = {"restore": "cbmc restore", "leak": "cbmc leak", "raw": bench._RAW}
    names |= {"some": bench._SOME, "all": bench._ALL, "warm": bench._WARM}
    return {
        names[key]: Series([Sample(wall, wall, 10.0, f"{key} said so in 9 s")])
        for key, wall in walls.items()
    }


def _ratios(results: dict[str, Series]) -> dict[str, str]:
    text = bench.report(results, dict.fromkeys(results, 20.0))
    return dict(line.split(" = ") for line in text.splitlines() if " = " in line)


def test_the_ratios_are_to_both_cbmc_runs_together() -> None:
    assert _ratios(_results(restore=1.0, leak=3.0, some=0.5, all=2.0, warm=0.5)) == {
        f"{bench._SOME} / cbmc restore + cbmc leak": "0.12 (from 0.12 to 0.12; asked: <= 0.25)",
        f"{bench._ALL} / cbmc restore + cbmc leak": "0.50 (from 0.50 to 0.50; asked: <= 1)",
        f"{bench._WARM} / {bench._ALL}": "0.25 (from 0.25 to 0.25; asked: well under 0.5)",
    }


def test_without_cbmc_the_ratio_is_to_the_solver_alone_and_nothing_is_asked_of_it() -> None:
    found = _ratios(_results(raw=4.0, some=2.0, all=8.0, warm=0.8))
    assert found[f"{bench._SOME} / {bench._RAW}"] == "0.50 (from 0.50 to 0.50)"
    assert found[f"{bench._ALL} / {bench._RAW}"] == "2.00 (from 2.00 to 2.00)"
    assert len(found) == 3


def test_without_a_yardstick_only_the_ratio_of_the_tool_to_itself_is_left() -> None:
    assert list(_ratios(_results(some=0.5, all=2.0, warm=0.5))) == [f"{bench._WARM} / {bench._ALL}"]


def test_the_table_gives_time_memory_and_answer_of_each_command() -> None:
    results = _results(some=0.5, all=2.0, warm=0.25)
    text = bench.report(results, {bench._SOME: 111.0, bench._ALL: 222.0, bench._WARM: 33.0})
    rows = [line.split()[-7:] for line in text.splitlines() if "said so" in line]
    assert rows == [
        ["0.50", "0.50", "10", "111", "some", "said", "so"],
        ["2.00", "2.00", "10", "222", "all", "said", "so"],
        ["0.25", "0.25", "10", "33", "warm", "said", "so"],
    ]


def test_ratios_are_taken_round_by_round() -> None:
    def series(*walls: float) -> Series:
        return Series([Sample(wall, wall, 1.0) for wall in walls])

    one, others = series(1.0, 30.0, 2.0), [series(1.0, 10.0, 1.0), series(1.0, 10.0, 3.0)]
    assert measure.ratios(one, others) == [0.5, 1.5, 0.5]
    with pytest.raises(ValueError):
        measure.ratios(one, [series(1.0)])


def test_of_several_rounds_the_median_ratio_and_the_range_are_printed() -> None:
    results = _results(some=1.0, all=1.0, warm=0.9)
    results[bench._WARM].samples += [Sample(0.2, 1.0, 1.0), Sample(0.1, 1.0, 1.0)]
    results[bench._ALL].samples += [Sample(1.0, 1.0, 1.0), Sample(1.0, 1.0, 1.0)]
    results[bench._SOME].samples *= 3
    (found,) = _ratios(results).values()
    assert found == "0.20 (from 0.10 to 0.90; asked: well under 0.5)"


def test_stages_are_medians_and_the_rest_of_the_process_is_named() -> None:
    def sample(wall: float, proofs: float, waiting: float) -> Sample:
        seconds = {"import": 1.0, "proofs": proofs, "proofs, waiting for solvers": waiting}
        return Sample(wall, wall, 1.0, json.dumps({"seconds": seconds, "missing": ["a:b"]}))

    runs = [sample(6.0, 1.0, 3.0), sample(90.0, 50.0, 9.0), sample(5.5, 0.5, 3.5)]
    text = bench.stage_report({"it": Series(runs)})
    rows = {line[:42].strip(): line[42:].split() for line in text.splitlines()}
    assert rows["import"] == ["1.000", "0.000", "15%"]
    assert rows["proofs"] == ["4.500", "3.500", "69%"]
    assert rows["start and end of the process"] == ["1.000", "0.000", "15%"]
    assert rows["refutations"] == ["0.000", "0.000", "0%"]
    assert "not there to be timed: a:b" in text


def test_a_moment_counts_for_the_innermost_stage() -> None:
    now = 0.0

    def spend(seconds: float) -> None:
        nonlocal now
        now += seconds

    watch = Stopwatch(lambda: now)
    wait = watch.timed(", waiting for solvers", spend)

    def inner() -> None:
        spend(1.0)
        wait(10.0)
        raise KeyError

    def outer() -> None:
        spend(100.0)
        with pytest.raises(KeyError):
            watch.timed("inner", inner)()
        spend(200.0)

    spend(3000.0)
    watch.timed("outer", outer)()
    spend(4000.0)
    watch.note()
    assert watch.seconds == {
        "other": 7000.0,
        "outer": 300.0,
        "inner": 1.0,
        "inner, waiting for solvers": 10.0,
    }


def test_all_stages_are_found_in_the_tool() -> None:
    """Who renames something there puts its new name into STAGES."""
    words = [sys.executable, "-m", "tests.bench.stages", "list", "properties"]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "restore.PMC" in output
    found = json.loads(output.splitlines()[-1])
    assert found["missing"] == []
    assert {"import", "front-end", "symbolic execution"} <= set(found["seconds"])


def test_what_a_stage_lacks_is_told() -> None:
    assert not Stopwatch().watch("it", "verify.check:Nothing.at_all")
    assert not Stopwatch().watch("it", "verify.check:nothing")


def test_queries_are_exported_and_solved_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = t.var("x", 8)
    small = (x.ult(t.const(3, 8)),)

    def run(words: Sequence[str]) -> int:
        goals = [
            Goal("one of two", small, (), (x.eq(t.const(9, 8)), x.eq(t.const(2, 8)))),
            Goal("none of two", small, (), (x.eq(t.const(9, 8)), x.eq(t.const(3, 8)))),
            Goal("no alternatives", (*small, x.eq(t.const(7, 8)))),
        ]
        answers = dict(verdicts.__dict__["solve_all"](goals, jobs=1, timeout=10.0))
        return len(answers) + len(words)

    monkeypatch.setattr(cli, "main", run)
    assert queries.export(tmp_path, ["check"]) == 4
    assert queries.solve(tmp_path) == Counter(sat=1, unsat=2)


def test_a_missing_harness_is_a_reason_to_use_no_cbmc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_HARNESS", tmp_path / "harness.c")
    with pytest.raises(FetchError, match="harness.c is missing"):
        bench.cbmc_commands(cbmc.Cbmc(["cbmc"], {}))


def test_a_series_gives_the_median_time_and_the_highest_memory() -> None:
    series = Series([Sample(1.0, 9.0, 5.0), Sample(50.0, 2.0, 7.0), Sample(3.0, 3.0, 6.0)])
    assert (series.wall, series.cpu, series.largest) == (3.0, 3.0, 7.0)


@pytest.mark.parametrize("run", [measure.run_once, measure.peak_of_tree])
def test_a_run_that_did_not_do_its_work_is_no_figure(run: Callable[[Command], object]) -> None:
    with pytest.raises(RunFailed, match="it: exit status 3: the reason"):
        run(_command("print('noise'); print('the reason'); raise SystemExit(3)"))


def test_an_expected_status_is_accepted() -> None:
    code = "print('noise'); print('the answer'); raise SystemExit(1)"
    sample = measure.run_once(_command(code, frozenset({0, 1})))
    assert sample.wall > 0 and sample.largest > 0 and sample.last == "the answer"


def test_commands_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def note(command: Command) -> Sample:
        order.append(command.name)
        return Sample(1.0, 1.0, 1.0)

    monkeypatch.setattr(measure, "run_once", note)
    commands = [Command(name, [], {}, frozenset()) for name in "ab"]
    measure.interleaved(commands, 3)
    assert "".join(order) == "ababab"


def test_memory_of_children_counts() -> None:
    hold = "import time; block = bytearray(b'x') * 60_000_000; time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    assert measure.peak_of_tree(_command(parent)) > 60


def test_wrappers_still_work_after_their_folder_has_moved(tmp_path: Path) -> None:
    loader = tmp_path / "new" / "usr" / "lib" / "some-linux-gnu" / "ld-linux-some.so.2"
    loader.parent.mkdir(parents=True)
    loader.write_text('#!/bin/sh\necho "$@"\n')
    loader.chmod(0o755)
    programs.write_wrappers(tmp_path / "new", ("cbmc",))
    root = (tmp_path / "new").rename(tmp_path / "final")
    wrapper = root / "wrappers" / "cbmc"
    output = subprocess.run([wrapper, "a b"], capture_output=True, text=True, check=True)
    libraries = f"{root}/usr/lib/some-linux-gnu:{root}/usr/lib"
    assert output.stdout == f"--library-path {libraries} {root}/usr/bin/cbmc a b\n"


def test_packages_without_a_loader_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="no dynamic loader"):
        programs.write_wrappers(tmp_path, ("cbmc",))


def test_growth_is_told_against_the_first_run_and_the_size() -> None:
    line = growth.Line("counters", {2: (), 8: ()})
    results = {
        "counters 2": Series([Sample(3.0, 3.0, 10.0, "1 proved in 3 s")]),
        "counters 8": Series([Sample(6.0, 6.0, 10.0, "2 proved in 6 s")]),
    }
    rows = [" ".join(row.split()) for row in growth.report(line, results).splitlines()[1:]]
    assert rows == ["2 3.00 1.00 1.00 1 proved", "8 6.00 2.00 0.50 2 proved"]
