"""What the user asks for, and the checks of names that need to know what there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from verify.errors import BadInput
from verify.progress import Progress

DEFAULT_TARGET = "mediated-pmu-intel"
DEFAULT_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One run. `kernel`: None means the embedded reference tree. `patches`: file names, "-" is
    standard input. `properties`: shell patterns, none means all. `defines`: C text by macro name.
    `timeout`: seconds for one question to a solver. `jobs`: solver processes at a time.
    `certificates`: the folder that gets the proofs. `emit_c`: the file that gets the first
    counterexample as a C program. `compare`: with the tree before the patches. `git`: a range of
    commits of the repository `kernel`, to check each of them. `apart`: by property, registers that
    it is not asked about. `progress` is told what is going on.
    """

    kernel: Path | None = None
    patches: tuple[str, ...] = ()
    target: str = DEFAULT_TARGET
    properties: tuple[str, ...] = ()
    defines: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, int] = field(default_factory=dict)
    hardware: Mapping[str, str] = field(default_factory=dict)
    compare: bool = False
    git: str | None = None
    timeout: float = DEFAULT_TIMEOUT
    jobs: int = 1
    cache: bool = True
    certificates: Path | None = None
    emit_c: Path | None = None
    apart: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress, repr=False, compare=False)


def require_known(what: str, name: str, known: Iterable[str]) -> None:
    """BadInput, with a suggestion, when `name` is not among `known`; `what` is the option."""
    names = list(known)
    if name in names:
        return
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        advice = f"did you mean {close[0]}?"
    elif names:
        advice = f"use one of: {', '.join(names)}"
    else:
        advice = "there is none to choose from here"
    raise BadInput(f"{what}: no such name: {name}; {advice}")


class NothingMatches(BadInput):
    """None of the properties of a tree has a name of this `pattern`."""

    def __init__(self, message: str, pattern: str) -> None:
        super().__init__(message)
        self.pattern = pattern


def select(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The names that any of the shell patterns matches, in the order of `names`; all without one.

    NothingMatches for a pattern that matches none of them.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            close = difflib.get_close_matches(pattern, names, n=1)
            hint = f"did you mean {close[0]}?" if close else "see msrproof list properties"
            raise NothingMatches(f"--property: nothing matches {pattern}; {hint}", pattern)
    if not patterns:
        return list(names)
    return [name for name in names if any(fnmatchcase(name, p) for p in patterns)]
