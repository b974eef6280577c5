"""What the benchmark prints and refuses. Nothing here is timed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench import bench, cbmc, measure
from tests.bench.measure import Command, RunFailed, Sample, Series
from tests.kernels.apt import FetchError


def _command(code: str, good: frozenset[int] = frozenset({0})) -> Command:
    return Command("it", [sys.executable, "-c", code], os.environ, good)


def _results(**walls: float) -> dict[str, Series]:
    names = {"restore": "cbmc restore", "leak": "cbmc leak"}
    names |= {"some": bench._SOME, "all": bench._ALL, "warm": bench._WARM}
    return {names[key]: Series([Sample(wall, wall, 10.0)]) for key, wall in walls.items()}


def test_the_ratios_are_to_both_cbmc_runs_together() -> None:
    results = _results(restore=1.0, leak=3.0, some=0.5, all=2.0, warm=0.5)
    text = bench.report(results, dict.fromkeys(results, 20.0))
    assert f"{bench._SOME} / cbmc restore + cbmc leak = 0.12 (asked: <= 0.25)" in text
    assert f"{bench._ALL} / cbmc restore + cbmc leak = 0.50 (asked: <= 1)" in text
    assert f"{bench._WARM} / {bench._ALL} = 0.25 (asked: well under 0.5)" in text


def test_without_cbmc_only_the_ratio_of_the_tool_to_itself_is_left() -> None:
    results = _results(some=0.5, all=2.0, warm=0.5)
    text = bench.report(results, dict.fromkeys(results, 20.0))
    assert text.count(" = ") == 1
    assert "cbmc" not in text


def test_a_series_gives_the_median_time_and_the_highest_memory() -> None:
    series = Series([Sample(1.0, 9.0, 5.0), Sample(50.0, 2.0, 7.0), Sample(3.0, 3.0, 6.0)])
    assert (series.wall, series.cpu, series.largest) == (3.0, 3.0, 7.0)


@pytest.mark.parametrize("run", [measure.run_once, measure.peak_of_tree])
def test_a_run_that_did_not_do_its_work_is_no_figure(run: Callable[[Command], object]) -> None:
    with pytest.raises(RunFailed, match="it: exit status 3: the reason"):
        run(_command("print('noise'); print('the reason'); raise SystemExit(3)"))


def test_an_expected_status_is_accepted() -> None:
    sample = measure.run_once(_command("raise SystemExit(1)", frozenset({0, 1})))
    assert sample.wall > 0 and sample.largest > 0


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
    cbmc.write_wrappers(tmp_path / "new")
    root = (tmp_path / "new").rename(tmp_path / "final")
    wrapper = root / "wrappers" / "cbmc"
    output = subprocess.run([wrapper, "a b"], capture_output=True, text=True, check=True)
    libraries = f"{root}/usr/lib/some-linux-gnu:{root}/usr/lib"
    assert output.stdout == f"--library-path {libraries} {root}/usr/bin/cbmc a b\n"


def test_packages_without_a_loader_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="no dynamic loader"):
        cbmc.write_wrappers(tmp_path)
