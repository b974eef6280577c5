"""The host's use of the PMU while the vCPU's is put (domain.md 1 and 2, high).

At load, perf has scheduled its events out: what enables a counter is off again, GLOBAL_CTRL and
whatever perf counted stay behind. Whether perf or another vCPU wrote them does not matter.
"""

from __future__ import annotations

from models.environment.cpu import Cpu
from models.hardware.pmu import LVTPC
from verify.ir.machine import Machine


def host(cpu: Cpu, m: Machine) -> None:
    """Any of the registers may have got any legal value; the controls may have been cleared."""
    off = cpu.pmu.off(m)
    for cell in dict.fromkeys((*cpu.pmu.limited(m), *off)):
        before = m.get(cell)
        value = off[cell] if cell in off else m.fresh(cell, 64) & cpu.pmu.limit(m, cell)
        with m.when(m.fresh(f"{cell}/changes", 0)):
            m.emit("host", cell, before, value, "host perf or another vCPU")
            m.set(cell, value)
    m.set(LVTPC, m.get(LVTPC))
