"""Other hosts with an Intel CPU (CPUID leaves 7 and 0xa, PERF_CAPABILITIES)."""

from __future__ import annotations

from typing import Any

from models.environment.kvm import mediated
from models.environment.other_host import Hosts
from models.environment.vmx import CPU, VCPU
from models.hardware import intel_pmu as pmu
from verify.ir.machine import Machine
from verify.ir.program import Program
from verify.target import Assumption

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
# No CPUID tells how wide PERF_METRICS is.
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


def _supports(program: Program, m: Machine) -> Any:
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


def _load(m: Machine) -> None:
    m.call("kvm_init_pmu_capability", m.address("intel_pmu_ops"))
    m.set("kvm_caps.supported_perf_cap", m.call("vmx_get_perf_capabilities"))


HOSTS = Hosts(CPU, _HARDWARE, {"pt_mode": 32}, (_WIDE_METRICS,), _load, _supports)
