"""What emulated writes of AMD's PMU MSRs, and emulated events, do to the registers, by the
architecture.

Bits that a register does not have for the guest are 0 and stay so. Cells: the bits of a guest's
GLOBAL_CTRL and -STATUS `config.guest_counters`, and of its selectors `config.guest_selector`.
"""

from __future__ import annotations

from typing import Any

from models.environment.counting import Counter, Counters, off, selected
from models.environment.emulated import becomes, ghost
from models.hardware import amd_pmu as pmu
from models.hardware.pmu import EVTSEL_ENABLE, EVTSEL_INT, EVTSEL_PRIVILEGE
from verify.ir.machine import Machine
from verify.target import Assumption

ASSUMPTIONS = (
    Assumption(
        "counted.sides",
        "whether a selector with a unit mask, or one that tells guests from hosts, counts an "
        "emulated instruction or branch is not looked at: one or none",
    ),
)

# In a selector: the event; and that, with what says where it counts and what an overflow does.
_EVENT = 0xF_0000_00FF
_PLAIN = _EVENT | EVTSEL_PRIVILEGE | EVTSEL_ENABLE | EVTSEL_INT
_WHOLE = (1 << 64) - 1

CELLS = {"config.guest_counters": 64, "config.guest_selector": 64}


def limits(m: Machine, guest_pmu: str) -> None:
    """Compute the masks of a guest whose PMU has been configured."""
    count = m.get(f"{guest_pmu}.nr_arch_gp_counters").zext(64)
    m.set("config.guest_counters", (m.const(1, 64) << count) - 1)
    # Who runs no guests has no bits to tell them from itself (APM).
    plain = pmu.EVTSEL_BITS & ~(pmu.GUEST_ONLY | pmu.HOST_ONLY)
    bits = m.ite(m.get("config.guest_svm"), m.const(pmu.EVTSEL_BITS, 64), m.const(plain, 64))
    m.set("config.guest_selector", bits)


def expect(m: Machine, kind: str, index: int, data: Any, from_host: Any) -> None:
    """What the guest must find in the register after an accepted write."""
    counters = data & m.get("config.guest_counters")
    if kind in ("PMC", "K7_PERFCTR"):
        becomes(m, ghost("PMC", index), data & ((1 << pmu.WIDTH) - 1))
    elif kind in ("EVTSEL", "K7_EVTSEL"):
        becomes(m, ghost("EVTSEL", index), data & m.get("config.guest_selector"))
    elif kind == "GLOBAL_CTRL":
        becomes(m, ghost(kind), counters)
    elif kind == "GLOBAL_STATUS":
        # Read-only but for userspace.
        with m.when(from_host):
            becomes(m, ghost(kind), data)
    else:
        # Userspace writes back what it has read, which is 0 for these registers.
        status = m.get(ghost("GLOBAL_STATUS"))
        with m.when(~from_host):
            after = status & ~data if kind == "STATUS_RESET" else status | counters
            becomes(m, ghost("GLOBAL_STATUS"), after)


def instructions(of: str, count: int) -> Counters:
    """For an instruction, so many counters of the guest's PMU, which is at a path."""
    return lambda m: [_counter(m, of, i, pmu.INSTRUCTIONS) for i in range(count)]


def branches(of: str, count: int) -> Counters:
    """The same for a branch."""
    return lambda m: [_counter(m, of, i, pmu.BRANCHES) for i in range(count)]


def _counter(m: Machine, of: str, i: int, event: int) -> Counter:
    selector = m.get(ghost("EVTSEL", i))
    absent = m.get(f"{of}.nr_arch_gp_counters").ule(i)
    obstacles = [
        (absent, "the guest has not got"),
        (off(m, of, i), "GLOBAL_CTRL has off"),
        ((selector & EVTSEL_ENABLE).eq(0), "its selector has off"),
        ((selector & _EVENT).ne(event), "counts another event"),
        (~selected(m, selector), "does not count at the guest's privilege level"),
    ]
    vague, interrupts = (selector & ~_PLAIN).nonzero(), (selector & EVTSEL_INT).nonzero()
    limit = m.ite(absent, m.const(_WHOLE, 64), m.const((1 << pmu.WIDTH) - 1, 64))
    return Counter(ghost("PMC", i), i, limit, obstacles, vague, interrupts)
