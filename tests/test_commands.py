"""What the commands besides check print, and what check tells of its work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import models.targets
from tests.processes import COMMAND, ROOT
from tests.report_sample import PROVED, REFUTED, with_results
from verify import check, cli
from verify.about import shortened
from verify.commands.watching import Timer, watching
from verify.inputs import find_target, tree_of
from verify.relations import every_property, program_of
from verify.request import Request
from verify.result import Report

LATE = "order.fixed3-metrics.load"


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Standard output of a command that ends well."""

    def run(*words: str) -> str:
        assert cli.main(words) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return run


# explain ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            LATE,
            [
                f"{LATE}: on load, every write of PERF_METRICS that is to last comes after",
                "asked of every run",
                "load: on load, every write",
                "fixed3_write (preserve | clear | havoc)",
                "H2: fixed counter 3 has to be written before PERF_METRICS",
                "H3: ",
                "host.perf: ",
            ],
        ),
        (
            "leak.guest-host",
            [
                "two runs that differ only in what is secret",
                "nobody else may see the guest's values",
                "put: what put leaves in hardware depends on the guest (",
            ],
        ),
        ("restore.GLOBAL_STATUS", ["an emulated access: an emulated read gives", "H8: "]),
        ("warn.guest", ["an emulated access: the kernel warns", "H15: "]),
        ("host.caches", ["put: the host expects another value (", "LVTPC", "H13: "]),
        ("migrate.closed", ["migrate.closed: "]),
    ],
)
def test_explain(name: str, said: list[str], shown: Callable[..., str]) -> None:
    out = shown("explain", name)
    words = " ".join(out.split())
    for text in said:
        assert text in words
    assert all(len(line) <= 80 for line in out.splitlines())
    assert ("H13: " in words) == (name in ("leak.guest-host", "host.caches", "warn.guest"))


def test_explain_of_another_target_and_with_interrupts(shown: Callable[..., str]) -> None:
    amd = shown("explain", "leak.guest-host", "--target", "mediated-pmu-amd")
    assert "H14: " in amd and "H2: " not in amd
    assert "whenever an NMI hits" in " ".join(shown("explain", f"nmi.{LATE}").split())


def test_explain_in_json(shown: Callable[..., str]) -> None:
    found = json.loads(shown("explain", LATE, "--format", "json"))
    assert found["property"] == LATE and found["family"] == "order" and found["compares"] == ""
    assert found["places"][0]["registers"] == ["hw.PERF_METRICS"]
    assert {"H2", "H3"} <= {fact["id"] for fact in found["facts"]}


@pytest.mark.parametrize("target", models.targets.names())
def test_every_property_can_be_explained(target: str) -> None:
    request = Request(target=target)
    program = program_of(tree_of(request), find_target(target), {})
    for _, prop in every_property(request, program):
        violations = prop.violations(lambda pair, phase: pair)
        assert all(v.text and v.phase for v in violations), prop.name


def test_names_of_registers_are_short() -> None:
    cells = ["hw.PMC[0]", "hw.PMC[1]", "hw.PMC[2]", "hw.LVTPC", "hw.FIXED_CTR[3]"]
    assert shortened(cells) == ["PMC[0..2]", "LVTPC", "FIXED_CTR[3]"]


# list ---------------------------------------------------------------------------------------------


def test_list_in_json(shown: Callable[..., str]) -> None:
    entries = json.loads(shown("list", "hardware", "--format", "json"))
    assert all(set(entry) == {"name", "text"} for entry in entries)
    assert "fixed3_write" in [entry["name"] for entry in entries]


def test_columns_are_aligned(shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown("list", "config").splitlines()
    [start] = {len(line) - len(line.partition("  ")[2].lstrip()) for line in lines}
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    wrapped = shown("list", "config").splitlines()
    assert all(len(line) <= 60 for line in wrapped) and len(wrapped) > len(lines)
    assert {line[:start].strip() for line in wrapped} - {""} == {x.split()[0] for x in lines}
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[1m" in shown("list", "config")


# completion ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, shown: Callable[..., str]) -> None:
    script = shown("completion", shell)
    assert f"_MSRPROOF_COMPLETE={shell}_complete" in script and "msrproof" in script


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("che", "check"),
        ("check --com", "--compare"),
        ("check --format sa", "sarif"),
        ("list reg", "registers"),
        ("explain order.fixed3-metrics.l", LATE),
        ("check --hardware fixed3", "fixed3_write="),
        ("check --target mediated-pmu-i", "mediated-pmu-intel"),
        ("check --kernel nowhere --property restore", ""),
    ],
)
def test_bash_completes(
    typed: str, offered: str, shown: Callable[..., str], tmp_path: Path
) -> None:
    command = tmp_path / "msrproof"
    program = COMMAND[-1]
    command.write_text(f"#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -c '{program}' \"$@\"\n")
    command.chmod(0o755)
    script = shown("completion", "bash")
    words = ["msrproof", *typed.split()]
    script += f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}\n"
    script += f"_msrproof_completion {command}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == offered, done.stderr


# What check tells ---------------------------------------------------------------------------------


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that tells of its work, and refutes something."""

    def run(request: Request) -> Report:
        request.progress.stage("read")
        request.progress.stage("prove")
        request.progress.asked(2)
        request.progress.answered()
        request.progress.stage("")
        return with_results(REFUTED, PROVED)

    monkeypatch.setattr(check, "run", run)


def test_quiet(telling: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--quiet"]) == 1
    assert cli.main(["check", "-q", "--output", str(tmp_path / "report")]) == 1
    assert capsys.readouterr() == ("", "")
    assert "restore.BLUE" in (tmp_path / "report").read_text()


def test_verbose(telling: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check"]) == 1
    plain = capsys.readouterr()
    assert cli.main(["check", "--verbose"]) == 1
    out, err = capsys.readouterr()
    assert (out, plain.err) == (plain.out, "")
    read, prove, questions = err.splitlines()
    assert read.split()[:2] == ["msrproof:", "read"] and prove.split()[1] == "prove"
    assert questions == "msrproof: questions to solvers: 1"


def test_a_timer_adds_up_trees() -> None:
    timer = Timer()
    assert timer.told() == "msrproof: an earlier answer was used\n"
    for stage in ("read", "prove", "", "read", "prove", ""):
        timer.stage(stage)
    assert list(timer.seconds) == ["read", "prove"]
    timer.stage("prove")
    timer.asked(3)
    timer.answered()
    assert timer.doing == "prove, questions open: 2"


def test_nothing_is_shown_when_it_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with watching(False) as timer:
        timer.stage("prove")
    assert capsys.readouterr() == ("", "")


PROGRESS = """
import sys
from verify.commands.watching import watching
with watching(True) as progress:
    progress.tree(1, 2, "Lamp\\x1b[2J")
    progress.stage("prove")
    progress.asked(7)
    progress.answered()
    print("report")
"""


def test_progress_is_for_the_terminal() -> None:
    leader, follower = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", PROGRESS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm"},
        check=True,
    )
    os.close(follower)
    seen = b""
    try:
        while data := os.read(leader, 4096):
            seen += data
    except OSError:  # all is read
        pass
    os.close(leader)
    assert done.stdout == b"report\n"
    assert b"1 of 2: Lamp\\x1b[2J: prove" in seen and b"Lamp\x1b" not in seen
    assert seen.count(b"\n") <= 1, "one line, that is used again"
