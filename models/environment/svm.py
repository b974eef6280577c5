"""Contracts of KVM's SVM helpers (domain.md 1 and 3): intercepts, features, what surrounds VMRUN.

The C side is svm.h in this folder. Cells: whether KVM offers a feature (`config.kvm_*`) and whether
the guest has it (`config.guest_*`), all truth values.
"""

from __future__ import annotations

from typing import Any

from models.environment import bitmap
from models.environment.cpu import Cpu
from models.environment.kvm import always, anything, as_bool, mediated, nothing
from models.hardware import amd_pmu as pmu
from models.hardware import svm
from models.hardware.constants import known
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.ir.program import Program
from verify.ir.types import Int
from verify.target import Assumption

VCPU = "svm.vcpu"
PMU_LEAF = 0x80000022
EVENTS = {
    "PERF_COUNT_HW_INSTRUCTIONS": pmu.INSTRUCTIONS,
    "PERF_COUNT_HW_BRANCH_INSTRUCTIONS": pmu.BRANCHES,
}
"""Events that KVM emulates, by perf's names."""
PERFMON_V2 = "X86_FEATURE_PERFMON_V2"
_NAMES = {
    "X86_FEATURE_PERFCTR_CORE": "core",
    "X86_FEATURE_PERFCTR_NB": "nb",
    "X86_FEATURE_PERFCTR_LLC": "llc",
    PERFMON_V2: "v2",
    "X86_FEATURE_AMD_LBR_PMC_FREEZE": "freeze",
    "X86_FEATURE_SVM": "svm",
}
HOST_HAS, KVM_HAS, GUEST_HAS = (
    {feature: f"config.{side}_{name}" for feature, name in _NAMES.items()}
    for side in ("host", "kvm", "guest")
)
FEATURES = {name: (HOST_HAS[name], GUEST_HAS[name]) for name in HOST_HAS}
"""Whether CPU and guest have a feature."""

CELLS = {"config.host_svm": 0} | dict.fromkeys((*KVM_HAS.values(), *GUEST_HAS.values()), 0)

CPU = Cpu(pmu, VCPU, svm.rdpmc_exits, lambda m: mediated(m, VCPU))

ASSUMPTIONS = (
    Assumption(
        "svm.features",
        "of the features around the PMU KVM offers PERFMON_V2 where the CPU has it, unless "
        "svm_set_cpu_caps clears it, and others where that sets them (cpuid.c: "
        "kvm_initialize_cpu_caps); a guest has what it is given of what KVM offers, and with "
        "PERFMON_V2 the CPUID leaf 0x80000022",
    ),
    Assumption(
        "svm.msr-filter",
        "the MSR filter of userspace may have any access intercepted that KVM leaves to the guest "
        "(svm.c: svm_set_intercept_for_msr)",
    ),
    Assumption("svm.svme", "EFER.SVME is set on a CPU while KVM may run a guest there"),
    Assumption(
        "svm.around-vmrun",
        "what svm_vcpu_run calls for other registers, interrupts, tracing and nested guests does "
        "not touch the PMU, and a vCPU that runs on re-enters through it",
    ),
    Assumption("svm.no-nested", "the vCPU runs no nested guest"),
    Assumption("svm.no-sev-es", "the vCPU's registers are not encrypted (SEV-ES)"),
)

# Called around VMRUN and when KVM is loaded, for other things than the PMU.
_OTHERS = (
    "smp_send_reschedule",
    "disable_nmi_singlestep",
    "sync_lapic_to_cr8",
    "sync_cr8_to_lapic",
    "vmcb_mark_dirty",
    "vmcb_mark_all_clean",
    "svm_fixup_nested_rips",
    "svm_hv_update_vp_id",
    "svm_set_dr6",
    "clgi",
    "stgi",
    "update_debugctlmsr",
    "kvm_wait_lapic_expire",
    "x86_spec_ctrl_set_guest",
    "x86_spec_ctrl_restore_host",
    "kvm_reset_dirty_registers",
    "kvm_clear_available_registers",
    "kvm_before_interrupt",
    "kvm_after_interrupt",
    "nested_sync_control_from_vmcb02",
    "svm_complete_interrupts",
    "sev_set_cpu_caps",
    "kvm_setup_xss_caps",
    "kvm_finalize_cpu_caps",
)
_ANSWERS = (
    "kvm_register_is_dirty",
    "kvm_read_and_reset_apf_flags",
    "svm_exit_handlers_fastpath",
    "svm_is_intercept",
    "svm_has_pending_gif_event",
    "guest_cpuid_is_intel_compatible",
)


def _intercept(on: bool) -> Contract:
    """Set or clear an intercept of an instruction; only RDPMC's is modelled."""

    def answer(m: Machine, call: CallSite) -> None:
        _, bit = call.args
        with m.when(bit.eq(svm.INTERCEPT_RDPMC)):
            m.set("vmcb.rdpmc", m.flag(on))

    return answer


def _vmrun(m: Machine, call: CallSite) -> None:
    svm.run(m)


def _vmrun_failed(m: Machine, call: CallSite) -> Any:
    assert isinstance(call.result, Int)
    failed = m.get("run.reached") & ~m.get("run.inside")
    return as_bool(m, failed, call.result.width)


def contracts(program: Program) -> dict[str, Contract]:
    """By the name of the function that they stand for."""
    numbers = {program.constant(name): name for name in KVM_HAS}

    def named(call: CallSite) -> str | None:
        return numbers.get(known(call.args[0]))

    def offer(on: bool) -> Contract:
        def answer(m: Machine, call: CallSite) -> None:
            name = named(call)
            if name is not None:
                m.set(KVM_HAS[name], m.flag(on))

        return answer

    def offer_if_there(m: Machine, call: CallSite) -> None:
        name = named(call)
        if name is not None:
            m.set(KVM_HAS[name], m.get(KVM_HAS[name]) | m.get(HOST_HAS[name]))

    def offers(m: Machine, call: CallSite) -> Any:
        assert isinstance(call.result, Int)
        name = named(call)
        found = m.fresh("kvm_cpu_cap", 0) if name is None else m.get(KVM_HAS[name])
        return as_bool(m, found, call.result.width)

    def begin(m: Machine, call: CallSite) -> None:
        """Of these, KVM offers by itself only what is plain emulation; the vendor adds the rest."""
        for name, cell in KVM_HAS.items():
            m.set(cell, m.get(HOST_HAS[name]) if name == PERFMON_V2 else m.flag(False))

    return {
        **bitmap.contracts(pmu),
        "svm_set_intercept": _intercept(True),
        "svm_clr_intercept": _intercept(False),
        "svm_vcpu_enter_exit": _vmrun,
        "svm_is_vmrun_failure": _vmrun_failed,
        "is_guest_mode": always(0),
        "is_sev_es_guest": always(0),
        "pre_svm_run": always(0),
        "kvm_initialize_cpu_caps": begin,
        "kvm_cpu_cap_set": offer(True),
        "kvm_cpu_cap_clear": offer(False),
        "kvm_cpu_cap_check_and_set": offer_if_there,
        "kvm_cpu_cap_has": offers,
        **dict.fromkeys(_OTHERS, nothing),
        **{name: anything(name) for name in _ANSWERS},
    }
