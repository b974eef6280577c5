"""Earlier answers by content: a run with the same tool, sources and options is not done again.

A SQLite file in the user's cache folder; several processes may use it at once. A cache that cannot
be used is no error: the work is then done.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import models
import proofs
import verify

REPORTS = "result"
FATES = "fate"
"""The kinds of answers: reports of runs, and what became of mutants."""

_KEPT = {REPORTS: 500, FATES: 50_000}
_PACKAGES = ("bitwuzla", "cvc5", "tree-sitter", "tree-sitter-c", "z3-solver")


def digest(parts: Iterable[str]) -> str:
    """The key of a run: this tool, its solvers and parser, and everything in `parts`."""
    state = hashlib.sha256()
    for package in (verify, models, proofs):
        root = Path(str(package.__file__)).parent
        for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".h")):
            _add(state, path.relative_to(root).as_posix().encode())
            _add(state, path.read_bytes())
    for part in (*(f"{name} {metadata.version(name)}" for name in _PACKAGES), *parts):
        _add(state, part.encode("utf-8", "surrogatepass"))
    return state.hexdigest()


def _add(state: hashlib._Hash, data: bytes) -> None:
    state.update(len(data).to_bytes(8, "little"))
    state.update(data)


def _path() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "msrproof" / "results.sqlite"


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=2)


def find(key: str, kind: str = REPORTS) -> str | None:
    """What was kept under a key, if it still is."""
    try:
        path = _path()
        if not path.exists():
            return None
        connection = _open(path)
        try:
            row = connection.execute(f"SELECT report FROM {kind} WHERE key = ?", (key,)).fetchone()
        finally:
            connection.close()
    except (sqlite3.Error, OSError, RuntimeError):
        return None
    return str(row[0]) if row else None


def keep(key: str, report: str, kind: str = REPORTS) -> None:
    """Keep an answer; the oldest go when there are many. A file that is no database is removed."""
    try:
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _open(path)
        try:
            with connection:
                connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {kind} (key TEXT PRIMARY KEY, report TEXT)"
                )
                connection.execute(f"INSERT OR REPLACE INTO {kind} VALUES (?, ?)", (key, report))
                connection.execute(
                    f"DELETE FROM {kind} WHERE rowid <= (SELECT max(rowid) FROM {kind}) - ?",
                    (_KEPT[kind],),
                )
        finally:
            connection.close()
    except sqlite3.OperationalError:  # locked, or not writable
        return
    except sqlite3.DatabaseError:
        with contextlib.suppress(OSError):
            path.unlink()
    except (OSError, RuntimeError):
        return
