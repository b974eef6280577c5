"""IA32_KERNEL_GS_BASE: the base that SWAPGS loads into GS.

WRMSR faults unless the value is a canonical address (SDM, high); the register has no other effect
on what is modelled. Cells: the register, 64 bits, and whether the CPU has 57-bit addresses.
"""

from __future__ import annotations

from typing import Any

from models.hardware.dispatch import dispatch
from verify.ir.machine import Machine
from verify.target import Fact

NUMBER = 0xC0000102
CELL = "hw.KERNEL_GS_BASE"
LA57 = "config.host_la57"
CELLS = {CELL: 64, LA57: 0}

FACTS = (
    Fact(
        "G1",
        "WRMSR of KERNEL_GS_BASE faults when the value is not canonical: bits above the address "
        "width (48 or 57) are copies of its highest bit",
        "SDM",
        "high",
        (CELL,),
    ),
)


def canonical(m: Machine, value: Any) -> Any:
    """The 64-bit value is an address that this CPU takes."""
    wide, narrow = (value.extract(bits - 1, 0).sext(64).eq(value) for bits in (57, 48))
    return (m.get(LA57) & wide) | narrow


def legal(m: Machine) -> Any:
    """What the register can hold."""
    return canonical(m, m.get(CELL))


def write_msr(m: Machine, number: Any, value: Any) -> None:
    """WRMSR of a 64-bit value; a write that faults is lost."""

    def write(access: str, cell: str) -> None:
        before, ok = m.get(cell), canonical(m, value)
        with m.when(ok):
            m.emit("WRMSR", cell, before, value)
            m.set(cell, value)
        with m.when(~ok):
            m.emit("#GP", cell, before, value, "WRMSR faults: the address is not canonical")

    _, other = dispatch(m, number, {NUMBER: CELL}, write, None)
    with m.when(other):
        m.not_understood("WRMSR", "the MSR is not part of this hardware model")


def read_msr(m: Machine, number: Any) -> Any:
    """RDMSR: the 64-bit value; any value for an MSR that is not modelled."""

    def read(access: str, cell: str) -> Any:
        m.emit("RDMSR", cell, m.get(cell), m.get(cell))
        return m.get(cell)

    value, _ = dispatch(m, number, {NUMBER: CELL}, read, m.fresh("undefined/RDMSR", 64))
    return value
