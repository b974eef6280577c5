"""verify.check: hunks that do not apply, and what a tree must have."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

import models
import models.reference
import models.targets
from models.environment import mediated
from verify import judged
from verify.check import run
from verify.errors import BadInput
from verify.prove.judge import Judgement
from verify.relations import switch_of
from verify.report.text import render
from verify.request import Request
from verify.result import PROVED, REFUTED, UNKNOWN, Report, Result

PATCH = Path(models.reference.__file__).parent / "patches" / "perf-metrics.patch"
LOAD = "+\t\twrmsrq(MSR_PERF_METRICS,"
"""A line of the hunk for the load path, in the patch of the reference tree."""


def mangled(text: str, inside: str) -> str:
    """The patch with the context of the hunk around `inside` made that of another kernel."""
    start = text.rindex("\n@@", 0, text.index(inside))
    end = text.find("\n@@", start + 1)
    body, count = re.subn(r"^( \t)\S.*$", r"\1another_kernel();", text[start:end], flags=re.M)
    assert count
    return text[:start] + body + text[end:]


def checked(path: Path, properties: str, kernel: Path | None = None, **defines: str) -> Report:
    request = Request(
        kernel=kernel,
        patches=(str(path),),
        properties=(properties,),
        defines=defines,
        cache=False,
    )
    return run(request)


def test_an_operation_that_only_another_vendor_has_does_nothing() -> None:
    """The patch gives Intel's table an operation and calls it for every vendor."""
    request = Request(
        target="mediated-pmu-amd",
        patches=(str(PATCH),),
        properties=("order.quiet", "leak.guest-host"),
        cache=False,
    )
    assert [result.verdict for result in run(request).results] == [PROVED, PROVED]


def test_a_hunk_that_does_not_apply_makes_unknown(tmp_path: Path) -> None:
    broken = tmp_path / "broken.patch"
    broken.write_text(mangled(PATCH.read_text(), LOAD))
    report = checked(broken, "*")
    [patch] = report.input.patches
    [hunk] = patch.failed
    assert hunk.file == "arch/x86/kvm/vmx/pmu_intel.c" and "another_kernel" in hunk.reason
    names = tuple(result.property for result in report.results)
    assert hunk.affects == names and len(names) > 10
    where = f"depends on the hunk {hunk.file}:{hunk.line}, which did not apply"
    assert {(r.verdict, r.reason) for r in report.results} == {(UNKNOWN, where)}
    assert report.exit_status == 2
    assert f"not applied: {hunk.file}:{hunk.line}" in render(report, 200)


def test_a_function_whose_head_is_no_c_is_none_that_models_can_call(tmp_path: Path) -> None:
    tree = shutil.copytree(Path(models.reference.__file__).parent / "tree", tmp_path / "tree")
    pmu = tree / "arch/x86/kvm/pmu.c"
    head = "bool kvm_pmu_is_valid_msr("
    assert head in pmu.read_text()
    pmu.write_text(pmu.read_text().replace(head, f"{head}(u8)"))
    with pytest.raises(BadInput, match="no function kvm_pmu_is_valid_msr that can be read"):
        run(Request(kernel=tree, cache=False))


@pytest.mark.parametrize("unknown", [False, True])
def test_what_is_assumed_of_unknown_code_is_printed_with_it(tmp_path: Path, unknown: bool) -> None:
    broken = tmp_path / "broken.patch"
    broken.write_text(mangled(PATCH.read_text(), LOAD))
    tree = shutil.copytree(Path(models.reference.__file__).parent / "tree", tmp_path / "tree")
    if unknown:
        pmu = tree / "arch/x86/kvm/pmu.c"
        call = "\tperf_load_guest_context();\n"
        assert pmu.read_text().count(call) == 1
        pmu.write_text(pmu.read_text().replace(call, f"{call}\tkvm_touch_pmu(vcpu);\n"))
    report = checked(broken, "*", kernel=tree)
    # Further on there are loops that may then go on for ever.
    assert [item.text for item in report.not_understood][:1] == ["kvm_touch_pmu(...)"] * unknown
    assert ("unknown.pointers" in {a.id for a in report.assumptions}) == unknown


def test_a_hunk_elsewhere_makes_no_difference(tmp_path: Path) -> None:
    also = "--- a/arch/x86/kvm/lapic.c\n+++ b/arch/x86/kvm/lapic.c\n"
    also += (
        "@@ -10,3 +10,4 @@ void kvm_lapic_nap(struct kvm_vcpu *vcpu)\n a();\n+b();\n c();\n d();\n"
    )
    path = tmp_path / "two.patch"
    path.write_text(f"{PATCH.read_text()}{also}")
    report = checked(path, "order.fixed3-metrics.load")
    [hunk] = report.input.patches[0].failed
    assert (hunk.file, hunk.affects) == ("arch/x86/kvm/lapic.c", ())
    assert [result.verdict for result in report.results] == [PROVED]


def test_a_hunk_of_the_frame_makes_a_difference(tmp_path: Path) -> None:
    path = tmp_path / "frame.patch"
    also = (
        "--- a/arch/x86/kvm/x86.c\n+++ b/arch/x86/kvm/x86.c\n"
        "@@ -9,3 +9,4 @@ int vcpu_enter_guest(struct kvm_vcpu *vcpu)\n a();\n+b();\n c();\n d();\n"
    )
    path.write_text(f"{PATCH.read_text()}{also}")
    report = checked(path, "order.fixed3-metrics.load")
    [result] = report.results
    assert (result.verdict, result.reason) == (
        UNKNOWN,
        "depends on the hunk arch/x86/kvm/x86.c:9, which did not apply",
    )


def test_the_targets_name_every_function_that_their_models_call() -> None:
    root = Path(models.__file__).parent
    texts = [path.read_text() for path in sorted(root.rglob("*.py"))]
    calls = re.compile(r'(?:\.call\(\s*|edited\(m, [^"\n]*)"([\w.]+)"')
    called = {name for text in texts for name in calls.findall(text)}
    called |= {mediated.INSTRUCTION, mediated.BRANCH}
    targets = [models.targets.find(name) for name in models.targets.names()]
    assert len(called) > 5 and called == {name for t in targets for name in t.functions}


# Real kernels -----------------------------------------------------------------------------------

COUNTERS = {"KVM_MAX_NR_INTEL_FIXED_COUNTERS": "4"}


@pytest.mark.kernel
def test_hunks_that_have_moved_away_and_do_not_matter(
    kernel_tree: Callable[[str], Path], seed_mail: Path
) -> None:
    report = checked(seed_mail, "order.fixed3-metrics.load", kernel_tree("7.3"), **COUNTERS)
    failed = report.input.patches[0].failed
    assert [(h.file, h.affects) for h in failed] == [("arch/x86/kvm/x86.c", ())] * 2
    assert [result.verdict for result in report.results] == [PROVED]


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["7.2", "7.3"])
@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("u64 global_status, toggle;", "arch/x86/kvm/vmx/pmu_intel.c"),
        ("wrmsrq(MSR_CORE_PERF_FIXED_CTR_CTRL, 0);", "arch/x86/kvm/vmx/pmu_intel.c"),
        ("u64 raw_event_mask;", "arch/x86/include/asm/kvm_host.h"),
    ],
    ids=["load", "put", "record"],
)
def test_a_hunk_of_the_seed_that_matters(
    line: str,
    file: str,
    version: str,
    kernel_tree: Callable[[str], Path],
    seed_mail: Path,
    tmp_path: Path,
) -> None:
    text = seed_mail.read_text()
    assert text.count(f"> {line}\n") == 1
    mail = tmp_path / "mail.txt"
    mail.write_text(text.replace(line, "another_kernel();"))
    report = checked(mail, "restore.*", kernel_tree(version), **COUNTERS)
    failed = report.input.patches[0].failed
    [hunk] = [h for h in failed if h.file == file]
    assert "another_kernel" in hunk.reason
    assert set(hunk.affects) == {result.property for result in report.results}
    for result in report.results:
        assert result.verdict == UNKNOWN and f"{file}:{hunk.line}" in result.reason


@pytest.mark.parametrize(
    ("values", "same"),
    [
        ({"yes": REFUTED, "no": REFUTED}, True),
        ({"yes": REFUTED, "no": PROVED}, False),
        ({"yes": REFUTED, "no": UNKNOWN}, False),
    ],
)
def test_what_always_goes_wrong_without_interrupts_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], same: bool
) -> None:
    asked = []

    class Fake:
        context = None

        def __init__(self, switch: str, solve: object, part: object) -> None:
            self.switch = switch

        def judge(self, properties: list[Any]) -> list[Judgement]:
            asked.append([p.name for p in properties])
            wrong = {"a"} if self.switch == "calm" else set()
            return [
                Judgement(p, REFUTED, variants={"lucky": values})
                if p.name in wrong
                else Judgement(p, PROVED)
                for p in properties
            ]

    def result(judgement: Judgement, *_: object) -> Result:
        trace = Mock(replayed=True) if judgement.verdict == REFUTED else None
        return Result(judgement.prop.name, "f", judgement.verdict, "", trace=trace)

    def work(switch: str, *names: str) -> Any:
        props = [SimpleNamespace(name=n, statement=f"all of {n}") for n in names]
        return SimpleNamespace(switch=switch, properties=props)

    monkeypatch.setattr(judged, "Judge", Fake)
    monkeypatch.setattr(judged, "_result", result)
    works = [work("calm", "a", "b"), work("interrupted", "nmi.a", "nmi.b")]
    found = [item.result for item in judged.judge_all(works, Mock(), Mock(), Mock())]
    assert [r.property for r in found] == ["a", "b", "nmi.a", "nmi.b"]
    assert [r.verdict for r in found] == [REFUTED, PROVED, REFUTED if same else PROVED, PROVED]
    assert asked == [["a", "b"], ["nmi.b"] if same else ["nmi.a", "nmi.b"]]
    assert not same or found[2].statement == "all of nmi.a"


@pytest.mark.parametrize(("name", "most"), [("GP", "32"), ("FIXED", "16")])
def test_kvm_may_handle_all_counters_that_a_cpu_can_have(name: str, most: str) -> None:
    defines = {f"KVM_MAX_NR_INTEL_{name}_COUNTERS": most}
    switch = switch_of(Request(patches=(str(PATCH),), defines=defines))
    kind = {"GP": "PMC", "FIXED": "FIXED_CTR"}[name]
    counters = [cell for cell in switch.initial if cell.startswith(f"hw.{kind}[")]
    assert len(counters) == int(most)


def test_what_is_done_between_put_and_load_is_looked_for(tmp_path: Path) -> None:
    """Load prefers what put has kept elsewhere, and so what is written meanwhile is lost."""
    tree = shutil.copytree(Path(models.reference.__file__).parent / "tree", tmp_path / "tree")
    edits = {
        "arch/x86/include/asm/kvm_host.h": (
            ("\tu64 eventsel_hw;\n", "\tu64 eventsel_hw;\n\tu64 kept;\n\tbool is_kept;\n"),
        ),
        "arch/x86/kvm/pmu.c": (
            (
                "value = pmu->gp_counters[i].counter;",
                "value = pmu->gp_counters[i].is_kept ? pmu->gp_counters[i].kept :"
                " pmu->gp_counters[i].counter;",
            ),
            (
                "pmu->gp_counters[i].counter = value;",
                "pmu->gp_counters[i].counter = value;\n\t\tpmu->gp_counters[i].kept = value;"
                "\n\t\tpmu->gp_counters[i].is_kept = true;",
            ),
        ),
    }
    for name, changes in edits.items():
        text = (tree / name).read_text()
        for old, new in changes:
            assert text.count(old) == 1
            text = text.replace(old, new)
        (tree / name).write_text(text)
    request = Request(kernel=tree, properties=("restore.PMC",), cache=False)
    [result] = run(request).results
    assert result.verdict == REFUTED and result.trace is not None and result.trace.replayed
    puts = [i for i, step in enumerate(result.trace.steps) if step.phase.startswith("put")]
    between = [s for s in result.trace.steps[puts[-1] :] if s.phase.startswith("write")]
    assert between, "the write that is lost is not shown"


def test_what_brings_a_copy_about_is_shown(tmp_path: Path) -> None:
    """A counter that is left as an earlier event filter had it: who set it, and the new filter."""
    tree = shutil.copytree(Path(models.reference.__file__).parent / "tree", tmp_path / "tree")
    file = tree / "arch/x86/kvm/pmu.c"
    old = "u64 waiting = pmu->reprogram_pmi[0];"
    text = file.read_text()
    assert text.count(old) == 1
    new = "u64 waiting = ~pmu->reprogram_pmi[0] ? pmu->reprogram_pmi[0] : 0;"
    file.write_text(text.replace(old, new))
    request = Request(kernel=tree, properties=("count.filter",), cache=False)
    [result] = run(request).results
    assert result.verdict == REFUTED and result.trace is not None and result.trace.replayed
    shown = [(step.op, step.phase.partition(" ")[0]) for step in result.trace.steps]
    assert shown[:3] == [("access", "write"), ("emulated", "write"), ("switch", "another")]
    assert result.trace.steps[0].register == "MSR" and result.trace.steps[1].register
