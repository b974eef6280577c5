"""migrate.closed (domain.md 4): what userspace can read of a vCPU can be written to one like it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from verify.encode import term as t
from verify.encode.switch import Switch
from verify.ir.machine import Machine
from verify.prove.property import READ, REFUSED, Probe, Property, Violation, simply
from verify.target import EmulatedRead


def properties(switch: Switch) -> list[Property]:
    """One property, over all registers; none where the target knows no migrations."""
    entry = switch.entries[0]
    violations = list(_violations(switch))
    if not violations:
        return []
    return [
        Property(
            "migrate.closed",
            "migrate",
            "what userspace reads of a register, it can write to a vCPU of the same configuration",
            simply(violations),
            (entry, switch.target.entered(switch.points[entry].cells)),
            "the guest is entered",
        )
    ]


def _violations(switch: Switch) -> Iterator[Violation]:
    for register in switch.target.registers(switch.program):
        for i in range(register.count):
            for way, run in enumerate(register.ways):
                if way >= len(register.reads):
                    read = switch.reads[register.name, i, way]
                    bad = t.conj([read.accepted, read.value.ne(read.expected)])
                    values = (read.expected, read.value)
                    text = "KVM refuses to take back from userspace what it gave"
                    cell, probe = register.cell.format(i), _probe(run, i)
                    yield Violation(
                        cell, READ, bad, *values, text, probe, read.assumes, way=way, kind=REFUSED
                    )


def _probe(run: EmulatedRead, i: int) -> Probe:
    def probe(m: Machine) -> tuple[Any, Any, Any]:
        return run(m, i)

    return probe
