"""Every must-find case: the mistake is refuted for its cause, its right version is proved.

They take minutes each, so they run when MSRPROOF_VERDICTS is set.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

import models.reference
from proofs.cases import Built, Case, Refuted, load
from verify.request import Request
from verify.result import PROVED, REFUTED, Result
from verify.source.tree import open_tree

if not os.environ.get("MSRPROOF_VERDICTS"):
    pytest.skip("set MSRPROOF_VERDICTS to run the prover on every case", allow_module_level=True)


def _prover() -> ModuleType:
    try:
        return importlib.import_module("verify.check")
    except ImportError as error:
        pytest.skip(f"the prover cannot be imported: {error}", allow_module_level=True)


CHECK = _prover()
CASES = load()
REFERENCE = Path(models.reference.__file__).parent / "tree"
KERNELS = pytest.mark.parametrize("version", ["7.2", "7.3"])


def cases_for(tree: str) -> list[object]:
    return [
        pytest.param(
            case,
            id=case.name,
            marks=[pytest.mark.skip(reason=case.pending)] if case.pending else [],
        )
        for case in CASES
        if tree in case.wrong
    ]


def answers(case: Case, built: Built, kernel: Path | None) -> Mapping[str, Result]:
    request = Request(
        kernel=kernel,
        properties=tuple(refuted.property for refuted in case.refutes),
        defines=built.defines,
        config=case.config,
        hardware=case.hardware,
        cache=False,
    )
    report = CHECK.check_tree(built.tree, built.patches, request)
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


def the_right_version_is_proved(
    case: Case, root: Path, kernel: Path | None, folders: list[Path]
) -> None:
    found = answers(case, case.build_right(open_tree(root, ["Makefile"]), folders), kernel)
    for name, result in found.items():
        assert result.verdict == PROVED, f"{name}: {result.verdict}: {result.reason}"


@pytest.mark.parametrize("case", cases_for("reference"))
def test_the_mistake_is_found(case: Case) -> None:
    the_mistake_is_found(case, REFERENCE, None, [])


@pytest.mark.parametrize("case", cases_for("reference"))
def test_the_right_version_is_proved(case: Case) -> None:
    the_right_version_is_proved(case, REFERENCE, None, [])


@pytest.mark.kernel
@KERNELS
@pytest.mark.parametrize("case", cases_for("kernel"))
def test_the_mistake_is_found_in_a_kernel(
    case: Case, version: str, kernel_tree: Callable[[str], Path], seed_mail: Path
) -> None:
    root = kernel_tree(version)
    the_mistake_is_found(case, root, root, [seed_mail.parent])


@pytest.mark.kernel
@KERNELS
@pytest.mark.parametrize("case", cases_for("kernel"))
def test_the_right_version_of_a_kernel_is_proved(
    case: Case, version: str, kernel_tree: Callable[[str], Path], seed_mail: Path
) -> None:
    root = kernel_tree(version)
    the_right_version_is_proved(case, root, root, [seed_mail.parent])
