"""VM-entry and VM-exit as far as they switch GLOBAL_CTRL (facts H7, H12; SDM, high).

Cells: vmcs.guest_global_ctrl and vmcs.host_global_ctrl (64 bits), the control words
vmcs.entry_controls, vmcs.exit_controls and vmcs.exec_controls (32 bits), the number of entries in
the VM-exit MSR-store area vmcs.exit_msr_store_count (32 bits), and the truth value run.inside:
the CPU is in the guest.
"""

from __future__ import annotations

from typing import Any

from models.hardware import intel_pmu
from verify.ir.machine import Machine

EXIT_MSR_STORE_COUNT = 0x400E
GUEST_GLOBAL_CTRL = "vmcs.guest_global_ctrl"
# Fields that are modelled, by encoding
FIELDS = {
    0x2808: GUEST_GLOBAL_CTRL,
    0x2C04: "vmcs.host_global_ctrl",
    EXIT_MSR_STORE_COUNT: "vmcs.exit_msr_store_count",
}
ENTRY_LOAD_GLOBAL_CTRL = 1 << 13
EXIT_LOAD_GLOBAL_CTRL = 1 << 12
EXIT_SAVE_GLOBAL_CTRL = 1 << 30
RDPMC_EXITING = 1 << 11
USE_MSR_BITMAPS = 1 << 28

CELLS = {
    GUEST_GLOBAL_CTRL: 64,
    "vmcs.host_global_ctrl": 64,
    "vmcs.entry_controls": 32,
    "vmcs.exit_controls": 32,
    "vmcs.exec_controls": 32,
    "vmcs.exit_msr_store_count": 32,
    "run.inside": 0,
}


def rdpmc_exits(m: Machine) -> Any:
    """RDPMC by the guest is intercepted."""
    return (m.get("vmcs.exec_controls") & RDPMC_EXITING).nonzero()


def loads_global_ctrl(m: Machine) -> Any:
    """VM-entry loads GLOBAL_CTRL from the VMCS."""
    return (m.get("vmcs.entry_controls") & ENTRY_LOAD_GLOBAL_CTRL).nonzero()


def enter(m: Machine) -> None:
    """VM-entry: loads GLOBAL_CTRL, or fails when the field has an illegal bit (H12).

    KVM may also decide at the last moment not to enter; put runs all the same.
    """
    before, field = m.get(intel_pmu.GLOBAL_CTRL), m.get(GUEST_GLOBAL_CTRL)
    loads = loads_global_ctrl(m)
    illegal = (field & ~intel_pmu.limit(m, intel_pmu.GLOBAL_CTRL)).nonzero()
    fails = loads & illegal
    entered = ~fails & ~m.fresh("host skips the entry", 0)
    with m.when(fails):
        m.emit("VM-entry-failed", GUEST_GLOBAL_CTRL, field, field, "illegal GLOBAL_CTRL")
    with m.when(entered & loads):
        intel_pmu.advance_all(m, "VM-entry")
        m.emit("VM-entry", intel_pmu.GLOBAL_CTRL, before, field, "from the VMCS guest field")
        m.set(intel_pmu.GLOBAL_CTRL, field)
    m.set("run.inside", entered)


def leave(m: Machine) -> Any:
    """VM-exit: saves GLOBAL_CTRL to the VMCS and loads the host field, each where its control
    is set. The value that the guest left, for the MSR-store area."""
    controls, value = m.get("vmcs.exit_controls"), m.get(intel_pmu.GLOBAL_CTRL)
    host = m.get("vmcs.host_global_ctrl")
    with m.when((controls & EXIT_SAVE_GLOBAL_CTRL).nonzero()):
        m.set(GUEST_GLOBAL_CTRL, value)
    with m.when((controls & EXIT_LOAD_GLOBAL_CTRL).nonzero()):
        m.emit("VM-exit", intel_pmu.GLOBAL_CTRL, value, host, "from the VMCS host field")
        m.set(intel_pmu.GLOBAL_CTRL, host)
    m.set("run.inside", m.flag(False))
    return value
