"""The host's use of the PMU while the vCPU's is put (domain.md 1 and 2, high).

At load, perf has scheduled its events out: what enables a counter is off again, GLOBAL_CTRL and
whatever perf counted stay behind. Whether perf or another vCPU wrote them does not matter. The
registers are as that leaves them from the start: the rule host.context sees to it that the kernel
touches none of them before.
"""

from __future__ import annotations

from models.environment import nmi
from models.environment.cpu import Cpu
from models.environment.kvm import HOST_OUT, NMI_LOST
from models.hardware.pmu import GLOBAL_CTRL, LVTPC, Pmu
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine


def contracts(pmu: Pmu) -> dict[str, Contract]:
    """Of what has perf give the PMU up and take it back (kernel/events/core.c)."""

    def load(m: Machine, call: CallSite) -> None:
        """Once its events are out, perf turns the PMU as a whole on again."""
        before = m.get(GLOBAL_CTRL)
        value = m.fresh(GLOBAL_CTRL, 64) & pmu.limit(m, GLOBAL_CTRL)
        with m.when(m.fresh(f"{GLOBAL_CTRL}/changes", 0)):
            m.emit("host", GLOBAL_CTRL, before, value, "host perf")
            m.set(GLOBAL_CTRL, value)
        m.set(HOST_OUT, m.const(1, 1))

    def put(m: Machine, call: CallSite) -> None:
        m.set(HOST_OUT, m.const(0, 1))

    return {"perf_load_guest_context": load, "perf_put_guest_context": put}


def host(cpu: Cpu, m: Machine) -> None:
    """Any of the registers may have got any legal value; the controls may have been cleared; and an
    NMI may have come."""
    m.set(NMI_LOST, nmi.hit(m))
    off = cpu.pmu.off(m)
    for cell in dict.fromkeys((*cpu.pmu.limited(m), *off)):
        before = m.get(cell)
        value = off[cell] if cell in off else m.fresh(cell, 64) & cpu.pmu.limit(m, cell)
        with m.when(m.fresh(f"{cell}/changes", 0)):
            m.emit("host", cell, before, value, "host perf or another vCPU")
            m.set(cell, value)
    m.set(LVTPC, m.get(LVTPC))
    m.set(HOST_OUT, m.const(0, 1))
