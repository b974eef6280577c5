"""Compare every tree at length: `make crosscheck`. Exit status 1 when one differs."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.kernels.fetch import tree_path
from verify.cli import main

RUNS = "100000"
SEED = Path(__file__).resolve().parents[2] / "shared" / "seed" / "perf-metrics-v2-3of4.txt"
FOUR = "KVM_MAX_NR_INTEL_FIXED_COUNTERS=4"


def trees() -> dict[str, list[str]]:
    """Options by name of what there is to compare on this machine."""
    found: dict[str, list[str]] = {"the reference tree": []}
    for version in ("7.2", "7.3"):
        path = tree_path(version)
        if not path.is_dir():
            print(f"skipped: no kernel {version} at {path}")
            continue
        found[f"kernel {version}"] = ["--kernel", str(path)]
    targets = ("mediated-pmu-intel", "mediated-pmu-amd")
    found = {f"{n}, {t}": [*o, "--target", t] for n, o in found.items() for t in targets}
    path = tree_path("7.2")
    if path.is_dir() and SEED.is_file():
        options = ["--kernel", str(path), "--define", FOUR, "--patch", str(SEED)]
        found["kernel 7.2 with the seed"] = options
    return found


def run() -> int:
    """Compare them one by one."""
    status = 0
    for name, options in trees().items():
        print(f"{name}:", flush=True)
        status = max(status, main(["crosscheck", "--runs", RUNS, *options]))
    return status


if __name__ == "__main__":
    sys.exit(run())
