"""Whole processes, measured: wall time, CPU time and memory."""

import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SAMPLE_EVERY = 0.02  # seconds


class RunFailed(Exception):
    """A command ended with a status that makes its time meaningless; the text says which."""


@dataclass(frozen=True)
class Command:
    """A command to measure, and the exit statuses that mean it did its work."""

    name: str
    words: Sequence[str]
    environment: Mapping[str, str]
    good: frozenset[int]


@dataclass(frozen=True)
class Sample:
    """One run: wall and CPU time in seconds, the peak RSS of its largest process in MB, and the
    last line that it printed."""

    wall: float
    cpu: float
    largest: float
    last: str = ""


@dataclass
class Series:
    """All runs of one command."""

    samples: list[Sample] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """Median wall time, seconds."""
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        """Median of user plus system time, children included, seconds."""
        return statistics.median(sample.cpu for sample in self.samples)

    @property
    def largest(self) -> float:
        """Highest peak RSS of a single process, MB."""
        return max(sample.largest for sample in self.samples)


def ratios(one: Series, others: Sequence[Series]) -> list[float]:
    """Round by round, the wall time of one command to that of the others together."""
    rounds = zip(*(series.samples for series in (one, *others)), strict=True)
    return [first.wall / sum(sample.wall for sample in rest) for first, *rest in rounds]


def run_once(command: Command) -> Sample:
    """Run `command` once from start to end. Raises RunFailed."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = _start(command, output.fileno())
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        last = _last_line(command, process.returncode, output.fileno())
    # Linux gives ru_maxrss in KiB.
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, last)


def peak_of_tree(command: Command) -> float:
    """Run `command` and sample the memory of all its processes together; the peak, in MB.

    Shared pages are counted once (PSS). Not for timing, as the sampling disturbs. Raises RunFailed.
    """
    peak = 0.0
    done = threading.Event()

    def sample(root: int) -> None:
        nonlocal peak
        while not done.wait(_SAMPLE_EVERY):
            peak = max(peak, sum(map(_pss, _tree(root))))

    with tempfile.TemporaryFile() as output:
        process = _start(command, output.fileno())
        sampler = threading.Thread(target=sample, args=(process.pid,))
        sampler.start()
        try:
            process.wait()
        finally:
            done.set()
            sampler.join()
        _last_line(command, process.returncode, output.fileno())
    return peak


def interleaved(commands: Sequence[Command], rounds: int) -> dict[str, Series]:
    """Run all of `commands` in turn, `rounds` times, so that a change of the machine's speed
    falls on all of them. Raises RunFailed."""
    results = {command.name: Series() for command in commands}
    for _ in range(rounds):
        for command in commands:
            results[command.name].samples.append(run_once(command))
    return results


def _start(command: Command, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.words,
        env=command.environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def _last_line(command: Command, status: int, output: int) -> str:
    os.lseek(output, 0, os.SEEK_SET)
    with os.fdopen(os.dup(output), encoding="utf-8", errors="replace") as file:
        last = "".join(file.read().strip().splitlines()[-1:])
    if status not in command.good:
        raise RunFailed(f"{command.name}: exit status {status}: {last or 'no output'}")
    return last


def _tree(root: int) -> list[int]:
    """`root` and its descendants."""
    found = [root]
    for pid in found:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                continue
    return found


def _pss(pid: int) -> float:
    """Memory of one process in MB, each shared page by its share; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
