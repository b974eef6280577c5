"""How long the main job takes, beside CBMC on a hand-written harness: make bench

    python -m tests.bench.bench [--rounds N] [--no-cbmc]

All commands run in turn on two cores, as whole processes that find no cache (but for the warm run,
which has one of its own). Of the ratios, which are taken round by round, and of the times the
median is printed. Nothing is a test: no ratio fails anything.
"""

import argparse
import json
import os
import shlex
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.cbmc import Cbmc, cbmc
from tests.bench.measure import (
    Command,
    RunFailed,
    Sample,
    Series,
    interleaved,
    peak_of_tree,
    ratios,
    run_once,
)
from tests.bench.stages import IMPORT, OTHER, STAGES, WAITING
from tests.kernels.apt import FetchError
from tests.kernels.fetch import fetch, tree_path
from verify import cache

ROUNDS = 5
STAGE_ROUNDS = 3
CORES = 2
_SHARED = Path(__file__).resolve().parents[3] / "shared"
_HARNESS = _SHARED / "bench" / "cbmc_harness.c"
_SEED = _SHARED / "seed" / "perf-metrics-v2-3of4.txt"
_CBMC_RUNS = {"cbmc restore": "-DPROP_REST", "cbmc leak": "-DPROP_LEAK"}
_RAW = "raw solver"
_SOME = "msrproof restore.* + leak.guest-guest"
_ALL = "msrproof restore, leak, access, order"
_WARM = "msrproof restore, leak, access, order, warm"
_CATALOGUE = "msrproof, the whole catalogue"
_ENDS = "start and end of the process"
_SOME_ONLY = ["--property", "restore.*", "--property", "leak.guest-guest"]
_FAMILIES = [
    word
    for family in ("restore", "leak", "access", "order")
    for word in ("--property", f"{family}.*")
]
# A refuted or an unknown property is an answer too; bad input and a crash are not.
_ANSWERED = frozenset({0, 1, 2})


def cbmc_commands(program: Cbmc) -> list[Command]:
    """The two runs that the yardstick's README calls fair. Raises FetchError without harness."""
    if not _HARNESS.is_file():
        raise FetchError(f"{_HARNESS} is missing")
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


def check_words(kernel: Path) -> list[str]:
    """What the tool is asked for: the seed on a kernel, as the issue has it."""
    define = ["--define", "KVM_MAX_NR_INTEL_FIXED_COUNTERS=4"]
    return ["check", "--kernel", str(kernel), *define, "--patch", str(_SEED)]


def msrproof_commands(check: Sequence[str], home: Path) -> list[Command]:
    """The tool on some properties, some families and all, from nothing, and with a cache."""
    words = [str(Path(sys.executable).with_name("msrproof")), *check]
    environment = {**os.environ, "XDG_CACHE_HOME": str(home)}
    return [
        Command(_SOME, [*words, *_SOME_ONLY, "--no-cache"], environment, _ANSWERED),
        Command(_ALL, [*words, *_FAMILIES, "--no-cache"], environment, _ANSWERED),
        Command(_WARM, [*words, *_FAMILIES], environment, _ANSWERED),
        Command(_CATALOGUE, [*words, "--no-cache"], environment, _ANSWERED),
    ]


def stage_commands(check: Sequence[str]) -> list[Command]:
    """The same cold runs, with a stopwatch inside."""
    words = [sys.executable, "-m", "tests.bench.stages", *check, "--no-cache"]
    return [
        Command(_SOME, [*words, *_SOME_ONLY], os.environ, _ANSWERED),
        Command(_ALL, [*words, *_FAMILIES], os.environ, _ANSWERED),
    ]


def raw_command(check: Sequence[str], folder: Path) -> Command:
    """A solver alone on what the tool asks for some properties. Raises RunFailed."""
    words = [sys.executable, "-m", "tests.bench.queries"]
    export = [*words, "export", str(folder), *check, *_SOME_ONLY, "--no-cache"]
    run_once(Command("export of the queries", export, os.environ, _ANSWERED))
    return Command(_RAW, [*words, "solve", str(folder)], os.environ, frozenset({0}))


def report(results: Mapping[str, Series], peaks: Mapping[str, float]) -> str:
    """The table of medians and, below it, the ratios with what is asked of them."""
    rounds = len(next(iter(results.values())).samples)
    lines = [
        f"{f'median of {rounds}':44} {'wall s':>7} {'cpu s':>7} {'MB':>5} {'MB, all':>7}  answer"
    ]
    lines += [
        f"{name:44} {series.wall:7.2f} {series.cpu:7.2f} {series.largest:5.0f} "
        f"{peaks[name]:7.0f}  {series.samples[-1].last.partition(' in ')[0]}"
        for name, series in results.items()
    ]
    lines += ["MB: largest single process; MB, all: all processes at one moment (asked: < 500)", ""]
    both = [name for name in _CBMC_RUNS if name in results]
    yardstick = both or [name for name in (_RAW,) if name in results]
    asked = ("<= 0.25", "<= 1") if both else ("", "")
    wanted = [(_SOME, yardstick, asked[0]), (_ALL, yardstick, asked[1])] if yardstick else []
    for name, others, goal in [*wanted, (_WARM, [_ALL], "well under 0.5")]:
        found = ratios(results[name], [results[other] for other in others])
        lines.append(
            f"{name} / {' + '.join(others)} = {statistics.median(found):.2f} "
            f"(from {min(found):.2f} to {max(found):.2f}{goal and f'; asked: {goal}'})"
        )
    return "\n".join(lines)


def stage_report(results: Mapping[str, Series]) -> str:
    """Where the time goes, by command and stage: seconds, the part spent waiting for solvers, and
    the share."""
    lines: list[str] = []
    for name, series in results.items():
        median = _stages(series.samples)
        total = sum(median.values())
        lines += [f"{name}: {'s':>{47 - len(name)}} {'waiting':>8} {'share':>6}"]
        for stage in (IMPORT, *(s for s in STAGES if s != WAITING), OTHER, _ENDS):
            waiting = median.get(stage + WAITING, 0.0)
            seconds = median.get(stage, 0.0) + waiting
            lines.append(f"  {stage:40} {seconds:8.3f} {waiting:8.3f} {seconds / total:6.0%}")
        untimed = json.loads(series.samples[0].last)["missing"]
        lines += [f"  not there to be timed: {place}" for place in untimed]
    return "\n".join(lines)


def _stages(samples: Sequence[Sample]) -> dict[str, float]:
    """The median of each stage."""
    runs: list[dict[str, float]] = []
    for sample in samples:
        seconds = json.loads(sample.last)["seconds"]
        runs.append({**seconds, _ENDS: sample.wall - sum(seconds.values())})
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: statistics.median(run.get(name, 0.0) for run in runs) for name in names}


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 also when something it needs is missing, which it then says."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="runs of each")
    parser.add_argument("--no-cbmc", action="store_true", help="as where CBMC cannot be had")
    options = parser.parse_args(words)
    failures = fetch(["7.2"])
    if not _SEED.is_file():
        failures.append(f"{_SEED} is missing")
    if failures:
        print("bench: skipped:", *failures, sep="\n  ")
        return 0
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    try:
        with tempfile.TemporaryDirectory(prefix="msrproof-bench-") as folder:
            _measure(Path(folder), max(options.rounds, 1), options.no_cbmc)
    except RunFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _measure(folder: Path, rounds: int, no_cbmc: bool) -> None:
    check = check_words(tree_path("7.2"))
    try:
        if no_cbmc:
            raise FetchError("--no-cbmc")
        program = cbmc()
        yardstick = cbmc_commands(program)
        version = [*program.command, "--version"]
        said = run_once(Command("cbmc", version, program.environment, frozenset({0}))).last
        print(f"bench: the yardstick is CBMC {said}")
    except (FetchError, OSError) as error:
        print(
            f"bench: no CBMC ({error}); the yardstick is the time of a solver alone on the "
            "queries of restore.* and leak.guest-guest, for which no ratio is asked"
        )
        yardstick = [raw_command(check, folder)]
    commands = [*yardstick, *msrproof_commands(check, folder)]
    cores = len(os.sched_getaffinity(0))
    print(f"bench: {rounds} rounds, {cores} core(s), load before {os.getloadavg()[0]:.1f}")
    for command in commands:
        print(f"  {command.name}: {shlex.join(command.words)}", flush=True)
    tool = cache.digest(())
    run_once(next(c for c in commands if c.name == _WARM))  # fills the cache
    results = interleaved(commands, rounds)
    peaks = {command.name: peak_of_tree(command) for command in commands}
    print(f"\n{report(results, peaks)}\n")
    stages = interleaved(stage_commands(check), min(rounds, STAGE_ROUNDS))
    print(f"where the time goes (median of {min(rounds, STAGE_ROUNDS)}, one process, cold)")
    print(stage_report(stages))
    if cache.digest(()) != tool:
        print("bench: the tool was changed meanwhile: these figures are of no one version of it")


if __name__ == "__main__":
    sys.exit(main())
