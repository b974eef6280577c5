"""verify.source.tree: reading a kernel tree, and refusing what is none."""

import hashlib
from pathlib import Path

import pytest

from verify.errors import BadInput
from verify.source.tree import makefile_version, open_tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "kernel"
    (folder / "drivers").mkdir(parents=True)
    (folder / "Makefile").write_text(
        "VERSION = 9\nPATCHLEVEL = 1\nSUBLEVEL = 4\nEXTRAVERSION =-x\n"
    )
    (folder / "drivers" / "lamp.c").write_text("int lamp;\n")
    return folder


def test_reads_version_text_and_digest(root: Path) -> None:
    tree = open_tree(root, ["drivers/lamp.c"])
    assert tree.version == "9.1.4-x"
    assert tree.root == str(root)
    assert tree.read("drivers/lamp.c") == "int lamp;\n"
    assert tree.read("drivers/none.c") is None
    assert tree.read("drivers") is None
    assert tree.mark("drivers/lamp.c", 1) is None
    assert tree.digest("drivers/lamp.c") == hashlib.sha256(b"int lamp;\n").hexdigest()
    with pytest.raises(BadInput, match="none.c"):
        tree.digest("drivers/none.c")


def test_lists_c_files_and_headers(root: Path) -> None:
    for name in ("a.h", "b/c.c", "d.S", "Kconfig"):
        (root / "drivers" / name).parent.mkdir(exist_ok=True)
        (root / "drivers" / name).write_text("")
    tree = open_tree(root, [])
    assert tree.paths("drivers") == ["drivers/a.h", "drivers/b/c.c", "drivers/lamp.c"]
    assert tree.paths("drivers/b") == ["drivers/b/c.c"] and tree.paths("none") == []
    with pytest.raises(BadInput, match="unsafe path"):
        tree.paths("../secret")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("", "unknown"),
        ("all:\n\tVERSION = 3\n", "unknown"),
        ("VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 0\nEXTRAVERSION =\nNAME = x\n", "5.10.0"),
        ("VERSION=6\nPATCHLEVEL=1\n", "6.1"),
    ],
)
def test_version(text: str, version: str) -> None:
    assert makefile_version(text) == version


def test_latin1_is_read(root: Path) -> None:
    (root / "old.c").write_bytes(b"/* caf\xe9 */\n")
    assert open_tree(root, []).read("old.c") == "/* caf\u00e9 */\n"


def test_is_read_once(root: Path) -> None:
    tree = open_tree(root, ["drivers/lamp.c"])
    (root / "drivers" / "lamp.c").write_text("changed\n")
    assert tree.read("drivers/lamp.c") == "int lamp;\n"


@pytest.mark.parametrize("path", ["../secret", "drivers/../../secret", "/etc/hostname", "a\0b", ""])
def test_refuses_paths_that_lead_out(root: Path, path: str) -> None:
    (root.parent / "secret").write_text("s")
    with pytest.raises(BadInput, match="unsafe path"):
        open_tree(root, []).read(path)


def test_symbolic_links(root: Path) -> None:
    (root.parent / "secret").write_text("s")
    (root / "out.c").symlink_to("../secret")
    (root / "in.c").symlink_to("drivers/lamp.c")
    (root / "loop.c").symlink_to("loop.c")
    tree = open_tree(root, [])
    assert tree.read("in.c") == "int lamp;\n"
    with pytest.raises(BadInput, match="symbolic link"):
        tree.read("out.c")
    try:
        assert tree.read("loop.c") is None
    except BadInput as error:
        assert "loop.c" in str(error)


def test_a_linked_root_is_fine(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert open_tree(tmp_path / "link", ["drivers/lamp.c"]).version == "9.1.4-x"


def test_bad_roots(root: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        open_tree(root / "nowhere", [])
    with pytest.raises(BadInput, match="not a folder"):
        open_tree(root / "Makefile", [])
    with pytest.raises(BadInput, match=r"lacks a\.c, b\.c"):
        open_tree(root, ["a.c", "Makefile", "b.c"])
