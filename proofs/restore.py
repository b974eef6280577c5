"""restore.REG (domain.md 4): what the guest finds in a register is what it left there."""

from __future__ import annotations

from typing import Any

from verify.encode import term as t
from verify.encode.switch import STATE, Switch
from verify.ir.machine import Machine
from verify.prove.property import MachineCells, Probe, Property, Violation
from verify.target import Register, Target


def _at_entry(target: Target, register: Register, i: int) -> Probe:
    def probe(m: Machine) -> tuple[Any, Any, Any]:
        relevant = register.enumerated(m, i) & target.entered(MachineCells(m))
        return relevant, m.get(register.cell.format(i)), m.get(register.ghost.format(i))

    return probe


def _by_read(register: Register, i: int) -> Probe:
    def probe(m: Machine) -> tuple[Any, Any, Any]:
        accepted, value = register.emulated_read(m, i)
        return register.enumerated(m, i) & accepted, value, m.get(register.ghost.format(i))

    return probe


def properties(switch: Switch) -> list[Property]:
    """One property per register of the target, over all of its copies."""
    entry = switch.points["enter"].cells
    result = []
    for register in switch.target.registers(switch.program):
        violations: list[Violation] = []
        premises = []
        for i in range(register.count):
            enumerated, accepted, value, assumes = switch.reads[register.name, i]
            name = register.cell.format(i)
            ghost = t.var(STATE + register.ghost.format(i), register.width)
            premises.append(enumerated)
            if register.switched:
                entered = switch.target.entered(entry)
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
                    "read",
                    t.conj([enumerated, accepted, value.ne(ghost)]),
                    ghost,
                    value,
                    "an emulated read gives another value than the guest left",
                    _by_read(register, i),
                    assumes,
                )
            )
        result.append(
            Property(
                f"restore.{register.name}",
                "restore",
                f"{register.name} at VM-entry and in emulated reads is as the guest left it",
                tuple(violations),
                t.disj(premises),
                f"a guest whose configuration has {register.name}",
            )
        )
    return result
