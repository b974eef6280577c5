"""Rules on what happens while the steps run: order.quiet, count.switch, fault.*, warn.guest, and
those that a target adds (domain.md 4). A monitor cell for each rule and step remembers that it was
broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verify.encode import term as t
from verify.encode.switch import STATE, Switch
from verify.ir.machine import Machine
from verify.ir.program import Program
from verify.prove.property import BREAKS, READ, Probe, Property, Violation, simply
from verify.target import Event, Target, Watch

ACCESSES = ("WRMSR", "RDMSR", "RDPMC")
FAULTS = {"#GP": "and faults (#GP)", "VM-entry-failed": "and fails"}
EMULATED = "emulated"
"""Where emulated accesses are watched; else it is a step."""


def watches(target: Target, program: Program) -> list[Watch]:
    """The rules for every switch (some only where something counts), and those of the target."""
    counters = frozenset(target.counters(program))
    steps = target.steps(program)
    switched = tuple(step.name for step in steps if step.start != step.end)

    def counting(m: Machine) -> list[tuple[Any, str]]:
        return [
            (counts, f"while {counter.rpartition('.')[2]} counts: {why}")
            for counter, counts, why in target.counting(m)
        ]

    def loud(m: Machine, event: Event) -> list[tuple[Any, str]]:
        return counting(m) if event.op in ACCESSES and event.register in counters else []

    def counts(m: Machine, event: Event) -> list[tuple[Any, str]]:
        return counting(m) if event.op in ACCESSES else []

    def faults(m: Machine, event: Event) -> list[tuple[Any, str]]:
        return [(m.flag(True), FAULTS[event.op])] if event.op in FAULTS else []

    def warns(m: Machine, event: Event) -> list[tuple[Any, str]]:
        return [(target.from_guest(m), "with a WARN")] if event.op == "WARN" else []

    quiet = Watch(
        "order.quiet",
        "counters and metrics are disabled while they are saved and restored",
        "a counter counts while the counters are accessed",
        loud,
        switched,
    )
    count = Watch(
        "count.switch",
        "no counter counts while the kernel switches between host and guest",
        "a counter counts for a mixture of host and guest",
        counts,
        switched,
    )
    fault = [
        Watch(
            f"fault.{step.name}",
            f"no access of {step.name} faults, and no VM-entry fails",
            "an access faults",
            faults,
            (step.name,),
        )
        for step in steps
    ]
    warn = Watch(
        "warn.guest",
        "no WARN is reached by what a guest does",
        "the kernel warns",
        warns,
        accesses=True,
    )
    of_counters = [quiet, count] if counters else []
    return [*of_counters, *fault, warn, *target.watches]


def _places(watch: Watch, target: Target, program: Program) -> list[str]:
    steps = watch.steps or tuple(step.name for step in target.steps(program))
    return [*steps, EMULATED] if watch.accesses else list(steps)


def _breaks(watch: Watch) -> str:
    """The operation that a trace shows where the rule is broken."""
    return f"{BREAKS}{watch.property}"


def _cell(watch: Watch, place: str) -> str:
    return f"monitor.{watch.property}.{place}"


def monitors(target: Target, program: Program) -> dict[str, int]:
    """The monitor cells, by name, with their widths."""
    return {
        _cell(watch, place): 1
        for watch in watches(target, program)
        for place in _places(watch, target, program)
    }


def observer(target: Target, program: Program) -> Any:
    """Watch what happens and keep the monitor cells."""
    place_of = {p.name: step.name for step in target.steps(program) for p in step.phases}
    at: dict[str, list[Watch]] = {}
    for watch in watches(target, program):
        for place in _places(watch, target, program):
            at.setdefault(place, []).append(watch)

    def look(m: Machine, op: str, register: str, before: Any, after: Any) -> None:
        place = place_of.get(m.phase, EMULATED)
        event = Event(op, register, before, after)
        zero, one = m.const(0, 1), m.const(1, 1)
        for watch in at.get(place, ()):
            for flag, note in watch.bad(m, event):
                with m.when(flag):
                    m.emit(_breaks(watch), register, zero, one, note)
                    m.set(_cell(watch, place), one)

    return look


def properties(switch: Switch) -> list[Property]:
    """One property for each rule, over all steps that it is watched in."""
    entry = switch.entries[0]
    premise = (entry, switch.target.entered(switch.points[entry].cells))
    return [
        Property(
            watch.property,
            watch.property.partition(".")[0],
            watch.statement,
            simply(_violations(switch, watch)),
            premise,
            "the guest is entered",
        )
        for watch in watches(switch.target, switch.program)
    ]


def _violations(switch: Switch, watch: Watch) -> Sequence[Violation]:
    found = []
    zero = t.const(0, 1)
    last = {point.step: phase for phase, point in switch.points.items()}
    for place in _places(watch, switch.target, switch.program):
        cell = _cell(watch, place)
        phase = last.get(place, READ)
        if phase == READ:
            # Where no access can break it, nothing keeps the cell.
            value = t.var(STATE + cell, 1) if cell in switch.initial else zero
        else:
            value = switch.points[phase].cells[cell]
        bad, probe = value.eq(1), _watched(cell)
        found.append(Violation("", phase, bad, zero, value, watch.text, probe, rule=_breaks(watch)))
    return found


def _watched(cell: str) -> Probe:
    return lambda m: (m.flag(True), m.get(cell), m.const(0, 1))
