"""NMIs that hit the kernel while it switches (domain.md 2, "host perf as a contract"; high).

Whether perf looks at an NMI is for the kernel's own handler to say. What it does then depends on
the vendor: nmi_intel.py, nmi_amd.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from models.environment.kvm import HOST_EVENTS, NMI_HANDLED
from models.hardware.pmu import GLOBAL_STATUS
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.target import Phase, Step, Target

STEPS = ("wrmsrq", "wrmsrq_safe", "__model_rdmsr", "rdpmc", "apic_write")
"""The instructions before and after which an NMI can tell the difference."""

EDGES = ("enter", "leave", "put")
"""Phases of a stay in the guest before which there may be one, too."""


def acknowledge(m: Machine) -> None:
    """perf's handler clears bits of GLOBAL_STATUS: any."""
    status = m.get(GLOBAL_STATUS)
    kept = status & ~m.fresh("host acknowledges", 64)
    m.emit("NMI", GLOBAL_STATUS, status, kept, "acknowledged by perf's handler")
    m.set(GLOBAL_STATUS, kept)


def becomes(m: Machine, cell: str, value: Any) -> None:
    """perf's handler leaves this value in a register."""
    m.emit("NMI", cell, m.get(cell), value, "set again by perf's handler")
    m.set(cell, value)


def contracts(handle_irq: Callable[[Machine], None]) -> dict[str, Contract]:
    """By the name of the function that they stand for. `handle_irq`: perf's handler of the vendor,
    by its effects."""

    def handle(m: Machine, call: CallSite) -> Any:
        handle_irq(m)
        m.set(NMI_HANDLED, m.flag(True))
        return m.const(1, 32)

    return {
        "__model_static_x86_pmu_handle_irq": handle,
        "__model_atomic_read": lambda m, call: m.get(HOST_EVENTS),
        "sched_clock": lambda m, call: m.fresh("host clock", 64),
        "perf_sample_event_took": lambda m, call: None,
    }


def interrupted(target: Target) -> Target:
    """The target, and itself with NMIs."""
    return replace(
        target,
        interrupted=replace(
            target,
            steps=lambda program: _at_edges(target.steps(program)),
            contracts=lambda program: _before_each_step(
                target.steps(program), target.contracts(program)
            ),
        ),
    )


def hit(m: Machine) -> Any:
    """There may be an NMI here. Whether there is, perf has events, and does not look at it."""
    there, events = m.fresh("host NMI", 0), m.fresh("host events", 32)
    m.set(HOST_EVENTS, events)
    m.set(NMI_HANDLED, m.flag(False))
    with m.when(there):
        m.call("perf_event_nmi_handler", m.const(0, 32), None)
    lost = there & events.ne(0) & ~m.get(NMI_HANDLED)
    # Nothing of it is left: where there were others is no difference.
    m.set(HOST_EVENTS, m.const(0, 32))
    m.set(NMI_HANDLED, m.flag(False))
    return lost


def _before_each_step(steps: Sequence[Step], found: Mapping[str, Contract]) -> dict[str, Contract]:
    """The contracts, with NMIs before and after each instruction of the phases of these steps."""
    phases = frozenset(phase.name for step in steps for phase in step.phases)

    def interruptible(contract: Contract) -> Contract:
        def run(m: Machine, call: CallSite) -> Any:
            if m.phase not in phases:
                return contract(m, call)
            hit(m)
            result = contract(m, call)
            hit(m)
            return result

        return run

    return {k: interruptible(c) if k in STEPS else c for k, c in found.items()}


def _at_edges(steps: Sequence[Step]) -> list[Step]:
    """The steps, with an NMI before each of the phases at the edges."""

    def after(run: Callable[[Machine], None]) -> Callable[[Machine], None]:
        def phase(m: Machine) -> None:
            hit(m)
            run(m)

        return phase

    def changed(phase: Phase) -> Phase:
        return replace(phase, run=after(phase.run)) if phase.name in EDGES else phase

    return [replace(step, phases=[changed(p) for p in step.phases]) for step in steps]
