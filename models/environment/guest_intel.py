"""What only Intel guests can do: PERF_METRICS changes with fixed counter 3 and by RDPMC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.environment import guest as any_guest
from models.environment.cpu import Cpu
from models.environment.guest import any_value, becomes, writable
from models.hardware import intel_pmu as pmu
from models.hardware import msr
from verify.ir.machine import Machine


def guest(cpu: Cpu, m: Machine) -> None:
    """Any number of steps of the guest; nothing when it was not entered."""
    clears = _metrics_clear(cpu, m)
    fixed3 = writable(cpu, m, pmu.fixed_ctr(3))

    def metrics(change: Mapping[str, Any]) -> None:
        zero = m.const(0, 64)
        becomes(m, pmu.fixed_ctr(3), clears, zero, "metrics-clear")
        becomes(m, pmu.PERF_METRICS, clears, zero, "metrics-clear")
        with m.when(fixed3 & m.fresh("FIXED_CTR3 written", 0)):
            pmu.fixed3_effect(m, "guest")
        value = any_value(cpu, m, pmu.PERF_METRICS)
        becomes(m, pmu.PERF_METRICS, change[pmu.PERF_METRICS], value, "changes")

    any_guest.guest(cpu, m, (pmu.PERF_METRICS,), metrics)


def _metrics_clear(cpu: Cpu, m: Machine) -> Any:
    """The guest can use RDPMC metrics-clear (H6)."""
    enabled = (m.get(pmu.FIXED_CTR_CTRL) & (1 << pmu.METRICS_CLEAR_BIT)).nonzero()
    offered = pmu.capability(m, msr.CAP_METRICS_CLEAR) & pmu.has_metrics(m)
    return offered & ~cpu.rdpmc_exits(m) & (enabled | writable(cpu, m, pmu.FIXED_CTR_CTRL))
