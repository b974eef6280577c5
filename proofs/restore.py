"""restore.REG (domain.md 4): what the guest finds in a register is what it left there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from verify.encode import term as t
from verify.encode.switch import Switch
from verify.ir.machine import Machine
from verify.prove.property import READ, MachineCells, Probe, Property, Violation, simply
from verify.target import EmulatedRead, Register, Target


def _at_entry(target: Target, register: Register, i: int) -> Probe:
    def probe(m: Machine) -> tuple[Any, Any, Any]:
        relevant = register.enumerated(m, i) & target.entered(MachineCells(m))
        return relevant, m.get(register.cell.format(i)), m.get(_expected(register, i))

    return probe


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
                t.conj([premise, entered]),
                f"entered guest whose configuration has {register.name}",
            )
        )
    return result


def _violations(switch: Switch, register: Register, i: int) -> Iterator[Violation]:
    """Wrong values of copy i at each VM-entry, and in each read that the kernel answers."""
    enumerated, name = switch.enumerated[register.name, i], register.cell.format(i)
    text = "the guest finds another value than it left"
    if not register.switched:
        text = "the guest runs with another value than KVM has for it"
    probe = _at_entry(switch.target, register, i)
    for phase in switch.entries if register.switched or register.loaded else ():
        cells = switch.points[phase].cells
        found, expected = cells[name], cells[_expected(register, i)]
        bad = t.conj([enumerated, switch.target.entered(cells), found.ne(expected)])
        yield Violation(name, phase, bad, expected, found, text, probe)
    text = "an emulated read gives another value than the guest left"
    for way, run in enumerate(register.reads):
        read = switch.reads[register.name, i, way]
        bad = t.conj([read.accepted, read.value.ne(read.expected)])
        values, probe = (read.expected, read.value), _by_read(run, i)
        yield Violation(name, READ, bad, *values, text, probe, read.assumes, way=way)
