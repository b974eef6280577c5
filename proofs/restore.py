"""restore.REG (domain.md 4): what the guest finds in a register is what it left there."""

from __future__ import annotations

from typing import Any

from verify.encode import term as t
from verify.encode.switch import STATE, Switch
from verify.ir.machine import Machine
from verify.prove.property import READ, MachineCells, Probe, Property, Violation, simply
from verify.target import Register, Target


def _at_entry(target: Target, register: Register, i: int) -> Probe:
    def probe(m: Machine) -> tuple[Any, Any, Any]:
        relevant = register.enumerated(m, i) & target.entered(MachineCells(m))
        return relevant, m.get(register.cell.format(i)), m.get(register.ghost.format(i))

    return probe


def _by_read(register: Register, i: int) -> Probe:
    def probe(m: Machine) -> tuple[Any, Any, Any]:
        accepted, value, expected = register.emulated_read(m, i)
        return register.enumerated(m, i) & accepted, value, expected

    return probe


def properties(switch: Switch) -> list[Property]:
    """One property per register of the target, over all of its copies."""
    entry = switch.points["enter"].cells
    entered = switch.target.entered(entry)
    result = []
    for register in switch.target.registers(switch.program):
        violations: list[Violation] = []
        premises = []
        for i in range(register.count):
            read = switch.reads[register.name, i]
            enumerated = read.enumerated
            name = register.cell.format(i)
            ghost = t.var(STATE + register.ghost.format(i), register.width)
            premises.append(enumerated)
            if register.switched:
                found = entry[name]
                violations.append(
                    Violation(
                        name,
                        "enter",
                        t.conj([enumerated, entered, found.ne(ghost)]),
                        ghost,
                        found,
                        "the guest finds another value than it left",
                        _at_entry(switch.target, register, i),
                    )
                )
            violations.append(
                Violation(
                    name,
                    READ,
                    t.conj([enumerated, read.accepted, read.value.ne(read.expected)]),
                    read.expected,
                    read.value,
                    "an emulated read gives another value than the guest left",
                    _by_read(register, i),
                    read.assumes,
                )
            )
        result.append(
            Property(
                f"restore.{register.name}",
                "restore",
                f"{register.name} at VM-entry and in emulated reads is as the guest left it",
                simply(violations),
                t.conj([t.disj(premises), entered]),
                f"entered guest whose configuration has {register.name}",
            )
        )
    return result
