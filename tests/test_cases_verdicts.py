"""Every must-find case: the mistake is refuted for its cause, its right version is proved.

Many cases have one right version: it is proved once, to have what any of their mistakes breaks.

On kernels, `make test-all` runs the mistakes that domain.md names, on the newest one all of them
and on the one before it the seed mail itself, and what is right of that mail on the newest one; the
rest is marked `product`, for `make cases`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
AS_POSTED = "seed-as-posted"
CASES = load()


@dataclass(frozen=True)
class Twins:
    """Cases that have the same right version."""

    cases: tuple[Case, ...]

    @property
    def properties(self) -> tuple[str, ...]:
        """All that their mistakes break."""
        return tuple(dict.fromkeys(name for case in self.cases for name in case.properties))


def twins(cases: Sequence[Case], kind: str) -> list[Twins]:
    """The cases, which have no others to share a right version with."""
    groups: list[list[Case]] = []
    for case in cases:
        like = (case.right[kind], case.target, case.config, case.hardware)
        for group in groups:
            first = group[0]
            if (first.right[kind], first.target, first.config, first.hardware) == like:
                group.append(case)
                break
        else:
            groups.append([case])
    return [Twins(tuple(group)) for group in groups]


def only_as_product(case: Case, version: str) -> bool:
    """Only `make cases` looks for the mistake in this kernel."""
    return not (case.name in REQUIRED and (version == NEWEST or case.name == AS_POSTED))


def right_only_as_product(case: Case, version: str) -> bool:
    """Only `make cases` proves the right version of this kernel."""
    return not (case.name == AS_POSTED and version == NEWEST)


def cases_of(kind: str) -> list[Case]:
    return [case for case in CASES if kind in case.wrong and not case.pending]


def on_kernels(
    found: Callable[[list[Case]], Sequence[tuple[str, object]]],
    is_product: Callable[[Case, str], bool],
) -> list[object]:
    """What is `found` in the cases, by names, for each kernel as arguments of a test."""
    return [
        pytest.param(item, version, id=f"{name}-{version}", marks=[pytest.mark.product] * product)
        for version in (BEFORE, NEWEST)
        for product in (False, True)
        for name, item in found(
            [c for c in cases_of("kernel") if is_product(c, version) == product]
        )
    ]


def named(cases: Sequence[Case]) -> list[tuple[str, object]]:
    return [(case.name, case) for case in cases]


def named_twins(cases: Sequence[Case], kind: str = "kernel") -> list[tuple[str, object]]:
    """Twins by their first case and how many more there are."""
    return [(f"{t.cases[0].name}+{len(t.cases) - 1}", t) for t in twins(cases, kind)]


def answers(
    case: Case, built: Built, kernel: Path | None, properties: tuple[str, ...]
) -> Mapping[str, Result]:
    request = Request(
        kernel=kernel,
        target=case.target,
        properties=properties,
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
    built = case.build(open_tree(root, ["Makefile"]), folders)
    found = answers(case, built, kernel, case.properties)
    for refuted in case.refutes:
        is_found(refuted, found[refuted.property])
    for untold in case.unknown:
        result = found[untold.property]
        assert result.verdict == UNKNOWN and result.trace is None
        assert all(words in result.reason for words in untold.reason), result.reason


def the_right_version_is_proved(
    of: Twins, root: Path, kernel: Path | None, folders: list[Path]
) -> None:
    case = of.cases[0]
    built = case.build_right(open_tree(root, ["Makefile"]), folders)
    found = answers(case, built, kernel, of.properties)
    for name, result in found.items():
        assert result.verdict == PROVED, f"{name}: {result.verdict}: {result.reason}"


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in cases_of("reference")])
def test_the_mistake_is_found(case: Case) -> None:
    the_mistake_is_found(case, REFERENCE, None, [])


@pytest.mark.parametrize(
    "of", [pytest.param(t, id=n) for n, t in named_twins(cases_of("reference"), "reference")]
)
def test_the_right_version_is_proved(of: Twins) -> None:
    the_right_version_is_proved(of, REFERENCE, None, [])


@pytest.mark.kernel
@pytest.mark.parametrize(("case", "version"), on_kernels(named, only_as_product))
def test_the_mistake_is_found_in_a_kernel(
    case: Case,
    version: str,
    kernel_tree: Callable[[str], Path],
    patch_folders: Callable[[Case], list[Path]],
) -> None:
    root = kernel_tree(version)
    the_mistake_is_found(case, root, root, patch_folders(case))


@pytest.mark.kernel
@pytest.mark.parametrize(("of", "version"), on_kernels(named_twins, right_only_as_product))
def test_the_right_version_of_a_kernel_is_proved(
    of: Twins,
    version: str,
    kernel_tree: Callable[[str], Path],
    patch_folders: Callable[[Case], list[Path]],
) -> None:
    root = kernel_tree(version)
    the_right_version_is_proved(of, root, root, patch_folders(of.cases[0]))
