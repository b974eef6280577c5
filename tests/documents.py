"""The documents for readers, and the commands in them.

A block marked `console` has commands, each after "$ " (and "> " where it goes on), and what they
print; `console verdicts` runs for more than a few seconds. All of a document's blocks run in their
order in one folder, a copy of the project. `python -m tests.documents FILE...` puts what the
commands print now into documents.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.processes import ROOT

DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
CONSOLE, VERDICTS = "console", "verdicts"
_BLOCK = re.compile(r"^```([a-z]*) ?([a-z]*)\n(.*?)^```$", re.M | re.S)
_MARK = "\x1e"
_VARIES = (
    (re.compile(r"\b\d+\.\d+\b"), "S"),  # seconds
    (re.compile(r"0x[0-9a-f]+"), "VALUE"),  # a solver may choose others
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True, slots=True)
class Command:
    """A command, also as the document has it, and what that says that it prints."""

    text: str
    shown: str
    output: str = ""


def blocks(text: str) -> list[tuple[str, str, str]]:
    """Kind, mark and content of each block of code."""
    return [(b[1], b[2], b[3]) for b in _BLOCK.finditer(text)]


def commands(content: str) -> list[Command]:
    """The commands of a console block; lines go on after a backslash, and from "> "."""
    found: list[Command] = []
    going_on = False
    for line in content.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append(Command(line[2:], line))
        elif not found:
            raise ValueError(f"output without a command: {line}")
        elif going_on or (line.startswith("> ") and not found[-1].output):
            last = found[-1]
            found[-1] = Command(last.text + line.removeprefix("> "), last.shown + line)
        else:
            found[-1] = replace(found[-1], output=found[-1].output + line)
        going_on = line.endswith("\\\n") and found[-1].output == ""
    return found


def printed(content: str, folder: Path) -> list[str]:
    """What each of a block's commands prints when bash runs them one after the other."""
    script = "".join(
        f"{c.text}\n__status=$?; printf '\\x1e'; (exit $__status)\n" for c in commands(content)
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
            "XDG_CACHE_HOME": str(folder / ".cache"),
            "COLUMNS": "80",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout.split(_MARK)[:-1]


def alike(one: str, other: str) -> bool:
    """The same but for times, values and white space."""
    for pattern, mark in _VARIES:
        one, other = pattern.sub(mark, one), pattern.sub(mark, other)
    return one.strip() == other.strip()


def copied(folder: Path) -> Path:
    """A copy of what the documents' commands use, in a new folder below this one."""
    into = folder / "msrproof"
    for name in ("verify", "models", "proofs", "docs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, into / name, ignore=ignored)
    return into


def rewritten(text: str, folder: Path) -> str:
    """The document with what its commands print now; what is alike stays."""

    def block(found: re.Match[str]) -> str:
        if found[1] != CONSOLE:
            return found[0]
        now = zip(commands(found[3]), printed(found[3], folder), strict=True)
        content = "".join(
            f"{c.shown}{c.output if alike(c.output, out) else out.rstrip() + chr(10) * bool(out)}"
            for c, out in now
        )
        return f"```{f'{found[1]} {found[2]}'.strip()}\n{content}```"

    return _BLOCK.sub(block, text)


def main(names: Sequence[str]) -> None:
    """Rewrite these documents."""
    for name in names:
        with tempfile.TemporaryDirectory(prefix="msrproof-") as folder:
            path = Path(name)
            path.write_text(rewritten(path.read_text(), copied(Path(folder))))


if __name__ == "__main__":
    main(sys.argv[1:])
