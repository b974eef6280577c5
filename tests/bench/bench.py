"""How long the main job takes, beside CBMC on a hand-written harness: make bench

All commands run in turn on two cores, whole processes; medians and ratios are printed. Nothing
is a test: a slow machine fails nothing.
"""

import os
import sys
import tempfile
from pathlib import Path

from tests.bench.cbmc import Cbmc, cbmc
from tests.bench.measure import (
    Command,
    RunFailed,
    Series,
    interleaved,
    peak_of_tree,
    run_once,
)
from tests.kernels.apt import FetchError
from tests.kernels.fetch import fetch, tree_path

ROUNDS = 5
CORES = 2
_SHARED = Path(__file__).resolve().parents[3] / "shared"
_HARNESS = _SHARED / "bench" / "cbmc_harness.c"
_SEED = _SHARED / "seed" / "perf-metrics-v2-3of4.txt"
_CBMC_RUNS = {"cbmc restore": "-DPROP_REST", "cbmc leak": "-DPROP_LEAK"}
_SOME = "msrproof restore.* + leak.guest-guest"
_ALL = "msrproof all"
_WARM = "msrproof all, warm cache"


def cbmc_commands(program: Cbmc) -> list[Command]:
    """The two runs that the yardstick's README calls fair."""
    options = ["--unwind", "9", "--stop-on-fail", "--no-standard-checks", "--slice-formula"]
    return [
        Command(
            name,
            [*program.command, str(_HARNESS), define, "-DIND", *options, "--bitwuzla"],
            program.environment,
            frozenset({0}),
        )
        for name, define in _CBMC_RUNS.items()
    ]


def msrproof_commands(kernel: Path, cache: Path) -> list[Command]:
    """The tool on the seed: some properties and all, from nothing, and all with a cache."""
    check = [
        *(str(Path(sys.executable).with_name("msrproof")), "check", "--kernel", str(kernel)),
        *("--define", "KVM_MAX_NR_INTEL_FIXED_COUNTERS=4", "--patch", str(_SEED)),
    ]
    some = ["--property", "restore.*", "--property", "leak.guest-guest"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    # A refuted or an unknown property is an answer too; bad input and a crash are not.
    answered = frozenset({0, 1, 2})
    return [
        Command(_SOME, [*check, *some, "--no-cache"], environment, answered),
        Command(_ALL, [*check, "--no-cache"], environment, answered),
        Command(_WARM, check, environment, answered),
    ]


def report(results: dict[str, Series], trees: dict[str, float]) -> str:
    """The table of medians and, below it, the ratios with what is asked of them."""
    lines = [f"{'median of ' + str(ROUNDS):40} {'wall s':>8} {'cpu s':>8} {'MB':>6} {'MB, all':>8}"]
    lines += [
        f"{name:40} {series.wall:8.3f} {series.cpu:8.3f} {series.largest:6.0f} {trees[name]:8.0f}"
        for name, series in results.items()
    ]
    lines += ["MB: largest single process; MB, all: all processes at one moment (asked: < 500)", ""]
    ratios = [(_WARM, [_ALL], "well under 0.5")]
    if all(name in results for name in _CBMC_RUNS):
        cbmc_both = list(_CBMC_RUNS)
        ratios = [(_SOME, cbmc_both, "<= 0.25"), (_ALL, cbmc_both, "<= 1"), *ratios]
    for name, others, goal in ratios:
        ratio = results[name].wall / sum(results[other].wall for other in others)
        lines.append(f"{name} / {' + '.join(others)} = {ratio:.2f} (asked: {goal})")
    return "\n".join(lines)


def main() -> int:
    """Run the benchmark; 0 also when something it needs is missing, which it then says."""
    missing = [path for path in (_HARNESS, _SEED) if not path.is_file()]
    failures = fetch(["7.2"])
    if missing or failures:
        print("bench: skipped:", *(f"{path} is missing" for path in missing), *failures, sep="\n  ")
        return 0
    yardstick: list[Command] = []
    try:
        yardstick = cbmc_commands(cbmc())
    except (FetchError, OSError) as error:
        print(f"bench: no CBMC, so no ratio to it: {error}")

    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    print(f"bench: {ROUNDS} rounds on {len(cores)} core(s), kernel {tree_path('7.2').name}")
    with tempfile.TemporaryDirectory(prefix="msrproof-bench-") as cache:
        commands = [*yardstick, *msrproof_commands(tree_path("7.2"), Path(cache))]
        try:
            run_once(commands[-1])  # fills the cache
            results = interleaved(commands, ROUNDS)
            trees = {command.name: peak_of_tree(command) for command in commands}
        except RunFailed as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    print(report(results, trees))
    return 0


if __name__ == "__main__":
    sys.exit(main())
