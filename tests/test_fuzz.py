"""The campaigns at a small size, and that they see what they are there for; see `make fuzz`."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from proofs import catalogue
from proofs.selfcheck import BROKEN, RIGHT, WRONG
from tests.fuzz import __main__ as campaign
from tests.fuzz import agree, behave, kernel_c, mails, meaning, unproved
from tests.fuzz.case import Outcome, tried
from tests.fuzz.tokens import KINDS, Range, mutate
from tests.fuzz.transform import KINDS as REWRITINGS
from tests.fuzz.transform import rewrite
from tests.fuzz.trees import Subject, patched, subjects, switch
from verify.encode import term
from verify.prove.property import READ
from verify.result import PROVED, REFUTED

REFERENCE = subjects()[:2]
INTEL = REFERENCE[1]
PMU = "arch/x86/kvm/pmu.c"


def replaced(old: str, new: str, path: str = PMU) -> Any:
    text = INTEL.files[path]
    assert text.count(old) == 1
    return INTEL.changed(path, text.replace(old, new))


# Broken C -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_broken_c_is_refused_or_read_as_it_is(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_c, "COMPILED", 1.0 if seed == 0 else 0.0)
    outcome = tried(lambda chance: kernel_c.case(REFERENCE[seed % 2], chance), f"c{seed}")
    assert not outcome.fault, outcome.fault


@pytest.mark.kernel
@pytest.mark.parametrize("seed", range(4))
def test_broken_c_of_a_kernel(seed: int, kernel_tree: Callable[[str], Path]) -> None:
    kernel_tree("7.3")
    outcome = tried(lambda chance: kernel_c.case(subjects()[-1], chance), f"k{seed}")
    assert not outcome.fault, outcome.fault


def test_every_kind_of_change_is_made_and_leaves_the_rest() -> None:
    text = "u64 f(u32 a)\n{\n\tu64 b = a + 1;\n\tif (a == 3)\n\t\treturn b;\n\treturn -a;\n}\n"
    seen = set()
    for seed in range(2000):
        new, kind = mutate(text, Range(13, len(text) - 2), Random(seed))
        assert new.startswith(text[:13]) and new.endswith(text[-2:])
        seen.add(kind)
    assert seen == set(KINDS)


def test_relations_that_are_not_what_is_interpreted_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = switch(INTEL.target, INTEL.tree)
    same = agree.walk(found, Random(1), 20)
    assert isinstance(same, int) and same > 20
    evaluate = term.evaluate

    def wrong(terms: Any, env: Any) -> list[int]:
        values = evaluate(terms, env)
        return [v ^ (x.width == 64) for x, v in zip(terms, values, strict=True)]

    monkeypatch.setattr(term, "evaluate", wrong)
    assert isinstance(agree.walk(found, Random(1), 20), agree.Contradiction)


def test_a_run_that_violates_a_property_is_seen() -> None:
    wrong = switch(INTEL.target, patched()[1].tree)
    properties = [p for p in catalogue.properties(wrong) if unproved.single(p)]
    assert any(v.phase == READ for p in properties for v in unproved.single(p))
    seen = {unproved.violated(wrong, properties, Random(seed)) for seed in range(4)} - {""}
    assert seen and seen <= BROKEN


# Mails ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(16))
def test_mails_are_read_or_refused(seed: int) -> None:
    outcome = tried(mails.anything, f"m{seed}")
    assert not outcome.fault, outcome.fault


def test_a_command_that_writes_or_does_not_say_one_line_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(status: int, *lines: str) -> Outcome:
        def main(words: Any) -> int:
            for line in lines:
                print(line, file=sys.stderr)
            return status

        monkeypatch.setattr(mails, "main", main)
        return mails.checked(b"x")

    def writes(words: Any) -> int:
        with builtins.open(tmp_path / "x", "w"):
            return 2

    assert not says(2).fault and not says(3, "one line").fault
    assert says(4, "internal error").fault and says(3, "two", "lines").fault and says(3).fault
    monkeypatch.setattr(mails, "main", writes)
    assert "open" in mails.checked(b"x").fault


# The same in other words ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_rewritten_tree_does_the_same(seed: int) -> None:
    subject: Subject = (*REFERENCE, *patched())[seed % 4]
    outcome = tried(lambda chance: meaning.case(subject, 12, chance), f"r{seed}")
    assert not outcome.fault, outcome.fault


@pytest.mark.kernel
def test_a_rewritten_kernel_does_the_same(kernel_tree: Callable[[str], Path]) -> None:
    kernel_tree("7.3")
    outcome = tried(lambda chance: meaning.case(subjects()[-1], 30, chance), "k")
    assert not outcome.fault, outcome.fault


def test_rewritings_leave_alone_what_they_cannot_follow() -> None:
    text = (
        "#define CLEAR(x) clear(lamp, x)\n"
        "static int f(int a, int b)\n{\n\tint lamp = 1;\n\tint c = a ? lamp : b;\n"
        "\tb += c;\n\tCLEAR(a);\n\treturn b;\n}\n"
    )
    rewritten = {kind: set[str]() for kind in ("split", "renamed")}
    for kind, texts in rewritten.items():
        texts |= {rewrite(text, "f", kind, Random(seed)) or "" for seed in range(60)}
    for helper in (new.partition("static")[2].partition("\n}\n")[0] for new in rewritten["split"]):
        assert "CLEAR" not in helper  # it has no `lamp` there
    assert any(new for new in rewritten["split"])
    assert not any("int lamp_" in new or "fuzz_lamp" in new for new in rewritten["renamed"])
    labelled = "static int f(int a, int b)\n{\n\tint c = 1;\n\treturn a ? c : b;\n}\n"
    for new in (rewrite(labelled, "f", "renamed", Random(seed)) for seed in range(20)):
        assert new is not None and "? c :" not in new


def test_every_kind_of_rewriting_fits_somewhere() -> None:
    made = {
        kind
        for function in INTEL.functions
        for kind in REWRITINGS
        if rewrite(INTEL.files[function.loc.file], function.name, kind, Random(0)) is not None
    }
    assert made == set(REWRITINGS)


def test_what_another_tree_does_otherwise_is_seen() -> None:
    constants = agree.machine(INTEL.switch, Random(1))
    assert constants is not None

    def difference(tree: Any) -> str:
        programs = INTEL.switch.program, switch(INTEL.target, tree).program
        return behave.difference(INTEL.target, *programs, constants, Random(1), 40)

    assert difference(INTEL.tree) == ""
    assert difference(replaced("pmu->global_ctrl = gp_mask;", "pmu->global_ctrl = ~gp_mask;"))
    assert difference(replaced("\twrmsrq(kvm_pmu_ops.PERF_GLOBAL_CTRL, 0);\n", ""))


@pytest.mark.verdicts
@pytest.mark.parametrize("subject", patched(), ids=lambda subject: subject.patch)
def test_a_rewritten_tree_has_the_same_verdicts(subject: Subject) -> None:
    tree, done = meaning.rewritten(subject, meaning.MANY, Random(subject.patch))
    found = meaning.verdicts(subject, tree)
    refuted = BROKEN if subject.patch == WRONG else frozenset()
    assert found == {n: REFUTED if n in refuted else PROVED for n in found}, done


@pytest.mark.verdicts
@pytest.mark.parametrize(
    ("patch", "name"), [(RIGHT, "restore.PMC"), (WRONG, "leak.host-guest"), (WRONG, "warn.guest")]
)
def test_a_property_alone_has_the_same_verdict(patch: str, name: str) -> None:
    subject = next(s for s in patched() if s.patch == patch)
    expected = REFUTED if patch == WRONG and name in BROKEN else PROVED
    assert meaning.verdicts(subject, None, name) == {name: expected}


# The campaign itself --------------------------------------------------------------------------


def test_faults_are_counted_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def job(chance: Random) -> Outcome:
        if chance.random() < 0.5:
            raise ValueError("odd")
        return Outcome("fine")

    monkeypatch.setattr(campaign, "JOBS", {"it": job})
    assert campaign.main(["--count", "10", "it"]) == 1
    out = capsys.readouterr().out
    assert "10 cases" in out and "it --case 0." in out and "ValueError: odd" in out
    fine = next(seed for seed in range(99) if Random(str(seed)).random() >= 0.5)
    assert campaign.main(["--case", str(fine), "it"]) == 0
