"""restore.REG (domain.md 4): what the guest finds in a register is what it left there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from verify.encode import term as t
from verify.encode.switch import Switch
from verify.encode.term import Term
from verify.ir.machine import Machine
from verify.prove.property import READ, MachineCells, Probe, Property, Violation, simply
from verify.target import EmulatedRead, Register


def _expected(register: Register, i: int) -> str:
    """The cell with what hardware must hold at VM-entry."""
    return (register.ghost if register.switched else register.loaded).format(i)


def _by_read(read: EmulatedRead, i: int) -> Probe:
    def probe(m: Machine) -> tuple[Any, Any, Any]:
        return read(m, i)

    return probe


def properties(switch: Switch) -> list[Property]:
    """One property per register of the target, over all of its copies."""
    entered = switch.target.entered(switch.points[switch.entries[0]].cells)
    result = []
    for register in switch.target.registers(switch.program):
        copies = range(register.count)
        violations = [v for i in copies for v in _violations(switch, register, i)]
        premise = t.disj([switch.enumerated[register.name, i] for i in copies])
        result.append(
            Property(
                f"restore.{register.name}",
                "restore",
                f"{register.name} at VM-entry and in emulated reads is as the guest left it",
                simply(violations),
                (switch.entries[0], t.conj([premise, entered])),
                f"a guest whose configuration has {register.name} is entered",
            )
        )
    return result


def held(switch: Switch, phase: str) -> Iterator[Violation]:
    """Registers that do not hold the guest's value at the end of a phase before it runs."""
    for register in switch.target.registers(switch.program):
        for i in range(register.count if register.switched else 0):
            yield _wrong(switch, register, i, phase, t.true, lambda m: m.flag(True))


def _violations(switch: Switch, register: Register, i: int) -> Iterator[Violation]:
    """Wrong values of copy i at each VM-entry, and in each read that the kernel answers."""
    target = switch.target
    for phase in switch.entries if register.switched or register.loaded else ():
        entered = target.entered(switch.points[phase].cells)
        yield _wrong(switch, register, i, phase, entered, lambda m: target.entered(MachineCells(m)))
    text = "an emulated read gives another value than the guest left"
    for way, run in enumerate(register.reads):
        read = switch.reads[register.name, i, way]
        bad = t.conj([read.accepted, read.value.ne(read.expected)])
        values, probe = (read.expected, read.value), _by_read(run, i)
        name = register.cell.format(i)
        yield Violation(name, READ, bad, *values, text, probe, read.assumes, way=way)


def _wrong(
    switch: Switch,
    register: Register,
    i: int,
    phase: str,
    when: Term,
    now: Callable[[Machine], Any],
) -> Violation:
    """Hardware has not what it must have in copy i at the end of the phase, `when` that matters
    (`now` in a run)."""
    name, ghost = register.cell.format(i), _expected(register, i)

    def probe(m: Machine) -> tuple[Any, Any, Any]:
        return register.enumerated(m, i) & now(m), m.get(name), m.get(ghost)

    text = "the guest finds another value than it left"
    if not register.switched:
        text = "the guest runs with another value than KVM has for it"
    cells = switch.points[phase].cells
    found, expected = cells[name], cells[ghost]
    bad = t.conj([switch.enumerated[register.name, i], when, found.ne(expected)])
    return Violation(name, phase, bad, expected, found, text, probe)
