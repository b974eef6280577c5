"""restore.REG (domain.md 4): what the guest finds in a register is what it left there."""

from __future__ import annotations

from verify.encode import term as t
from verify.encode.switch import STATE, Switch
from verify.prove.property import Property, Violation


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
