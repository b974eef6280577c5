"""What may happen at home to a register in one of several ways: a violation for each way that ends
otherwise than it must."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from verify.encode import term as t
from verify.encode.switch import Switch
from verify.ir.machine import Machine
from verify.prove.property import READ, Probe, Violation
from verify.target import EmulatedRead, Register


def violations(
    switch: Switch,
    runs: Callable[[Register], Sequence[EmulatedRead]],
    kind: str,
    text: str,
) -> Iterator[Violation]:
    """For each copy of each register, by the ways that `runs` has of it; of this kind and text."""
    for register in switch.target.registers(switch.program):
        for i in range(register.count):
            for way, run in enumerate(register.ways):
                if run in runs(register):
                    read = switch.reads[register.name, i, way]
                    bad = t.conj([read.accepted, read.value.ne(read.expected)])
                    values = (read.expected, read.value)
                    cell, probe = register.cell.format(i), _probe(run, i)
                    yield Violation(
                        cell, READ, bad, *values, text, probe, read.assumes, way=way, kind=kind
                    )


def _probe(run: EmulatedRead, i: int) -> Probe:
    def probe(m: Machine) -> tuple[Any, Any, Any]:
        return run(m, i)

    return probe
