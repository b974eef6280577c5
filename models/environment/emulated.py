"""Accesses to the PMU's MSRs that KVM emulates while the vCPU is put (domain.md 3).

They come from userspace (KVM_SET_MSRS and KVM_GET_MSRS, host_initiated) or from the guest where
its access is intercepted, and reach the kernel's own handlers. What the register must hold after
an access that the kernel accepted is computed here, from the architecture and not from the
kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.environment.kvm import VCPU, as_bool, mediated
from models.hardware import intel_pmu as pmu
from models.hardware import msr
from verify.ir.machine import Machine
from verify.target import Access, Assumption

MSR_DATA = "msr_data"
BY_USERSPACE = "run.by_userspace"

ASSUMPTIONS = (
    Assumption(
        "emulated.dispatch",
        "userspace's and intercepted guest accesses of PMU MSRs reach kvm_pmu_get_msr and "
        "kvm_pmu_set_msr where kvm_pmu_is_valid_msr says so (kvm_set_msr_common, "
        "kvm_get_msr_common), only while the vCPU is put",
    ),
    Assumption(
        "emulated.perf-metrics-values",
        "PERF_METRICS is only set to values that the CPU's register can hold",
    ),
    Assumption(
        "emulated.rdpmc",
        "an RDPMC that KVM answers is not looked at (kvm_pmu_rdpmc)",
    ),
)


def _present(m: Machine, number: int, data: Any, from_host: Any) -> Any:
    """Fill in the kernel's description of an access; is the MSR valid for this guest?"""
    m.set(f"{MSR_DATA}.index", m.const(number, 32))
    m.set(f"{MSR_DATA}.host_initiated", as_bool(m, from_host, 8))
    m.set(f"{MSR_DATA}.data", data)
    m.set(BY_USERSPACE, from_host)
    valid = m.call("kvm_pmu_is_valid_msr", m.address(VCPU), m.const(number, 32))
    return valid.nonzero()


def read(m: Machine, number: int, from_host: Any = None) -> tuple[Any, Any]:
    """A read by anyone, or by userspace or not: (accepted, value). Only the mediated PMU is looked
    at."""
    switched = mediated(m)
    if from_host is None:
        from_host = m.fresh("by userspace", 0)
    with m.when(switched):
        valid = _present(m, number, m.const(0, 64), from_host)
        with m.when(valid):
            refused = m.call("kvm_pmu_get_msr", m.address(VCPU), m.address(MSR_DATA)).nonzero()
        value = m.get(f"{MSR_DATA}.data")
    return switched & valid & ~refused, value


def take_back(m: Machine, number: int) -> tuple[Any, Any, Any]:
    """Userspace reads an MSR and writes the result to a vCPU of the same configuration: (it could
    read, 1 when the write is refused, 0)."""
    accepted, value = read(m, number, m.flag(True))
    with m.when(accepted):
        valid = _present(m, number, value, m.flag(True))
        with m.when(valid):
            refused = m.call("kvm_pmu_set_msr", m.address(VCPU), m.address(MSR_DATA)).nonzero()
    return accepted, as_bool(m, ~valid | refused, 1), m.const(0, 1)


def _write(m: Machine, number: int, kind: str, index: int) -> None:
    """A write of any value by anyone, of a vCPU whose PMU is mediated."""
    with m.when(mediated(m)):
        _write_mediated(m, number, kind, index)


def _write_mediated(m: Machine, number: int, kind: str, index: int) -> None:
    data, from_host = m.fresh("data", 64), m.fresh("by userspace", 0)
    if kind == "PERF_METRICS":
        m.assume((data & ~pmu.limit(m, pmu.PERF_METRICS)).eq(0))
    valid = _present(m, number, data, from_host)
    with m.when(valid):
        refused = m.call("kvm_pmu_set_msr", m.address(VCPU), m.address(MSR_DATA)).nonzero()
    with m.when(valid & ~refused):
        _expect(m, kind, index, data, from_host)


def _expect(m: Machine, kind: str, index: int, data: Any, from_host: Any) -> None:
    """The effect of an accepted write on what the guest must find in the register (H8, H11)."""
    if kind == "PERFCTR":
        # Userspace restores whole values by the short name (domain.md 3).
        whole = m.ite(from_host, data, data.extract(31, 0).sext(64))
        _becomes(m, ghost("PMC", index), whole & m.get("config.limit_guest_gp"))
    elif kind == "PMC":
        _becomes(m, ghost("PMC", index), data & m.get("config.limit_guest_gp"))
    elif kind == "FIXED_CTR":
        _becomes(m, ghost("FIXED_CTR", index), data & m.get("config.limit_guest_fixed"))
    elif kind == "EVTSEL":
        _becomes(m, ghost("EVTSEL", index), data)
    elif kind == "STATUS_RESET":
        # Userspace writes back what it has read, which is 0 for this register.
        with m.when(~from_host):
            _becomes(m, ghost("GLOBAL_STATUS"), m.get(ghost("GLOBAL_STATUS")) & ~data)
    elif kind == "STATUS_SET":
        with m.when(~from_host):
            _becomes(m, ghost("GLOBAL_STATUS"), m.get(ghost("GLOBAL_STATUS")) | data)
    elif kind != "PERF_CAPABILITIES":
        _becomes(m, ghost(kind), data)


def _becomes(m: Machine, cell: str, value: Any) -> None:
    m.emit("emulated", cell, m.get(cell), value, "accepted by KVM")
    m.set(cell, value)


def ghost(kind: str, index: int | None = None) -> str:
    """The cell with the value that the guest must find in a register."""
    return f"ghost.{kind}" if index is None else f"ghost.{kind}[{index}]"


def accesses(gp: int, fixed: int) -> list[Access]:
    """A write of each MSR, and the event filter's turn after it (kvm_pmu_handle_event)."""

    def write(number: int, kind: str, index: int) -> Callable[[Machine], None]:
        return lambda m: _write(m, number, kind, index)

    result = [
        Access(f"write {number:#x}", write(number, kind, index))
        for number, (kind, index) in msr.table(gp, fixed).items()
    ]

    def filtered(m: Machine) -> None:
        m.set(BY_USERSPACE, m.flag(False))
        with m.when(mediated(m)):
            m.call("kvm_pmu_handle_event", m.address(VCPU))

    return [*result, Access("event filter", filtered)]
