"""What a guest can do to and see of the PMU while it runs: any number of steps at once.

A register that the guest can change becomes any value that some sequence of steps could leave in
it. This covers every sequence: whether a step is possible depends only on interception (constant
while the guest runs) and on controls; a control that the guest can write counts as both on and
off for the whole run, and each register's result ranges over all legal values as soon as one
possible step can give it a value that the guest chooses, or over {old, 0} (bits: {old, 0, 1})
when the possible steps only clear (or set and clear). These sets are closed under further steps,
so repeating `guest`, as re-entry after a fast VM-exit does, adds nothing.

Every change has its own input, so that a guest that does nothing stays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from models.environment.cpu import Cpu
from models.hardware.pmu import GLOBAL_CTRL, GLOBAL_STATUS
from verify.ir.machine import Machine
from verify.target import Observation


def _numbers(cpu: Cpu, m: Machine, cell: str) -> tuple[int, ...]:
    """The MSRs through which a register's value is read and written."""
    return tuple(
        number
        for number, (kind, index) in cpu.pmu.numbers(m).items()
        if cpu.pmu.cell_of(kind, index) == cell
    )


def accesses(cpu: Cpu, m: Machine) -> list[tuple[str, int]]:
    """The RDMSRs ("R") and WRMSRs ("W") by which a register is read or changed."""
    found = {("W", number): None for number in cpu.pmu.WRITES_STATUS}
    for cell in cpu.pmu.registers(m):
        for number in _numbers(cpu, m, cell):
            found["R", number] = None
            if cell != GLOBAL_STATUS:
                found["W", number] = None
    return list(found)


def _open(cpu: Cpu, m: Machine, access: str, numbers: Sequence[int]) -> Any:
    """The guest's RDMSR ("R") or WRMSR ("W") of one of these MSRs is not intercepted."""
    result = m.flag(False)
    for number in numbers:
        result = result | ~cpu.intercepts(m, access, number)
    return result


def writable(cpu: Cpu, m: Machine, cell: str) -> Any:
    """The guest can write the register directly."""
    numbers = _numbers(cpu, m, cell)
    if cell == GLOBAL_STATUS:
        numbers = cpu.pmu.WRITES_STATUS
    return _open(cpu, m, "W", numbers) & cpu.pmu.exists(m, cell)


def readable(cpu: Cpu, m: Machine, cell: str) -> Any:
    """The guest can read the register directly, by RDMSR or RDPMC."""
    result = _open(cpu, m, "R", _numbers(cpu, m, cell))
    if cell in cpu.pmu.by_rdpmc(m):
        result = result | ~cpu.rdpmc_exits(m)
    return result & cpu.pmu.exists(m, cell)


def can_count(cpu: Cpu, m: Machine, cell: str) -> Any:
    """The counter, or PERF_METRICS, advances for the guest at some time while it runs.

    Where GLOBAL_CTRL is not the guest's, what counts are the host's own events.
    """
    pmu = cpu.pmu
    bit = m.const(1, 64) << pmu.position(cell)
    by_guest = writable(cpu, m, GLOBAL_CTRL) & (pmu.limit(m, GLOBAL_CTRL) & bit).nonzero()
    on = by_guest | (cpu.owns_ctrl(m) & (m.get(GLOBAL_CTRL) & bit).nonzero())
    counter = pmu.goes_with(cell)
    if counter != cell:
        return on & can_count(cpu, m, counter)
    enabled = pmu.selected_in_guest(m, cell) | writable(cpu, m, pmu.control(cell))
    return on & enabled & pmu.exists(m, cell)


def _registers(cpu: Cpu, m: Machine) -> list[str]:
    """All that the guest may see, each once."""
    return list(dict.fromkeys((*cpu.pmu.registers(m), *cpu.pmu.by_rdpmc(m))))


def observe(cpu: Cpu, m: Machine) -> list[Observation]:
    """What the guest can read directly."""
    return [Observation(cell, readable(cpu, m, cell), m.get(cell)) for cell in _registers(cpu, m)]


def reachable(cpu: Cpu, m: Machine) -> list[Observation]:
    """What the guest can read, write or let count directly. What a write of fixed counter 3 does
    to PERF_METRICS (H3) is no access of PERF_METRICS."""
    result = []
    for cell in _registers(cpu, m):
        visible = readable(cpu, m, cell) | writable(cpu, m, cell)
        if cell in cpu.pmu.counted(m):
            visible = visible | can_count(cpu, m, cell)
        result.append(Observation(cell, visible, m.get(cell)))
    return result


def becomes(m: Machine, cell: str, possible: Any, value: Any, note: str) -> None:
    """The guest may have changed the register to `value`."""
    with m.when(possible & m.fresh(f"{cell}/{note}", 0)):
        m.emit("guest", cell, m.get(cell), value, note)
        m.set(cell, value)


def any_value(cpu: Cpu, m: Machine, cell: str) -> Any:
    """A value that the guest chooses."""
    return m.fresh(cell, 64) & cpu.pmu.limit(m, cell)


def guest(
    cpu: Cpu,
    m: Machine,
    apart: Collection[str] = (),
    finish: Callable[[Mapping[str, Any]], None] | None = None,
) -> None:
    """Any number of steps of the guest; nothing when it was not entered.

    `finish` does the rest for the registers `apart`, told for each cell whether the guest's steps
    can change it.
    """
    can = {cell: can_count(cpu, m, cell) for cell in cpu.pmu.counted(m)}
    change = {cell: writable(cpu, m, cell) for cell in cpu.pmu.registers(m)}
    change |= {cell: change[cell] | can[cell] for cell in can}
    with m.when(m.get("run.inside")):
        _status(cpu, m, can)
        for cell, possible in change.items():
            if cell != GLOBAL_STATUS and cell not in apart:
                becomes(m, cell, possible, any_value(cpu, m, cell), "changes")
        if finish is not None:
            finish(change)


def _status(cpu: Cpu, m: Machine, can: Mapping[str, Any]) -> None:
    """Bits of GLOBAL_STATUS are set by overflows and events, and cleared and set by writes."""
    none, legal = m.const(0, 64), cpu.pmu.limit(m, GLOBAL_STATUS)
    clear, set_ = cpu.pmu.WRITES_STATUS
    # Events of a unit that the host keeps for itself are the host's.
    settable = m.ite(cpu.owns_ctrl(m), legal & cpu.pmu.GUEST_EVENT_BITS, none)
    for cell, possible in can.items():
        settable = settable | m.ite(possible, m.const(1 << cpu.pmu.position(cell), 64), none)
    settable = settable | m.ite(_open(cpu, m, "W", (set_,)), legal, none)
    clearable = m.ite(_open(cpu, m, "W", (clear,)), legal, none)
    before = m.get(GLOBAL_STATUS)
    after = before | (m.fresh("overflow", 64) & settable)
    after = after & ~(m.fresh("acknowledge", 64) & clearable)
    with m.when(after.ne(before)):
        m.emit("guest", GLOBAL_STATUS, before, after, "overflows, acknowledges")
    m.set(GLOBAL_STATUS, after)
