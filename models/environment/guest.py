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

from collections.abc import Callable, Sequence
from typing import Any

from models.hardware import intel_pmu as pmu
from models.hardware import msr, vmx
from verify.ir.machine import Machine
from verify.target import Observation


def _numbers(m: Machine, cell: str) -> tuple[int, ...]:
    """The MSRs through which a register's value is read and written."""
    table = msr.table(pmu.size(m, "gp"), pmu.size(m, "fixed"))
    kinds = {"PERFCTR": "PMC", "PMC": "PMC"}
    found = []
    for number, (kind, index) in table.items():
        name = kinds.get(kind, kind)
        if cell in (f"hw.{name}", f"hw.{name}[{index}]"):
            found.append(number)
    return tuple(found)


def _open(m: Machine, access: str, numbers: Sequence[int]) -> Any:
    """The guest's RDMSR ("R") or WRMSR ("W") of one of these MSRs is not intercepted."""
    result = m.flag(False)
    for number in numbers:
        result = result | ~m.get(msr.bitmap(access, number))
    return result


def writable(m: Machine, cell: str) -> Any:
    """The guest can write the register directly."""
    numbers = _numbers(m, cell)
    if cell == pmu.GLOBAL_STATUS:
        numbers = (msr.STATUS_RESET, msr.STATUS_SET)
    return _open(m, "W", numbers) & _exists(m, cell)


def _exists(m: Machine, cell: str) -> Any:
    if cell == pmu.PERF_METRICS:
        return pmu.has_metrics(m)
    if "[" not in cell:
        return m.flag(True)
    index = int(cell[cell.index("[") + 1 : -1])
    return pmu.has_fixed(m, index) if cell == pmu.fixed_ctr(index) else pmu.has_gp(m, index)


def _in_rdpmc(m: Machine, cell: str) -> bool:
    return cell == pmu.PERF_METRICS or cell in pmu.counters(m)


def readable(m: Machine, cell: str) -> Any:
    """The guest can read the register directly, by RDMSR or RDPMC."""
    result = _open(m, "R", _numbers(m, cell))
    if _in_rdpmc(m, cell):
        result = result | ~vmx.rdpmc_exits(m)
    return result & _exists(m, cell)


def can_count(m: Machine, cell: str) -> Any:
    """The counter, or PERF_METRICS, advances for the guest at some time while it runs.

    Where VM-entry does not load GLOBAL_CTRL, what counts are the host's own events.
    """
    bit = m.const(1, 64) << pmu.position(cell)
    by_guest = writable(m, pmu.GLOBAL_CTRL) & (pmu.limit(m, pmu.GLOBAL_CTRL) & bit).nonzero()
    on = by_guest | (vmx.loads_global_ctrl(m) & (m.get(pmu.GLOBAL_CTRL) & bit).nonzero())
    if cell == pmu.PERF_METRICS:
        return on & can_count(m, pmu.fixed_ctr(3))
    index = int(cell[cell.index("[") + 1 : -1])
    control = pmu.evtsel(index) if cell == pmu.pmc(index) else pmu.FIXED_CTR_CTRL
    return on & (pmu.selected(m, cell) | writable(m, control)) & _exists(m, cell)


def _registers(m: Machine) -> list[str]:
    selectors = [pmu.evtsel(i) for i in range(pmu.size(m, "gp"))]
    controls = [pmu.FIXED_CTR_CTRL, pmu.GLOBAL_CTRL, pmu.GLOBAL_STATUS, pmu.PERF_METRICS]
    return [*pmu.counters(m), *selectors, *controls]


def observe(m: Machine) -> list[Observation]:
    """What the guest can read directly."""
    return [Observation(cell, readable(m, cell), m.get(cell)) for cell in _registers(m)]


def reachable(m: Machine) -> list[Observation]:
    """What the guest can read, write or let count directly. What a write of fixed counter 3 does
    to PERF_METRICS (H3) is no access of PERF_METRICS."""
    result = []
    for cell in _registers(m):
        visible = readable(m, cell) | writable(m, cell)
        if _in_rdpmc(m, cell):
            visible = visible | can_count(m, cell)
        result.append(Observation(cell, visible, m.get(cell)))
    return result


def _becomes(m: Machine, cell: str, possible: Any, value: Any, note: str) -> None:
    """The guest may have changed the register to `value`."""
    with m.when(possible & m.fresh(f"{cell}/{note}", 0)):
        m.emit("guest", cell, m.get(cell), value, note)
        m.set(cell, value)


def guest(m: Machine) -> None:
    """Any number of steps of the guest; nothing when it was not entered."""
    entered = m.get("run.inside")
    clears = _metrics_clear(m)
    fixed3 = writable(m, pmu.fixed_ctr(3))
    can = {cell: can_count(m, cell) for cell in (*pmu.counters(m), pmu.PERF_METRICS)}
    write = {cell: writable(m, cell) for cell in _registers(m)}
    any_value: Callable[[str], Any] = lambda cell: (  # noqa: E731
        m.fresh(cell, 64) & pmu.limit(m, cell)
    )
    with m.when(entered):
        _status(m, can, write)
        for cell in _registers(m):
            if cell in (pmu.GLOBAL_STATUS, pmu.PERF_METRICS):
                continue
            possible = write[cell] | can[cell] if cell in can else write[cell]
            _becomes(m, cell, possible, any_value(cell), "changes")
        zero = m.const(0, 64)
        _becomes(m, pmu.fixed_ctr(3), clears, zero, "metrics-clear")
        _becomes(m, pmu.PERF_METRICS, clears, zero, "metrics-clear")
        with m.when(fixed3 & m.fresh("FIXED_CTR3 written", 0)):
            pmu.fixed3_effect(m, "guest")
        metrics = write[pmu.PERF_METRICS] | can[pmu.PERF_METRICS]
        _becomes(m, pmu.PERF_METRICS, metrics, any_value(pmu.PERF_METRICS), "changes")


def _metrics_clear(m: Machine) -> Any:
    """The guest can use RDPMC metrics-clear (H6)."""
    enabled = (m.get(pmu.FIXED_CTR_CTRL) & (1 << pmu.METRICS_CLEAR_BIT)).nonzero()
    offered = pmu.capability(m, msr.CAP_METRICS_CLEAR) & pmu.has_metrics(m)
    return offered & ~vmx.rdpmc_exits(m) & (enabled | writable(m, pmu.FIXED_CTR_CTRL))


def _status(m: Machine, can: dict[str, Any], write: dict[str, Any]) -> None:
    """Bits of GLOBAL_STATUS are set by overflows and events, and cleared and set by writes."""
    none, legal = m.const(0, 64), pmu.limit(m, pmu.GLOBAL_STATUS)
    # Events of a unit that the host keeps for itself are the host's.
    settable = m.ite(vmx.loads_global_ctrl(m), legal & pmu.GUEST_EVENT_BITS, none)
    for cell, possible in can.items():
        settable = settable | m.ite(possible, m.const(1 << pmu.position(cell), 64), none)
    settable = settable | m.ite(_open(m, "W", (msr.STATUS_SET,)), legal, none)
    clearable = m.ite(_open(m, "W", (msr.STATUS_RESET,)), legal, none)
    before = m.get(pmu.GLOBAL_STATUS)
    after = before | (m.fresh("overflow", 64) & settable)
    after = after & ~(m.fresh("acknowledge", 64) & clearable)
    with m.when(after.ne(before)):
        m.emit("guest", pmu.GLOBAL_STATUS, before, after, "overflows, acknowledges")
    m.set(pmu.GLOBAL_STATUS, after)
