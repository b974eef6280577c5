"""The reference tree's answers are those that were accepted (python -m tests.golden)."""

from __future__ import annotations

import re

import pytest

from proofs import selfcheck
from tests import golden

# One worker has the reports of all these tests.
pytestmark = pytest.mark.xdist_group("reference")
ACCEPT = "if this is right: python -m tests.golden"


@pytest.mark.parametrize(
    "patch",
    [selfcheck.RIGHT, selfcheck.WRONG, pytest.param(golden.POSTED, marks=pytest.mark.verdicts)],
)
def test_the_answers_are_the_accepted_ones(patch: str) -> None:
    found = golden.rendered(golden.report(patch))
    assert found.splitlines() == golden.path_of(patch).read_text().splitlines(), ACCEPT


def test_the_example_of_readme_is_true() -> None:
    right, wrong = golden.report(selfcheck.RIGHT), golden.report(selfcheck.WRONG)
    shown = golden.shown_example(golden.README.read_text())
    assert without_values(shown) == without_values(golden.example(right, wrong)), ACCEPT


def test_the_example_is_replaced_between_its_markers() -> None:
    readme = "a\n<!-- example: begin (x) -->\nold\n<!-- example: end -->\nb\n"
    assert golden.shown_example(readme) == "old\n"
    changed = golden.with_example(readme, r"new \1" + "\n")
    assert golden.shown_example(changed) == r"new \1" + "\n"
    assert changed.replace(r"new \1", "old") == readme
    with pytest.raises(ValueError, match="markers"):
        golden.shown_example("a\n")


def without_values(text: str) -> list[str]:
    """Its words but for the values of the counterexample, and how they are put."""
    text = re.sub(r"0x[0-9a-f]+ -> 0x[0-9a-f]+|= 0x[0-9a-f]+|0x[0-9a-f]+", "VALUE", text)
    return re.sub(r"=\d+", "=N", text).split()
