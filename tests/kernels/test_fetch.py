"""The kernel fetcher without a network: arguments, idempotence, and all-or-nothing unpacking."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kernels import fetch
from tests.kernels.apt import FetchError

_NEEDS_TOOLS = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("dpkg-deb", "tar", "xz")),
    reason="dpkg-deb, tar or xz is not installed",
)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache for the trees."""
    root = tmp_path / "cache"
    monkeypatch.setenv("MSRPROOF_KERNELS", str(root))
    return root


@pytest.fixture
def no_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine from which nothing can be fetched."""

    def refuse(*_: object, **__: object) -> None:
        raise FetchError("no mirror here")

    monkeypatch.setattr(fetch, "Apt", refuse)


def _package(folder: Path, version: str, names: tuple[str, ...]) -> Path:
    """A package like Debian's, whose tarball holds `names` and one folder nobody wants."""
    top = folder / f"linux-source-{version}"
    for name in (*names, "drivers"):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == "Makefile":
            path.write_text("VERSION = 7\n")
        else:
            path.mkdir()
            (path / "file").write_text(name)
    sources = folder / "package" / "usr" / "src"
    sources.mkdir(parents=True)
    tarball = sources / f"{top.name}.tar.xz"
    subprocess.run(["tar", "-cJf", tarball, "-C", folder, top.name], check=True)
    control = folder / "package" / "DEBIAN" / "control"
    control.parent.mkdir()
    control.write_text(
        f"Package: {top.name}\nVersion: 1\nArchitecture: all\nMaintainer: none\nDescription: test\n"
    )
    deb = folder / "source.deb"
    command = ["dpkg-deb", "--root-owner-group", "-b", str(folder / "package"), str(deb)]
    subprocess.run(command, check=True, capture_output=True)
    return deb


@_NEEDS_TOOLS
def test_only_the_needed_folders_are_unpacked(tmp_path: Path, cache: Path) -> None:
    deb = _package(tmp_path, "7.2", fetch.FOLDERS)
    fetch.unpack(deb, "7.2", fetch.tree_path("7.2"))
    tree = cache / "linux-source-7.2"
    assert (tree / "Makefile").read_text() == "VERSION = 7\n"
    assert (tree / "arch/x86/kvm/file").read_text() == "arch/x86/kvm"
    assert not (tree / "drivers").exists()
    assert [path.name for path in cache.iterdir()] == ["linux-source-7.2"]


@_NEEDS_TOOLS
def test_a_package_that_lacks_a_folder_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    deb = _package(tmp_path, "7.2", fetch.FOLDERS[:-1])
    with pytest.raises(FetchError, match=fetch.FOLDERS[-1]):
        fetch.unpack(deb, "7.2", fetch.tree_path("7.2"))
    assert list(cache.iterdir()) == []


@_NEEDS_TOOLS
def test_a_broken_package_is_reported(tmp_path: Path, cache: Path) -> None:
    deb = tmp_path / "broken.deb"
    deb.write_bytes(b"not a package")
    with pytest.raises(FetchError, match="cannot unpack .*broken.deb"):
        fetch.unpack(deb, "7.2", fetch.tree_path("7.2"))
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("no_apt")
def test_trees_that_are_there_are_left_alone(cache: Path) -> None:
    for version in fetch.VERSIONS:
        (cache / f"linux-source-{version}").mkdir(parents=True)
    assert fetch.main([]) == 0


@pytest.mark.usefixtures("no_apt")
def test_each_tree_that_cannot_be_had_is_one_line(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cache / "linux-source-7.2").mkdir(parents=True)
    assert fetch.main([]) == 1
    assert capsys.readouterr().err == "could not fetch linux-source-7.3: no mirror here\n"


@pytest.mark.usefixtures("no_apt")
def test_print_path_fetches_nothing(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = cache / "linux-source-7.3"
    assert fetch.main(["--print-path", "7.3"]) == 1
    path.mkdir(parents=True)
    assert fetch.main(["--print-path", "7.3"]) == 0
    assert capsys.readouterr().out == f"{path}\n" * 2


def test_an_unknown_version_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        fetch.main(["--print-path", "6.1"])
    assert stopped.value.code == 2
    assert "7.2" in capsys.readouterr().err


def test_without_a_setting_the_cache_is_under_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MSRPROOF_KERNELS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetch.cache_root() == tmp_path / ".cache" / "msrproof" / "kernels"
