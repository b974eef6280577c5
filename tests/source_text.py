"""A kernel tree in memory, for tests of the front-end."""

from __future__ import annotations

import hashlib

from verify.ir.program import Dialect
from verify.source.program import CProgram


class TextTree:
    """`verify.source.tree.Tree` from texts by path."""

    root = "text"
    version = "0"

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def paths(self, folder: str) -> list[str]:
        return sorted(path for path in self.files if path.startswith(f"{folder}/"))

    def mark(self, path: str, line: int) -> str | None:
        return None

    def touched(self) -> list[tuple[str, int, int]]:
        return []

    def digest(self, path: str) -> str:
        return hashlib.sha256(self.files[path].encode()).hexdigest()


def program(
    text: str,
    prelude: str = "",
    config: dict[str, str] | None = None,
    tables: dict[str, str] | None = None,
    defines: dict[str, str] | None = None,
    **more: str,
) -> CProgram:
    """The program of one file `f.c` and others by name (`a_h="..."` is `a.h`)."""
    files = {name.replace("_", "."): content for name, content in more.items()}
    files["f.c"] = text
    dialect = Dialect(tuple(files), config or {}, prelude, defines or {}, tables or {})
    return CProgram(TextTree(files), dialect)
