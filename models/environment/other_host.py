"""Another host, with the same kernel and any other Intel PMU, to which a vCPU is moved.

Userspace gives the new vCPU the CPUID and PERF_CAPABILITIES that the old one had. The new host has
KVM loaded and the vCPU configured by the tree's own functions, from hardware of its own.
"""

from __future__ import annotations

from typing import Any

from models.environment.kvm import as_bool, mediated
from models.environment.vmx import VCPU
from models.hardware import intel_pmu as pmu
from verify.ir.machine import Machine
from verify.ir.program import Program
from verify.target import Assumption

MOVED = "moves"
"""What traces call what the other host has instead."""

ASSUMPTIONS = (
    Assumption(
        "migrate.supported",
        "a vCPU is moved between hosts that both have, and can give it, all counters, widths, "
        "PERF_CAPABILITIES and transactional memory that it is told of; the other one has the "
        "bits of PERF_METRICS that this one has; they run the same kernel, with the mediated PMU",
    ),
)

_PMU = f"{VCPU}.arch.pmu"
_CPUID = "__guest_cpuid_pmu"
_OTHER_CPUID = "__guest_cpuid_other"
# CPUID leaf 7, EBX
_TSX = {"config.host_hle": 4, "config.host_rtm": 11}
_WIDE_METRICS = "config.host_metrics_64"
_HARDWARE = {
    "config.host_version": 8,
    "config.host_gp": 8,
    "config.host_fixed": 8,
    "config.host_gp_width": 8,
    "config.host_fixed_width": 8,
    "config.host_pdcm": 0,
    "config.host_perf_cap": 64,
    _WIDE_METRICS: 0,
    pmu.INTEL_CTRL: 64,
    **dict.fromkeys(_TSX, 0),
}
# Parameters of KVM's modules, where the tree has them
_PARAMETERS = {"pt_mode": 32}
_FORCED = ("enable_pmu", "enable_mediated_pmu")


def supports(m: Machine) -> Any:
    """The host has, and KVM gives, all that the guest is told of."""
    eax, edx = m.get(f"{_CPUID}.eax"), m.get(f"{_CPUID}.edx")
    gp = m.get(f"{_PMU}.nr_arch_gp_counters").eq(eax.extract(15, 8).zext(32))
    gp = gp & eax.extract(23, 16).ule(m.get("config.host_gp_width"))
    fixed = m.get(f"{_PMU}.nr_arch_fixed_counters").eq(edx.extract(4, 0).zext(32))
    fixed = fixed & edx.extract(12, 5).ule(m.get("config.host_fixed_width"))
    none = m.get(f"{_PMU}.version").ult(2)
    told = m.get(f"{VCPU}.arch.perf_capabilities")
    result = (told & ~m.get("kvm_caps.supported_perf_cap")).eq(0)
    for cell, bit in _TSX.items():
        result = result & (m.get(f"{_OTHER_CPUID}.ebx").extract(bit, bit).eq(0) | m.get(cell))
    return result & mediated(m, VCPU) & gp & (none | fixed)


def move(program: Program, m: Machine) -> Any:
    """The vCPU is made anew on any host. Whether both can have it."""
    supported, wide = supports(m), m.get(_WIDE_METRICS)
    parameters = {k: v for k, v in _PARAMETERS.items() if program.object_type(k) is not None}
    for cell, width in {**_HARDWARE, **parameters}.items():
        before, difference = m.get(cell), m.fresh(cell, width)
        # Where nothing differs it is a host as this one, so that there always is one.
        after = before ^ difference if width else ~before.eq(difference)
        m.set(cell, after)
        here, there = (v if width else as_bool(m, v, 1) for v in (before, after))
        with m.when(here.ne(there)):
            m.emit(MOVED, cell, here, there, "on the other host")
    for cell in _FORCED:
        m.set(cell, m.const(1, 8))
    pmu.limits(m)
    m.call("kvm_init_pmu_capability", m.address("intel_pmu_ops"))
    m.set("kvm_caps.supported_perf_cap", m.call("vmx_get_perf_capabilities"))
    m.call("kvm_pmu_init", m.address(VCPU))
    m.call("kvm_pmu_refresh", m.address(VCPU))
    # No CPUID tells how wide PERF_METRICS is.
    return supported & supports(m) & (~wide | m.get(_WIDE_METRICS))
