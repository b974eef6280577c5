"""What emulated writes of AMD's PMU MSRs do to the registers, by the architecture.

Bits that a register does not have for the guest are 0 and stay so. Cells: the bits of a guest's
GLOBAL_CTRL and -STATUS `config.guest_counters`, and of its selectors `config.guest_selector`.
"""

from __future__ import annotations

from typing import Any

from models.environment.emulated import becomes, ghost
from models.hardware import amd_pmu as pmu
from verify.ir.machine import Machine

CELLS = {"config.guest_counters": 64, "config.guest_selector": 64}


def limits(m: Machine, guest_pmu: str) -> None:
    """Compute the masks of a guest whose PMU has been configured."""
    count = m.get(f"{guest_pmu}.nr_arch_gp_counters").zext(64)
    m.set("config.guest_counters", (m.const(1, 64) << count) - 1)
    # Who runs no guests has no bits to tell them from itself (APM).
    plain = pmu.EVTSEL_BITS & ~(pmu.GUEST_ONLY | pmu.HOST_ONLY)
    bits = m.ite(m.get("config.guest_svm"), m.const(pmu.EVTSEL_BITS, 64), m.const(plain, 64))
    m.set("config.guest_selector", bits)


def expect(m: Machine, kind: str, index: int, data: Any, from_host: Any) -> None:
    """What the guest must find in the register after an accepted write."""
    counters = data & m.get("config.guest_counters")
    if kind in ("PMC", "K7_PERFCTR"):
        becomes(m, ghost("PMC", index), data & ((1 << pmu.WIDTH) - 1))
    elif kind in ("EVTSEL", "K7_EVTSEL"):
        becomes(m, ghost("EVTSEL", index), data & m.get("config.guest_selector"))
    elif kind == "GLOBAL_CTRL":
        becomes(m, ghost(kind), counters)
    elif kind == "GLOBAL_STATUS":
        # Read-only but for userspace.
        with m.when(from_host):
            becomes(m, ghost(kind), data)
    else:
        # Userspace writes back what it has read, which is 0 for these registers.
        status = m.get(ghost("GLOBAL_STATUS"))
        with m.when(~from_host):
            after = status & ~data if kind == "STATUS_RESET" else status | counters
            becomes(m, ghost("GLOBAL_STATUS"), after)
