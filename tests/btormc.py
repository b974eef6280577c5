"""BtorMC, a model checker that is not ours, on exported systems."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.kernels.programs import installed
from verify.encode.btor2 import to_btor2
from verify.encode.system import System

PROGRAMS = ("btormc", "cadical", "lrat-check")
_PACKAGES = ("boolector", "libbtor2parser0", "minisat", "cadical", "drat-trim")
_BOUND = re.compile(
    r"found (\d+) reachable and \d+ unreachable bad state properties at bound k = (\d+)"
)


def checkers() -> Path:
    """The folder with PROGRAMS. Raises FetchError."""
    return installed("checkers", _PACKAGES, PROGRAMS)


@dataclass(frozen=True, slots=True)
class Search:
    """`reached`: a bad state was found. `bound`: the last number of steps that was looked at in
    the whole, -1 for none. `ended`: that is all that was asked for."""

    reached: bool
    bound: int
    ended: bool


def search(
    programs: Path, system: System, path: Path, most: int, seconds: float | None = None
) -> Search:
    """Look for a bad state within so many steps, for so long; `path` is written."""
    path.write_text(to_btor2(system))
    words = [str(programs / "btormc"), "-v", "-kmax", str(most), "--trace-gen", "0", str(path)]
    ended = True
    try:
        run = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=seconds)
        out = run.stdout
    except subprocess.TimeoutExpired as stopped:
        out, ended = stopped.stdout or b"", False
    found = [(int(n), int(k)) for n, k in _BOUND.findall(out.decode())]
    assert not ended or (found and b"deleting model checker" in out)
    bound = found[-1][1] if found else -1
    return Search(any(n for n, _ in found), bound, ended)
