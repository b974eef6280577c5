"""The host's use of the PMU while the vCPU's is put (domain.md 1 and 2, high).

At load, perf has scheduled its events out: selectors and FIXED_CTR_CTRL are off again, GLOBAL_CTRL
and whatever perf counted stay behind. Whether perf or another vCPU wrote them does not matter.
"""

from __future__ import annotations

from models.hardware import intel_pmu as pmu
from verify.ir.machine import Machine


def host(m: Machine) -> None:
    """Any of the registers may have got any legal value; the controls may have been cleared."""
    selectors = [pmu.evtsel(i) for i in range(pmu.size(m, "gp"))]
    off = {*selectors, pmu.FIXED_CTR_CTRL}
    for cell in (*pmu.limited(m), pmu.FIXED_CTR_CTRL):
        before = m.get(cell)
        value = m.const(0, 64) if cell in off else m.fresh(cell, 64) & pmu.limit(m, cell)
        with m.when(m.fresh(f"{cell}/changes", 0)):
            m.emit("host", cell, before, value, "host perf or another vCPU")
            m.set(cell, value)
    m.set(pmu.LVTPC, m.get(pmu.LVTPC))
