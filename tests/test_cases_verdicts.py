"""Every must-find case: the mistake is refuted for its cause, its right version is proved.

On kernels, `make test-all` runs the cases that domain.md names, on the newest one all of them and
on the one before it those of the seed mail; the rest is marked `product`, for `make cases`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import models.reference
from proofs.cases import Built, Case, Refuted, load
from tests.required_cases import REQUIRED
from verify.check import check_tree
from verify.request import Request
from verify.result import PROVED, REFUTED, UNKNOWN, Result
from verify.source.tree import open_tree

pytestmark = pytest.mark.verdicts

REFERENCE = Path(models.reference.__file__).parent / "tree"
NEWEST = "7.3"
BEFORE = "7.2"
CASES = load()


def parameter(case: Case, *more: str) -> object:
    """A case as an argument of a test; `more`: the version of a kernel."""
    marks = [pytest.mark.skip(reason=case.pending)] if case.pending else []
    if more and not (case.name in REQUIRED and (more == (NEWEST,) or of_the_seed(case))):
        marks.append(pytest.mark.product)
    return pytest.param(case, *more, id="-".join((case.name, *more)), marks=marks)


def of_the_seed(case: Case) -> bool:
    return bool(case.wrong["kernel"].patches)


ON_REFERENCE = pytest.mark.parametrize(
    "case", [parameter(case) for case in CASES if "reference" in case.wrong]
)
ON_KERNELS = pytest.mark.parametrize(
    ("case", "version"),
    [
        parameter(case, version)
        for version in (BEFORE, NEWEST)
        for case in CASES
        if "kernel" in case.wrong
    ],
)


def answers(case: Case, built: Built, kernel: Path | None) -> Mapping[str, Result]:
    request = Request(
        kernel=kernel,
        target=case.target,
        properties=case.properties,
        defines=built.defines,
        config=case.config,
        hardware=case.hardware,
        cache=False,
    )
    report = check_tree(built.tree, built.patches, request)
    return {result.property: result for result in report.results}


def is_found(refuted: Refuted, result: Result) -> None:
    assert result.verdict == REFUTED, f"{result.property}: {result.verdict}: {result.reason}"
    assert result.trace is not None and result.trace.replayed
    register = result.trace.violation.register
    assert refuted.register in ("", register, register.partition("[")[0])
    missing = [word for word in refuted.cause if word not in result.trace.cause.text]
    assert not missing, result.trace.cause.text
    for parameter, values in refuted.under.items():
        for value, verdict in result.variants[parameter].items():
            assert verdict == (REFUTED if value in values else PROVED), f"{parameter}={value}"


def the_mistake_is_found(case: Case, root: Path, kernel: Path | None, folders: list[Path]) -> None:
    found = answers(case, case.build(open_tree(root, ["Makefile"]), folders), kernel)
    for refuted in case.refutes:
        is_found(refuted, found[refuted.property])
    for untold in case.unknown:
        result = found[untold.property]
        assert result.verdict == UNKNOWN and result.trace is None
        assert all(words in result.reason for words in untold.reason), result.reason


def the_right_version_is_proved(
    case: Case, root: Path, kernel: Path | None, folders: list[Path]
) -> None:
    found = answers(case, case.build_right(open_tree(root, ["Makefile"]), folders), kernel)
    for name, result in found.items():
        assert result.verdict == PROVED, f"{name}: {result.verdict}: {result.reason}"


@ON_REFERENCE
def test_the_mistake_is_found(case: Case) -> None:
    the_mistake_is_found(case, REFERENCE, None, [])


@ON_REFERENCE
def test_the_right_version_is_proved(case: Case) -> None:
    the_right_version_is_proved(case, REFERENCE, None, [])


@pytest.mark.kernel
@ON_KERNELS
def test_the_mistake_is_found_in_a_kernel(
    case: Case,
    version: str,
    kernel_tree: Callable[[str], Path],
    patch_folders: Callable[[Case], list[Path]],
) -> None:
    root = kernel_tree(version)
    the_mistake_is_found(case, root, root, patch_folders(case))


@pytest.mark.kernel
@ON_KERNELS
def test_the_right_version_of_a_kernel_is_proved(
    case: Case,
    version: str,
    kernel_tree: Callable[[str], Path],
    patch_folders: Callable[[Case], list[Path]],
) -> None:
    root = kernel_tree(version)
    the_right_version_is_proved(case, root, root, patch_folders(case))
