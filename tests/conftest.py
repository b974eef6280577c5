"""Where the tests find what is not part of the project; each absence is a skip with its reason."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from proofs.cases import Case
from tests.kernels.fetch import cache_root, tree_path

pytest_plugins = ["pytester"]

_SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_configure() -> None:
    """Let tests and the tools they start find the kernels in one place; no example has to be done
    in a certain time, on a machine that others use too."""
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")
    os.environ.setdefault("MSRPROOF_KERNELS", str(cache_root()))


@pytest.fixture(scope="session")
def kernel_tree() -> Callable[[str], Path]:
    """`kernel_tree("7.2")`: the root of that kernel's sources, read-only by agreement."""

    def find(version: str) -> Path:
        path = tree_path(version)
        if not path.is_dir():
            pytest.skip(f"no kernel {version} at {path} (python -m tests.kernels.fetch)")
        return path

    return find


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder beside the checkout with the seed mail and the yardstick."""
    if not _SHARED.is_dir():
        pytest.skip("no ../shared beside the checkout")
    return _SHARED


@pytest.fixture(scope="session")
def seed_mail(shared_dir: Path) -> Path:
    """The mail of the seed patch, third of a series of four."""
    path = shared_dir / "seed" / "perf-metrics-v2-3of4.txt"
    if not path.is_file():
        pytest.skip("no ../shared/seed/perf-metrics-v2-3of4.txt beside the checkout")
    return path


@pytest.fixture
def patch_folders(request: pytest.FixtureRequest) -> Callable[[Case], list[Path]]:
    """Where the patches are that a case needs on a kernel, which the project does not have."""

    def find(case: Case) -> list[Path]:
        if not any(side["kernel"].patches for side in (case.wrong, case.right)):
            return []
        mail: Path = request.getfixturevalue("seed_mail")
        return [mail.parent]

    return find
