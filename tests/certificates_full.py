"""Have other solvers check every proof of a tree: `make certificates`.

    python -m tests.certificates_full [--kernel VERSION] [--solver NAME ...]
                                       [PROPERTY ...]

Both vendors' proofs are made anew. What share of them each solver accepts is printed, and what it
does not. Exit status 1 when a solver rejects a proof, 2 when one cannot tell.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from proofs import selfcheck
from tests.kernels.fetch import tree_path
from verify.cli import main as msrproof
from verify.recheck import ACCEPTED, REJECTED, recheck_all

SOLVERS = ("cvc5", "bitwuzla")
REFERENCE = {
    "mediated-pmu-intel": ["--patch", str(selfcheck.PATCHES / selfcheck.RIGHT)],
    "mediated-pmu-amd": [],
}
BAD_INPUT = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove, then ask the solvers side by side."""
    parser = argparse.ArgumentParser(prog="python -m tests.certificates_full", description=__doc__)
    parser.add_argument("properties", nargs="*", metavar="PROPERTY", help="only these")
    parser.add_argument("--kernel", default="", help="a version that `make kernels` fetched")
    parser.add_argument("--solver", action="append", choices=("z3", *SOLVERS))
    given = parser.parse_args(arguments)
    kernel = ["--kernel", str(tree_path(given.kernel))] if given.kernel else []
    asked_about = [word for name in given.properties for word in ("--property", name)]
    with tempfile.TemporaryDirectory(prefix="msrproof-certificates-") as base:
        for target, patches in REFERENCE.items():
            options = ["--target", target, *(kernel or patches), *asked_about, "--quiet"]
            if msrproof(["check", *options, "--certificates", f"{base}/{target}"]) == BAD_INPUT:
                return BAD_INPUT
        asked = [(Path(base, target), s) for target in REFERENCE for s in given.solver or SOLVERS]
        with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            statuses = set(pool.map(_recheck, *zip(*asked, strict=True)))
    return 1 if 1 in statuses else max(statuses)


def _recheck(folder: Path, solver: str) -> int:
    """Print what one solver says of a folder; the exit status for that."""
    verdicts, seconds = [], 0.0
    for found in recheck_all(folder, [solver]):
        seconds += sum(said.seconds for _, words in found.ask() for said in words)
        verdicts += found.verdicts()
    left = [v for v in verdicts if v.verdict != ACCEPTED]
    count = f"{len(verdicts) - len(left)} of {len(verdicts)}"
    lines = [f"{folder.name}: {solver} accepts {count} proofs ({seconds:.0f} s)"]
    lines += [f"  {v.verdict}  {v.name}: {'; '.join(v.reasons)}" for v in left]
    print("\n".join(lines), flush=True)
    return 1 if any(v.verdict == REJECTED for v in left) else 2 if left else 0


if __name__ == "__main__":
    sys.exit(main())
