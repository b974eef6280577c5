"""The Intel PMU: what WRMSR, RDMSR and RDPMC do to its registers (facts H1-H8, H11, H15).

All register cells have 64 bits:
  hw.PMC[i] hw.EVTSEL[i] hw.FIXED_CTR[i] hw.FIXED_CTR_CTRL hw.GLOBAL_CTRL hw.GLOBAL_STATUS
  hw.PERF_METRICS hw.LVTPC
A CPU may have one counter of each kind more than KVM handles; registers that it does not have
are 0. Counts and widths are `config.host_*`, what is not known of the hardware is `param.*`, and
`config.limit_*` are the masks that follow from the configuration (`limits`).

Counters advance lazily: an enabled counter takes any value just before something reads it or
stops it. That is the same as advancing at any time, as nobody else can tell.
"""

from __future__ import annotations

from typing import Any

from models.hardware import msr
from models.hardware.constants import known
from models.hardware.dispatch import dispatch
from models.hardware.pmu import DELIVERY_NMI as DELIVERY_NMI
from models.hardware.pmu import EVTSEL_ENABLE as EVTSEL_ENABLE
from models.hardware.pmu import EVTSEL_INT as EVTSEL_INT
from models.hardware.pmu import EVTSEL_PRIVILEGE as EVTSEL_PRIVILEGE
from models.hardware.pmu import GLOBAL_CTRL as GLOBAL_CTRL
from models.hardware.pmu import GLOBAL_STATUS as GLOBAL_STATUS
from models.hardware.pmu import LVTPC as LVTPC
from models.hardware.pmu import evtsel as evtsel
from models.hardware.pmu import index_of as index_of
from models.hardware.pmu import pmc as pmc
from verify.ir.machine import Machine

FIXED_CTR_CTRL = "hw.FIXED_CTR_CTRL"
PERF_METRICS = "hw.PERF_METRICS"
MOST_GP, MOST_FIXED = 32, 16
"""Counters for which GLOBAL_CTRL has bits (H7)."""

INTEL_CTRL = "config.intel_ctrl"
"""What host perf has in GLOBAL_CTRL while it counts."""

METRICS_BIT = 48
FIXED_BASE = 32
METRICS_CLEAR_BIT = 14  # of FIXED_CTR_CTRL
# ToPA PMI, LBR freeze, counter freeze, uncore, buffer overflow, CondChgd (H7)
EVENT_BITS = sum(1 << bit for bit in (55, 58, 59, 61, 62, 63))
# Of those, what can be set while a guest runs: freezes take bits of DEBUGCTL that KVM refuses to
# guests of a mediated PMU, and CPUs with one have no uncore counters that report here.
GUEST_EVENT_BITS = sum(1 << bit for bit in (55, 62, 63))
WRITES_STATUS = (msr.STATUS_RESET, msr.STATUS_SET)

RDPMC_FIXED = 1 << 30
RDPMC_METRICS = 1 << 29

INSTRUCTIONS, BRANCHES, CYCLES = 0xC0, 0xC4, 0x3C
"""Event and unit mask of architectural events (SDM, high)."""
FIXED_EVENTS = (INSTRUCTIONS, CYCLES, 0x300, 0x400)
"""What the fixed counters count; the last two, reference cycles and slots, have no event but perf's
own (events/intel/core.c: intel_perfmon_event_map, INTEL_TD_SLOTS; high)."""

FIXED3_WRITE = ("preserve", "clear", "havoc")
METRICS_RESERVED = ("ignore", "fault")
METRICS_CLEAR_CPL0 = ("0", "1")


def fixed_ctr(i: int) -> str:
    """The cell of a fixed counter."""
    return f"hw.FIXED_CTR[{i}]"


def cells(gp: int, fixed: int) -> dict[str, int]:
    """Every cell of this model with its width in bits (0: a truth value)."""
    registers = [GLOBAL_CTRL, GLOBAL_STATUS, FIXED_CTR_CTRL, PERF_METRICS, LVTPC]
    for i in range(gp):
        registers += [pmc(i), evtsel(i)]
    registers += [fixed_ctr(i) for i in range(fixed)]
    return {
        **dict.fromkeys(registers, 64),
        "config.size_gp": 8,
        "config.size_fixed": 8,
        "config.host_version": 8,
        "config.host_gp": 8,
        "config.host_fixed": 8,
        "config.host_gp_width": 8,
        "config.host_fixed_width": 8,
        "config.host_pdcm": 0,
        "config.host_perf_cap": 64,
        "config.host_metrics_64": 0,
        "param.fixed3_write": 2,
        "param.metrics_reserved": 1,
        "param.metrics_clear_cpl0": 1,
        "config.limit_gp": 64,
        "config.limit_fixed": 64,
        "config.limit_ctrl": 64,
        "config.limit_status": 64,
        "config.limit_metrics": 64,
        INTEL_CTRL: 64,
    }


def size(m: Machine, kind: str) -> int:
    """How many counters of a kind ("gp", "fixed") are modelled; of "kvm_gp" that KVM handles."""
    count = known(m.get(f"config.size_{kind}"))
    assert count is not None
    return count


def counter_cells(gp: int, fixed: int) -> list[str]:
    """The cells of this many counters of each kind."""
    return [*(pmc(i) for i in range(gp)), *(fixed_ctr(i) for i in range(fixed))]


def counters(m: Machine) -> list[str]:
    """The cells of all counters."""
    return counter_cells(size(m, "gp"), size(m, "fixed"))


def has_gp(m: Machine, i: int) -> Any:
    """The CPU has general-purpose counter i."""
    return m.const(i, 8).ult(m.get("config.host_gp"))


def has_fixed(m: Machine, i: int) -> Any:
    """The CPU has fixed counter i."""
    return m.const(i, 8).ult(m.get("config.host_fixed"))


def capability(m: Machine, bit: int) -> Any:
    """The CPU enumerates a bit of PERF_CAPABILITIES."""
    return m.get("config.host_pdcm") & _bit(m.get("config.host_perf_cap"), bit)


def has_metrics(m: Machine) -> Any:
    """The CPU has PERF_METRICS."""
    return capability(m, msr.CAP_PERF_METRICS)


def _bit(value: Any, bit: int) -> Any:
    return value.extract(bit, bit).eq(1)


def _up_to(m: Machine, count: Any) -> Any:
    """A mask of the `count` (8 bits) lowest bits."""
    return (m.const(1, 64) << count.zext(64)) - 1


def limits(m: Machine) -> None:
    """Assume a configuration that exists and compute the masks that follow from it."""
    gp, fixed = m.get("config.host_gp"), m.get("config.host_fixed")
    metrics = has_metrics(m)
    m.assume(gp.ne(0) & gp.ule(size(m, "gp")) & fixed.ule(size(m, "fixed")))
    for width in (m.get("config.host_gp_width"), m.get("config.host_fixed_width")):
        m.assume(m.const(32, 8).ule(width) & width.ule(48))
    # PERF_METRICS belongs to fixed counter 3 (H2)
    m.assume(~metrics | m.const(4, 8).ule(fixed))
    m.assume(m.get("param.fixed3_write").ult(len(FIXED3_WRITE)))
    none = m.const(0, 64)
    count_bits = _up_to(m, gp) | (_up_to(m, fixed) << FIXED_BASE)
    ctrl = count_bits | m.ite(metrics, m.const(1 << METRICS_BIT, 64), none)
    m.set("config.limit_gp", _up_to(m, m.get("config.host_gp_width")))
    m.set("config.limit_fixed", _up_to(m, m.get("config.host_fixed_width")))
    m.set("config.limit_ctrl", ctrl)
    m.assume((m.get(INTEL_CTRL) & ~ctrl).eq(0))
    m.set("config.limit_status", ctrl | EVENT_BITS)
    wide = m.ite(m.get("config.host_metrics_64"), ~none, m.const(0xFFFFFFFF, 64))
    m.set("config.limit_metrics", m.ite(metrics, wide, none))


def exists(m: Machine, cell: str) -> Any:
    """The CPU has the register."""
    if cell == PERF_METRICS:
        return has_metrics(m)
    if "[" not in cell:
        return m.flag(True)
    index = index_of(cell)
    return has_fixed(m, index) if cell == fixed_ctr(index) else has_gp(m, index)


def limit(m: Machine, cell: str) -> Any:
    """The bits that a register can hold on this CPU (64 bits)."""
    if cell in (GLOBAL_CTRL, GLOBAL_STATUS, PERF_METRICS):
        mask = {GLOBAL_CTRL: "ctrl", GLOBAL_STATUS: "status", PERF_METRICS: "metrics"}[cell]
        return m.get(f"config.limit_{mask}")
    index = index_of(cell) if "[" in cell else 0
    if cell == pmc(index):
        return m.ite(has_gp(m, index), m.get("config.limit_gp"), m.const(0, 64))
    if cell == fixed_ctr(index):
        return m.ite(has_fixed(m, index), m.get("config.limit_fixed"), m.const(0, 64))
    if cell == evtsel(index):
        return m.ite(has_gp(m, index), ~m.const(0, 64), m.const(0, 64))
    return ~m.const(0, 64)


def limited(m: Machine) -> list[str]:
    """The cells of registers whose values are limited."""
    return [*counters(m), *_selectors(m), GLOBAL_CTRL, GLOBAL_STATUS, PERF_METRICS]


def registers(m: Machine) -> list[str]:
    """The cells of all registers that an MSR reads or writes."""
    controls = [FIXED_CTR_CTRL, GLOBAL_CTRL, GLOBAL_STATUS, PERF_METRICS]
    return [*counters(m), *_selectors(m), *controls]


def _selectors(m: Machine) -> list[str]:
    return [evtsel(i) for i in range(size(m, "gp"))]


def off(m: Machine) -> dict[str, Any]:
    """What host perf leaves in the controls, by cell: no bit is set."""
    return dict.fromkeys((*_selectors(m), FIXED_CTR_CTRL), m.const(0, 64))


def legal(m: Machine) -> Any:
    """The registers hold values that this CPU can hold."""
    ok = m.flag(True)
    for cell in limited(m):
        ok = ok & (m.get(cell) & ~limit(m, cell)).eq(0)
    return ok


# Counting (H9, H10) ---------------------------------------------------------------------------


def selected(m: Machine, cell: str) -> Any:
    """The local enable of a counter: its selector's or its part of FIXED_CTR_CTRL."""
    index = index_of(cell)
    if cell == pmc(index):
        selector = m.get(evtsel(index))
        return _bit(selector, 22) & (selector & EVTSEL_PRIVILEGE).nonzero()
    return m.get(FIXED_CTR_CTRL).extract(4 * index + 1, 4 * index).nonzero()


def selected_in_guest(m: Machine, cell: str) -> Any:
    """The same while a guest runs: it does not depend on who runs."""
    return selected(m, cell)


def control(cell: str) -> str:
    """The register with a counter's local enable."""
    return evtsel(index_of(cell)) if cell == pmc(index_of(cell)) else FIXED_CTR_CTRL


def goes_with(cell: str) -> str:
    """The counter that a register counts with."""
    return fixed_ctr(3) if cell == PERF_METRICS else cell


def position(cell: str) -> int:
    """The bit of a counter, or of PERF_METRICS, in GLOBAL_CTRL and GLOBAL_STATUS."""
    if cell == PERF_METRICS:
        return METRICS_BIT
    index = index_of(cell)
    return index if cell == pmc(index) else FIXED_BASE + index


def counts(m: Machine, cell: str) -> Any:
    """The counter, or PERF_METRICS, advances now."""
    ctrl = m.get(GLOBAL_CTRL)
    if cell == PERF_METRICS:
        return counts(m, fixed_ctr(3)) & _bit(ctrl, METRICS_BIT)
    return _bit(ctrl, position(cell)) & selected(m, cell)


def counting(m: Machine) -> list[tuple[str, Any, str]]:
    """Which counters, and PERF_METRICS, advance now: (cell, flag, why)."""
    return [
        (cell, counts(m, cell), f"bit {position(cell)} of GLOBAL_CTRL is set")
        for cell in counted(m)
    ]


def counted(m: Machine) -> list[str]:
    """The cells of what counts: counters and PERF_METRICS."""
    return [*counters(m), PERF_METRICS]


def by_rdpmc(m: Machine) -> list[str]:
    """The cells that some RDPMC reads."""
    return counted(m)


def advance(m: Machine, access: str, *affected: str) -> None:
    """These registers may have advanced since they were last looked at, by any amount.

    `access` names the access that looks, so that each has inputs of its own.
    """
    for cell in affected:
        change = m.fresh(f"{access}/advance/{cell}", 64)
        # An input of 0 means that nothing happened.
        with m.when(counts(m, cell)):
            before = m.get(cell)
            after = before ^ (change & limit(m, cell))
            with m.when(after.ne(before)):
                m.emit("count", cell, before, after)
            m.set(cell, after)


def advance_all(m: Machine, access: str) -> None:
    """Everything that counts may have advanced and overflowed, just before the controls change."""
    _overflow(m, access)
    advance(m, access, *counted(m))


def _overflow(m: Machine, access: str) -> None:
    """Counters that advance may have overflowed."""
    none, bits = m.const(0, 64), m.fresh(f"{access}/overflow", 64)
    able = none
    for cell, counts_now, _ in counting(m):
        able = able | m.ite(counts_now, m.const(1 << position(cell), 64), none)
    before = m.get(GLOBAL_STATUS)
    after = before | (bits & able)
    with m.when(after.ne(before)):
        m.emit("overflow", GLOBAL_STATUS, before, after)
    m.set(GLOBAL_STATUS, after)


# Names of MSRs ----------------------------------------------------------------------------------


def numbers(m: Machine) -> dict[int, tuple[str, int]]:
    """Every MSR number of this model with its kind and index."""
    return msr.table(size(m, "gp"), size(m, "fixed"))


def cell_of(kind: str, index: int) -> str:
    """The register that is read and written by an MSR of this kind."""
    indexed = {"PERFCTR": pmc, "PMC": pmc, "EVTSEL": evtsel, "FIXED_CTR": fixed_ctr}
    return indexed[kind](index) if kind in indexed else f"hw.{kind}"


# WRMSR ----------------------------------------------------------------------------------------


def write_msr(m: Machine, number: Any, value: Any, fault: str = "#GP") -> Any:
    """WRMSR of a 64-bit value to the MSR `number` (32 bits); a faulting write is lost, and emits
    `fault` (H15). Whether it faults, which may be or not for an MSR beyond this model."""

    def write(access: str, found: tuple[str, int]) -> Any:
        return _write(m, access, *found, value, fault)

    undefined = m.fresh("undefined/WRMSR", 0)
    faults, other = dispatch(m, number, numbers(m), write, undefined)
    with m.when(other):
        m.not_understood("WRMSR", "the MSR is not part of this hardware model")
    return faults


def _store(m: Machine, cell: str, ok: Any, value: Any, raw: Any, fault: str, note: str = "") -> Any:
    """Write a register where the instruction does not fault; whether it does."""
    before = m.get(cell)
    with m.when(ok):
        m.emit("WRMSR", cell, before, value, note)
        m.set(cell, value)
    with m.when(~ok):
        m.emit(fault, cell, before, raw, f"WRMSR faults{', ' + note if note else ''}")
    return ~ok


def _version(m: Machine, least: int) -> Any:
    """The CPU's PMU has at least this version."""
    return ~m.get("config.host_version").ult(least)


def _fits(m: Machine, cell: str, value: Any) -> Any:
    return (value & ~limit(m, cell)).eq(0)


def _write(m: Machine, access: str, kind: str, index: int, value: Any, fault: str) -> Any:
    """An access through one kind of MSR; whether it faults."""
    if kind == "PERFCTR":
        cell = pmc(index)
        stored = value.extract(31, 0).sext(64) & limit(m, cell)
        return _store(m, cell, has_gp(m, index), stored, value, fault, "legacy alias")
    if kind == "PMC":
        cell = pmc(index)
        ok = has_gp(m, index) & capability(m, msr.CAP_FW_WRITES) & _fits(m, cell, value)
        return _store(m, cell, ok, value, value, fault)
    if kind == "FIXED_CTR":
        return _write_fixed(m, access, index, value, fault)
    if kind == "EVTSEL":
        advance(m, access, pmc(index))
        return _store(m, evtsel(index), has_gp(m, index), value, value, fault)
    if kind == "FIXED_CTR_CTRL":
        fixed = [fixed_ctr(i) for i in range(size(m, "fixed"))]
        advance(m, access, *fixed, PERF_METRICS)
        return _store(m, FIXED_CTR_CTRL, _version(m, 2), value, value, fault)
    if kind == "GLOBAL_CTRL":
        advance_all(m, access)
        ok = _version(m, 2) & _fits(m, GLOBAL_CTRL, value)
        return _store(m, GLOBAL_CTRL, ok, value, value, fault)
    if kind in ("STATUS_RESET", "STATUS_SET"):
        _overflow(m, access)
        status = m.get(GLOBAL_STATUS)
        after = status & ~value if kind == "STATUS_RESET" else status | value
        note = f"GLOBAL_{kind}"
        # Bits can be set from version 4 on (H8).
        least = 2 if kind == "STATUS_RESET" else 4
        ok = _version(m, least) & _fits(m, GLOBAL_STATUS, value)
        return _store(m, GLOBAL_STATUS, ok, after, value, fault, note)
    if kind == "PERF_METRICS":
        ignored = m.get("param.metrics_reserved").eq(METRICS_RESERVED.index("ignore"))
        ok = has_metrics(m) & (ignored | _fits(m, PERF_METRICS, value))
        return _store(m, PERF_METRICS, ok, value & limit(m, PERF_METRICS), value, fault)
    # GLOBAL_STATUS (H8) and PERF_CAPABILITIES are read-only.
    cell = GLOBAL_STATUS if kind == "GLOBAL_STATUS" else "config.host_perf_cap"
    return _store(m, cell, m.flag(False), value, value, fault, "read-only")


def _write_fixed(m: Machine, access: str, index: int, value: Any, fault: str) -> Any:
    cell = fixed_ctr(index)
    ok = has_fixed(m, index) & _fits(m, cell, value)
    faults = _store(m, cell, ok, value, value, fault)
    if index == 3:
        with m.when(ok):
            fixed3_effect(m, access)
    return faults


def fixed3_effect(m: Machine, access: str) -> None:
    """What a write of fixed counter 3 does to PERF_METRICS (H3): a parameter."""
    before, mode = m.get(PERF_METRICS), m.get("param.fixed3_write")
    undefined = m.fresh(f"{access}/undefined/PERF_METRICS", 64) & limit(m, PERF_METRICS)
    cleared = mode.eq(FIXED3_WRITE.index("clear"))
    havoc = mode.eq(FIXED3_WRITE.index("havoc"))
    after = m.ite(havoc, undefined, m.ite(cleared, m.const(0, 64), before))
    with m.when(after.ne(before)):
        m.emit("effect", PERF_METRICS, before, after, "of the write to fixed counter 3")
    m.set(PERF_METRICS, after)


# RDMSR and RDPMC ------------------------------------------------------------------------------


def has_msr(m: Machine, number: Any) -> Any:
    """RDMSR of the MSR `number` (32 bits) does not fault, which may be or not for an MSR beyond
    this model (H15)."""
    undefined = m.fresh("undefined/RDMSR/exists", 0)
    found, _ = dispatch(m, number, numbers(m), lambda access, found: _exists(m, *found), undefined)
    return found


def read_msr(m: Machine, number: Any) -> Any:
    """RDMSR of the MSR `number` (32 bits): its 64-bit value; any value for one that is not part
    of this model, as reading it changes nothing here."""
    undefined = m.fresh("undefined/RDMSR", 64)
    value, _ = dispatch(
        m, number, numbers(m), lambda access, found: _read(m, access, *found), undefined
    )
    return value


def _read(m: Machine, access: str, kind: str, index: int) -> Any:
    if kind == "PERF_CAPABILITIES":
        value = m.get("config.host_perf_cap")
        with m.when(~_exists(m, kind, index)):
            m.emit("#GP", kind, value, value, "RDMSR faults")
        m.emit("RDMSR", kind, value, value)
        return value
    writes_only = kind in ("STATUS_RESET", "STATUS_SET")
    cell = GLOBAL_STATUS if writes_only else cell_of(kind, index)
    value = m.get(cell)
    with m.when(~_exists(m, kind, index)):
        m.emit("#GP", cell, value, value, "RDMSR faults")
    if writes_only:
        return m.const(0, 64)
    if cell in counted(m):
        advance(m, access, cell)
    elif cell == GLOBAL_STATUS:
        _overflow(m, access)
    value = m.get(cell)
    m.emit("RDMSR", cell, value, value)
    return value


def _exists(m: Machine, kind: str, index: int) -> Any:
    """The CPU has the MSR of this kind."""
    if kind == "PERF_CAPABILITIES":
        return m.get("config.host_pdcm")
    if kind in ("PERFCTR", "EVTSEL"):
        return has_gp(m, index)
    if kind == "PMC":
        return has_gp(m, index) & capability(m, msr.CAP_FW_WRITES)
    if kind == "FIXED_CTR":
        return has_fixed(m, index)
    if kind == "PERF_METRICS":
        return has_metrics(m)
    return _version(m, 4 if kind == "STATUS_SET" else 2)


def by_ecx(gp: int, fixed: int) -> dict[int, str]:
    """What RDPMC reads with each ECX, with this many counters (H5)."""
    places = {i: pmc(i) for i in range(gp)}
    places |= {RDPMC_FIXED | i: fixed_ctr(i) for i in range(fixed)}
    return {**places, RDPMC_METRICS: PERF_METRICS}


def read_pmc(m: Machine, ecx: Any) -> Any:
    """RDPMC of `ecx` (32 bits) by the kernel, at CPL 0: a 64-bit value (H5, H6).

    A faulting one has no fix-up (H15): it emits `#GP`; its value is the absent register's 0.
    """
    places = by_ecx(size(m, "gp"), size(m, "fixed"))
    value, other = dispatch(
        m, ecx, places, lambda access, cell: _read_pmc(m, access, cell), m.const(0, 64)
    )
    with m.when(other):
        m.emit("#GP", "RDPMC", value, value, "no such counter")
    return value


def _read_pmc(m: Machine, access: str, cell: str) -> Any:
    advance(m, access, cell)
    value = m.get(cell)
    present = exists(m, cell)
    m.emit("RDPMC", cell, value, value)
    with m.when(~present):
        m.emit("#GP", cell, value, value, "RDPMC faults: no such counter")
    if cell == PERF_METRICS:
        acts = m.get("param.metrics_clear_cpl0").eq(METRICS_CLEAR_CPL0.index("1"))
        with m.when(present & acts & metrics_clear(m)):
            for cleared in (PERF_METRICS, fixed_ctr(3)):
                m.emit("effect", cleared, m.get(cleared), m.const(0, 64), "RDPMC metrics-clear")
                m.set(cleared, m.const(0, 64))
    return value


def metrics_clear(m: Machine) -> Any:
    """RDPMC of PERF_METRICS clears it and fixed counter 3 after the read (H6)."""
    enabled = _bit(m.get(FIXED_CTR_CTRL), METRICS_CLEAR_BIT)
    return capability(m, msr.CAP_METRICS_CLEAR) & has_metrics(m) & enabled
