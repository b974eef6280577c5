"""The reference tree's answers are those that were accepted (python -m tests.golden)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from proofs import selfcheck
from tests import golden
from tests.golden import encodings

ACCEPT = "if this is right: python -m tests.golden"


def is_accepted(patch: str) -> None:
    found = golden.rendered(golden.report(patch))
    assert found.splitlines() == golden.path_of(patch).read_text().splitlines(), ACCEPT


def test_the_answers_are_the_accepted_ones() -> None:
    # One test, as all of it needs the same two reports.
    is_accepted(selfcheck.RIGHT)
    is_accepted(selfcheck.WRONG)
    right, wrong = golden.report(selfcheck.RIGHT), golden.report(selfcheck.WRONG)
    for form in golden.FORMS:
        accepted = golden.path_of_printed(form).read_text()
        assert words_of(golden.printed(wrong, form)) == words_of(accepted), ACCEPT
    shown = golden.shown_example(golden.README.read_text())
    assert without_values(shown) == without_values(golden.example(right, wrong)), ACCEPT


@pytest.mark.verdicts
def test_the_answers_on_the_patch_as_posted() -> None:
    is_accepted(golden.POSTED)


def test_the_encodings_are_the_accepted_ones() -> None:
    kept = {path.name: path.read_text() for path in encodings.FOLDER.iterdir()}
    found = encodings.rendered(encodings.switch())
    for name in found:
        assert found[name].splitlines() == kept.get(name, "").splitlines(), f"{name}: {ACCEPT}"
    assert found.keys() == kept.keys(), ACCEPT


def test_a_changed_relation_changes_its_encoding() -> None:
    found = encodings.switch()
    before = encodings.rendered(found)
    step = found.steps[0]
    cell, value = next(iter(step.post.items()))
    changed = replace(step, post={**step.post, cell: ~value})
    after = encodings.rendered(replace(found, steps=[changed, *found.steps[1:]]))
    assert {name for name in before if before[name] != after[name]} == {
        *(f"{step.name}.txt", "SHA256SUMS"),
    }


def test_the_example_is_replaced_between_its_markers() -> None:
    readme = "a\n<!-- example: begin (x) -->\nold\n<!-- example: end -->\nb\n"
    assert golden.shown_example(readme) == "old\n"
    changed = golden.with_example(readme, r"new \1" + "\n")
    assert golden.shown_example(changed) == r"new \1" + "\n"
    assert changed.replace(r"new \1", "old") == readme
    with pytest.raises(ValueError, match="markers"):
        golden.shown_example("a\n")


def words_of(text: str) -> list[str]:
    """Values of another width fold lines elsewhere, also in the strings of JSON."""
    return text.replace("\\n", " ").split()


def without_values(text: str) -> list[str]:
    """Its words but for the values of the counterexample, and how they are put."""
    text = re.sub(r"0x[0-9a-f]+ -> 0x[0-9a-f]+|= 0x[0-9a-f]+|0x[0-9a-f]+", "VALUE", text)
    return re.sub(r"=\d+", "=N", text).split()
