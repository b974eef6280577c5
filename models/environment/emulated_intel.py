"""What emulated writes of Intel's PMU MSRs do to the registers, by the architecture."""

from __future__ import annotations

from typing import Any

from models.environment.emulated import becomes, ghost
from models.hardware import intel_pmu as pmu
from verify.ir.machine import Machine
from verify.target import Assumption

ASSUMPTIONS = (
    Assumption(
        "emulated.perf-metrics-values",
        "PERF_METRICS is only set to values that the CPU's register can hold; whether KVM sees to "
        "that, migrate.closed.load tells",
    ),
)


def expect(m: Machine, kind: str, index: int, data: Any, from_host: Any) -> None:
    """What the guest must find in the register after an accepted write (H8, H11)."""
    if kind == "PERF_METRICS":
        m.assume((data & ~pmu.limit(m, pmu.PERF_METRICS)).eq(0))
    if kind == "PERFCTR":
        # Userspace restores whole values by the short name (domain.md 3).
        whole = m.ite(from_host, data, data.extract(31, 0).sext(64))
        becomes(m, ghost("PMC", index), whole & m.get("config.limit_guest_gp"))
    elif kind == "PMC":
        becomes(m, ghost("PMC", index), data & m.get("config.limit_guest_gp"))
    elif kind == "FIXED_CTR":
        becomes(m, ghost("FIXED_CTR", index), data & m.get("config.limit_guest_fixed"))
    elif kind == "EVTSEL":
        becomes(m, ghost("EVTSEL", index), data)
    elif kind == "STATUS_RESET":
        # Userspace writes back what it has read, which is 0 for this register.
        with m.when(~from_host):
            becomes(m, ghost("GLOBAL_STATUS"), m.get(ghost("GLOBAL_STATUS")) & ~data)
    elif kind == "STATUS_SET":
        with m.when(~from_host):
            becomes(m, ghost("GLOBAL_STATUS"), m.get(ghost("GLOBAL_STATUS")) | data)
    elif kind != "PERF_CAPABILITIES":
        becomes(m, ghost(kind), data)
