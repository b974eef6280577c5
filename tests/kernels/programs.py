"""Programs of Debian packages, private to the tests, with the libraries that they need.

The packages are newer than the machine's libraries may be, so they are unpacked into a cache and
started through their own dynamic loader. The machine itself is not changed. A package whose
signature cannot be checked is not taken, as it would be executed.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.kernels.apt import Apt, FetchError, run

LIBRARIES = ("libc6", "libgcc-s1", "libstdc++6", "libgmp10", "zlib1g")


def installed(name: str, packages: Sequence[str], programs: Sequence[str]) -> Path:
    """The folder of the programs, from the cache or fetched. Raises FetchError."""
    root = Path.home() / ".cache" / "msrproof" / name
    if not root.is_dir():
        _install(root, (*packages, *LIBRARIES), programs)
    return root / "wrappers"


def _install(root: Path, packages: Sequence[str], programs: Sequence[str]) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="msrproof-") as folder,
        tempfile.TemporaryDirectory(prefix=".unpack-", dir=root.parent) as unpacked,
    ):
        new = Path(unpacked) / "root"
        new.mkdir()
        for package in Apt(Path(folder)).download(packages, Path(folder) / "packages"):
            result = run(["dpkg-deb", "-x", str(package), str(new)], cwd=new)
            if result.returncode:
                raise FetchError(f"cannot unpack {package.name}: {result.stderr.strip()}")
        write_wrappers(new, programs)
        new.rename(root)


def write_wrappers(root: Path, programs: Sequence[str]) -> None:
    """Write `wrappers/PROGRAM` for each program, which starts what is unpacked in `root`.

    They find it relative to themselves, so `root` may be moved. Raises FetchError when `root`
    holds no dynamic loader.
    """
    loaders = sorted(root.glob("usr/lib/*/ld-linux*.so.*"))
    if not loaders:
        raise FetchError(f"no dynamic loader in the packages unpacked at {root}")
    loader = loaders[0].relative_to(root)
    folder = root / "wrappers"
    folder.mkdir()
    for program in programs:
        wrapper = folder / program
        wrapper.write_text(
            "#!/bin/sh\n"
            "root=${0%/wrappers/*}\n"
            f'exec "$root/{loader}" --library-path "$root/{loader.parent}:$root/usr/lib" '
            f'"$root/usr/bin/{program}" "$@"\n',
            encoding="utf-8",
        )
        wrapper.chmod(0o755)
