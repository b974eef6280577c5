"""The command line: bad input is one line and status 3; ^C leaves nothing behind."""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import models.reference
from tests.processes import COMMAND, session
from tests.report_sample import PROVED, REFUTED, UNKNOWN, with_results
from verify import check, cli
from verify.report import formats
from verify.result import Report

REFERENCE = Path(models.reference.__file__).parent / "tree"
PATCHES = REFERENCE.parent / "patches"
RIGHT = (PATCHES / "perf-metrics.patch").read_text()
PMU = "arch/x86/kvm/pmu.c"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, apart from the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def files(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Everything below a folder, by what changes when it is written to."""
    found = {path: path.lstat() for path in sorted(folder.rglob("*"))}
    return {path: (s.st_mode, s.st_size, s.st_mtime_ns) for path, s in found.items()}


class Refusal:
    """Runs a command that must fail; gives its only line."""

    def __init__(self, top: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.top, self.capsys = top, capsys

    def __call__(self, *words: str, status: int = 3) -> str:
        before = files(self.top)
        assert cli.main(words) == status
        out, err = self.capsys.readouterr()
        assert out == "" and files(self.top) == before, "nothing may be written"
        [line] = err.splitlines()
        assert err == f"{line}\n" and line.startswith("msrproof: ") and len(line) < 400
        assert "Traceback" not in line and "\x1b" not in line
        return line


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refusal:
    return Refusal(tmp_path, capsys)


# Words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("", "Missing command"),
        ("prove", "No such command"),
        ("check --nosuch", "No such option"),
        ("check extra", "unexpected extra argument (extra)"),
        ("check --kernel", "requires an argument"),
        ("check --target mediated-pmu-arm", "--target: no such name: mediated-pmu-arm; did you"),
        ("check --target x", "use one of: mediated-pmu-amd, mediated-pmu-intel"),
        ("check --property restor.*", "--property: nothing matches restor.*; did you mean"),
        ("check --define KVM_NO_SUCH_THING=1", "the tree has no such constant"),
        ("check --define 4=KVM", "--define '4=KVM': not NAME=VALUE"),
        ("check --define KVM", "--define 'KVM': not NAME=VALUE"),
        ("check --define KVM=", "--define 'KVM=': not NAME=VALUE"),
        ("check --define KVM_MAX_NR_INTEL_FIXED_COUNTERS=four", "must be a number from 1 to 16"),
        ("check --define KVM_MAX_NR_INTEL_FIXED_COUNTERS=99", "is 99 here; it must be"),
        ("check --config guest.nest=1", "--config: no such name: guest.nest; did you mean"),
        ("check --config guest.gp=many", "give a number such as 4 or 0x10"),
        ("check --config guest.gp=-1", "give a number such as 4 or 0x10"),
        ("check --config guest.gp=4294967296", "out of range 0..4294967295"),
        ("check --config guest.nested=2", "out of range 0..1"),
        ("check --config guest.gp=1 --config guest.gp=2", "given as 1 and as 2; keep one"),
        ("check --hardware fixed3_writes=clear", "did you mean fixed3_write?"),
        ("check --hardware fixed3_write=any", "use one of: preserve, clear, havoc"),
        ("check --format xml", "'xml' is not one of 'text', 'json', 'mail'"),
        ("check --timeout 0", "--timeout 0: give a number of seconds above 0"),
        ("check --timeout nan", "--timeout nan"),
        ("check --timeout soon", "'soon' is not a valid float"),
        ("check --jobs 0", "--jobs 0: give 1 or more"),
        ("check --quiet --verbose", "choose one of them"),
        ("check --compare", "--compare: give the patch to compare with --patch"),
        ("check --git a..b", "give the repository that has the commits with --kernel"),
        ("check --git a..b --kernel nowhere", "nowhere: no such folder"),
        ("explain", "Missing argument 'PROPERTY'"),
        ("explain order.fixed3-metrics.lode", "did you mean order.fixed3-metrics.load?"),
        ("completion", "Missing argument 'SHELL'"),
        ("completion tcsh", "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
        ("check --patch - --patch -", "standard input can be read only once"),
        ("check --kernel nowhere", "nowhere: no such folder"),
        ("list", "Missing argument 'KIND'"),
        ("list things", "'things' is not one of"),
        ("list properties --kernel nowhere", "nowhere: no such folder"),
        ("recheck nowhere", "nowhere"),
        ("recheck . --solver oracle", "'oracle' is not one of"),
    ],
)
def test_words_that_make_no_sense(words: str, text: str, refused: Refusal) -> None:
    assert text in refused(*words.split())


# Machines that cannot be ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["guest.fixed=3", "host.fixed=2", "guest.version=2"], ["guest.fixed=3", "host.fixed=2"]),
        (["guest.version=0", "guest.gp=1"], ["guest.version=0", "guest.gp=1"]),
        (["guest.version=2", "guest.gp=200"], ["guest.gp=200"]),
    ],
)
def test_no_machine_is_like_this(given: list[str], named: list[str], refused: Refusal) -> None:
    words = [word for value in given for word in ("--config", value)]
    line = refused("check", *words, "--hardware", "fixed3_write=clear")
    shown = " ".join(f"--config {value}" for value in named)
    assert line.startswith(f"msrproof: {shown}: with this kernel no machine and guest can be like")


# Trees ------------------------------------------------------------------------------------------


@pytest.fixture
def tree(folder: Path) -> Path:
    """A copy of the reference tree."""
    return shutil.copytree(REFERENCE, folder / "tree")


def test_a_folder_that_is_no_kernel(folder: Path, refused: Refusal) -> None:
    (folder / "empty").mkdir()
    line = refused("check", "--kernel", "empty")
    assert "empty: lacks arch/x86/kvm/pmu.c" in line and "give the top folder" in line


def test_a_file_that_is_no_folder(tree: Path, refused: Refusal) -> None:
    assert "not a folder" in refused("check", "--kernel", str(tree / "Makefile"))


def test_a_link_out_of_the_tree(tree: Path, refused: Refusal) -> None:
    (tree / PMU).unlink()
    (tree / PMU).symlink_to("/etc/passwd")
    assert "a symbolic link leads outside of tree" in refused("check", "--kernel", "tree")


def test_a_link_to_itself(tree: Path, refused: Refusal) -> None:
    (tree / PMU).unlink()
    (tree / PMU).symlink_to("pmu.c")
    assert f"{PMU}: cannot be read in tree" in refused("check", "--kernel", "tree")


def test_an_endless_source_file(tree: Path, refused: Refusal) -> None:
    (tree / PMU).unlink()
    with (tree / PMU).open("wb") as file:
        file.truncate(1 << 40)
    assert f"{PMU}: larger than 16 MiB" in refused("check", "--kernel", "tree")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        bytes(range(256)) * 300,
        b'{ ( [ static int x = "' * 10000,
        b"#error this is not it\n",
        b"int kvm_mediated_pmu_load(int x)\n{\n\treturn x;\n}\n",
    ],
    ids=["empty", "junk", "unbalanced", "error", "other"],
)
def test_a_kernel_whose_c_is_garbage(tree: Path, text: bytes, refused: Refusal) -> None:
    (tree / PMU).write_bytes(text)
    line = refused("check", "--kernel", "tree")
    assert re.search(r"tree \(7\.3\.0-reference\): no function kvm_\w+.* that can be read;", line)


@pytest.mark.parametrize(
    ("path", "tag"),
    [("arch/x86/include/asm/kvm_host.h", "kvm_pmu"), ("arch/x86/kvm/vmx/vmcs12.h", "vmcs12")],
)
def test_a_kernel_without_a_struct(path: str, tag: str, tree: Path, refused: Refusal) -> None:
    text = (tree / path).read_text()
    (tree / path).write_text(text.replace(f"struct {tag} {{", f"struct {tag}_2 {{"))
    assert f"the tree has no struct {tag} that can be read" in refused("check", "--kernel", "tree")


@pytest.mark.parametrize("member", ["reprogram_pmi", "eventsel_hw"])
def test_a_kernel_that_has_renamed_a_member(member: str, tree: Path, refused: Refusal) -> None:
    for path in (tree / "arch/x86").rglob("*.[ch]"):
        path.write_text(path.read_text().replace(member, "under_another_name"))
    line = refused("check", "--kernel", "tree")
    assert re.search(
        rf"the tree has no [\w.\[\]]+\.{member}[\d\[\]]*, which the models look at", line
    )


# Patches ----------------------------------------------------------------------------------------

OTHER = """\
--- a/drivers/lamp.c
+++ b/drivers/lamp.c
@@ -1,3 +1,4 @@
 int a;
+int x;
 int b;
 int c;
"""
BAD_PATCHES = {
    "empty": (b"", "in: is empty"),
    "blank": (b"\n \n\n", "in: is empty"),
    "nul": (b"diff --git\0", "in: is binary, not text"),
    "binary": (bytes(range(256)) * 20, "in: is binary, not text"),
    "gzip": (gzip.compress(RIGHT.encode()), "in: is packed with gzip; unpack it first"),
    "utf-16": (RIGHT.encode("utf-16"), "in: is UTF-16 text; save it as UTF-8"),
    "prose": (b"From: a@example.org\nSubject: [PATCH] none\n\nHello\n", 'no diff found in in: "['),
    "no file of the tree": (OTHER.encode(), "in: nothing of it applies to "),
    "other lines": (OTHER.replace("drivers/lamp.c", PMU).encode(), "in: nothing of it applies to "),
    "dots": (RIGHT.replace(PMU, "../../etc/passwd").encode(), "unsafe path '../../etc/passwd'"),
    "absolute": (OTHER.replace("a/drivers", "/drivers").replace("b/d", "/d").encode(), "unsafe"),
    "merge": (RIGHT.replace("@@ -", "@@@ -").encode(), "a merge (combined) diff"),
    "context": (b"*** a/x.c\n--- b/x.c\n***************\n*** 1 ****\n", "a context diff"),
    "git binary": (
        b"diff --git a/x.bin b/x.bin\nGIT binary patch\nliteral 3\n",
        "in:2: a binary patch",
    ),
    "no names": (b"@@ -1,2 +1,2 @@\n a\n-b\n+c\n", "in:1: an @@ line before any file name"),
    "junk": (b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-\xff\xfe\x80\n+\x81\x1b[2J\n", "in: nothing of it"),
    "html": (
        b"From: a\nSubject: b\nMIME-Version: 1.0\nContent-Type: multipart/alternative;"
        b" boundary=x\n\n--x\nContent-Type: text/html\n\n<b>diff</b>\n--x--\n",
        "only HTML text",
    ),
}


@pytest.mark.parametrize("name", BAD_PATCHES)
def test_a_patch_that_is_none(name: str, folder: Path, refused: Refusal) -> None:
    data, text = BAD_PATCHES[name]
    (folder / "in").write_bytes(data)
    assert text in refused("check", "--patch", "in")


def test_one_of_several_patches_is_wrong(folder: Path, refused: Refusal) -> None:
    (folder / "other.diff").write_text(OTHER)
    line = refused("check", "--patch", str(PATCHES / "perf-metrics.patch"), "--patch", "other.diff")
    assert line.startswith("msrproof: other.diff: nothing of it applies")


def test_a_patch_that_is_not_there(folder: Path, refused: Refusal) -> None:
    assert "nowhere: no such file" in refused("check", "--patch", "nowhere")
    assert f"{folder}: is a folder" in refused("check", "--patch", str(folder))


@pytest.mark.parametrize("sparse", [True, False])
def test_a_mail_of_100_megabytes(sparse: bool, folder: Path, refused: Refusal) -> None:
    with (folder / "huge").open("wb") as file:
        if sparse:
            file.truncate(100 << 20)
        else:
            file.write(b"> this goes on and on\n" * 5_000_000)
    assert "huge: larger than 16 MiB; give only the patch" in refused("check", "--patch", "huge")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "standard input: is empty"),
        (b"a" * (17 << 20), "standard input: larger than 16 MiB"),
        (b"no patch\n", "no diff found in standard input"),
    ],
    ids=["empty", "huge", "prose"],
)
def test_standard_input(
    data: bytes, text: str, refused: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert text in refused("check", "--patch", "-")


def test_standard_input_that_is_closed(refused: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert "standard input: is closed" in refused("check", "--patch", "-")


# Reports ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (".", "a folder"),
        ("nowhere/report", "no such folder: nowhere"),
        ("tree/report", "inside the kernel tree"),
        ("tree/arch/../report", "inside the kernel tree"),
        ("link/report", "inside the kernel tree"),
        (f"tree/{PMU}", "inside the kernel tree"),
        ("in", "is also a --patch"),
        ("pipe", "not a plain file"),
        ("loop", "cannot be written"),
        ("/proc/msrproof", "cannot be written"),
    ],
)
def test_a_report_that_can_go_nowhere(
    output: str, text: str, tree: Path, folder: Path, refused: Refusal
) -> None:
    (folder / "in").write_text(RIGHT)
    (folder / "link").symlink_to("tree")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    line = refused("check", "--kernel", "tree", "--patch", "in", "--output", output)
    assert line.startswith(f"msrproof: --output {output}: ") and text in line


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Report], None]:
    """Let every check give this report."""
    return lambda report: monkeypatch.setattr(check, "run", lambda request: report)


@pytest.mark.parametrize(
    ("results", "status"),
    [((PROVED,), 0), ((PROVED, REFUTED, UNKNOWN), 1), ((PROVED, UNKNOWN), 2), ((), 4)],
)
def test_the_status_tells_the_verdict(
    results: tuple[object, ...], status: int, answer: Callable[[Report], None]
) -> None:
    answer(with_results(*results))  # type: ignore[arg-type]
    assert cli.main(["check"]) == status


@pytest.mark.parametrize("form", formats.FORMATS)
def test_the_status_is_that_of_every_format(
    form: str, answer: Callable[[Report], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for results, status in (((PROVED,), 0), ((PROVED, REFUTED, UNKNOWN), 1), ((UNKNOWN,), 2)):
        answer(with_results(*results))
        assert cli.main(["check", "--format", form]) == status
        out, err = capsys.readouterr()
        assert out and not err and all(result.property in out for result in results)


def test_a_report_goes_to_a_file(
    folder: Path, answer: Callable[[Report], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(with_results(REFUTED))
    assert cli.main(["check", "--format", "json"]) == 1
    shown = capsys.readouterr().out
    (folder / "report").write_text("older")
    assert cli.main(["check", "--format", "json", "--output", "report"]) == 1
    assert capsys.readouterr().out == ""
    assert (folder / "report").read_text() == shown
    assert list(folder.iterdir()) == [folder / "report"], "no temporary file is left"


def test_a_defect_of_the_tool_is_status_4(
    refused: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(request: object) -> Report:
        raise ZeroDivisionError("a defect\nin two lines")

    monkeypatch.setattr(check, "run", broken)
    line = refused("check", status=4)
    assert "internal error: ZeroDivisionError: a defect in two lines (please report it" in line


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "check --help",
        "list --help",
        "explain --help",
        "recheck --help",
        "completion --help",
        "--version",
    ],
)
def test_help(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words.split()) == 0
    out, err = capsys.readouterr()
    assert out and not err and all(len(line) <= 100 for line in out.splitlines())


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("targets", "mediated-pmu-intel"),
        ("targets", "mediated-pmu-amd"),
        ("properties", "order.fixed3-metrics.put"),
        ("registers", "PERF_METRICS"),
        ("assumptions", "host.perf"),
        ("config", "guest.perf_metrics"),
        ("hardware", "fixed3_write"),
    ],
)
def test_the_lists(kind: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", kind]) == 0
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert name in [row[0] for row in rows] and all(len(row) == 2 for row in rows)


# ^C ---------------------------------------------------------------------------------------------


@pytest.fixture
def running() -> Iterator[subprocess.Popen[bytes]]:
    """A check in a session of its own."""
    process = subprocess.Popen(
        [*COMMAND, "check", "--no-cache"],
        cwd=Path(cli.__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_an_interrupt_ends_everything(running: subprocess.Popen[bytes]) -> None:
    while len(session(running.pid)) < 2:
        assert running.poll() is None, "it ended before it had a solver"
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (130, b"", b"")
    # The kernel kills a solver when its parent ends, which takes it a moment.
    deadline = time.monotonic() + 30
    while session(running.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert session(running.pid) == set()
