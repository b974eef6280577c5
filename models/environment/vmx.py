"""Contracts of KVM's VMX helpers (domain.md 1 and 3): VMCS fields, control words, MSR bitmap.

The C side is vmx.h in this folder.
"""

from __future__ import annotations

from typing import Any

from models.environment.kvm import as_bool, cell
from models.hardware import intel_pmu as pmu
from models.hardware import msr, vmx
from models.hardware.constants import known
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.target import Assumption

ASSUMPTIONS = (
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
    Assumption("vmx.no-nested", "the vCPU runs no nested guest"),
)

READ, WRITE = 1, 2  # MSR_TYPE_R, MSR_TYPE_W


def _write_field(m: Machine, call: CallSite) -> None:
    field, value = call.args
    for number, name in vmx.FIELDS.items():
        with m.when(field.eq(number)):
            width = m.get(name).width
            m.set(name, value.extract(width - 1, 0) if value.width > width else value.zext(width))


def _read_field(m: Machine, call: CallSite) -> Any:
    (field,) = call.args
    width = getattr(call.result, "width", 64)
    value = m.fresh("other field", width)
    for number, name in vmx.FIELDS.items():
        found = m.get(name)
        found = found.extract(width - 1, 0) if found.width > width else found.zext(width)
        value = m.ite(field.eq(number), found, value)
    return value


def _change_bits(name: str) -> Contract:
    """Set or clear bits of a control word."""

    def answer(m: Machine, call: CallSite) -> None:
        _, bits, on = call.args
        before = m.get(name)
        m.set(name, m.ite(on.nonzero(), before | bits, before & ~bits))

    return answer


def _numbers(m: Machine) -> list[int]:
    return list(msr.table(pmu.size(m, "gp"), pmu.size(m, "fixed")))


def _intercept(m: Machine, call: CallSite) -> None:
    """vmx_set_intercept_for_msr: the filter of userspace may keep an access intercepted."""
    number, kind, on = call.args
    constant = known(number)
    other = m.flag(True)
    for candidate in _numbers(m):
        if constant is not None and constant != candidate:
            continue
        other = other & number.ne(candidate)
        for bit, access in ((READ, "R"), (WRITE, "W")):
            denied = m.fresh(f"filter/{access}{candidate:#x}", 0)
            with m.when(number.eq(candidate) & (kind & bit).nonzero()):
                m.set(msr.bitmap(access, candidate), on.nonzero() | denied)
    with m.when(other & ~on.nonzero()):
        m.not_understood("interception", "an MSR outside of the model is left to the guest")


def _intercepted(m: Machine, call: CallSite) -> Any:
    """An MSR outside of the model is always intercepted: the guest's access changes nothing."""
    number, write = call.args
    result = m.flag(True)
    for candidate in _numbers(m):
        flags = [m.get(msr.bitmap(access, candidate)) for access in ("R", "W")]
        found = m.ite(write.nonzero(), flags[1], flags[0])
        result = m.ite(number.eq(candidate), found, result)
    width = getattr(call.result, "width", 8)
    return as_bool(m, result, width)


def contracts() -> dict[str, Contract]:
    """By the name of the function that they stand for."""
    return {
        **dict.fromkeys(
            ("vmcs_write64", "vmcs_write32", "vmcs_write16", "vmcs_writel"), _write_field
        ),
        "vmcs_read64": _read_field,
        "vmcs_read32": _read_field,
        "exec_controls_get": cell("vmcs.exec_controls"),
        "exec_controls_changebit": _change_bits("vmcs.exec_controls"),
        "vm_entry_controls_changebit": _change_bits("vmcs.entry_controls"),
        "vm_exit_controls_changebit": _change_bits("vmcs.exit_controls"),
        "__model_intercept": _intercept,
        "__model_intercepted": _intercepted,
    }
