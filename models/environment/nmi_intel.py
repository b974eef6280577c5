"""What perf's NMI handler does to the PMU on Intel (events/intel/core.c: intel_pmu_handle_irq)."""

from __future__ import annotations

from models.environment.nmi import acknowledge, becomes
from models.hardware import intel_pmu as pmu
from verify.ir.machine import Machine
from verify.target import Assumption

ASSUMPTIONS = (
    Assumption(
        "nmi.handler",
        "an NMI acknowledges any bits of GLOBAL_STATUS and leaves GLOBAL_CTRL as perf has it and "
        "LVTPC = NMI, when perf_event_nmi_handler gets to it (intel_pmu_handle_irq); other NMI "
        "handlers leave the PMU alone",
    ),
)


def handle_irq(m: Machine) -> None:
    """It leaves with GLOBAL_CTRL as host perf has it, and unmasks LVTPC."""
    acknowledge(m)
    becomes(m, pmu.GLOBAL_CTRL, m.get(pmu.INTEL_CTRL))
    becomes(m, pmu.LVTPC, m.const(pmu.DELIVERY_NMI, 64))
