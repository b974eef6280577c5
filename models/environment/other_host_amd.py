"""Other hosts with an AMD CPU (CPUID leaves 0x80000001 and 0x80000022)."""

from __future__ import annotations

from typing import Any

from models.environment.kvm import mediated
from models.environment.other_host import Hosts
from models.environment.svm import CPU, GUEST_HAS, HOST_HAS, KVM_HAS, PERFMON_V2, VCPU
from verify.ir.machine import Machine
from verify.ir.program import Program
from verify.target import Assumption

ASSUMPTIONS = (
    Assumption(
        "migrate.supported",
        "a vCPU is moved between hosts that both have, and can give it, all counters and "
        "features of the PMU that it is told of; the other one's overflows can freeze counters if "
        "this one's can, which no guest need be told of; they run the same kernel, with the "
        "mediated PMU",
    ),
)

_HARDWARE = {"config.host_gp": 8, **dict.fromkeys(HOST_HAS.values(), 0)}


# Counters without and with the core extension, where CPUID tells no number (asm/perf_event.h)
_LEGACY, _CORE = "AMD64_NUM_COUNTERS", "AMD64_NUM_COUNTERS_CORE"


def _supports(program: Program, m: Machine) -> Any:
    v2, core = m.get(GUEST_HAS[PERFMON_V2]), m.get(GUEST_HAS["X86_FEATURE_PERFCTR_CORE"])
    legacy, extended = (m.const(program.constant(name) or 0, 32) for name in (_LEGACY, _CORE))
    told = m.get("__guest_cpuid_pmu.ebx").extract(3, 0).zext(32)
    told = m.ite(v2, told, m.ite(core, extended, legacy))
    result = m.get(f"{VCPU}.arch.pmu.nr_arch_gp_counters").eq(told)
    for name, cell in GUEST_HAS.items():
        result = result & (~m.get(cell) | m.get(KVM_HAS[name]))
    return result & mediated(m, VCPU)


def _load(m: Machine) -> None:
    m.call("kvm_init_pmu_capability", m.address("amd_pmu_ops"))
    m.call("svm_set_cpu_caps")


# A guest can set these bits of GLOBAL_STATUS where the CPU has them, whatever CPUID tells it.
_KEPT = (HOST_HAS["X86_FEATURE_AMD_LBR_PMC_FREEZE"],)

HOSTS = Hosts(CPU, _HARDWARE, {}, _KEPT, _load, _supports)
