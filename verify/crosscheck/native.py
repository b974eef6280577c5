"""gcc, and what it makes, as processes that can do no harm.

A patch is not trusted. Its text is compiled only when nothing in it could act while it is compiled
or loaded (`refuse`), and what is compiled runs without any system call but read, write and exit
(`pipe.c`), with bounds on time and memory. It can still lie about what it did: a comparison finds
mistakes of this tool, not tricks of a patch.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verify.crosscheck.guard import refuse
from verify.errors import BadInput, InternalError

# The kernel's own choice of language, and of what is no error in it (top Makefile). -w: the text
# lacks much that warnings look at.
FLAGS = (
    "-std=gnu11",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-fno-delete-null-pointer-checks",
    "-funsigned-char",
    "-w",
)
LEVELS = ("-O0", "-O2")
SECONDS = 60
MEMORY = 2 << 30
_NO_SANDBOX = 99
# Kinds of difference, as in runtime.c.
CELL, RESULT, RETURN, REQUEST, OUTSIDE, SCRIPT = range(1, 7)


class Undeclared(Exception):
    """What gcc asks for that none of the files declares."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names = names


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the compiled C left a script: the run's number, how many words of it were read, the
    kind of difference and its numbers, and what the C had asked for until then."""

    run: int
    position: int
    kind: int
    numbers: tuple[int, int, int]
    asked: tuple[tuple[int, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Crash:
    """The compiled C ended a run by a signal."""

    run: int
    signal: str


def find_gcc() -> str:
    """The compiler; BadInput without one, or on a machine of another kind than the kernel's C."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise BadInput("crosscheck: no gcc on this machine; install one, such as Debian's gcc")
    if platform.machine() != "x86_64" or sys.platform != "linux":
        raise BadInput("crosscheck: runs on Linux on x86-64 only, as what it compiles is x86-64's")
    return gcc


def _limits(memory: int) -> None:
    """Bounds for a child."""
    for what, most in (
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 64 << 20),
    ):
        resource.setrlimit(what, (most, most))


def _compile(gcc: str, arguments: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            [gcc, *FLAGS, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5 * SECONDS,
            env={**os.environ, "LC_ALL": "C"},
            preexec_fn=lambda: _limits(MEMORY),
        )
    except subprocess.TimeoutExpired:
        raise BadInput("crosscheck: gcc does not come to an end with this tree") from None
    if done.returncode:
        if names := set(re.findall(r"'(\w+)' undeclared", done.stderr)):
            raise Undeclared(names)
        found = re.search(r"(?:error: |: )(undefined reference.*|(?<=error: ).*)", done.stderr)
        why = found.group(1).strip() if found else f"status {done.returncode}"
        raise BadInput(f"crosscheck: gcc cannot compile the tree's functions: {why}")


def build(gcc: str, text: str, folder: Path) -> list[Path]:
    """Programs of a unit's text, one for each level of optimisation. Undeclared for names that
    nothing declares, BadInput when it cannot be for another reason that lies in the tree."""
    source, flat = folder / "unit.c", folder / "unit.i"
    source.write_text(text, encoding="utf-8")
    _compile(gcc, ["-E", "-P", str(source), "-o", str(flat)])
    refuse("\n" + flat.read_text(encoding="utf-8", errors="replace"))
    programs = []
    for level in LEVELS:
        programs.append(folder / f"unit{level}")
        _compile(gcc, ["-fpreprocessed", level, str(flat), "-o", str(programs[-1])])
    return programs


def replay(program: Path, scripts: Sequence[bytes]) -> Difference | Crash | None:
    """Run scripts on a program; the first difference."""
    try:
        done = subprocess.run(
            [str(program)],
            input=b"".join(scripts),
            capture_output=True,
            timeout=5 * SECONDS,
            env={},
            preexec_fn=lambda: _limits(256 << 20),
        )
    except subprocess.TimeoutExpired:
        return Crash(0, "no end")
    if done.returncode == _NO_SANDBOX:
        raise BadInput("crosscheck: this machine has no seccomp, and the tree's C is not trusted")
    output = done.stdout[: 8 * (len(done.stdout) // 8)]
    words = struct.unpack(f"={len(output) // 8}Q", output)
    same = next((i for i, word in enumerate(words) if word != 1), len(words))
    if done.returncode < 0:
        return Crash(same, signal.Signals(-done.returncode).name)
    if done.returncode == 0 and same == len(scripts) == len(words):
        return None
    if done.returncode != 1 or len(words) < same + 6 or words[same] != 2:
        raise InternalError(f"the compiled C ends with status {done.returncode}")
    _, position, kind, *numbers = words[same : same + 6]
    asked, rest = [], list(words[same + 6 :])
    while len(rest) >= 2 and len(rest) >= 2 + rest[1]:
        asked.append((rest[0], tuple(rest[2 : 2 + rest[1]])))
        del rest[: 2 + rest[1]]
    return Difference(same, position, kind, (numbers[0], numbers[1], numbers[2]), tuple(asked))
