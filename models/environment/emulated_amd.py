"""What emulated writes of AMD's PMU MSRs, and emulated events, do to the registers, by the
architecture.

Bits that a register does not have for the guest are 0 and stay so. Cells: the bits of a guest's
GLOBAL_CTRL and -STATUS `config.guest_counters`, and of its selectors `config.guest_selector`.
"""

from __future__ import annotations

from typing import Any

from models.environment.counting import Counter, Counters, off, selected
from models.environment.emulated import becomes, ghost
from models.environment.filtering import Control, Controls
from models.environment.kvm import mediated
from models.hardware import amd_pmu as pmu
from models.hardware.pmu import EVTSEL_ENABLE, EVTSEL_INT, EVTSEL_PRIVILEGE, evtsel
from verify.ir.machine import Machine
from verify.target import Assumption

ASSUMPTIONS = (
    Assumption(
        "counted.sides",
        "whether a selector with a unit mask counts an emulated instruction or branch is not "
        "looked at: one or none",
    ),
    Assumption(
        "counted.svme",
        "EFER.SVME of the guest, by which its GuestOnly and HostOnly bits work, is set or not for "
        "good",
    ),
)

# In a selector: the event; and that, with what says where it counts and what an overflow does.
_EVENT = 0xF_0000_00FF
_UNIT_MASK = 0xFF00
_SIDES = pmu.GUEST_ONLY | pmu.HOST_ONLY
_PLAIN = _EVENT | EVTSEL_PRIVILEGE | EVTSEL_ENABLE | EVTSEL_INT | _SIDES
_EFER_SVME = 1 << 12
_WHOLE = (1 << 64) - 1

CELLS = {"config.guest_counters": 64, "config.guest_selector": 64}


def limits(m: Machine, guest_pmu: str) -> None:
    """Compute the masks of a guest whose PMU has been configured."""
    count = m.get(f"{guest_pmu}.nr_arch_gp_counters").zext(64)
    m.set("config.guest_counters", (m.const(1, 64) << count) - 1)
    # Who runs no guests has no bits to tell them from itself (APM).
    plain = pmu.EVTSEL_BITS & ~_SIDES
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


def instructions(vcpu: str, count: int) -> Counters:
    """For an instruction, so many counters of a vCPU's PMU."""
    return lambda m: [_counter(m, vcpu, i, pmu.INSTRUCTIONS) for i in range(count)]


def branches(vcpu: str, count: int) -> Counters:
    """The same for a branch."""
    return lambda m: [_counter(m, vcpu, i, pmu.BRANCHES) for i in range(count)]


def _on_this_side(m: Machine, vcpu: str, selector: Any) -> Any:
    """A selector of a guest has its counter count while the guest runs no guest of its own: it has
    neither of GuestOnly and HostOnly or, with EFER.SVME, not GuestOnly alone (medium: svm/pmu.c,
    amd_pmc_is_disabled_in_current_mode)."""
    sides, svme = selector & _SIDES, (m.get(f"{vcpu}.arch.efer") & _EFER_SVME).nonzero()
    return sides.eq(0) | (svme & sides.ne(pmu.GUEST_ONLY))


def controls(vcpu: str, count: int) -> Controls:
    """How so many counters that KVM handles are controlled, of a vCPU's PMU."""
    of = f"{vcpu}.arch.pmu"

    def control(m: Machine, i: int) -> Control:
        guest, copy = m.get(ghost("EVTSEL", i)), m.get(f"{of}.gp_counters[{i}].eventsel_hw")
        has = mediated(m, vcpu) & m.const(i, 32).ult(m.get(f"{of}.nr_arch_gp_counters"))
        wanted = (guest & EVTSEL_ENABLE).nonzero() & _on_this_side(m, vcpu, guest)
        on = (copy & EVTSEL_ENABLE).nonzero()
        # To the CPU the guest is a guest, whatever it runs itself.
        same = copy.eq((guest & ~pmu.HOST_ONLY) | pmu.GUEST_ONLY)
        return Control(has, i, evtsel(i), guest, copy, wanted, on, same, _EVENT | _UNIT_MASK)

    return lambda m: [control(m, i) for i in range(count)]


def _counter(m: Machine, vcpu: str, i: int, event: int) -> Counter:
    of, selector = f"{vcpu}.arch.pmu", m.get(ghost("EVTSEL", i))
    absent = m.get(f"{of}.nr_arch_gp_counters").ule(i)
    obstacles = [
        (absent, "the guest has not got"),
        (off(m, of, i), "GLOBAL_CTRL has off"),
        ((selector & EVTSEL_ENABLE).eq(0), "its selector has off"),
        (~_on_this_side(m, vcpu, selector), "its selector has for another side of VMRUN"),
        ((selector & _EVENT).ne(event), "counts another event"),
        (~selected(m, selector), "does not count at the guest's privilege level"),
    ]
    vague, interrupts = (selector & ~_PLAIN).nonzero(), (selector & EVTSEL_INT).nonzero()
    limit = m.ite(absent, m.const(_WHOLE, 64), m.const((1 << pmu.WIDTH) - 1, 64))
    return Counter(ghost("PMC", i), i, limit, obstacles, vague, interrupts)
