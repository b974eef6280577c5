"""A run that is killed, and runs at once: earlier answers stay intact, verdicts the same."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import models.reference
from tests.processes import COMMAND, ROOT, session
from verify import cache

PATCH = Path(models.reference.__file__).parent / "patches" / "perf-metrics-wrong-order.patch"
WORDS = ["check", "--patch", str(PATCH), "--property", "order.fixed3-metrics.*"]
for _value in (
    "guest.nested=0", "guest.version=2", "guest.gp=2", "guest.fixed=4", "host.gp=2",
    "host.fixed=4", "guest.gp_width=48", "host.gp_width=48", "guest.fixed_width=48",
    "host.fixed_width=48", "guest.fw_writes=1", "guest.perf_metrics=1",
):  # fmt: skip
    WORDS += ["--config", _value]
KEEPER = """
import itertools
from verify import cache
for number in itertools.count():
    cache.keep(str(number % 50), "x" * 5000)
    print(number, flush=True)
"""


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "msrproof" / "results.sqlite"


def intact(database: Path) -> bool:
    connection = sqlite3.connect(database)
    try:
        return list(connection.execute("PRAGMA integrity_check")) == [("ok",)]
    finally:
        connection.close()


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


@pytest.fixture
def killed() -> Iterator[list[subprocess.Popen[str]]]:
    """What must not outlive the test."""
    found: list[subprocess.Popen[str]] = []
    yield found
    for process in found:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_killed_while_it_keeps_answers(database: Path, killed: list[subprocess.Popen[str]]) -> None:
    for round_ in range(4):
        process = started(sys.executable, "-c", KEEPER)
        killed.append(process)
        assert process.stdout is not None
        for _ in range(3 + round_):
            assert process.stdout.readline()
        process.kill()
        process.wait()
        assert cache.find("0") == "x" * 5000 and intact(database)
        cache.keep("mine", str(round_))
        assert cache.find("mine") == str(round_)


def test_killed_while_it_proves_and_two_at_once(
    database: Path, killed: list[subprocess.Popen[str]]
) -> None:
    first = started(*COMMAND, *WORDS)
    killed.append(first)
    while len(session(first.pid)) < 2:
        assert first.poll() is None, "it ended before it had a solver"
        time.sleep(0.01)
    first.kill()
    first.wait()
    both = [started(*COMMAND, *WORDS, "--format", "json") for _ in range(2)]
    killed += both
    reports = [json.loads(process.communicate()[0]) for process in both]
    assert [process.returncode for process in both] == [1, 1]
    verdicts = [{r["property"]: r["verdict"] for r in report["results"]} for report in reports]
    assert (
        verdicts[0]
        == verdicts[1]
        == {
            "order.fixed3-metrics.load": "refuted",
            "order.fixed3-metrics.put": "proved",
        }
    )
    assert intact(database)
    again = subprocess.run(
        [*COMMAND, *WORDS, "--verbose"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (again.returncode, again.stderr) == (1, "msrproof: an earlier answer was used\n")
    deadline = time.monotonic() + 30  # the kernel kills a solver when its parent ends
    while session(first.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert session(first.pid) == set()
