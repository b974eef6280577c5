"""What emulated writes of Intel's PMU MSRs, and emulated events, do to the registers, by the
architecture."""

from __future__ import annotations

from typing import Any

from models.environment.counting import Counter, Counters, off, selected
from models.environment.emulated import becomes, ghost
from models.environment.filtering import Control, Controls
from models.environment.kvm import CPL, mediated
from models.hardware import intel_pmu as pmu
from verify.ir.machine import Machine
from verify.target import Assumption

ASSUMPTIONS = (
    Assumption(
        "emulated.perf-metrics-values",
        "PERF_METRICS is only set to values that the CPU's register can hold; whether KVM sees to "
        "that, migrate.closed.load tells",
    ),
)


# In a selector: event and unit mask; what says where an event counts, and what an overflow does.
_WHAT = 0xFFFF
_WHOLE = (1 << 64) - 1
_PLAIN = _WHAT | pmu.EVTSEL_PRIVILEGE | pmu.EVTSEL_ENABLE | 1 << 19 | pmu.EVTSEL_INT


def instructions(of: str, gp: int, fixed: int) -> Counters:
    """For an instruction, so many counters of the guest's PMU, which is at a path."""
    return lambda m: _counters(m, of, gp, fixed, pmu.INSTRUCTIONS)


def branches(of: str, gp: int, fixed: int) -> Counters:
    """The same for a branch, which no fixed counter counts."""
    return lambda m: _counters(m, of, gp, fixed, pmu.BRANCHES)


def _counters(m: Machine, of: str, gp: int, fixed: int, event: int) -> list[Counter]:
    """The counters that a guest can have, for an architectural event (H7, H9, H10)."""
    return [
        *(_gp(m, of, i, event) for i in range(gp)),
        *(_fixed(m, of, i, event) for i in range(fixed)),
    ]


def _bit(value: Any, bit: int) -> Any:
    return value.extract(bit, bit).eq(1)


def _gp(m: Machine, of: str, i: int, event: int) -> Counter:
    selector = m.get(ghost("EVTSEL", i))
    absent = m.get(f"{of}.nr_arch_gp_counters").ule(i)
    obstacles = [
        (absent, "the guest has not got"),
        (off(m, of, i), "GLOBAL_CTRL has off"),
        ((selector & pmu.EVTSEL_ENABLE).eq(0), "its selector has off"),
        ((selector & _WHAT).ne(event), "counts another event"),
        (~selected(m, selector), "does not count at the guest's privilege level"),
    ]
    vague, interrupts = (selector & ~_PLAIN).nonzero(), (selector & pmu.EVTSEL_INT).nonzero()
    limit = m.ite(absent, m.const(_WHOLE, 64), m.get("config.limit_guest_gp"))
    return Counter(ghost("PMC", i), i, limit, obstacles, vague, interrupts)


def _fixed(m: Machine, of: str, i: int, event: int) -> Counter:
    controls, kernel = m.get(ghost("FIXED_CTR_CTRL")), m.get(CPL).eq(0)
    absent = m.get(f"{of}.nr_arch_fixed_counters").ule(i)
    here = (kernel & _bit(controls, 4 * i)) | (~kernel & _bit(controls, 4 * i + 1))
    bit = pmu.FIXED_BASE + i
    obstacles = [
        (absent, "the guest has not got"),
        (off(m, of, bit), "GLOBAL_CTRL has off"),
        (m.flag(i > 0 or event != pmu.FIXED_EVENTS[0]), "counts another event"),
        (~here, "its controls have off at the guest's privilege level"),
    ]
    limit = m.ite(absent, m.const(_WHOLE, 64), m.get("config.limit_guest_fixed"))
    interrupts = _bit(controls, 4 * i + 3)
    return Counter(ghost("FIXED_CTR", i), bit, limit, obstacles, m.flag(False), interrupts)


def controls(vcpu: str, gp: int, fixed: int) -> Controls:
    """How so many counters that KVM handles are controlled, of a vCPU's PMU."""
    of = f"{vcpu}.arch.pmu"

    def found(m: Machine) -> list[Control]:
        of_gp, of_fixed = (m.get(f"{of}.nr_arch_{kind}_counters") for kind in ("gp", "fixed"))
        own = mediated(m, vcpu)
        return [
            *(_gp_control(m, of, i, own & m.const(i, 32).ult(of_gp)) for i in range(gp)),
            *(_fixed_control(m, of, i, own & m.const(i, 32).ult(of_fixed)) for i in range(fixed)),
        ]

    return found


def _gp_control(m: Machine, of: str, i: int, has: Any) -> Control:
    guest, copy = m.get(ghost("EVTSEL", i)), m.get(f"{of}.gp_counters[{i}].eventsel_hw")
    wanted, on = ((value & pmu.EVTSEL_ENABLE).nonzero() for value in (guest, copy))
    return Control(has, i, pmu.evtsel(i), guest, copy, wanted, on, guest.eq(copy), _WHAT)


def _fixed_control(m: Machine, of: str, i: int, has: Any) -> Control:
    cells = ghost("FIXED_CTR_CTRL"), f"{of}.fixed_ctr_ctrl_hw"
    guest, copy = (m.get(cell).extract(4 * i + 3, 4 * i) for cell in cells)
    wanted, on = (value.extract(1, 0).nonzero() for value in (guest, copy))
    bit, same = pmu.FIXED_BASE + i, guest.eq(copy)
    return Control(has, bit, pmu.FIXED_CTR_CTRL, guest, copy, wanted, on, same, 0)


def expect(m: Machine, kind: str, index: int, data: Any, from_host: Any) -> None:
    """What the guest must find in the register after an accepted write (H8, H11)."""
    if kind == "PERF_METRICS":
        m.assume((data & ~pmu.limit(m, pmu.PERF_METRICS)).eq(0))
    if kind == "PERFCTR":
        # Userspace restores whole values by the short name (domain.md 3).
        whole = m.ite(from_host, data, data.extract(31, 0).sext(64))
        becomes(m, ghost("PMC", index), whole & m.get("config.limit_guest_gp"))
    elif kind == "PMC":
        becomes(m, ghost("PMC", index), data & m.get("config.limit_guest_gp"))
    elif kind == "FIXED_CTR":
        becomes(m, ghost("FIXED_CTR", index), data & m.get("config.limit_guest_fixed"))
    elif kind == "EVTSEL":
        becomes(m, ghost("EVTSEL", index), data)
    elif kind == "STATUS_RESET":
        # Userspace writes back what it has read, which is 0 for this register.
        with m.when(~from_host):
            becomes(m, ghost("GLOBAL_STATUS"), m.get(ghost("GLOBAL_STATUS")) & ~data)
    elif kind == "STATUS_SET":
        with m.when(~from_host):
            becomes(m, ghost("GLOBAL_STATUS"), m.get(ghost("GLOBAL_STATUS")) | data)
    elif kind != "PERF_CAPABILITIES":
        becomes(m, ghost(kind), data)
