"""Rules that the targets of KVM's mediated vPMU share on what the phases leave (domain.md 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from models.environment import counting
from models.environment.cpu import Cpu
from models.environment.emulated import ghost
from models.environment.kvm import GUEST_LVTPC, HOST_OUT, LVT_MASKED, NMI_LOST, mediated
from models.hardware.pmu import DELIVERY_NMI, GLOBAL_CTRL, LVTPC, evtsel
from verify.ir.machine import Machine
from verify.target import Check, Event, Item, Watch

LVTPC_LOADED = "guest_lvtpc_loaded"
PMI_VECTOR = 0xF5


def has_version_2(cpu: Cpu, m: Machine) -> Any:
    """The guest's PMU is switched, and has the global registers."""
    return mediated(m, cpu.vcpu) & m.const(1, 8).ult(m.get(f"{cpu.vcpu}.arch.pmu.version"))


def has_counter(cpu: Cpu, m: Machine, i: int) -> Any:
    """The guest's PMU is switched, and has general-purpose counter i."""
    count = m.get(f"{cpu.vcpu}.arch.pmu.nr_arch_gp_counters")
    return mediated(m, cpu.vcpu) & m.const(i, 32).ult(count)


Counting = Callable[[Machine], Iterable[tuple[str, Any, Any]]]
"""Of each thing that can count while a guest runs: the control that has it count, whether it does,
and whether the guest has it."""


def count_guest(cpu: Cpu, counting: Counting) -> Check:
    """Only the guest's counters count while it runs."""

    def strangers(m: Machine) -> list[Item]:
        inside, zero = m.get("run.inside") & mediated(m, cpu.vcpu), m.const(0, 64)
        return [
            Item(control, inside & ~owned, m.ite(counts, m.get(control), zero), zero)
            for control, counts, owned in counting(m)
        ]

    return Check(
        "count.guest",
        "no counter that the guest has not got counts while it runs",
        "a counter counts that the guest has not got",
        "enter",
        strangers,
    )


def count_enabled(cpu: Cpu) -> Check:
    """A guest without GLOBAL_CTRL has its counters on as soon as their selectors are: KVM has the
    hardware's GLOBAL_CTRL do so (pmu.c: kvm_pmu_refresh)."""

    def on(m: Machine) -> list[Item]:
        pmu, one = f"{cpu.vcpu}.arch.pmu", m.const(1, 64)
        counters = (one << m.get(f"{pmu}.nr_arch_gp_counters").zext(64)) - 1
        when = m.get("run.inside") & m.get(f"{pmu}.version").eq(1) & mediated(m, cpu.vcpu)
        return [Item(GLOBAL_CTRL, when, m.get(GLOBAL_CTRL) & counters, counters)]

    return Check(
        "count.enabled",
        "the counters of a guest without GLOBAL_CTRL are on while it runs",
        "counters are off, and the guest cannot turn them on",
        "enter",
        on,
    )


def host_caches(
    cpu: Cpu,
    perf_ctrl: Callable[[Machine], Any],
    count: Callable[[Machine], int],
    controls: Sequence[str] = (),
) -> Check:
    """What host perf takes for granted of a PMU that it gets back (domain.md 2): GLOBAL_CTRL 0 or
    its own, these `controls` and the guest's selectors, of `count`, off, and LVTPC its own."""

    def handed_back(m: Machine) -> list[Item]:
        switched, zero = mediated(m, cpu.vcpu), m.const(0, 64)
        ctrl = m.get(GLOBAL_CTRL)
        found = [(GLOBAL_CTRL, m.ite(ctrl.eq(perf_ctrl(m)), ctrl, zero))]
        found += [(cell, zero) for cell in controls]
        found += [(LVTPC, m.const(DELIVERY_NMI, 64)), (LVTPC_LOADED, m.const(0, 8))]
        found.append((HOST_OUT, m.const(0, 1)))
        items = [Item(cell, switched, m.get(cell), expected) for cell, expected in found]
        for i in range(count(m)):
            items.append(Item(evtsel(i), has_counter(cpu, m, i), m.get(evtsel(i)), zero))
        return items

    return Check(
        "host.caches",
        "the host gets the PMU back as perf expects it",
        "the host expects another value",
        "put",
        handed_back,
    )


def _in_host_context(m: Machine, event: Event) -> list[tuple[Any, str]]:
    if event.op not in ("WRMSR", "RDMSR", "RDPMC", "APIC"):
        return []
    return [(m.get(HOST_OUT).eq(0), "while perf's events have the PMU")]


HOST_CONTEXT = Watch(
    "host.context",
    "the kernel touches the PMU for a guest only while perf has scheduled its events out",
    "an access disturbs what perf counts for the host",
    _in_host_context,
    ("load", "put"),
)
"""perf_load_guest_context and perf_put_guest_context (kernel/events/core.c) are around it."""


def count_fastpath(counters: counting.Counters) -> Check:
    """Hardware has the counters on the fastpath, and KVM cannot add to them there."""

    return Check(
        "count.fastpath",
        "the fastpath emulates no instruction that a counter of the guest would have counted",
        "a counter misses an instruction that the fastpath has emulated",
        "fastpath",
        lambda m: counting.missed(m, counters),
    )


def pmi_owner(cpu: Cpu) -> Check:
    """The guest's overflows come by a vector of their own, masked or not as the guest has it
    (H13)."""

    def guest_lvtpc(m: Machine) -> list[Item]:
        switched, vector = mediated(m, cpu.vcpu), m.const(PMI_VECTOR, 64)
        masked = m.get(GUEST_LVTPC).zext(64) & LVT_MASKED
        return [
            Item(LVTPC, switched, m.get(LVTPC), vector | masked),
            Item(LVTPC_LOADED, switched, m.get(LVTPC_LOADED), m.const(1, 8)),
        ]

    return Check(
        "pmi.owner",
        "a guest's overflow is delivered by the guest's vector, and masked as the guest has it",
        "an overflow of the guest would not be delivered as the guest has it",
        "load",
        guest_lvtpc,
    )


def pmi_host(cpu: Cpu) -> Check:
    """perf_event_nmi_handler looks at NMIs again once the guest's PMU is put."""

    def lost(m: Machine) -> list[Item]:
        one, zero = m.const(1, 1), m.const(0, 1)
        found = m.ite(m.get(NMI_LOST), one, zero)
        return [Item(NMI_LOST, mediated(m, cpu.vcpu), found, zero)]

    return Check(
        "pmi.host",
        "perf looks at the NMIs of its counters while it has the PMU",
        "perf does not look at an NMI of the host's counters",
        "host",
        lost,
    )


def fresh_global_ctrl(cpu: Cpu) -> Check:
    """KVM's copy of GLOBAL_CTRL, of which the fastpath makes use."""

    def refreshed(m: Machine) -> list[Item]:
        copy = f"{cpu.vcpu}.arch.pmu.global_ctrl"
        when = has_version_2(cpu, m) & m.get("run.exited")
        return [Item(copy, when, m.get(copy), m.get(ghost("GLOBAL_CTRL")), GLOBAL_CTRL)]

    return Check(
        "fresh.global-ctrl",
        "KVM's copy of GLOBAL_CTRL is what the guest left before anyone reads it",
        "KVM has another value than the guest left",
        "leave",
        refreshed,
    )


def stable_copies(
    cpu: Cpu, count: Callable[[Machine], int], controls: Sequence[tuple[str, str]] = ()
) -> Check:
    """KVM's copies of the controls that hardware has while the guest runs: of `count` selectors,
    and of these (field of the struct kvm_pmu, register)."""

    def copies(m: Machine) -> list[Item]:
        pmu, items = f"{cpu.vcpu}.arch.pmu", []
        for name, cell in controls:
            copy = f"{pmu}.{name}"
            items.append(Item(copy, mediated(m, cpu.vcpu), m.get(copy), m.get(cell), cell))
        for i in range(count(m)):
            copy, cell = f"{pmu}.gp_counters[{i}].eventsel_hw", evtsel(i)
            items.append(Item(copy, has_counter(cpu, m, i), m.get(copy), m.get(cell), cell))
        return items

    return Check(
        "stable.hw-copies",
        "KVM's copies for the hardware do not change while hardware has them",
        "KVM's copy is not what hardware has",
        "fastpath",
        copies,
    )
