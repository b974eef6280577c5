"""How time grows with counters, with properties and with NMIs: make bench

    python -m tests.bench.growth [--rounds N]

On the embedded reference tree with its right patch. Of each series the time of every run is given
as a ratio to its first, beside the growth of what was varied: where it grows linearly or less, the
last column stays at 1 or below. Nothing is a test.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Command, RunFailed, Series, interleaved

_PATCH = Path(__file__).resolve().parents[2] / "models/reference/patches/perf-metrics.patch"
_ANSWERED = frozenset({0, 1, 2})
_GP = "KVM_MAX_NR_INTEL_GP_COUNTERS"
_FIXED = "KVM_MAX_NR_INTEL_FIXED_COUNTERS"
_RESTORE = ("restore.*",)
_FAMILIES = ("restore.*", "leak.*", "order.*", "count.*", "access.*", "fault.*")


@dataclass(frozen=True)
class Line:
    """Runs of which one thing grows: its name, and by size the words of the run."""

    name: str
    runs: Mapping[int, Sequence[str]]


def lines() -> list[Line]:
    """What is varied. A family counts as one property here."""
    restore = _asked(_RESTORE)
    return [
        Line("general-purpose counters", {n: (*restore, *_define(_GP, n)) for n in (1, 8, 32)}),
        Line("fixed counters", {n: (*restore, *_define(_FIXED, n)) for n in (1, 4, 16)}),
        Line(
            "families of properties",
            {n: _asked(_FAMILIES[:n]) for n in (1, 3, len(_FAMILIES))},
        ),
        Line(
            "1: without NMIs, 2: with them",
            {1: restore, 2: _asked(["nmi.restore.*"])},
        ),
    ]


def _asked(globs: Sequence[str]) -> list[str]:
    return [word for glob in globs for word in ("--property", glob)]


def _define(name: str, value: int) -> list[str]:
    return ["--define", f"{name}={value}"]


def command(name: str, words: Sequence[str]) -> Command:
    """A cold check of the reference tree."""
    tool = str(Path(sys.executable).with_name("msrproof"))
    whole = [tool, "check", "--patch", str(_PATCH), "--no-cache", *words]
    return Command(name, whole, os.environ, _ANSWERED)


def report(line: Line, results: Mapping[str, Series]) -> str:
    """Time and growth of a line's runs, against the first."""
    first, *_ = line.runs
    base = results[_name(line, first)].wall
    rows = [f"{line.name:36} {'wall s':>7} {'ratio':>6} {'ratio / size':>12}  answer"]
    for size in line.runs:
        series = results[_name(line, size)]
        ratio = series.wall / base
        said = series.samples[-1].last.partition(" in ")[0]
        rows.append(
            f"{size:36} {series.wall:7.2f} {ratio:6.2f} {ratio * first / size:12.2f}  {said}"
        )
    return "\n".join(rows)


def _name(line: Line, size: int) -> str:
    return f"{line.name} {size}"


def main(words: Sequence[str] | None = None) -> int:
    """Measure all lines; 1 when a run fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each")
    rounds = max(parser.parse_args(words).rounds, 1)
    try:
        for line in lines():
            commands = [command(_name(line, size), run) for size, run in line.runs.items()]
            print(f"{report(line, interleaved(commands, rounds))}\n", flush=True)
    except RunFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
