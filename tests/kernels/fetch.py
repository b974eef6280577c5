"""Fetch the kernel sources that the `kernel` tests read: python -m tests.kernels.fetch

Debian's linux-source packages are unpacked into a cache outside of the project, only the folders
that the tool reads. A tree that is already there is left alone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.kernels.apt import Apt, FetchError

VERSIONS = ("7.2", "7.3")
FOLDERS = (
    "Makefile",
    "arch/x86/kvm",
    "arch/x86/include",
    "arch/x86/events",
    "include",
    "virt/kvm",
    "kernel/events",
)


def cache_root() -> Path:
    """The folder that holds the trees: $MSRPROOF_KERNELS, else one under ~/.cache."""
    chosen = os.environ.get("MSRPROOF_KERNELS")
    return Path(chosen) if chosen else Path.home() / ".cache" / "msrproof" / "kernels"


def tree_path(version: str) -> Path:
    """Where the tree of `version` is, or will be once it is fetched."""
    return cache_root() / f"linux-source-{version}"


def fetch(versions: Sequence[str]) -> list[str]:
    """Fetch the trees that are missing; returns one line for each that could not be had."""
    missing = [version for version in versions if not tree_path(version).is_dir()]
    if not missing:
        return []
    failures = []
    with tempfile.TemporaryDirectory(prefix="msrproof-") as folder:
        work = Path(folder)
        try:
            apt = Apt(work, allow_unverified=True)
        except FetchError as error:
            return [f"linux-source-{version}: {error}" for version in missing]
        for version in missing:
            try:
                (deb,) = apt.download([f"linux-source-{version}"], work / version)
                unpack(deb, version, tree_path(version))
            except (FetchError, OSError) as error:
                failures.append(str(error))
            else:
                print(f"fetched {deb.name} -> {tree_path(version)}")
    return failures


def unpack(deb: Path, version: str, target: Path) -> None:
    """Unpack FOLDERS of the sources in `deb` as `target`, which appears complete or not at all.

    Raises FetchError when the package does not hold them.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    top = f"linux-source-{version}"
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=target.parent) as folder:
        _pipe(
            ["dpkg-deb", "--fsys-tarfile", str(deb)],
            ["tar", "-xO", f"./usr/src/{top}.tar.xz"],
            ["tar", "-xJ", "-C", folder, *(f"{top}/{name}" for name in FOLDERS)],
        )
        (Path(folder) / top).rename(target)


def _pipe(*commands: list[str]) -> None:
    processes: list[subprocess.Popen[bytes]] = []
    # A file, not a pipe: no process can block on a full one.
    with tempfile.TemporaryFile() as complaints:
        try:
            for command in commands:
                source = processes[-1].stdout if processes else subprocess.DEVNULL
                last = command is commands[-1]
                process = subprocess.Popen(
                    command,
                    stdin=source,
                    stdout=None if last else subprocess.PIPE,
                    stderr=complaints,
                )
                if processes and processes[-1].stdout:
                    processes[-1].stdout.close()  # so that an early end is seen upstream
                processes.append(process)
        except FileNotFoundError as error:
            for process in processes:
                process.kill()
            raise FetchError(f"{error.filename} is not installed on this machine") from error
        finally:
            statuses = [process.wait() for process in processes]
        if any(statuses):
            complaints.seek(0)
            first = complaints.readline().decode(errors="replace").strip()
            raise FetchError(f"cannot unpack {commands[0][-1]}: {first or statuses}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 when every tree is there, else 1 and a line on stderr for each that is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.kernels.fetch", description=__doc__)
    parser.add_argument(
        "--print-path",
        metavar="VERSION",
        choices=VERSIONS,
        help="only print where the tree of VERSION is; exit 1 when it has not been fetched",
    )
    options = parser.parse_args(arguments)
    if options.print_path:
        print(tree_path(options.print_path))
        return 0 if tree_path(options.print_path).is_dir() else 1
    failures = fetch(VERSIONS)
    for failure in failures:
        print(f"could not fetch {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
