"""What counters make of an event that KVM emulates for the guest (domain.md 4: count.*).

By the architecture (H9): a counter of the guest that is on in GLOBAL_CTRL and by its own controls,
at the privilege level of the guest, for this event, is one more, within its width; when it becomes
0 its bit of GLOBAL_STATUS is set, and an interrupt is due if the counter asks for one. By what
userspace may expect of KVM: nothing that its event filter denies is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.environment import mediated
from models.environment.emulated import ACCEPTED, ghost
from models.environment.kvm import ALLOWED, CPL, PMI, as_bool
from models.environment.kvm import mediated as has_mediated
from verify.ir.machine import Machine
from verify.target import Assumption, EmulatedRead, Item

MISCOUNTED = "miscounts"
"""What traces call an event that is not counted as it must be."""

ASSUMPTIONS = (
    Assumption(
        "counted.modifiers",
        "whether a selector with edge detection, counter mask, inversion or another modifier "
        "counts an emulated instruction or branch is not looked at: one or none",
    ),
    Assumption(
        "counted.width",
        "of events that KVM emulates nothing is expected when CPUID tells the guest of counters "
        "without any bit",
    ),
    Assumption(
        "counted.interrupts",
        "KVM_REQ_PMI brings the guest the interrupt of an overflow (kvm_pmu_deliver_pmi)",
    ),
)


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter that a guest can have, before an event: `cell` with its value; its `bit` in
    GLOBAL_CTRL and GLOBAL_STATUS; the mask of what it can hold; why it does not count the event,
    in words that go after "which"; it is `vague` whether it does; it wants interrupts."""

    cell: str
    bit: int
    limit: Any
    obstacles: Sequence[tuple[Any, str]]
    vague: Any
    interrupts: Any


Counters = Callable[[Machine], list[Counter]]


def off(m: Machine, of: str, bit: int) -> Any:
    """GLOBAL_CTRL, which there is from version 2 of the guest's PMU on, has a counter off."""
    has = m.const(1, 8).ult(m.get(f"{of}.version"))
    return has & m.get(ghost("GLOBAL_CTRL")).extract(bit, bit).eq(0)


def selected(m: Machine, selector: Any) -> Any:
    """An event selector has its counter count at the privilege level of the guest."""
    kernel = m.get(CPL).eq(0)
    return (kernel & _bit(selector, 17)) | (~kernel & _bit(selector, 16))


def _bit(value: Any, bit: int) -> Any:
    return value.extract(bit, bit).eq(1)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A counter around an event. `must`, `may`: it counts that for sure, perhaps."""

    counter: Counter
    before: Any
    after: Any
    more: Any
    must: Any
    may: Any
    obstacles: Sequence[tuple[Any, str]]

    @property
    def overflows(self) -> Any:
        return self.after.ne(self.before) & self.after.eq(0)


def _around(m: Machine, counters: Sequence[Counter], happens: Callable[[], None]) -> list[_Counted]:
    before = [m.get(counter.cell) for counter in counters]
    happens()
    found = []
    for counter, old in zip(counters, before, strict=True):
        denied = m.get(ALLOWED).extract(counter.bit, counter.bit).eq(0)
        obstacles = [*counter.obstacles, (denied, "the event filter denies")]
        may = m.flag(True)
        for obstacle, _ in obstacles:
            may = may & ~obstacle
        more, must = (old + 1) & counter.limit, may & ~counter.vague
        found.append(_Counted(counter, old, m.get(counter.cell), more, must, may, obstacles))
    return found


@dataclass(frozen=True, slots=True)
class Event:
    """An event that KVM emulates while the vCPU is put: by the function that is told of it, with
    the counters as they are for this event. The reads emulate one and look what came of it."""

    vcpu: str
    copies: Sequence[tuple[str, str]]
    function: str
    counters: Counters

    def into(self, cell: str) -> EmulatedRead:
        """What it makes of copy i of a counter, which is at `cell`."""

        def judge(m: Machine, i: int, status: Any, counted: Sequence[_Counted]) -> tuple[Any, Any]:
            (c,) = (c for c in counted if c.counter.cell == cell.format(i))
            return c.after, self._expected(m, c)

        return self._read(judge)

    def into_status(self) -> EmulatedRead:
        """What it makes of GLOBAL_STATUS."""

        def judge(m: Machine, i: int, status: Any, counted: Sequence[_Counted]) -> tuple[Any, Any]:
            for c in counted:
                status = status | m.ite(c.overflows, m.const(1 << c.counter.bit, 64), 0)
            found = m.get(_STATUS)
            self._tell(m, found.ne(status), _STATUS, status, found, "does not set what overflows")
            return found, status

        return self._read(judge)

    def interrupt(self) -> EmulatedRead:
        """Whether it asks for an interrupt: 1 or 0."""

        def judge(m: Machine, i: int, status: Any, counted: Sequence[_Counted]) -> tuple[Any, Any]:
            due = m.flag(False)
            for c in counted:
                due = due | (c.overflows & c.counter.interrupts)
            found, expected = as_bool(m, m.get(PMI), 1), as_bool(m, due, 1)
            for odd, note in (
                (due, "asks for no interrupt, which the counter that overflows wants"),
                (~due, "asks for an interrupt that no counter wants"),
            ):
                self._tell(m, odd & found.ne(expected), _STATUS, expected, found, note)
            return found, expected

        return self._read(judge)

    def _read(self, judge: Callable[..., tuple[Any, Any]]) -> EmulatedRead:
        def event(m: Machine) -> None:
            mediated.edited(m, self.vcpu, self.copies, ACCEPTED, self.function)

        def run(m: Machine, i: int) -> tuple[Any, Any, Any]:
            own = has_mediated(m, self.vcpu)
            with m.when(own):
                mediated.begin_event(m)
                status = m.get(_STATUS)
                counted = _around(m, self.counters(m), lambda: event(m))
                found, expected = judge(m, i, status, counted)
            for c in counted:
                own = own & c.counter.limit.nonzero()
            return own, found, expected

        return run

    def _expected(self, m: Machine, c: _Counted) -> Any:
        cell = c.counter.cell
        name = cell.partition(".")[2]
        expected = m.ite(c.must | (c.may & c.after.eq(c.more)), c.more, c.before)
        odd = c.after.ne(expected)
        for obstacle, text in c.obstacles:
            note = f"changes {name}, which {text}"
            self._tell(m, odd & obstacle, cell, expected, c.after, note)
            odd = odd & ~obstacle
        same = c.after.eq(c.before)
        self._tell(m, odd & same, cell, expected, c.after, f"does not count in {name}")
        note = f"makes something else than one more of {name}"
        self._tell(m, odd & ~same, cell, expected, c.after, note)
        return expected

    def _tell(self, m: Machine, odd: Any, cell: str, expected: Any, found: Any, note: str) -> None:
        with m.when(odd):
            m.emit(MISCOUNTED, cell, expected, found, f"{self.function} {note}")


def of_status(
    events: Sequence[Event], has: Callable[[Machine, int], Any]
) -> tuple[EmulatedRead, ...]:
    """What events make of GLOBAL_STATUS, of guests that have it, and whether they interrupt."""

    def where_it_is(run: EmulatedRead) -> EmulatedRead:
        def status(m: Machine, i: int) -> tuple[Any, Any, Any]:
            accepted, found, expected = run(m, i)
            return accepted & has(m, i), found, expected

        return status

    return (
        *(where_it_is(event.into_status()) for event in events),
        *(event.interrupt() for event in events),
    )


_STATUS = ghost("GLOBAL_STATUS")


def missed(m: Machine, counters: Counters) -> list[Item]:
    """What the hardware's counters must be when the fastpath has emulated an instruction."""
    items = []
    for c in _around(m, counters(m), lambda: None):
        cell = f"hw.{c.counter.cell.partition('.')[2]}"
        value = m.get(cell)
        expected = m.ite(c.must, (value + 1) & c.counter.limit, value)
        items.append(Item(cell, m.get(mediated.SKIPPED), value, expected))
    return items
