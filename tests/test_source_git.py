"""verify.source.git: commits as trees, and that a repository is only read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.git_history import History
from verify.errors import BadInput
from verify.source.git import Repository

MAKEFILE = "VERSION = 9\nPATCHLEVEL = 1\nSUBLEVEL = 4\n"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "repository")


@pytest.fixture
def repository(history: History) -> Iterator[Repository]:
    with closing(Repository(history.folder)) as opened:
        yield opened


def test_a_commit_is_a_tree(history: History, repository: Repository) -> None:
    first = history.commit("One", {"Makefile": MAKEFILE, "a/lamp.c": "int one;\n"})
    history.commit("Two", {"a/lamp.c": "int two;\n"})
    (history.folder / "a" / "lamp.c").write_text("not committed\n")
    tree = repository.tree(first)
    assert tree.version == "9.1.4" and tree.root == f"{history.folder} at {first[:12]}"
    assert tree.read("a/lamp.c") == "int one;\n"
    assert tree.read("a/none.c") is None and tree.read("a") is None
    assert tree.read("a/lamp.c\nx") is None
    assert tree.mark("a/lamp.c", 1) is None and tree.touched() == []
    assert tree.paths("a") == ["a/lamp.c"] and tree.paths("b") == []
    with pytest.raises(BadInput, match="unsafe path"):
        tree.read("../secret")
    assert repository.subject(first) == "One"


def test_links(history: History, repository: Repository) -> None:
    history.commit("Files", {"Makefile": MAKEFILE, "a/lamp.c": "int one;\n"})
    links = {"in.c": "a/lamp.c", "out.c": "/etc/passwd", "loop.c": "loop.c", "gone.c": "nowhere"}
    for name, to in links.items():
        (history.folder / name).symlink_to(to)
    tree = repository.tree(history.commit("Links"))
    assert tree.read("in.c") == "int one;\n"
    assert tree.read("gone.c") is None and tree.read("in.c/x") is None
    for name in ("out.c", "loop.c"):
        with pytest.raises(BadInput, match=f"{name}: a symbolic link"):
            tree.read(name)
    assert tree.read("a/lamp.c") == "int one;\n", "it goes on"


def test_latin1_and_endless_files(
    history: History, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    (history.folder / "old.c").write_bytes(b"/* caf\xe9 */\n")
    commit = history.commit("Files", {"Makefile": MAKEFILE, "long.c": "x" * 2000})
    monkeypatch.setattr("verify.source.git.MAX_FILE_BYTES", 1000)
    tree = repository.tree(commit)
    with pytest.raises(BadInput, match="long.c: larger than"):
        tree.read("long.c")
    assert tree.read("old.c") == "/* caf\u00e9 */\n"


def test_only_commits_that_touch_the_paths(history: History, repository: Repository) -> None:
    start = history.commit("Start", {"a.c": "1", "b.c": "1", "c.c": "1"})
    one = history.commit("One", {"a.c": "2"})
    history.commit("Other", {"c.c": "2"})
    history.git("mv", "b.c", "d.c")
    moved = history.commit("Moved")
    end = history.commit("End", {"c.c": "3"})
    found = repository.commits(start, end, ["a.c", "b.c"])
    assert [(c.hash, c.subject) for c in found] == [(one, "One"), (moved, "Moved")]
    assert found[1].parents == (one,)
    # Names are no patterns.
    assert repository.commits(start, end, ["*.c"]) == []


def test_both_sides_of_a_merge(history: History, repository: Repository) -> None:
    start = history.commit("Start", {"a.c": "1\n", "b.c": "1\n"})
    history.git("checkout", "-q", "-b", "side")
    side = history.commit("Side", {"a.c": "2\n"})
    history.git("checkout", "-q", "main")
    main = history.commit("Main", {"b.c": "2\n"})
    history.git("merge", "-q", "--no-ff", "-m", "Merge", "side")
    merge = history.git("rev-parse", "HEAD")
    found = {c.hash: set(c.parents) for c in repository.commits(start, merge, ["a.c", "b.c"])}
    assert found == {side: {start}, main: {start}, merge: {side, main}}
    assert repository.range("main~1..main") == (main, merge)
    assert repository.range("side..main~1") == (start, main), "they parted at the start"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("main", "not a range"),
        ("main...main", "not a range"),
        ("--all..main", "not a range"),
        ("^main..main", "not a range"),
        ("nowhere..main", "no such commit in .*: nowhere"),
        ("main..main", "no commit is in this range"),
        ("..", "no commit is in this range"),
        ("main..--output=x", "not a range"),
    ],
)
def test_ranges_that_are_none(
    text: str, said: str, history: History, repository: Repository
) -> None:
    history.commit("Start", {"a.c": "1"})
    with pytest.raises(BadInput, match=said):
        repository.range(text)


def test_any_text_is_a_range_or_refused(
    history: History, repository: Repository, tmp_path: Path
) -> None:
    start = history.commit("Start", {"a.c": "1"})
    history.commit("Next", {"a.c": "2"})
    names = st.sampled_from(["main", "HEAD", "HEAD^", "-h", "--output=x", "^", "@{1}", ":/S", ""])
    before = set(tmp_path.rglob("*"))

    @settings(max_examples=40)
    @given(
        st.lists(names | st.text(max_size=3), max_size=4).map("".join), st.sampled_from(["..", "."])
    )
    def given_text(text: str, dots: str) -> None:
        for words in (text, f"{text}{dots}", f"{dots}{text}", f"HEAD^{dots}{text}"):
            try:
                base, tip = repository.range(words)
            except BadInput:
                continue
            assert base == start != tip

    given_text()
    assert set(tmp_path.rglob("*")) == before


def test_what_is_no_repository(tmp_path: Path, history: History) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        Repository(tmp_path / "nowhere")
    (tmp_path / "plain").mkdir()
    with pytest.raises(BadInput, match="not a git repository"):
        Repository(tmp_path / "plain")
    (history.folder / "sub").mkdir()
    with pytest.raises(BadInput, match="not a git repository"):
        Repository(history.folder / "sub")


def test_a_bare_repository(tmp_path: Path, history: History) -> None:
    commit = history.commit("One", {"Makefile": MAKEFILE})
    history.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    with closing(Repository(tmp_path / "bare")) as bare:
        assert bare.tree(commit).version == "9.1.4"


def test_git_is_not_there(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="git: cannot be run"):
        Repository(history.folder)


def test_nothing_of_it_is_run_or_written(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = history.commit("One", {"Makefile": MAKEFILE, ".gitattributes": "* filter=spy diff=spy"})
    end = history.commit("Two", {"Makefile": f"{MAKEFILE}#\n"})
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\necho $0 $* >> {tmp_path}/seen\n")
    spy.chmod(spy.stat().st_mode | stat.S_IXUSR)
    for name in os.listdir(history.folder / ".git" / "hooks"):
        (history.folder / ".git" / "hooks" / name.removesuffix(".sample")).symlink_to(spy)
    for key in (
        "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass",
        "diff.external", "diff.spy.textconv", "filter.spy.smudge", "filter.spy.process",
        "pager.rev-list", "gpg.program", "credential.helper", "alias.rev-list",
    ):  # fmt: skip
        history.git("config", key, str(spy))
    # A promisor remote, from which git would fetch what is missing.
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "far",
        "remote.far.url": f"ext::{spy}",
        "remote.far.promisor": "true",
        "protocol.ext.allow": "always",
    }.items():
        history.git("config", key, value)
    blob = history.git("rev-parse", f"{start}:Makefile")
    (history.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    before = {p: p.lstat().st_mtime_ns for p in history.folder.rglob("*")}
    with closing(Repository(history.folder)) as repository:
        base, tip = repository.range(f"{start}..{end}")
        assert [c.hash for c in repository.commits(base, tip, ["Makefile"])] == [end]
        assert repository.tree(end).read("Makefile") == f"{MAKEFILE}#\n"
        with pytest.raises(BadInput, match="Makefile: its content is not in"):
            repository.tree(start)
    assert {p: p.lstat().st_mtime_ns for p in history.folder.rglob("*")} == before
    assert not (tmp_path / "seen").exists() and not (tmp_path / "trace").exists()
