"""Contracts of KVM's and the kernel's helpers around the PMU code (domain.md 1 and 3).

The C side is kernel.h and kvm.h in this folder. Cells: `config.*` of the host are those of the
hardware model; the guest has the CPUID leaf of its PMU where `config.guest_has_cpuid_pmu`, and the
others that are looked at where `config.guest_has_cpuid_other`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from models.hardware.constants import known
from models.hardware.pmu import LVTPC
from verify.errors import BadInput
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.ir.program import Program
from verify.ir.types import Int, Member
from verify.target import Assumption

GUEST_LVTPC = "run.guest_lvtpc"
"""LVTPC of the guest's local APIC, as it is when the vCPU is loaded."""
CPL = "run.cpl"
"""The guest's privilege level."""
ALLOWED = "run.allowed"
"""Bits of the counters whose event the filter has allowed when it was last asked."""
ASKED = "run.asked"
"""Bits of the counters about which the filter has been asked since this was 0."""
PMU_REQUESTED = "run.pmu_requested"
"""KVM_REQ_PMU is pending."""
PMI = "run.pmi"
"""KVM has requested an interrupt of the guest for an overflow."""
HOST_OUT = "run.host_out"
"""Host perf has scheduled its events out."""
HOST_EVENTS = "run.host_events"
"""How many events perf has on any CPU (events/core.c: active_events)."""
NMI_HANDLED = "run.nmi_handled"
"""perf looks at the NMI that is there."""
NMI_LOST = "run.nmi_lost"
"""perf did not look at an NMI although it has the PMU, and events."""
CELLS = {
    HOST_EVENTS: 32,
    NMI_HANDLED: 0,
    NMI_LOST: 0,
    "config.guest_has_cpuid_pmu": 0,
    "config.guest_has_cpuid_other": 0,
    GUEST_LVTPC: 32,
    CPL: 2,
    ALLOWED: 64,
    ASKED: 64,
    PMU_REQUESTED: 0,
    PMI: 0,
    HOST_OUT: 1,
}

APIC_LVTPC = 0x340
LVT_MASKED = 1 << 16

ASSUMPTIONS = (
    Assumption(
        "kvm.lapic",
        "a vCPU with a mediated PMU has its local APIC in the kernel "
        "(x86.c: kvm_arch_vcpu_precreate)",
    ),
    Assumption(
        "kvm.configured-before-run",
        "CPUID and PERF_CAPABILITIES may be set to anything, again and again, and registers in "
        "between, before the vCPU first runs; then they stay: kvm_pmu_refresh refuses (pmu.c, by "
        "kvm_can_set_cpuid_and_feature_msrs), and nothing else resets the PMU, RESET and INIT of "
        "the vCPU included: its callers are read from the tree",
    ),
    Assumption(
        "kvm.event-filter",
        "the event filter may allow or deny any counter at any time (pmu.c: "
        "pmc_is_event_allowed); asked twice about an event at one time it says the same, since who "
        "changes it has all counters asked about again",
    ),
    Assumption(
        "kvm.event-encodings",
        "the event selectors that perf gives for instructions and branches are those of the "
        "architecture (perf_get_hw_event_config), and Intel's of fixed counters are of no other "
        "counter's event (vmx/pmu_intel.c: intel_get_fixed_pmc_eventsel); other ones may be "
        "anything",
    ),
    Assumption(
        "kvm.ops",
        "the vendor's PMU operations are those of its table and do not change "
        "(pmu.c: kvm_pmu_ops_update); calling one that it does not have does nothing, as with "
        "any static call (kvm_pmu_call)",
    ),
)


def members(program: Program, tag: str) -> Mapping[str, Member]:
    """The members of a struct. BadInput for a tree that does not define it."""
    try:
        return program.record(tag).members
    except KeyError:
        raise BadInput(f"the tree has no struct {tag} that can be read") from None


def mediated(m: Machine, vcpu: str) -> Any:
    """The guest's PMU is switched: pmu.h, kvm_vcpu_has_mediated_pmu."""
    version = m.get(f"{vcpu}.arch.pmu.version")
    return m.get("enable_mediated_pmu").nonzero() & version.nonzero()


def anything(label: str) -> Contract:
    """Any value at each call."""

    def answer(m: Machine, call: CallSite) -> Any:
        return _input(m, label, call)

    return answer


def _input(m: Machine, label: str, call: CallSite) -> Any:
    width = call.result.width if isinstance(call.result, Int) else 64
    if isinstance(call.result, Int) and call.result.boolean:
        return as_bool(m, m.fresh(label, 0), width)
    return m.fresh(label, width)


def as_bool(m: Machine, condition: Any, width: int) -> Any:
    """A truth value as C's 0 or 1."""
    return m.ite(condition, m.const(1, width), m.const(0, width))


def always(value: int) -> Contract:
    """A constant answer."""

    def answer(m: Machine, call: CallSite) -> Any:
        assert isinstance(call.result, Int)
        return m.const(value, call.result.width)

    return answer


def nothing(m: Machine, call: CallSite) -> None:
    """No effect on what is modelled."""


def cell(name: str) -> Contract:
    """The content of a model's cell, brought to the width that the caller expects."""

    def answer(m: Machine, call: CallSite) -> Any:
        assert isinstance(call.result, Int)
        value, width = m.get(name), call.result.width
        if not value.width:
            return as_bool(m, value, width)
        return value.zext(width) if value.width < width else value.extract(width - 1, 0)

    return answer


def _warn(m: Machine, call: CallSite) -> None:
    """A WARN splat."""
    zero, one = m.const(0, 1), m.const(1, 1)
    m.emit("WARN", "kernel log", zero, one)


def _apic_write(m: Machine, call: CallSite) -> None:
    """A write of the CPU's own local APIC; only LVTPC is modelled (H13)."""
    register, value = call.args
    with m.when(register.eq(APIC_LVTPC)):
        m.emit("APIC", LVTPC, m.get(LVTPC), value.zext(64))
        m.set(LVTPC, value.zext(64))


def _lapic_get_reg(m: Machine, call: CallSite) -> Any:
    """A register of the guest's local APIC; only LVTPC is modelled."""
    _, register = call.args
    other = _input(m, "guest APIC register", call)
    return m.ite(register.eq(APIC_LVTPC), m.get(GUEST_LVTPC), other)


def asked_for(bit: int) -> str:
    """The cell with the selector for which the filter was asked about a counter the last time."""
    return f"run.asked_for[{bit}]"


def asked(count: int) -> dict[str, int]:
    """The cells of so many counters with selectors."""
    return dict.fromkeys(map(asked_for, range(count)), 64)


def _allowed(count: int) -> Contract:
    """The event filter's answer for a counter, remembered, so that it is the same when it is asked
    about the same event again; so many counters have selectors."""

    def answer(m: Machine, call: CallSite) -> Any:
        assert isinstance(call.result, Int)
        answer, (counter,) = m.fresh("allowed", 0), call.args
        index, event = m.read(counter, ".idx", 8), m.read(counter, ".eventsel", 64)
        bit, before = m.const(1, 64) << index.zext(64), m.get(ALLOWED)
        again = (m.get(ASKED) & bit).nonzero()
        for i in range(count):
            again = again & (index.ne(i) | m.get(asked_for(i)).eq(event))
        answer = m.ite(again, (before & bit).nonzero(), answer)
        m.set(ALLOWED, m.ite(answer, before | bit, before & ~bit))
        m.set(ASKED, m.get(ASKED) | bit)
        for i in range(count):
            with m.when(index.eq(i)):
                m.set(asked_for(i), event)
        return as_bool(m, answer, call.result.width)

    return answer


def _make_request(program: Program) -> Contract:
    """Of requests only an interrupt's, and that to look at the PMU, matter to anyone else."""
    named = {"KVM_REQ_PMI": PMI, "KVM_REQ_PMU": PMU_REQUESTED}
    numbers = {program.constant(name): cell for name, cell in named.items()}

    def request(m: Machine, call: CallSite) -> None:
        for number, cell in numbers.items():
            if number is not None:
                with m.when(call.args[0].eq(number)):
                    m.set(cell, m.flag(True))

    return request


def _event_config(program: Program, events: Mapping[str, int]) -> Contract:
    """The encoding of an event by perf's number for it."""
    numbers = {program.constant(name): code for name, code in events.items()}

    def answer(m: Machine, call: CallSite) -> Any:
        result = _input(m, "event", call)
        for number, code in numbers.items():
            if number is not None:
                result = m.ite(call.args[0].eq(number), m.const(code, result.width), result)
        return result

    return answer


def _cpuid(leaf: int) -> dict[str, Contract]:
    """The guest's CPUID; the PMU's leaf is a part of its configuration."""

    def has(m: Machine, call: CallSite) -> Any:
        assert isinstance(call.result, Int)
        (function,) = call.args
        other = m.get("config.guest_has_cpuid_other")
        of_pmu = function.eq(leaf)
        found = (of_pmu & m.get("config.guest_has_cpuid_pmu")) | (~of_pmu & other)
        return as_bool(m, found, call.result.width)

    def is_of_pmu(m: Machine, call: CallSite) -> Any:
        assert isinstance(call.result, Int)
        return as_bool(m, call.args[0].eq(leaf), call.result.width)

    return {"__model_has_cpuid": has, "__model_is_pmu_leaf": is_of_pmu}


def _events_mask_len(m: Machine, call: CallSite) -> Any:
    """How many architectural events CPUID tells of; its mask has 32 bits."""
    return m.fresh("events_mask_len", 5).zext(8)


def contracts(
    program: Program,
    features: Mapping[str, tuple[str, str]],
    leaf: int,
    selectors: int,
    events: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Contract]:
    """By the name of the function that they stand for. `features`: the cells that say whether the
    host and the guest have a feature, by its macro; other features may be there or not. `leaf`: of
    the guest's CPUID, tells of its PMU. `events`: encodings by perf's macros."""
    numbers = {program.constant(name): cells for name, cells in features.items()}

    def feature(label: str, side: int) -> Contract:
        def answer(m: Machine, call: CallSite) -> Any:
            assert isinstance(call.result, Int)
            number = known(call.args[-1])
            if number is not None and number in numbers:
                return as_bool(m, m.get(numbers[number][side]), call.result.width)
            return as_bool(m, m.fresh(label, 0), call.result.width)

        return answer

    return {
        "__model_warn": _warn,
        "apic_write": _apic_write,
        "__model_cpu_has": feature("cpu_has", 0),
        "guest_cpu_cap_has": feature("guest_cpu_cap_has", 1),
        **_cpuid(leaf),
        "__model_host_version": cell("config.host_version"),
        "__model_host_gp": cell("config.host_gp"),
        "__model_host_fixed": cell("config.host_fixed"),
        "__model_host_gp_width": cell("config.host_gp_width"),
        "__model_host_fixed_width": cell("config.host_fixed_width"),
        "__model_host_events_mask": anything("events_mask"),
        "__model_host_events_mask_len": _events_mask_len,
        "__model_host_pebs_ept": anything("pebs_ept"),
        "__model_host_mediated": anything("mediated"),
        "cpuid_model_is_consistent": anything("consistent"),
        "kvm_can_set_cpuid_and_feature_msrs": always(1),
        "lapic_in_kernel": always(1),
        "kvm_lapic_get_reg": _lapic_get_reg,
        "kvm_make_request": _make_request(program),
        "perf_get_hw_event_config": _event_config(program, events),
        "pmc_is_event_allowed": _allowed(selectors),
        "__model_op_get_cpl": cell(CPL),
        **dict.fromkeys(("ktime_get", "ktime_get_ns", "__model_jiffies"), anything("time")),
        "__model_processor_id": anything("processor"),
        "kvm_cpu_cap_has": anything("kvm_cpu_cap_has"),
        "guest_cpuid_is_intel_compatible": anything("vendor"),
        "guest_cpuid_is_amd_compatible": anything("vendor"),
        "kvm_is_cr0_bit_set": anything("cr0"),
        "kvm_is_cr4_bit_set": anything("cr4"),
    }
