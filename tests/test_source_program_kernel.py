"""What the front-end makes of whole trees: the embedded one, and real kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from models.environment import prelude
from verify.ir.nodes import Call, Function, Loc, Unmodelled
from verify.ir.program import Dialect
from verify.ir.types import U32, U64, Array, Int, Pointer, Record
from verify.source.program import CProgram
from verify.source.tree import open_tree


def words(text: str) -> list[str]:
    return text.split()


REFERENCE = Path(__file__).parents[1] / "models" / "reference" / "tree"

X86 = words("""
kvm/pmu.h kvm/vmx/pmu_intel.h kvm/vmx/capabilities.h kvm/vmx/vmcs.h kvm/vmx/vmx.h kvm/vmx/nested.h
kvm/vmx/vmx_ops.h kvm/x86.h kvm/cpuid.h kvm/lapic.h kvm/msrs.h kvm/regs.h include/asm/kvm_host.h
include/asm/perf_event.h include/asm/msr-index.h include/asm/vmx.h include/asm/vmxfeatures.h
include/asm/cpufeatures.h include/asm/apicdef.h include/asm/irq_vectors.h include/asm/nmi.h
include/asm/processor.h include/uapi/asm/processor-flags.h include/uapi/asm/kvm.h kvm/pmu.c
kvm/vmx/pmu_intel.c kvm/vmx/vmx.c kvm/vmx/nested.c kvm/x86.c kvm/msrs.c kvm/svm/pmu.c events/core.c
""")
FILES = (
    *(f"arch/x86/{path}" for path in X86),
    "include/linux/kvm_host.h",
    "include/linux/perf_event.h",
    "include/uapi/linux/perf_event.h",
    "include/uapi/asm-generic/errno-base.h",
    "kernel/events/core.c",
)

CONFIG = dict.fromkeys(
    (
        "CONFIG_X86_64",
        "CONFIG_PERF_EVENTS",
        "CONFIG_CPU_SUP_INTEL",
        "CONFIG_PERF_GUEST_MEDIATED_PMU",
        "CONFIG_KVM_INTEL",
    ),
    "y",
)

# Prototypes of what the functions below call beyond what the target models.
MORE = """
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
struct task_struct *get_current(void);
#define current get_current()
#define static_call(name) name
#define kvm_x86_call(func) kvm_x86_##func
int kvm_x86_get_cpl(struct kvm_vcpu *vcpu);
int x86_pmu_handle_irq(struct pt_regs *regs);
bool IS_ERR(const void *ptr);
long PTR_ERR(const void *ptr);
u64 sched_clock(void);
void perf_sample_event_took(u64 sample_len_ns);
int atomic_read(const atomic_t *v);
u64 rdtsc(void);
u64 ktime_get_boottime_ns(void);
int srcu_read_lock(struct srcu_struct *s);
void srcu_read_unlock(struct srcu_struct *s, int idx);
#define __test_and_set_bit test_and_set_bit
#define __GENMASK_ULL(h, l) GENMASK_ULL(h, l)
"""

# Every function that the switch and the emulated accesses of its registers reach.
SWITCH = words("""
kvm_mediated_pmu_load kvm_mediated_pmu_put kvm_pmu_load_guest_pmcs kvm_pmu_put_guest_pmcs
kvm_pmu_get_msr kvm_pmu_set_msr kvm_pmu_is_valid_msr kvm_pmu_refresh kvm_pmu_reset kvm_pmu_init
kvm_need_perf_global_ctrl_intercept kvm_need_rdpmc_intercept kvm_init_pmu_capability
pmc_write_counter intel_pmu_get_msr intel_pmu_set_msr intel_is_valid_msr intel_msr_idx_to_pmc
intel_pmu_refresh intel_pmu_init intel_pmu_reset intel_pmu_write_global_ctrl
intel_mediated_pmu_load intel_mediated_pmu_put intel_pmu_is_mediated_pmu_supported
vmx_recalc_pmu_msr_intercepts vmx_recalc_instruction_intercepts perf_load_guest_lvtpc
perf_put_guest_lvtpc perf_event_nmi_handler
""")

KERNEL = words("""
kvm_need_any_pmc_intercept kvm_pmu_recalc_pmc_emulation kvm_pmu_handle_event reprogram_counter
kvm_mediated_pmu_refresh_event_filter kvm_pmu_rdpmc is_vmware_backdoor_pmc
kvm_pmu_instruction_retired kvm_pmu_trigger_event reprogram_fixed_counters intel_rdpmc_ecx_to_pmc
intel_pmu_deliver_pmi intel_pmu_cleanup intel_pmu_cross_mapped_check
intel_pmu_handle_lbr_msrs_access intel_pmu_create_guest_lbr_event intel_get_fixed_pmc_eventsel
vmx_passthrough_lbr_msrs vmx_update_intercept_for_lbr_msrs vmx_refresh_guest_perf_global_control
vcpu_get_perf_capabilities fw_writes_is_enabled vmx_add_autostore_msr vmx_remove_autostore_msr
vmx_find_loadstore_msr_slot vmx_add_auto_msr vmx_remove_auto_msr nested_vmx_merge_pmu_msr_bitmaps
pmc_read_counter get_gp_pmc get_fixed_pmc pmc_is_locally_enabled pmc_is_globally_enabled
kvm_pmu_request_counters_reprogram kvm_pmu_is_fastpath_emulation_allowed kvm_pmc_idx_to_pmc
amd_pmu_get_msr amd_pmu_set_msr amd_pmu_refresh amd_pmu_init amd_mediated_pmu_load
amd_mediated_pmu_put amd_is_valid_msr amd_msr_idx_to_pmc
""")


def opened(root: Path, more: str = "") -> CProgram:
    text = prelude("kernel.h", "kvm.h", "vmx.h") + more
    return CProgram(
        open_tree(root, ()), Dialect(FILES, CONFIG, text, {}, {"kvm_pmu_ops": "intel_pmu_ops"})
    )


def nodes(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, tuple):
        for part in value:
            yield from nodes(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from nodes(getattr(value, field.name))


def not_modelled(program: CProgram, names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        function = program.function(name)
        if function is None:
            found.append(f"{name} is not there")
            continue
        for node in nodes(function.body):
            if isinstance(node, Unmodelled):
                found.append(f"{name}:{node.loc.line}: {node.reason}: {node.text}")
            if isinstance(node, Loc):
                assert node.file == function.loc.file
                assert function.loc.line <= node.line <= function.last_line
    return found


def calls(function: Function | None) -> set[str]:
    assert function is not None
    return {node.name for node in nodes(function.body) if isinstance(node, Call)}


def check_tables(program: CProgram) -> None:
    assert "intel_mediated_pmu_load" in calls(program.function("kvm_mediated_pmu_load"))
    assert "intel_pmu_set_msr" in calls(program.function("kvm_pmu_set_msr"))
    assert program.table("intel_pmu_ops")["mediated_put"] == "intel_mediated_pmu_put"
    assert program.constant("MSR_IA32_PMC0") == 0x4C1
    assert program.initialiser("intel_pmu_ops") is None  # it is not `const`
    assert program.object_type("kvm_pmu_ops") == Record("kvm_pmu_ops")


def check_records(program: CProgram) -> None:
    pmu = {name: member.type for name, member in program.record("kvm_pmu").members.items()}
    assert pmu["nr_arch_gp_counters"] == U32
    assert pmu["global_ctrl"] == U64
    assert pmu["reprogram_pmi"] == Array(U64, 1)
    assert pmu["gp_counters"] == Array(
        Record("kvm_pmc"), program.constant("KVM_MAX_NR_GP_COUNTERS") or 0
    )
    assert program.record("kvm_pmc").members["vcpu"].type == Pointer(Record("kvm_vcpu"))
    assert program.record("vcpu_vmx").members["vcpu"].type == Record("kvm_vcpu")
    assert program.record("kvm_vcpu").members["arch"].type == Record("kvm_vcpu_arch")
    # A union of an integer and bit-fields is that integer.
    eax = program.record("cpuid10_eax").members
    assert [member.type for member in eax.values()] == [Int(32, False)]


def test_the_reference_tree_lowers() -> None:
    program = opened(REFERENCE, "int x86_pmu_handle_irq(void);\n")
    assert not_modelled(program, SWITCH) == []
    check_tables(program)
    check_records(program)
    assert "arch/x86/kvm/pmu.c" in {file for file, _, _ in program.sources()}


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["7.2", "7.3"])
def test_a_kernel_lowers(version: str, kernel_tree: Callable[[str], Path]) -> None:
    program = opened(kernel_tree(version), MORE)
    assert not_modelled(program, SWITCH + KERNEL) == []
    check_tables(program)
    check_records(program)
    # Long ones, which need not be understood in full.
    for name in ("kvm_set_msr_common", "kvm_get_msr_common", "vcpu_enter_guest", "vmx_set_msr"):
        function = program.function(name)
        assert function is not None and len(function.body) > 3
