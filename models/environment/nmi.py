"""NMIs that hit the kernel while it switches (domain.md 2, "host perf as a contract"; high).

Whether perf looks at an NMI is for the kernel's own handler to say. If it does, it acknowledges
what it likes of GLOBAL_STATUS, and leaves with GLOBAL_CTRL as host perf has it and LVTPC = NMI
(events/intel/core.c: intel_pmu_handle_irq).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from models.hardware import intel_pmu as pmu
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.target import Assumption, Phase, Step

STEPS = ("wrmsrq", "wrmsrq_safe", "__model_rdmsr", "rdpmc", "apic_write")
"""The instructions before and after which an NMI can tell the difference."""

ASSUMPTIONS = (
    Assumption(
        "nmi.handler",
        "an NMI acknowledges any bits of GLOBAL_STATUS and leaves GLOBAL_CTRL as perf has it and "
        "LVTPC = NMI, when perf_event_nmi_handler gets to it (intel_pmu_handle_irq); other NMI "
        "handlers leave the PMU alone",
    ),
)


def handle_irq(m: Machine, call: CallSite) -> Any:
    """intel_pmu_handle_irq, by its effects."""
    status, ctrl, lvtpc = m.get(pmu.GLOBAL_STATUS), m.get(pmu.GLOBAL_CTRL), m.get(pmu.LVTPC)
    kept = status & ~m.fresh("host acknowledges", 64)
    m.emit("NMI", pmu.GLOBAL_STATUS, status, kept, "acknowledged by perf's handler")
    m.set(pmu.GLOBAL_STATUS, kept)
    perf = m.get(pmu.INTEL_CTRL)
    m.emit("NMI", pmu.GLOBAL_CTRL, ctrl, perf, "set again by perf's handler")
    m.set(pmu.GLOBAL_CTRL, perf)
    m.emit("NMI", pmu.LVTPC, lvtpc, m.const(pmu.DELIVERY_NMI, 64), "set again by perf's handler")
    m.set(pmu.LVTPC, m.const(pmu.DELIVERY_NMI, 64))
    return m.const(1, 32)


def contracts() -> dict[str, Contract]:
    """By the name of the function that they stand for."""
    return {
        "__model_static_x86_pmu_handle_irq": handle_irq,
        "__model_atomic_read": lambda m, call: m.fresh("host events", 32),
        "sched_clock": lambda m, call: m.fresh("host clock", 64),
        "perf_sample_event_took": lambda m, call: None,
    }


def hit(m: Machine) -> None:
    """There may be an NMI here."""
    with m.when(m.fresh("host NMI", 0)):
        m.call("perf_event_nmi_handler", m.const(0, 32), None)


def before_each_step(steps: Sequence[Step], found: Mapping[str, Contract]) -> dict[str, Contract]:
    """The contracts, with NMIs before and after each instruction of the phases of these steps."""
    phases = frozenset(phase.name for step in steps for phase in step.phases)

    def interrupted(contract: Contract) -> Contract:
        def run(m: Machine, call: CallSite) -> Any:
            if m.phase not in phases:
                return contract(m, call)
            hit(m)
            result = contract(m, call)
            hit(m)
            return result

        return run

    return {k: interrupted(c) if k in STEPS else c for k, c in found.items()}


def at_edges(steps: Sequence[Step], names: Sequence[str]) -> list[Step]:
    """The steps, with an NMI before each of the named phases."""

    def after(run: Callable[[Machine], None]) -> Callable[[Machine], None]:
        def phase(m: Machine) -> None:
            hit(m)
            run(m)

        return phase

    def changed(phase: Phase) -> Phase:
        return replace(phase, run=after(phase.run)) if phase.name in names else phase

    return [replace(step, phases=[changed(p) for p in step.phases]) for step in steps]
