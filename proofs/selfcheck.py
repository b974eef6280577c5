"""The main job on the embedded reference tree: `make verify`.

Checks the right PERF_METRICS patch and the one with the wrong order, prints both and one trace,
and exits 0 when both answers are the expected ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import models.reference
from verify.check import run
from verify.report.text import render
from verify.request import Request

PATCHES = Path(models.reference.__file__).parent / "patches"
RIGHT = "perf-metrics.patch"
WRONG = "perf-metrics-wrong-order.patch"
BROKEN = "order.fixed3-metrics.load"


def main() -> int:
    """0 when the right patch is proved and the wrong one refuted for its order, else 1."""
    right = run(Request(patches=(str(PATCHES / RIGHT),)))
    wrong = run(Request(patches=(str(PATCHES / WRONG),)))
    print(render(right))
    print(render(wrong))
    verdicts = {r.property: r.verdict for r in wrong.results}
    good = right.exit_status == 0 and verdicts.get(BROKEN) == "refuted"
    print("as expected" if good else "NOT as expected")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
