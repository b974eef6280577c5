"""Accesses to the PMU's MSRs that KVM emulates while the vCPU is put (domain.md 3).

They come from userspace (KVM_SET_MSRS and KVM_GET_MSRS, host_initiated) or from the guest where
its access is intercepted, and reach the kernel's own handlers. What the register must hold after
an access that the kernel accepted is computed from the architecture (`Expect`) and not from the
kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from models.environment.cpu import Cpu
from models.environment.kvm import CPL, PMU_REQUESTED, as_bool, mediated
from verify.ir.machine import Machine
from verify.target import Access, Assumption

MSR_DATA = "msr_data"
BY_USERSPACE = "run.by_userspace"
FAULTED = "run.faulted"
"""A WRMSR of the kernel was lost."""
ASKED = "access"
"""What traces call it that KVM's handlers are asked."""
ACCEPTED = "emulated"
"""What traces call a change of what the guest must find, while the vCPU is put."""

ASSUMPTIONS = (
    Assumption(
        "emulated.dispatch",
        "userspace's and intercepted guest accesses of PMU MSRs reach kvm_pmu_get_msr and "
        "kvm_pmu_set_msr where kvm_pmu_is_valid_msr says so (kvm_set_msr_common, "
        "kvm_get_msr_common), only while the vCPU is put",
    ),
    Assumption(
        "emulated.rdpmc",
        "an RDPMC that exits reaches kvm_pmu_rdpmc (kvm_emulate_rdpmc, em_rdpmc), only while the "
        "vCPU is put; that the CPU looks at CR4.PCE first is not looked at",
    ),
)


Expect = Callable[[Machine, str, int, Any, Any], None]
"""The effect of an accepted write on what the guest must find: kind and index of the MSR, value,
by userspace."""


def _present(cpu: Cpu, m: Machine, number: Any, data: Any, from_host: Any) -> Any:
    """Fill in the kernel's description of an access; is the MSR valid for this guest?"""
    m.set(f"{MSR_DATA}.index", number)
    m.set(f"{MSR_DATA}.host_initiated", as_bool(m, from_host, 8))
    m.set(f"{MSR_DATA}.data", data)
    m.set(BY_USERSPACE, from_host)
    for condition, who in ((from_host, "by userspace"), (~from_host, "by the guest")):
        with m.when(condition):
            m.emit(ASKED, "MSR", number, number, who)
    valid = m.call("kvm_pmu_is_valid_msr", m.address(cpu.vcpu), number)
    return valid.nonzero()


def read(cpu: Cpu, m: Machine, number: int, from_host: Any = None) -> tuple[Any, Any]:
    """A read by anyone, or by userspace or not: (accepted, value). Only the mediated PMU is looked
    at."""
    switched = mediated(m, cpu.vcpu)
    if from_host is None:
        from_host = m.fresh("by userspace", 0)
    with m.when(switched):
        valid = _present(cpu, m, m.const(number, 32), m.const(0, 64), from_host)
        with m.when(valid):
            refused = m.call("kvm_pmu_get_msr", m.address(cpu.vcpu), m.address(MSR_DATA)).nonzero()
        value = m.get(f"{MSR_DATA}.data")
    return switched & valid & ~refused, value


def read_counter(cpu: Cpu, m: Machine, ecx: int) -> tuple[Any, Any]:
    """An RDPMC of the guest that exits: (accepted, value)."""
    switched, data = mediated(m, cpu.vcpu), f"{MSR_DATA}.data"
    with m.when(switched):
        m.set(BY_USERSPACE, m.flag(False))
        m.set(CPL, m.fresh("cpl", 2))
        where = m.address(data)
        m.emit(ASKED, "RDPMC", m.const(ecx, 32), m.const(ecx, 32), "by the guest")
        refused = m.call("kvm_pmu_rdpmc", m.address(cpu.vcpu), m.const(ecx, 32), where).nonzero()
    return switched & ~refused, m.get(data)


def write(cpu: Cpu, m: Machine, number: Any, data: Any, from_host: Any) -> tuple[Any, Any]:
    """A write by userspace or not: (the MSR is valid for this guest, it refuses the value)."""
    valid = _present(cpu, m, number, data, from_host)
    with m.when(valid):
        refused = m.call("kvm_pmu_set_msr", m.address(cpu.vcpu), m.address(MSR_DATA)).nonzero()
    return valid, refused


def take_back(
    cpu: Cpu, m: Machine, number: int, move: Callable[[], Any] | None = None
) -> tuple[Any, Any, Any]:
    """Userspace reads an MSR and writes the result to a vCPU of the same configuration, after a
    `move` that tells whether it is one: (it could read, 1 when the write is refused, 0)."""
    accepted, value = read(cpu, m, number, m.flag(True))
    if move is not None:
        accepted = accepted & move()
    with m.when(accepted):
        valid, refused = write(cpu, m, m.const(number, 32), value, m.flag(True))
        with m.when(valid), m.when(refused):
            m.emit("refused", f"MSR {number:#x}", value, value, "kvm_pmu_set_msr")
        with m.when(~valid):
            m.emit("refused", f"MSR {number:#x}", value, value, "kvm_pmu_is_valid_msr")
    return accepted, as_bool(m, ~valid | refused, 1), m.const(0, 1)


def load_back(cpu: Cpu, m: Machine, number: int) -> tuple[Any, Any, Any]:
    """Userspace writes any value to an MSR, and the vCPU is loaded: (the write was accepted, 1 when
    a WRMSR of the load faults, 0)."""
    switched, data = mediated(m, cpu.vcpu), m.fresh("data", 64)
    with m.when(switched):
        valid = _present(cpu, m, m.const(number, 32), data, m.flag(True))
        with m.when(valid):
            refused = m.call("kvm_pmu_set_msr", m.address(cpu.vcpu), m.address(MSR_DATA)).nonzero()
        accepted = valid & ~refused
        with m.when(accepted):
            m.emit(ACCEPTED, f"MSR {number:#x}", data, data, "set by userspace")
            m.set(FAULTED, m.flag(False))
            m.call("kvm_mediated_pmu_load", m.address(cpu.vcpu))
    return switched & accepted, as_bool(m, m.get(FAULTED), 1), m.const(0, 1)


def _write(cpu: Cpu, m: Machine, number: int, expect: Expect) -> None:
    """A write of any value by anyone, of a vCPU whose PMU is mediated."""
    kind, index = cpu.pmu.numbers(m)[number]
    with m.when(mediated(m, cpu.vcpu)):
        data, from_host = m.fresh("data", 64), m.fresh("by userspace", 0)
        valid, refused = write(cpu, m, m.const(number, 32), data, from_host)
        with m.when(valid & ~refused):
            expect(m, kind, index, data, from_host)


def becomes(m: Machine, cell: str, value: Any) -> None:
    """From now on this is the value that the guest must find in a register."""
    m.emit(ACCEPTED, cell, m.get(cell), value, "accepted by KVM")
    m.set(cell, value)


def ghost(kind: str, index: int | None = None) -> str:
    """The cell with the value that the guest must find in a register."""
    return f"ghost.{kind}" if index is None else f"ghost.{kind}[{index}]"


def accesses(
    cpu: Cpu, numbers: Iterable[int], counters: Iterable[int], expect: Expect
) -> list[Access]:
    """A write of each MSR, another event filter of userspace's, the filter's turn before the next
    entry (kvm_pmu_handle_event), and reads, of MSRs and by RDPMC with each of these in ECX."""
    numbers, counters = tuple(numbers), tuple(counters)

    def written(number: int) -> Callable[[Machine], None]:
        return lambda m: _write(cpu, m, number, expect)

    def reads(m: Machine) -> None:
        for number in numbers:
            with m.when(m.fresh(f"read {number:#x}", 0)):
                read(cpu, m, number)
        for ecx in counters:
            with m.when(m.fresh(f"rdpmc {ecx:#x}", 0)):
                read_counter(cpu, m, ecx)

    def another(m: Machine) -> None:
        """pmu.c: kvm_vm_ioctl_set_pmu_event_filter, which asks for counters that there are not."""
        asked, every = f"{cpu.vcpu}.arch.pmu.reprogram_pmi[0]", ~m.const(0, 64)
        m.emit("switch", "reprogram_pmi", m.get(asked), every, "userspace has another event filter")
        m.set(asked, every)
        m.set(PMU_REQUESTED, m.flag(True))

    def filtered(m: Machine) -> None:
        m.set(BY_USERSPACE, m.flag(False))
        m.set(PMU_REQUESTED, m.flag(False))
        with m.when(mediated(m, cpu.vcpu)):
            m.call("kvm_pmu_handle_event", m.address(cpu.vcpu))

    result = [Access(f"write {number:#x}", written(number)) for number in numbers]
    asked = [Access("another event filter", another), Access("event filter", filtered)]
    return [*result, *asked, Access("reads", reads)]
