"""What perf's NMI handler does to the PMU on AMD (events/amd/core.c: amd_pmu_v2_handle_irq).

Before version 2, amd_pmu_handle_irq touches nothing but the counters and selectors of host events
that are active, of which there are none while a guest's PMU is loaded and put.
"""

from __future__ import annotations

from models.environment.nmi import acknowledge, becomes
from models.hardware import amd_pmu as pmu
from models.hardware.pmu import GLOBAL_CTRL
from verify.ir.machine import Machine
from verify.target import Assumption

ASSUMPTIONS = (
    Assumption(
        "nmi.handler",
        "an NMI acknowledges any bits of GLOBAL_STATUS and leaves all counters on in GLOBAL_CTRL, "
        "or off where perf had stopped the PMU, when perf_event_nmi_handler gets to it "
        "(amd_pmu_v2_handle_irq); LVTPC stays as it is; other NMI handlers leave the PMU alone",
    ),
)


def handle_irq(m: Machine) -> None:
    """It stops all counters in any case, and starts them again where perf's cpuc->enabled says
    so."""
    with m.when(m.get("config.host_v2")):
        pmu.advance_all(m, "NMI")
        acknowledge(m)
        enabled = m.fresh("host perf is enabled", 0)
        becomes(m, GLOBAL_CTRL, m.ite(enabled, pmu.perf_ctrl(m), m.const(0, 64)))
