"""A kernel source tree, read where it lies and never written to."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from verify.errors import BadInput

# Far above any source file; keeps a stray device or dump from filling memory.
MAX_FILE_BYTES = 16 << 20


class Tree(Protocol):
    """Source text by path. Paths are relative, posix style; lines count from 1."""

    @property
    def root(self) -> str:
        """The tree's folder, as the user named it."""

    @property
    def version(self) -> str:
        """Kernel version by the tree's top Makefile, "unknown" when that says none."""

    def read(self, path: str) -> str | None:
        """Text of a file, None when the tree has no such file."""

    def paths(self, folder: str) -> list[str]:
        """Paths of the C files and headers in a folder and those below, in order."""

    def mark(self, path: str, line: int) -> str | None:
        """ "+" when a patch added this line of the read text, else None."""

    def digest(self, path: str) -> str:
        """SHA-256 (hex) of the read text, as UTF-8. BadInput when the file is absent."""

    def touched(self) -> list[tuple[str, int, int]]:
        """(path, first, last) of each run of lines that a patch changed in the read text."""


class KernelTree:
    """An unpatched tree on disk. Build one with open_tree."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._base = root.resolve()
        self._texts: dict[str, str | None] = {}
        self._folders: dict[Path, Path] = {}
        self.version = makefile_version(self.read("Makefile") or "")

    def read(self, path: str) -> str | None:
        """Text of a file (UTF-8, else Latin-1), None when absent.

        BadInput for a path that leads outside of the tree or a file that cannot be read.
        """
        if path not in self._texts:
            self._texts[path] = self._load(path)
        return self._texts[path]

    def paths(self, folder: str) -> list[str]:
        """Paths of the C files and headers in a folder and those below, in order."""
        check_path(folder, self.root)
        below = (self._base / folder).rglob("*.[ch]")
        return sorted(path.relative_to(self._base).as_posix() for path in below)

    def mark(self, path: str, line: int) -> str | None:
        """Always None: no patch has touched this tree."""
        return None

    def digest(self, path: str) -> str:
        """SHA-256 (hex) of the read text. BadInput when the file is absent."""
        return text_digest(self, path)

    def touched(self) -> list[tuple[str, int, int]]:
        """Nothing: no patch has touched this tree."""
        return []

    def _folder(self, path: Path) -> Path:
        """A folder without symbolic links on the way."""
        if path not in self._folders:
            self._folders[path] = path.resolve()
        return self._folders[path]

    def _load(self, path: str) -> str | None:
        check_path(path, self.root)
        full = self._base / path
        try:
            real = self._folder(full.parent) / full.name
            if real.is_symlink():
                real = real.resolve()
            if not real.is_relative_to(self._base):
                raise BadInput(
                    f"{path}: a symbolic link leads outside of {self.root}; use a plain copy"
                )
            if not real.is_file():
                return None
            with real.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
            raise BadInput(f"{path}: cannot be read in {self.root}: {_why(error)}") from None
        if len(data) > MAX_FILE_BYTES:
            raise BadInput(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB; not a source file")
        return decode(data)


def open_tree(root: Path, required: Sequence[str]) -> KernelTree:
    """Open a kernel tree. BadInput when it is no readable folder or lacks a required file."""
    try:
        if not root.exists():
            raise BadInput(f"{root}: no such folder; give the top folder of a kernel tree")
        if not root.is_dir():
            raise BadInput(f"{root}: not a folder; give the top folder of a kernel tree")
        next(root.iterdir(), None)
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"{root}: cannot be read: {_why(error)}") from None
    tree = KernelTree(root)
    require(tree, required)
    return tree


def require(tree: Tree, required: Sequence[str]) -> None:
    """BadInput when the tree lacks one of these files."""
    missing = [path for path in required if tree.read(path) is None]
    if missing:
        raise BadInput(
            f"{tree.root}: lacks {', '.join(missing)};"
            " give the top folder of a complete kernel tree"
        )


def check_path(path: str, where: str) -> None:
    """BadInput unless path is relative and stays below its start (no "..", no NUL)."""
    pure = PurePosixPath(path)
    if not path or "\0" in path or pure.is_absolute() or ".." in pure.parts:
        raise BadInput(f"{where}: unsafe path {path!r}; only paths inside the tree are allowed")


def decode(data: bytes) -> str:
    """Text of a source file or mail: UTF-8 if it is that, else Latin-1, which never fails."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def makefile_version(makefile: str) -> str:
    """Kernel version by VERSION, PATCHLEVEL, SUBLEVEL and EXTRAVERSION of the top Makefile."""
    found: dict[str, str] = dict(
        re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*(\S*)", makefile, re.M)
    )
    numbers = [found.get(key, "") for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]
    if not numbers[0]:
        return "unknown"
    return ".".join(number for number in numbers if number) + found.get("EXTRAVERSION", "")


def text_digest(tree: Tree, path: str) -> str:
    """SHA-256 (hex) of what the tree reads at path. BadInput when that is nothing."""
    text = tree.read(path)
    if text is None:
        raise BadInput(f"{path}: not in {tree.root}")
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
