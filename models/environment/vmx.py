"""Contracts of KVM's VMX helpers (domain.md 1 and 3): VMCS fields, control words, MSR bitmap.

The C side is vmx.h in this folder.
"""

from __future__ import annotations

from typing import Any

from models.environment import bitmap, nested
from models.environment.cpu import Cpu
from models.environment.kvm import always, anything, nothing
from models.hardware import intel_pmu as pmu
from models.hardware import vmx
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.target import Assumption, Frame

VCPU = "vmx.vcpu"
PMU_LEAF = 0xA
# State of the host that goes into the VMCS and says nothing of the PMU
_HOST_STATE = ("read_cr0", "__read_cr3", "cr4_read_shadow", "__model_address")

FEATURES = {
    "X86_FEATURE_PDCM": ("config.host_pdcm", "config.guest_pdcm"),
    "X86_FEATURE_HLE": ("config.host_hle", "config.guest_hle"),
    "X86_FEATURE_RTM": ("config.host_rtm", "config.guest_rtm"),
}
"""Whether CPU and guest have PERF_CAPABILITIES, and transactional memory."""
CELLS = {cell: 0 for cells in FEATURES.values() for cell in cells if cell != "config.host_pdcm"}

CPU = Cpu(pmu, VCPU, vmx.rdpmc_exits, vmx.loads_global_ctrl, nested.intercepts)

ASSUMPTIONS = (
    Assumption(
        "kvm.perf-capabilities",
        "the guest's PERF_CAPABILITIES is a subset of what KVM supports "
        "(kvm_set_msr_common refuses the rest)",
    ),
    Assumption("kvm.lbr", "no MSR of the model is one of the last branch records"),
    Assumption("kvm.no-td", "the vCPU is not that of a trust domain (TDX has no mediated PMU)"),
    Assumption(
        "vmx.other-fields",
        "VMCS fields and MSRs outside of the model have no effect on the PMU's registers",
    ),
    Assumption(
        "vmx.msr-filter",
        "the MSR filter of userspace may have any access intercepted that KVM leaves to the guest "
        "(vmx.c: vmx_set_intercept_for_msr)",
    ),
    Assumption("vmx.msr-bitmap", "the CPU has MSR bitmaps, and KVM uses them"),
)

_BEFORE, _LEFT, _FAILED = "before VM-entry", "after VM-exit", "after a VM-entry that failed"
_REFRESHED, _HANDLED = "after the refresh of GLOBAL_CTRL", "after the fastpath"

FRAME = Frame(
    file="arch/x86/kvm/vmx/vmx.c",
    function="vmx_vcpu_run",
    calls={
        "vmx_vcpu_enter_exit": "enter",
        "__vmx_vcpu_run": "enter",
        "if(unlikely(vmx->fail))": "failed",
        "if(unlikely(vmx_get_exit_reason(vcpu).failed_vmentry))": "failed",
        "vmx_refresh_guest_perf_global_control": "refresh",
        "vmx_exit_handlers_fastpath": "handle",
    },
    start=_BEFORE,
    moves={
        (_BEFORE, "enter"): _LEFT,
        (_LEFT, "failed"): _FAILED,
        (_LEFT, "refresh"): _REFRESHED,
        (_REFRESHED, "handle"): _HANDLED,
    },
    ends={_BEFORE, _FAILED, _REFRESHED, _HANDLED},
    reached=_REFRESHED,
)
"""What happens between VM-entry and the fastpath."""


EVENTS = {
    "PERF_COUNT_HW_INSTRUCTIONS": pmu.INSTRUCTIONS,
    "PERF_COUNT_HW_BRANCH_INSTRUCTIONS": pmu.BRANCHES,
}
"""Events that KVM emulates, by perf's names."""


def _fixed_event(m: Machine, call: CallSite) -> Any:
    """What a fixed counter counts, as a selector has it."""
    event = m.fresh("event", 64)
    for i, code in enumerate(pmu.FIXED_EVENTS):
        event = m.ite(call.args[0].eq(i), m.const(code, 64), event)
    return event


def _write_field(m: Machine, call: CallSite) -> None:
    field, value = call.args
    for number, name in vmx.CONTROLS.items():
        with m.when(field.eq(number)):
            vmx.set_controls(m, name, _fit(value, 32))
    for number, name in vmx.FIELDS.items():
        with m.when(field.eq(number)):
            before = m.get(name)
            after = _fit(value, before.width)
            m.emit("VMWRITE", name, before, after)
            m.set(name, after)


def _read_field(m: Machine, call: CallSite) -> Any:
    (field,) = call.args
    width = getattr(call.result, "width", 64)
    value = m.fresh("other field", width)
    fields = {number: m.get(name) for number, name in vmx.FIELDS.items()}
    fields |= {number: vmx.controls(m, name) for number, name in vmx.CONTROLS.items()}
    for number, found in fields.items():
        value = m.ite(field.eq(number), _fit(found, width), value)
    return value


def _fit(value: Any, width: int) -> Any:
    return value.extract(width - 1, 0) if value.width > width else value.zext(width)


def contracts() -> dict[str, Contract]:
    """By the name of the function that they stand for."""
    return {
        **dict.fromkeys(
            ("vmcs_write64", "vmcs_write32", "vmcs_write16", "vmcs_writel"), _write_field
        ),
        **dict.fromkeys(("vmcs_read64", "vmcs_read32", "vmcs_readl"), _read_field),
        "__model_intercept": bitmap.intercept(pmu),
        **nested.contracts(CPU),
        "is_td_vcpu": always(0),
        "intel_get_fixed_pmc_eventsel": _fixed_event,
        "x86_perf_get_lbr": nothing,
        "is_noncanonical_msr_address": anything("noncanonical"),
        "intel_pmu_is_valid_lbr_msr": always(0),
        **{name: anything(name) for name in _HOST_STATE},
    }
