"""The main job on the embedded reference tree: `make verify`.

Checks the right PERF_METRICS patch and the one with the wrong order, prints their verdicts and one
trace, and exits 0 when both answers are the expected ones, else 1 with what differs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence, Set
from pathlib import Path

import models.reference
from verify.check import run
from verify.report.text import render_trace
from verify.request import Request
from verify.result import NMI, PROVED, REFUTED, Report, Result

PATCHES = Path(models.reference.__file__).parent / "patches"
RIGHT = "perf-metrics.patch"
WRONG = "perf-metrics-wrong-order.patch"
SHOWN = "restore.PERF_METRICS"
_BROKEN = (SHOWN, "leak.host-guest", "access.closed", "order.fixed3-metrics.load")
BROKEN = frozenset((*_BROKEN, *(NMI + name for name in _BROKEN)))
"""What the wrong order refutes, with and without NMIs; everything else is proved."""


def main() -> int:
    """0 when the right patch is proved and the wrong one refuted for its order, else 1."""
    began = time.monotonic()
    right, wrong = checked(RIGHT), checked(WRONG)
    print(summary(right, wrong))
    odd = [*differences("A", right.results), *differences("B", wrong.results, BROKEN)]
    print("".join(f"{text}\n" for text in odd), end="")
    print(f"{'NOT as' if odd else 'as'} expected, in {time.monotonic() - began:.1f} s")
    return 1 if odd else 0


def checked(patch: str, cache: bool = True) -> Report:
    """The reference tree with one of its patches."""
    jobs = len(os.sched_getaffinity(0))
    return run(Request(patches=(str(PATCHES / patch),), jobs=jobs, cache=cache))


def summary(right: Report, wrong: Report) -> str:
    """Both verdicts of each property, and the trace of one."""
    a, b = ({r.property: r.verdict for r in report.results} for report in (right, wrong))
    width = max(map(len, (*a, *b)))
    rows = [("property", "A", "B")]
    rows += [(name, a.get(name, "-"), b.get(name, "-")) for name in dict.fromkeys((*a, *b))]
    where = f"{right.input.target} on the embedded reference tree ({right.input.kernel_version})"
    lines = [where, f"A: {RIGHT}", f"B: {WRONG}", ""]
    lines += [f"{name:<{width}}  {one:<8}  {other}" for name, one, other in rows]
    traces = [f"\nB: {render_trace(r)}" for r in wrong.results if r.property == SHOWN]
    return "\n".join((*lines, *traces))


def differences(patch: str, results: Sequence[Result], broken: Set[str] = frozenset()) -> list[str]:
    """A line for each answer that is not the expected one."""
    found = []
    for result in results:
        expected = REFUTED if result.property in broken else PROVED
        if result.verdict != expected:
            why = f" ({result.reason})" if result.reason else ""
            text = f"{patch}: {result.property} is {result.verdict}{why}, expected {expected}"
            found.append(text)
    missing = sorted(broken - {result.property for result in results})
    return found + [f"{patch}: {name} was not checked" for name in missing]


if __name__ == "__main__":
    sys.exit(main())
