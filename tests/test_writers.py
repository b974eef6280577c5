"""verify.writers: nothing else in a tree writes what the switch reads; and Switch.doubt."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import models.reference
from proofs.cases import Case, load
from tests.source_text import TextTree
from verify import relations
from verify.check import run
from verify.errors import BadInput
from verify.inputs import find_target
from verify.request import Request
from verify.source.tree import Tree, open_tree

REFERENCE = Path(models.reference.__file__).parent / "tree"
TARGETS = ["mediated-pmu-intel", "mediated-pmu-amd"]
CASES = [case for case in load() if case.name.startswith("written-")]
BY_NAME = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
PMU, VMX = "arch/x86/kvm/pmu.c", "arch/x86/kvm/vmx/vmx.c"
INTEL, OPS = "arch/x86/kvm/vmx/pmu_intel.c", "arch/x86/kvm/pmu.h"


def doubt(tree: Tree, name: str) -> str:
    """Of the plain switch."""
    target = find_target(name)
    program = relations.program_of(tree, target, {})
    [work] = relations.works_of(target, program, Request(target=name, properties=("order.quiet",)))
    return work.switch.doubt


def added(text: str, path: str = VMX) -> TextTree:
    """The reference tree with more text at the end of a file."""
    files = {str(p.relative_to(REFERENCE)): p.read_text() for p in REFERENCE.rglob("*.[ch]")}
    return TextTree({**files, path: files[path] + text})


@pytest.mark.parametrize("name", TARGETS)
def test_nobody_does_on_the_reference_tree(name: str) -> None:
    assert doubt(open_tree(REFERENCE, []), name) == ""


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["7.2", "7.3"])
@pytest.mark.parametrize("name", TARGETS)
def test_nobody_does_in_kernels(
    name: str, version: str, kernel_tree: Callable[[str], Path]
) -> None:
    assert doubt(open_tree(kernel_tree(version), []), name) == ""


def seen(case: Case, tree: Tree) -> None:
    says = partial(doubt, name=case.target)
    for untold in case.unknown:
        assert all(words in says(case.build(tree).tree) for words in untold.reason)
    assert says(case.build_right(tree).tree) == ""


@BY_NAME
def test_cases_are_seen(case: Case) -> None:
    seen(case, open_tree(REFERENCE, []))


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["7.2", "7.3"])
@BY_NAME
def test_cases_are_seen_in_kernels(
    case: Case, version: str, kernel_tree: Callable[[str], Path]
) -> None:
    seen(case, open_tree(kernel_tree(version), []))


WRITER = "{}void later(struct kvm_vcpu *vcpu)\n{{\n\tvcpu_to_pmu(vcpu)->global_status = 0;\n}}\n"
CALLER = "{}void now(struct kvm_vcpu *vcpu)\n{{\n\tlater(vcpu);\n}}\n"
MACRO = "#define off(pmu) ((pmu)->global_status = 0)\n"
MSR = "void later(struct kvm_vcpu *vcpu)\n{{\n\t{};\n}}\n"
TABLE = "struct kvm_x86_ops other = {{\n\t.run = {},\n}};\n"


@pytest.mark.parametrize(
    ("text", "who"),
    [
        (WRITER.format(""), "later()"),
        (WRITER.format("static ") + TABLE.format("later"), "later()"),
        (WRITER.format("static ") + CALLER.format(""), "later()"),
        (WRITER.format("static ") + CALLER.format("static ") + TABLE.format("now"), "later()"),
        ("module_param(enable_mediated_pmu, bool, 0644);\n", "userspace"),
        (MSR.format("wrmsrq(MSR_CORE_PERF_GLOBAL_CTRL, 0)"), "later()"),
        (MSR.format("if (wrmsrq_safe(0x390, ~0ULL)) return"), "later()"),
        (MSR.format("wrmsrq(MSR_CORE_PERF_FIXED_CTR0 + 2, x(1, 2))"), "later()"),
        (MSR.format("wrmsrq(fixed_counter_msr(3), 0)"), "later()"),
        (MSR.format("msr_clear_bit(MSR_CORE_PERF_GLOBAL_CTRL, 1)"), "later()"),
        (MSR.format("vmcs_write64(GUEST_IA32_PERF_GLOBAL_CTRL, 0)"), "later()"),
        # By what the model runs.
        (MSR.format("kvm_pmu_put_guest_pmcs(vcpu)"), "later()"),
        (MSR.format("kvm_pmu_call(mediated_put)(vcpu)"), "later()"),
        (MSR.format("static_call(kvm_x86_pmu_mediated_put)(vcpu)"), "later()"),
        (MSR.format("kvm_pmu_ops.mediated_put(vcpu)"), "later()"),
        (MSR.format("kvm_pmu_reset(vcpu)"), "later()"),
        # As a whole.
        (MSR.format("*vcpu_to_pmu(vcpu) = saved"), "later()"),
        (MSR.format("vcpu->arch.pmu = *saved"), "later()"),
        (MSR.format("vcpu_to_pmu(vcpu)->gp_counters[1] = *saved"), "later()"),
        (MSR.format("memset(vcpu_to_pmu(vcpu), 0, 8)"), "later()"),
        # By a macro.
        (MACRO + MSR.format("off(vcpu_to_pmu(vcpu))"), "off()"),
        (MACRO + "#define now off\n" + MSR.format("now(vcpu_to_pmu(vcpu))"), "off()"),
        ("#define put kvm_pmu_put_guest_pmcs\n" + MSR.format("put(vcpu)"), "put()"),
        (MACRO + TABLE.format("off"), "off()"),
        # Nobody calls it.
        (MACRO, ""),
        (MACRO + MSR.format("off(vcpu_to_pmu(vcpu))").replace("void", "static void"), ""),
        (WRITER.format("static "), ""),
        (WRITER.format("static ") + CALLER.format("static "), ""),
        (WRITER.format("").replace("global_status = 0", "reserved = 0"), ""),
        ("module_param(enable_mediated_pmu, bool, 0444);\n", ""),
        (MSR.format("wrmsrq(0x48, 0)"), ""),
        (MSR.format("vmcs_write64(GUEST_RIP, 0)"), ""),
        (MSR.format("kvm_pmu_call(other)(vcpu)"), ""),
        (MSR.format("kvm_vcpu_has_mediated_pmu(vcpu)"), ""),
        (MSR.format("wrmsrq(vcpu->arch.index, 0)"), ""),
        (MSR.format("rdmsrq(MSR_CORE_PERF_GLOBAL_CTRL, 0)"), ""),
    ],
)
def test_who_writes(text: str, who: str) -> None:
    told = doubt(added(f"\n{text}"), TARGETS[0])
    assert bool(told) == bool(who)
    assert who in told
    assert not told or (re.search(" is also (written|called) by ", told) and told.endswith(")"))
    # The other vendor's files do not matter.
    if "global_status" in text:
        assert doubt(added(f"\n{text}"), TARGETS[1]) == ""


@pytest.mark.parametrize("record", ["kvm_pmu", "kvm_vcpu_arch"])
def test_a_flag_that_is_a_constant_after_setup(record: str) -> None:
    tree = added("")
    path = "arch/x86/include/asm/kvm_host.h"
    tree.files[path] = tree.files[path].replace(
        f"struct {record} {{\n", f"struct {record} {{\n\tbool asleep;\n"
    )
    flag = "vcpu_to_pmu(vcpu)->asleep" if record == "kvm_pmu" else "vcpu->arch.asleep"
    text = tree.files[PMU]
    for start, more in (
        ("void kvm_pmu_init(struct kvm_vcpu *vcpu)\n{\n", f"\t{flag} = false;\n"),
        ("void kvm_mediated_pmu_load(struct kvm_vcpu *vcpu)\n{\n", f"\tif ({flag})\n\t\treturn;\n"),
    ):
        assert start in text
        text = text.replace(start, start + more)
    tree.files[PMU] = text
    assert doubt(tree, TARGETS[0]) == ""
    tree.files[VMX] += f"\nvoid later(struct kvm_vcpu *vcpu)\n{{\n\t{flag} = true;\n}}\n"
    assert "asleep is also written by later()" in doubt(tree, TARGETS[0])


@pytest.mark.parametrize(("call", "who"), [("kvm_pmu_call(rest)(vcpu);", "later()"), ("", "")])
def test_a_member_of_the_operations_that_nobody_calls(call: str, who: str) -> None:
    tree = added(WRITER.format("static "), INTEL)
    table = "struct kvm_pmu_ops intel_pmu_ops"
    at = tree.files[INTEL].index(table)
    writer = tree.files[INTEL].index("\nstatic void later(")
    text = tree.files[INTEL]
    text = f"{text[:at]}{text[writer + 1 :]}\n{text[at:writer]}"
    text = re.sub(r"(intel_pmu_ops[^{]*\{)", r"\1\n\t.rest = later,", text, count=1)
    tree.files[INTEL] = text
    head = "struct kvm_pmu_ops {\n"
    assert head in tree.files[OPS]
    tree.files[OPS] = tree.files[OPS].replace(
        head, f"{head}\tvoid (*rest)(struct kvm_vcpu *vcpu);\n"
    )
    tree.files[VMX] += f"\nvoid now(struct kvm_vcpu *vcpu)\n{{\n\t{call}\n}}\n"
    assert who in doubt(tree, TARGETS[0])
    assert bool(doubt(tree, TARGETS[0])) == bool(who)


@pytest.mark.parametrize("call", ["tell(vcpu)", "done(vcpu)", ""])
def test_a_function_that_runs_and_writes_by_a_macro(call: str) -> None:
    tree = added(MSR.format(call))
    start = "void kvm_mediated_pmu_put(struct kvm_vcpu *vcpu)\n{\n"
    writer = f"{MACRO}#define on(pmu) off(pmu)\n"
    writer += "void tell(struct kvm_vcpu *vcpu)\n{\n\ton(vcpu_to_pmu(vcpu));\n}\n"
    tree.files[PMU] = tree.files[PMU].replace(start, f"{writer}{start}\ttell(vcpu);\n")
    assert doubt(tree, TARGETS[0]).startswith("tell is also called by later()") == ("tell" in call)


def test_another_function_may_have_the_name_of_one_that_runs() -> None:
    writer = WRITER.format("static ").replace("later", "kvm_pmu_load_guest_pmcs")
    told = doubt(added(f"\n{writer}{TABLE.format('kvm_pmu_load_guest_pmcs')}"), TARGETS[0])
    assert "global_status is also written by kvm_pmu_load_guest_pmcs()" in told


def test_a_pointer_that_changes_is_not_modelled() -> None:
    tree = added("")
    text = tree.files[PMU]
    start = "static void kvm_pmu_load_guest_pmcs("
    body = "struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);\n"
    at = text.index(body, text.index(start))
    text = f"{text[:at]}{body}\tlast_guest = vcpu;\n{text[at + len(body) :]}"
    tree.files[PMU] = text.replace(start, f"static struct kvm_vcpu *last_guest;\n\n{start}")
    for name in TARGETS:
        assert doubt(tree, name) == "load changes the pointer last_guest, which is not modelled"


def test_nothing_is_proved_then(tmp_path: Path) -> None:
    for path in REFERENCE.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(REFERENCE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    file = tmp_path / VMX
    file.write_text(file.read_text() + WRITER.format(""))
    [result] = run(Request(kernel=tmp_path, properties=("order.quiet",), cache=False)).results
    assert result.verdict == "unknown"
    with pytest.raises(BadInput, match=r"also written by later\(\)"):
        relations.exported(Request(kernel=tmp_path, properties=("order.quiet",)))
    line = file.read_text().count("\n") - 1
    assert result.reason == (
        f"global_status is also written by later(), which the model does not run ({VMX}:{line})"
    )
