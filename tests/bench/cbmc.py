"""A private CBMC for the yardstick, with the solver it needs."""

import os
import shutil
from dataclasses import dataclass

from tests.kernels.apt import FetchError
from tests.kernels.programs import installed

PACKAGES = ("cbmc", "minisat", "bitwuzla", "libbitwuzla0")


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
    folder = installed("cbmc", PACKAGES, ("cbmc", "bitwuzla"))
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return Cbmc([str(folder / "cbmc")], {**os.environ, "PATH": path})
