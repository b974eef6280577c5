"""What the contracts of guest, host perf and userspace have to know of a vendor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.environment import bitmap
from models.hardware.pmu import Pmu
from verify.ir.machine import Machine


@dataclass(frozen=True, slots=True)
class Cpu:
    """A vendor's PMU and the side of its virtualization that matters to it.

    `vcpu` is the path of the struct kvm_vcpu. `rdpmc_exits(m)`: RDPMC by the guest is intercepted.
    `owns_ctrl(m)`: while the guest runs, GLOBAL_CTRL is what KVM has set for it.
    `intercepts(m, access, number)`: its RDMSR ("R") or WRMSR ("W") of an MSR is intercepted.
    """

    pmu: Pmu
    vcpu: str
    rdpmc_exits: Callable[[Machine], Any]
    owns_ctrl: Callable[[Machine], Any]
    intercepts: Callable[[Machine, str, int], Any] = bitmap.intercepts
