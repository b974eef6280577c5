"""A private CBMC for the yardstick, with the libraries and the solver it needs.

The packages are newer than the machine's libraries may be, so they are unpacked into a cache and
started through their own dynamic loader. The machine itself is not changed.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.kernels.apt import Apt, FetchError, run

PACKAGES = (
    *("cbmc", "minisat", "bitwuzla", "libbitwuzla0"),
    *("libc6", "libgcc-s1", "libstdc++6", "libgmp10", "zlib1g"),
)


@dataclass(frozen=True)
class Cbmc:
    """How to start CBMC: a command to put arguments after, and the environment it needs."""

    command: list[str]
    environment: dict[str, str]


def cbmc() -> Cbmc:
    """CBMC from the cache, fetched first when it is not there.

    Raises FetchError when it cannot be had; a package whose signature cannot be checked is not
    taken, as it would be executed.
    """
    if not shutil.which("gcc"):
        raise FetchError("gcc is not installed on this machine, and CBMC needs its preprocessor")
    root = Path.home() / ".cache" / "msrproof" / "cbmc"
    if not root.is_dir():
        _install(root)
    path = f"{root / 'wrappers'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return Cbmc([str(root / "wrappers" / "cbmc")], {**os.environ, "PATH": path})


def _install(root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="msrproof-") as folder,
        tempfile.TemporaryDirectory(prefix=".cbmc-", dir=root.parent) as unpacked,
    ):
        new = Path(unpacked) / "root"
        new.mkdir()
        for package in Apt(Path(folder)).download(PACKAGES, Path(folder) / "packages"):
            result = run(["dpkg-deb", "-x", str(package), str(new)], cwd=new)
            if result.returncode:
                raise FetchError(f"cannot unpack {package.name}: {result.stderr.strip()}")
        write_wrappers(new)
        new.rename(root)


def write_wrappers(root: Path) -> None:
    """Write `wrappers/cbmc` and `wrappers/bitwuzla`, which start what is unpacked in `root`.

    They find it relative to themselves, so `root` may be moved. Raises FetchError when `root`
    holds no dynamic loader.
    """
    loaders = sorted(root.glob("usr/lib/*/ld-linux*.so.*"))
    if not loaders:
        raise FetchError(f"no dynamic loader in the packages unpacked at {root}")
    loader = loaders[0].relative_to(root)
    folder = root / "wrappers"
    folder.mkdir()
    for program in ("cbmc", "bitwuzla"):
        wrapper = folder / program
        wrapper.write_text(
            "#!/bin/sh\n"
            "root=${0%/wrappers/*}\n"
            f'exec "$root/{loader}" --library-path "$root/{loader.parent}:$root/usr/lib" '
            f'"$root/usr/bin/{program}" "$@"\n',
            encoding="utf-8",
        )
        wrapper.chmod(0o755)
