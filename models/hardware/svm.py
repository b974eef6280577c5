"""VMRUN and #VMEXIT as far as they matter to the PMU (fact H14; APM, high).

They switch no register of the PMU: GLOBAL_CTRL stays, and which side of them the CPU is on decides
with a selector's GuestOnly and HostOnly bits whether its counter counts. Cells: the truth values
vmcb.rdpmc (RDPMC exits), run.reached (KVM executed VMRUN) and run.inside (the CPU is in the guest).
"""

from __future__ import annotations

from typing import Any

from models.hardware import amd_pmu
from verify.ir.machine import Machine

INTERCEPT_RDPMC = 3 * 32 + 15
"""Bit 15 of the fourth intercept vector, as KVM counts them."""

CELLS = {"vmcb.rdpmc": 0, "run.reached": 0, "run.inside": 0}


def rdpmc_exits(m: Machine) -> Any:
    """RDPMC by the guest is intercepted."""
    return m.get("vmcb.rdpmc")


def run(m: Machine) -> None:
    """VMRUN: the guest is entered, or the VMCB is refused; that is no matter of the PMU.

    What counted for the host up to here may stop.
    """
    amd_pmu.advance_all(m, "VMRUN")
    m.set("run.reached", m.flag(True))
    m.set("run.inside", ~m.fresh("VMRUN fails", 0))
