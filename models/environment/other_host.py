"""Another host, with the same kernel and any other PMU of the vendor, to which a vCPU is moved.

Userspace gives the new vCPU the CPUID and PERF_CAPABILITIES that the old one had. The new host has
KVM loaded and the vCPU configured by the tree's own functions, from hardware of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.environment.cpu import Cpu
from models.environment.kvm import as_bool
from verify.ir.machine import Machine
from verify.ir.program import Program

MOVED = "moves"
"""What traces call what the other host has instead."""

_FORCED = ("enable_pmu", "enable_mediated_pmu")


@dataclass(frozen=True, slots=True)
class Hosts:
    """What the hosts of a vendor differ in.

    `hardware`, and `parameters` of KVM's modules where the tree has them: cells with their widths
    in bits (0: a truth value). `kept`: truth values that hold on the other host if they do here.
    `load(m)`: KVM is loaded, by the tree's functions. `supports(program, m)`: the host has, and
    KVM gives, all that the guest is told of.
    """

    cpu: Cpu
    hardware: Mapping[str, int]
    parameters: Mapping[str, int]
    kept: Sequence[str]
    load: Callable[[Machine], None]
    supports: Callable[[Program, Machine], Any]

    def move(self, program: Program, m: Machine) -> Any:
        """The vCPU is made anew on any host. Whether both can have it."""
        supported = self.supports(program, m)
        known = {k: v for k, v in self.parameters.items() if program.object_type(k) is not None}
        for cell, width in {**self.hardware, **known}.items():
            before, difference = m.get(cell), m.fresh(cell, width)
            # Where nothing differs it is a host as this one, so that there always is one.
            if cell in self.kept:
                after = before | difference
            else:
                after = before ^ difference if width else ~before.eq(difference)
            m.set(cell, after)
            here, there = (v if width else as_bool(m, v, 1) for v in (before, after))
            with m.when(here.ne(there)):
                m.emit(MOVED, cell, here, there, "on the other host")
        for cell in _FORCED:
            m.set(cell, m.const(1, 8))
        self.cpu.pmu.limits(m)
        self.load(m)
        m.call("kvm_pmu_init", m.address(self.cpu.vcpu))
        m.call("kvm_pmu_refresh", m.address(self.cpu.vcpu))
        return supported & self.supports(program, m)
