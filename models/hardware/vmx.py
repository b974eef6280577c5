"""VM-entry and VM-exit as far as they switch GLOBAL_CTRL (facts H7, H12; SDM, high).

A vCPU has a VMCS for its guest, vmcs01, and one for a guest of that guest, vmcs02; one of them is
in use. Cells: vmcs.guest_global_ctrl is a field of the one in use, and vmcs.other_guest_global_ctrl
of the other one; vmcs.host_global_ctrl (all 64 bits) and the number of entries in the VM-exit
MSR-store area, vmcs.exit_msr_store_count (32 bits), are alike in both. The control words
entry_controls, exit_controls and exec_controls (32 bits) are each one's own (vmcs.*, vmcs02.*).
The truth value run.inside: the CPU is in the guest.
"""

from __future__ import annotations

from typing import Any

from models.hardware import intel_pmu
from verify.ir.machine import Machine

EXIT_MSR_STORE_COUNT = 0x400E
GUEST_GLOBAL_CTRL = "vmcs.guest_global_ctrl"
OTHER_GUEST_GLOBAL_CTRL = "vmcs.other_guest_global_ctrl"
NESTED = "run.nested"
"""vmcs02 is in use. Only where the guest may have guests."""
GUEST_NESTED = "config.guest_nested"
# Fields that are modelled, by encoding
CONTROLS = {0x4002: "exec_controls", 0x400C: "exit_controls", 0x4012: "entry_controls"}
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
    OTHER_GUEST_GLOBAL_CTRL: 64,
    **{f"{vmcs}.{name}": 32 for vmcs in ("vmcs", "vmcs02") for name in CONTROLS.values()},
    "vmcs.exit_msr_store_count": 32,
    "run.inside": 0,
    NESTED: 0,
    GUEST_NESTED: 0,
}


def nested(m: Machine) -> Any:
    """The VMCS in use is that of a guest of the guest."""
    return m.get(NESTED) & m.get(GUEST_NESTED)


def controls(m: Machine, name: str) -> Any:
    """A control word of the VMCS in use."""
    return m.ite(nested(m), m.get(f"vmcs02.{name}"), m.get(f"vmcs.{name}"))


def set_controls(m: Machine, name: str, value: Any) -> None:
    """Change a control word of the VMCS in use."""
    inside = nested(m)
    for vmcs, used in (("vmcs02", inside), ("vmcs", ~inside)):
        with m.when(used):
            m.set(f"{vmcs}.{name}", value)


def use(m: Machine, vmcs02: bool) -> None:
    """From now on the other VMCS is in use, which is vmcs02 or not."""
    now, other = m.get(GUEST_GLOBAL_CTRL), m.get(OTHER_GUEST_GLOBAL_CTRL)
    m.emit("switch", GUEST_GLOBAL_CTRL, now, other, f"to {'vmcs02' if vmcs02 else 'vmcs01'}")
    m.set(GUEST_GLOBAL_CTRL, other)
    m.set(OTHER_GUEST_GLOBAL_CTRL, now)
    m.set(NESTED, m.flag(vmcs02))


def rdpmc_exits(m: Machine) -> Any:
    """RDPMC by the guest is intercepted."""
    return (controls(m, "exec_controls") & RDPMC_EXITING).nonzero()


def uses_msr_bitmaps(m: Machine) -> Any:
    """The MSR bitmap says which accesses are intercepted; else all are."""
    return (controls(m, "exec_controls") & USE_MSR_BITMAPS).nonzero()


def loads_global_ctrl(m: Machine) -> Any:
    """VM-entry loads GLOBAL_CTRL from the VMCS."""
    return (controls(m, "entry_controls") & ENTRY_LOAD_GLOBAL_CTRL).nonzero()


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
    word, value = controls(m, "exit_controls"), m.get(intel_pmu.GLOBAL_CTRL)
    host = m.get("vmcs.host_global_ctrl")
    with m.when((word & EXIT_SAVE_GLOBAL_CTRL).nonzero()):
        m.set(GUEST_GLOBAL_CTRL, value)
    with m.when((word & EXIT_LOAD_GLOBAL_CTRL).nonzero()):
        m.emit("VM-exit", intel_pmu.GLOBAL_CTRL, value, host, "from the VMCS host field")
        m.set(intel_pmu.GLOBAL_CTRL, host)
    m.set("run.inside", m.flag(False))
    return value
