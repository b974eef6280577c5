"""Run the campaigns: `make fuzz`. Exit status 1 when a fault is found.

    python -m tests.fuzz [--count N] [--seed N] [--seconds N] [JOB ...]

A fault is printed with the seed of its case; `--case SEED JOB` tries that one again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.fuzz import kernel_c, mails, meaning, unproved
from tests.fuzz.case import Job, Outcome, tried

CASES = 25
"""Of one process."""
JOBS: Mapping[str, Job] = {
    "c": kernel_c.anywhere,
    "mails": mails.anything,
    "meaning": meaning.anything,
    "compiled": meaning.compiled,
    "verdicts": meaning.proved,
    "alone": meaning.alone,
    "proved": unproved.anything,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Try each job; what became of the cases, and the faults, are printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(JOBS)}")
    parser.add_argument("--count", type=int, default=1000, help="cases of each job")
    parser.add_argument("--seed", type=int, default=0, help="another number gives other cases")
    parser.add_argument("--seconds", type=float, default=0, help="at most so long for each job")
    parser.add_argument("--case", metavar="SEED", help="only this case")
    given = parser.parse_args(arguments)
    faults = 0
    for name in given.jobs or JOBS:
        if name not in JOBS:
            parser.error(f"no such job: {name}")
        seeds = [given.case] if given.case else [f"{given.seed}.{i}" for i in range(given.count)]
        faults += campaign(name, seeds, given.seconds)
    return 1 if faults else 0


def campaign(name: str, seeds: Sequence[str], seconds: float = 0) -> int:
    """The number of faults among the cases of these seeds, or those for which there is time."""
    began = time.monotonic()
    kinds: Counter[str] = Counter()
    faults = 0
    for seed, outcome in _outcomes(name, seeds):
        kinds[outcome.kind] += 1
        if outcome.fault:
            faults += 1
            print(f"{name} --case {seed}: {outcome.fault}", flush=True)
        if seconds and time.monotonic() - began > seconds:
            break
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    spent = time.monotonic() - began
    print(f"{name}: {kinds.total()} cases in {spent:.0f} s ({counts}), {faults} faults", flush=True)
    return faults


def _outcomes(name: str, seeds: Sequence[str]) -> Iterator[tuple[str, Outcome]]:
    """In processes, which keep what they make of terms until they end."""
    cores = len(os.sched_getaffinity(0))
    for first in range(0, len(seeds), CASES * cores):
        some = seeds[first : first + CASES * cores]
        pool = ProcessPoolExecutor(cores, multiprocessing.get_context("fork"))
        try:
            yield from zip(some, pool.map(partial(_outcome, name), some), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _outcome(name: str, seed: str) -> Outcome:
    return tried(JOBS[name], seed)


if __name__ == "__main__":
    sys.exit(main())
