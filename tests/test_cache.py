"""verify.cache and its use by verify.check: what is done again, and what is not."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

import models.reference
from tests.report_sample import PROVED, UNKNOWN, with_results
from verify import cache, check, verdicts
from verify.request import Request
from verify.result import Report

REFERENCE = Path(models.reference.__file__).parent / "tree"
KNOWN = with_results(PROVED)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def database(home: Path) -> Path:
    return home / "msrproof" / "results.sqlite"


class Prover:
    """Stands in for the work; counts how often it is done."""

    def __init__(self) -> None:
        self.runs = 0
        self.answer = KNOWN

    def __call__(self, *given: object) -> Report:
        self.runs += 1
        return self.answer


@pytest.fixture
def prover(monkeypatch: pytest.MonkeyPatch) -> Prover:
    found = Prover()
    monkeypatch.setattr(verdicts, "prove", found)
    return found


def test_a_report_is_found_again(prover: Prover) -> None:
    first, second = check.run(Request()), check.run(Request(jobs=7))
    assert prover.runs == 1
    assert replace(second, seconds=0, input=first.input) == replace(first, seconds=0)
    assert second.seconds < KNOWN.seconds


@pytest.mark.parametrize(
    "changed",
    [
        Request(config={"guest.gp": 1}),
        Request(hardware={"fixed3_write": "clear"}),
        Request(defines={"KVM_MAX_NR_INTEL_FIXED_COUNTERS": "4"}),
        Request(properties=("restore.*",)),
        Request(timeout=1.0),
    ],
    ids=lambda request: str(request)[8:60],
)
def test_another_option_is_another_run(prover: Prover, changed: Request) -> None:
    check.run(Request())
    check.run(changed)
    assert prover.runs == 2
    check.run(changed)
    assert prover.runs == 2


def test_another_source_is_another_run(prover: Prover, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(REFERENCE, tree)
    request = Request(kernel=tree)
    check.run(request)
    source = tree / "arch/x86/kvm/pmu.h"
    text = source.read_text()
    source.write_text(text + "\n")
    check.run(request)
    assert prover.runs == 2
    source.write_text(text)
    check.run(request)
    assert prover.runs == 2


def test_the_same_source_elsewhere_is_the_same_run(prover: Prover, tmp_path: Path) -> None:
    """And an earlier report tells of the tree at hand."""
    one, other = (shutil.copytree(REFERENCE, tmp_path / name) for name in ("one", "other"))
    (other / "Makefile").write_text("VERSION = 8\nPATCHLEVEL = 0\n")
    patch = REFERENCE.parent / "patches" / "perf-metrics.patch"
    (tmp_path / "again.patch").write_text(patch.read_text())
    check.run(Request(kernel=one, patches=(str(patch),)))
    given = check.run(Request(kernel=other, patches=(str(tmp_path / "again.patch"),))).input
    assert prover.runs == 1
    assert (given.kernel, given.kernel_version) == (str(other), "8.0")
    [summary] = given.patches
    assert summary.source == str(tmp_path / "again.patch") and summary.applied > 0
    assert {change.file for change in given.changes} > {"arch/x86/kvm/pmu.h"}


def test_another_patch_is_another_run(prover: Prover) -> None:
    patches = REFERENCE.parent / "patches"
    for name in ("perf-metrics.patch", "perf-metrics-wrong-order.patch"):
        for _ in range(2):
            check.run(Request(patches=(str(patches / name),)))
    assert prover.runs == 2


def test_what_is_unknown_is_tried_again(prover: Prover) -> None:
    prover.answer = with_results(PROVED, UNKNOWN)
    check.run(Request())
    check.run(Request())
    assert prover.runs == 2


def test_what_speaks_of_nothing_is_kept(prover: Prover) -> None:
    prover.answer = with_results(PROVED, replace(UNKNOWN, reason="vacuous: there is no lamp"))
    check.run(Request())
    check.run(Request())
    assert prover.runs == 1


def test_no_cache_neither_uses_nor_keeps(prover: Prover, home: Path) -> None:
    check.run(Request(cache=False))
    assert not home.exists()
    check.run(Request())
    check.run(Request(cache=False))
    assert prover.runs == 3


# What can be wrong with the file ------------------------------------------------------------------


def test_a_broken_database_is_replaced(prover: Prover, database: Path) -> None:
    database.parent.mkdir(parents=True)
    database.write_bytes(b"this is no database" * 1000)
    for _ in range(3):
        assert check.run(Request()).results == KNOWN.results
    assert prover.runs == 2, "the first run finds it broken, the second one starts another"


@pytest.mark.parametrize("text", ["", "{}", "null", '{"schema": "msrproof/0"}', "\0"])
def test_a_broken_report_is_no_report(prover: Prover, database: Path, text: str) -> None:
    check.run(Request())
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE result SET report = ?", (text,))
    connection.close()
    assert check.run(Request()).results == KNOWN.results
    assert prover.runs == 2


def test_a_database_of_another_kind_is_left_alone(prover: Prover, database: Path) -> None:
    database.parent.mkdir(parents=True)
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE result (other TEXT)")
    connection.close()
    before = database.read_bytes()
    check.run(Request())
    assert check.run(Request()).results == KNOWN.results
    assert database.read_bytes() == before


def test_a_folder_that_cannot_be_written(
    prover: Prover, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere, but not below a file.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        assert check.run(Request()).results == KNOWN.results
    assert prover.runs == 2


def test_a_read_only_database(
    prover: Prover, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check.run(Request())
    plain = sqlite3.connect
    address = f"file:{database}?mode=ro"
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: plain(address, uri=True))
    check.run(Request())
    assert prover.runs == 1
    check.run(Request(timeout=1.0))
    check.run(Request(timeout=1.0))
    assert prover.runs == 3


def test_no_home(prover: Prover, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", nowhere)
    assert check.run(Request()).results == KNOWN.results


KEEPER = """
import sys
from verify import cache
for number in range(40):
    cache.keep(f"{sys.argv[1]}{number}", sys.argv[1] * number)
"""


def test_two_processes_at_once() -> None:
    running = [subprocess.Popen([sys.executable, "-c", KEEPER, name]) for name in "ab"]
    assert [process.wait() for process in running] == [0, 0]
    for name in "ab":
        for number in range(40):
            assert cache.find(f"{name}{number}") == name * number


def test_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cache._KEPT, cache.REPORTS, 3)
    for number in range(5):
        cache.keep(str(number), "x")
    assert [n for n in range(5) if cache.find(str(n))] == [2, 3, 4]
    cache.keep("2", "y")
    cache.keep("5", "x")
    assert [n for n in range(6) if cache.find(str(n))] == [2, 4, 5]


# Keys ---------------------------------------------------------------------------------------------


def test_parts_do_not_run_together() -> None:
    assert len({cache.digest(parts) for parts in (["ab"], ["a", "b"], ["", "ab"], ["ab", ""])}) == 4


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Gives the tool another source text; the key that a run then has."""
    fake = ModuleType("models")
    fake.__file__ = str(tmp_path / "models" / "__init__.py")
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(cache, "models", fake)

    def key(text: str) -> str:
        (tmp_path / "models" / "lamp.h").write_text(text)
        return cache.digest([])

    return key


def test_another_tool_has_other_keys(package: Callable[[str], str]) -> None:
    assert package("int one;") != package("int two;")
    assert package("int one;") == package("int one;")


def test_another_solver_has_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache.digest([])
    monkeypatch.setattr(metadata, "version", lambda name: "0.0")
    assert cache.digest([]) != before
