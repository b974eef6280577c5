"""The event filter over what hardware gets of a guest's controls (domain.md 4: count.filter).

A counter of the guest is on in KVM's copies for the hardware just when the guest has it on and
userspace's filter allows its event, and then counts as the guest has set it. That is so of a vCPU
that is reset; what comes after keeps it: where it may not be so any more KVM asks the filter, or
has asked itself to do so before the next entry (KVM_REQ_PMU and the counter's bit in
`reprogram_pmi`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.environment.kvm import ALLOWED, ASKED, PMU_REQUESTED, asked_for
from verify.ir.machine import Machine
from verify.target import Access, Assumption, Event, Phase, Step, Watch

UNWANTED, UNFILTERED, LOST, ALTERED = "unwanted", "unfiltered", "lost", "altered"
ODD = {
    UNWANTED: "so that it is on, which the guest does not want",
    UNFILTERED: "so that it is on, which the event filter has not allowed",
    LOST: "so that it is off, which neither guest nor event filter has asked for",
    ALTERED: "so that it is on otherwise than the guest has set it",
}
"""What traces call a control that is not what the event filter leaves of the guest's."""
AT_RESET = "config.unfiltered"
"""Bits of the counters that are on in a vCPU that has been reset."""
CELLS = {AT_RESET: 64}

ASSUMPTIONS = (
    Assumption(
        "filter.before-entry",
        "who changes the event filter asks for all counters of all vCPUs "
        "(pmu.c: kvm_vm_ioctl_set_pmu_event_filter); KVM_REQ_PMU is served before the vCPU is "
        "loaded, which is read from the tree (x86.c: vcpu_enter_guest), and no entry leaves one "
        "behind that comes later (kvm_vcpu_exit_request)",
    ),
)


@dataclass(frozen=True, slots=True)
class Control:
    """How a counter is controlled: the guest has it; its `bit` in KVM's maps and the register's
    `name`; what the guest has set and KVM's copy, whether each has it on, and whether the copy, if
    it is on, is as the guest has set it. `event`: mask of what the filter looks at, 0 where the
    counter says it all (Documentation/virt/kvm/api.rst, KVM_SET_PMU_EVENT_FILTER)."""

    has: Any
    bit: int
    name: str
    guest: Any
    copy: Any
    wanted: Any
    on: Any
    same: Any
    event: int


Controls = Callable[[Machine], Sequence[Control]]


def _pending(m: Machine, vcpu: str) -> Any:
    """Bits of the counters for which the filter is asked before the next entry."""
    bits = m.get(f"{vcpu}.arch.pmu.reprogram_pmi[0]")
    return m.ite(m.get(PMU_REQUESTED), bits, m.const(0, 64))


def _has(bits: Any, control: Control) -> Any:
    return bits.extract(control.bit, control.bit).eq(1)


def reset(m: Machine, controls: Controls) -> None:
    """The vCPU has been reset."""
    bits = m.const(0, 64)
    for control in controls(m):
        bits = bits | m.ite(control.on, m.const(1 << control.bit, 64), 0)
    m.set(AT_RESET, bits)


def _watched(vcpu: str, controls: Controls, run: Callable[[Machine], None], m: Machine) -> None:
    """Run something, and tell of the counters whose copies are not what they must be after it."""
    before, due = controls(m), _pending(m, vcpu) | m.get(AT_RESET)
    m.set(ASKED, m.const(0, 64))
    run(m)
    asked, allowed, due_now = m.get(ASKED), m.get(ALLOWED), _pending(m, vcpu)
    for old, new in zip(before, controls(m), strict=True):
        answered, due_before = _has(asked, new), _has(due, old)
        stale = due_before | ~old.on.eq(new.on) | ~old.wanted.eq(new.wanted)
        if new.event:
            about = m.get(asked_for(new.bit))
            answered = answered & ((about ^ new.guest) & new.event).eq(0)
            stale = stale | ((old.guest ^ new.guest) & new.event).nonzero()
        moved = due_before | old.guest.ne(new.guest) | old.copy.ne(new.copy)
        passes, denied = answered & _has(allowed, new), answered & ~_has(allowed, new)
        odd, off = new.has & ~_has(due_now, new), m.const(0, new.guest.width)
        for op, wrong, expected in (
            (UNWANTED, stale & new.on & ~new.wanted, off),
            (UNFILTERED, stale & new.on & new.wanted & ~passes, off),
            (LOST, stale & ~new.on & new.wanted & ~denied, new.guest),
            (ALTERED, moved & new.on & ~new.same, new.guest),
        ):
            with m.when(odd & wrong):
                m.emit(op, new.name, expected, new.copy, "in KVM's copy")


def accesses(vcpu: str, controls: Controls, found: Sequence[Access]) -> list[Access]:
    """The accesses, watched."""

    def watched(access: Access) -> Callable[[Machine], None]:
        return lambda m: _watched(vcpu, controls, access.run, m)

    return [replace(access, run=watched(access)) for access in found]


def steps(vcpu: str, controls: Controls, found: Sequence[Step]) -> list[Step]:
    """The steps, those of their phases watched in which the kernel moves the PMU."""

    def watched(phase: Phase) -> Phase:
        if phase.name not in MOVES:
            return phase
        return replace(phase, run=lambda m: _watched(vcpu, controls, phase.run, m))

    return [replace(step, phases=[watched(phase) for phase in step.phases]) for step in found]


MOVES = ("load", "put")


def _bad(m: Machine, event: Event) -> list[tuple[Any, str]]:
    return [(m.flag(True), ODD[event.op])] if event.op in ODD else []


WATCH = Watch(
    "count.filter",
    "of what the guest has on, hardware has on what the event filter allows, as the guest set it",
    "hardware is to count something else than the guest's counter, less what the filter denies",
    _bad,
    MOVES,
    accesses=True,
)
