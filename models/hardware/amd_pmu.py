"""The AMD PMU: what WRMSR, RDMSR and RDPMC do to its registers (facts H1, H14, H15; APM and PPR).

Cells: hw.PMC[i] hw.EVTSEL[i] hw.GLOBAL_CTRL hw.GLOBAL_STATUS hw.LVTPC, and hw.DF_CTR and
hw.L3_CTR for the counters of data fabric and L3 cache, which the CPU's cores share. GLOBAL_CTRL
and GLOBAL_STATUS (performance monitoring version 2) are the manual's PerfCntrGlobalCtl and
PerfCntrGlobalStatus.

A CPU may have one counter more than KVM handles. `config.host_core`: it has the MSRs of the core
counter extension, `config.host_v2`: those of version 2, and `config.host_freeze`: overflows can
freeze branch records and counters, which GLOBAL_STATUS then tells. That frozen counters stand still
is not modelled: they may count or not. EFER.SVME is set, as long as KVM may
run a guest on the CPU.

Counters advance lazily, as in intel_pmu.py.
"""

from __future__ import annotations

from typing import Any

from models.hardware.constants import known
from models.hardware.dispatch import dispatch
from models.hardware.pmu import (
    EVTSEL_ENABLE,
    EVTSEL_PRIVILEGE,
    GLOBAL_CTRL,
    GLOBAL_STATUS,
    LVTPC,
    evtsel,
    index_of,
    pmc,
)
from verify.ir.machine import Machine

K7_EVTSEL0 = 0xC0010000
K7_PERFCTR0 = 0xC0010004
CORE_CTL0 = 0xC0010200
CORE_CTR0 = 0xC0010201
STATUS = 0xC0000300
CTL = 0xC0000301
STATUS_CLR = 0xC0000302
STATUS_SET = 0xC0000303
WRITES_STATUS = (STATUS_CLR, STATUS_SET)

LEGACY_COUNTERS = 4
MOST_GP = 15  # what CPUID can tell
WIDTH = 48
INSTRUCTIONS, BRANCHES = 0xC0, 0xC2
"""Event selects of retired instructions and branches (events/amd/core.c: amd_perfmon_event_map,
high)."""
GUEST_ONLY = 1 << 40
HOST_ONLY = 1 << 41
# Event select, unit mask, user and OS, edge, interrupt, enable, invert, count mask, event select
EVTSEL_BITS = 0xF_FFD7_FFFF | GUEST_ONLY | HOST_ONLY
# The branch records, and the counters, are frozen (APM)
EVENT_BITS = 3 << 58
# Freezes take bits of DEBUGCTL that KVM refuses to guests (svm.c: svm_set_msr).
GUEST_EVENT_BITS = 0

DF_CTR = "hw.DF_CTR"
L3_CTR = "hw.L3_CTR"
# ECX of RDPMC (events/amd/uncore.c)
RDPMC_CORE = range(6)
RDPMC_DF = range(6, 10)
RDPMC_L3 = range(10, 16)

_SHARED = {DF_CTR: "config.host_nb", L3_CTR: "config.host_llc"}
"""Whether RDPMC reads shared counters, by their cell."""

RESERVED_WRITES = ("ignore", "fault")


# What perf tells of the CPU beside its number of counters: no version before 2, no fixed counters
_TOLD = {
    "config.host_version": 0,
    "config.host_fixed": 0,
    "config.host_gp_width": WIDTH,
    "config.host_fixed_width": 0,
}


# What counters and selectors can hold, and selectors that are off. They are inputs with one
# possible value, which gives them a name: what is inferred of other cells can then speak of them.
_LIMITS = {
    "config.limit_gp": (1 << WIDTH) - 1,
    "config.limit_selector": EVTSEL_BITS,
    "config.limit_off": EVTSEL_BITS & ~EVTSEL_ENABLE,
}


def cells(gp: int) -> dict[str, int]:
    """Every cell of this model with its width in bits (0: a truth value)."""
    registers = [GLOBAL_CTRL, GLOBAL_STATUS, LVTPC, DF_CTR, L3_CTR]
    for i in range(gp):
        registers += [pmc(i), evtsel(i)]
    return {
        **dict.fromkeys(registers, 64),
        "config.size_gp": 8,
        "config.host_gp": 8,
        **dict.fromkeys(_TOLD, 8),
        "config.host_core": 0,
        "config.host_v2": 0,
        "config.host_freeze": 0,
        "config.host_nb": 0,
        "config.host_llc": 0,
        "param.reserved_writes": 1,
        **dict.fromkeys((*_LIMITS, "config.limit_ctrl", "config.limit_status"), 64),
    }


def size(m: Machine) -> int:
    """How many counters are modelled."""
    count = known(m.get("config.size_gp"))
    assert count is not None
    return count


def counter_cells(gp: int) -> list[str]:
    """The cells of this many counters."""
    return [pmc(i) for i in range(gp)]


def has_gp(m: Machine, i: int) -> Any:
    """The CPU has counter i."""
    return m.const(i, 8).ult(m.get("config.host_gp"))


def limits(m: Machine) -> None:
    """Assume a configuration that exists and compute the masks that follow from it."""
    gp = m.get("config.host_gp")
    m.assume(gp.ne(0) & gp.ule(size(m)))
    # Version 2 counts the counters of the core extension; its GLOBAL_STATUS tells of freezes.
    m.assume(~m.get("config.host_v2") | m.get("config.host_core"))
    m.assume(~m.get("config.host_freeze") | m.get("config.host_v2"))
    for name, value in _TOLD.items():
        m.set(name, m.const(value, 8))
    with m.when(m.get("config.host_v2")):
        m.set("config.host_version", m.const(2, 8))
    for name, bits in _LIMITS.items():
        found = m.get(name)
        m.assume((found & ~m.const(bits, 64)).eq(0) & (~found & bits).eq(0))
    counters = (m.const(1, 64) << gp.zext(64)) - 1
    m.set("config.limit_ctrl", counters)
    events = m.ite(m.get("config.host_freeze"), m.const(EVENT_BITS, 64), m.const(0, 64))
    m.set("config.limit_status", counters | events)


def exists(m: Machine, cell: str) -> Any:
    """The CPU has the register."""
    if cell in _SHARED:
        return m.get(_SHARED[cell])
    return has_gp(m, index_of(cell)) if "[" in cell else m.get("config.host_v2")


def limit(m: Machine, cell: str) -> Any:
    """The bits that a register can hold on this CPU (64 bits)."""
    if cell == GLOBAL_CTRL:
        return m.get("config.limit_ctrl")
    if cell == GLOBAL_STATUS:
        return m.get("config.limit_status")
    counter = cell in _SHARED or cell == pmc(index_of(cell))
    bits = m.get("config.limit_gp" if counter else "config.limit_selector")
    return m.ite(exists(m, cell), bits, m.const(0, 64))


def limited(m: Machine) -> list[str]:
    """The cells of registers whose values are limited."""
    return [*registers(m), *_SHARED]


def registers(m: Machine) -> list[str]:
    """The cells of all registers that an MSR of a core reads or writes."""
    selectors = [evtsel(i) for i in range(size(m))]
    return [*counted(m), *selectors, GLOBAL_CTRL, GLOBAL_STATUS]


def by_rdpmc(m: Machine) -> list[str]:
    """The cells that some RDPMC reads."""
    return [*dict.fromkeys(_rdpmc(m).values())]


def legal(m: Machine) -> Any:
    """The registers hold values that this CPU can hold."""
    ok = m.flag(True)
    for cell in limited(m):
        ok = ok & (m.get(cell) & ~limit(m, cell)).eq(0)
    return ok


def perf_ctrl(m: Machine) -> Any:
    """What host perf has in GLOBAL_CTRL while it counts: all counters (events/amd/core.c)."""
    return m.get("config.limit_ctrl")


def off(m: Machine) -> dict[str, Any]:
    """What host perf leaves in the selectors, by cell: anything but the enable bit."""
    bits = m.get("config.limit_off")
    return {c: m.fresh(c, 64) & limit(m, c) & bits for c in map(evtsel, range(size(m)))}


# Counting (H14) ---------------------------------------------------------------------------------


def counted(m: Machine) -> list[str]:
    """The cells of what counts."""
    return counter_cells(size(m))


def position(cell: str) -> int:
    """The bit of a counter in GLOBAL_CTRL and GLOBAL_STATUS."""
    return index_of(cell)


def goes_with(cell: str) -> str:
    """The counter that a register counts with: itself."""
    return cell


def control(cell: str) -> str:
    """The selector of a counter."""
    return evtsel(index_of(cell))


def _selected(m: Machine, cell: str, other_side: int) -> Any:
    """The selector lets the counter count on one side of VMRUN: it is not only for the other."""
    selector = m.get(control(cell))
    only_other = (selector & (GUEST_ONLY | HOST_ONLY)).eq(other_side)
    return _set(selector, EVTSEL_ENABLE) & _set(selector, EVTSEL_PRIVILEGE) & ~only_other


def _set(value: Any, bits: int) -> Any:
    return (value & bits).nonzero()


def selected_in_guest(m: Machine, cell: str) -> Any:
    """The counter's selector lets it count while a guest runs."""
    return _selected(m, cell, HOST_ONLY)


def counts(m: Machine, cell: str) -> Any:
    """The counter advances now, while the host runs."""
    return _on(m, cell) & _selected(m, cell, GUEST_ONLY)


def counts_in_guest(m: Machine, cell: str) -> Any:
    """The counter advances while a guest runs with what the registers hold now."""
    return _on(m, cell) & selected_in_guest(m, cell)


def _on(m: Machine, cell: str) -> Any:
    return _set(m.get(GLOBAL_CTRL), 1 << position(cell))


def counting(m: Machine) -> list[tuple[str, Any, str]]:
    """Which counters advance now, while the host runs: (cell, flag, why)."""
    return [
        (cell, counts(m, cell), f"{evtsel(index_of(cell))[3:]} is not for the guest only")
        for cell in counted(m)
    ]


def _advance(m: Machine, access: str, *affected: str) -> None:
    """These counters may have advanced since they were last looked at, by any amount."""
    for cell in affected:
        change = m.fresh(f"{access}/advance/{cell}", 64)
        with m.when(counts(m, cell)):
            before = m.get(cell)
            after = before ^ (change & limit(m, cell))
            with m.when(after.ne(before)):
                m.emit("count", cell, before, after)
            m.set(cell, after)


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


def advance_all(m: Machine, access: str) -> None:
    """Everything that counts may have advanced and overflowed, just before that changes."""
    _overflow(m, access)
    _advance(m, access, *counted(m))


# Names of MSRs ----------------------------------------------------------------------------------


def table(gp: int) -> dict[int, tuple[str, int]]:
    """MSR number -> (kind of register, index) on a CPU with this many counters."""
    found = {
        STATUS: ("GLOBAL_STATUS", 0),
        CTL: ("GLOBAL_CTRL", 0),
        STATUS_CLR: ("STATUS_RESET", 0),
        STATUS_SET: ("STATUS_SET", 0),
    }
    for i in range(gp):
        if i < LEGACY_COUNTERS:
            found[K7_EVTSEL0 + i] = ("K7_EVTSEL", i)
            found[K7_PERFCTR0 + i] = ("K7_PERFCTR", i)
        found[CORE_CTL0 + 2 * i] = ("EVTSEL", i)
        found[CORE_CTR0 + 2 * i] = ("PMC", i)
    return found


def numbers(m: Machine) -> dict[int, tuple[str, int]]:
    """Every MSR number of this model with its kind and index."""
    return table(size(m))


def cell_of(kind: str, index: int) -> str:
    """The register that is read and written by an MSR of this kind."""
    indexed = {"K7_PERFCTR": pmc, "PMC": pmc, "K7_EVTSEL": evtsel, "EVTSEL": evtsel}
    return indexed[kind](index) if kind in indexed else f"hw.{kind}"


def _has_msr(m: Machine, kind: str, index: int) -> Any:
    """The CPU has an MSR of this kind."""
    if kind.startswith("K7_"):
        return has_gp(m, index)
    if kind in ("PMC", "EVTSEL"):
        return has_gp(m, index) & m.get("config.host_core")
    return m.get("config.host_v2")


# WRMSR, RDMSR and RDPMC -------------------------------------------------------------------------


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


def _write(m: Machine, access: str, kind: str, index: int, value: Any, fault: str) -> Any:
    """An access through one kind of MSR; whether it faults."""
    cell, note = cell_of(kind, index), ""
    if kind in ("STATUS_RESET", "STATUS_SET"):
        cell, note = GLOBAL_STATUS, f"GLOBAL_{kind}"
    elif kind.startswith("K7_"):
        note = "legacy alias"
    if cell == GLOBAL_CTRL:
        advance_all(m, access)
    elif cell == GLOBAL_STATUS:
        _overflow(m, access)
    elif cell == evtsel(index):
        _overflow(m, access)
        _advance(m, access, pmc(index))
    before, bits = m.get(cell), limit(m, cell)
    ignored = m.get("param.reserved_writes").eq(RESERVED_WRITES.index("ignore"))
    ok = _has_msr(m, kind, index) & (ignored | (value & ~bits).eq(0))
    after = value & bits
    if kind == "STATUS_RESET":
        after = before & ~value
    elif kind == "STATUS_SET":
        after = before | (value & bits)
    elif kind == "GLOBAL_STATUS":
        # Read-only, which may mean either.
        ok, after = ok & ignored, before
    with m.when(ok):
        m.emit("WRMSR", cell, before, after, note)
        m.set(cell, after)
    with m.when(~ok):
        m.emit(fault, cell, before, value, f"WRMSR faults{', ' + note if note else ''}")
    return ~ok


def has_msr(m: Machine, number: Any) -> Any:
    """RDMSR of the MSR `number` (32 bits) does not fault, which may be or not for an MSR beyond
    this model (H15)."""
    undefined = m.fresh("undefined/RDMSR/exists", 0)
    found, _ = dispatch(m, number, numbers(m), lambda access, found: _has_msr(m, *found), undefined)
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
    writes_only = kind in ("STATUS_RESET", "STATUS_SET")
    cell = GLOBAL_STATUS if writes_only else cell_of(kind, index)
    with m.when(~_has_msr(m, kind, index)):
        value = m.get(cell)
        m.emit("#GP", cell, value, value, "RDMSR faults: no such MSR")
    if writes_only:
        return m.const(0, 64)
    if cell == GLOBAL_STATUS:
        _overflow(m, access)
    elif cell in counted(m):
        _advance(m, access, cell)
    value = m.get(cell)
    m.emit("RDMSR", cell, value, value)
    return value


def _rdpmc(m: Machine) -> dict[int, str]:
    """ECX of RDPMC -> the counter that it reads."""
    core = {i: pmc(i) for i in RDPMC_CORE if i < size(m)}
    return core | dict.fromkeys(RDPMC_DF, DF_CTR) | dict.fromkeys(RDPMC_L3, L3_CTR)


def read_pmc(m: Machine, ecx: Any) -> Any:
    """RDPMC of `ecx` (32 bits) by the kernel, at CPL 0: a 64-bit value.

    A faulting one has no fix-up (H15): it emits `#GP`; its value is the absent register's 0.
    """
    value, other = dispatch(
        m, ecx, _rdpmc(m), lambda access, cell: _read_pmc(m, access, cell), m.const(0, 64)
    )
    with m.when(other):
        m.emit("#GP", "RDPMC", value, value, "no such counter")
    return value


def _read_pmc(m: Machine, access: str, cell: str) -> Any:
    if cell not in _SHARED:
        _advance(m, access, cell)
    value, present = m.get(cell), exists(m, cell)
    m.emit("RDPMC", cell, value, value)
    with m.when(~present):
        m.emit("#GP", cell, value, value, "RDPMC faults: no such counter")
    return value
