"""KVM's mediated vPMU on Intel: load before VM-entry, put after the last VM-exit (domain.md 1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from models.environment import (
    bitmap,
    counting,
    emulated,
    emulated_intel,
    filtering,
    guest,
    guest_intel,
    kvm,
    mediated,
    nested,
    nmi,
    nmi_intel,
    other_host_intel,
    prelude,
    rules,
)
from models.environment import vmx as vmx_kernel
from models.environment.emulated import MSR_DATA, ghost
from models.environment.other_host_intel import HOSTS
from models.environment.vmx import CPU, VCPU
from models.hardware import facts, msr, vmx
from models.hardware import intel_pmu as pmu
from verify.errors import BadInput
from verify.ir.contract import Contract
from verify.ir.machine import Machine
from verify.ir.program import Dialect, Program
from verify.target import (
    Access,
    Assumption,
    Check,
    EmulatedRead,
    Item,
    Ordering,
    Parameter,
    Register,
    Setting,
    Step,
    Target,
)

PMU = f"{VCPU}.arch.pmu"
CPUID = "__guest_cpuid_pmu"
AUTOSTORE_SLOTS = 8

FILES = (
    "arch/x86/kvm/pmu.h",
    "arch/x86/kvm/vmx/pmu_intel.h",
    "arch/x86/kvm/vmx/capabilities.h",
    "arch/x86/kvm/vmx/vmcs.h",
    "arch/x86/kvm/vmx/vmcs12.h",
    "arch/x86/kvm/vmx/vmx.h",
    "arch/x86/kvm/vmx/nested.h",
    "arch/x86/kvm/vmx/hyperv.h",
    "arch/x86/kvm/vmx/common.h",
    *mediated.HEADERS,
    "include/hyperv/hvgdk.h",
    "arch/x86/include/asm/vmx.h",
    "arch/x86/include/asm/vmxfeatures.h",
    *mediated.SOURCES,
    "arch/x86/kvm/vmx/pmu_intel.c",
    "arch/x86/kvm/vmx/vmx.c",
    "arch/x86/kvm/vmx/nested.c",
)
CONFIG = dict.fromkeys(
    (
        "CONFIG_X86_64",
        "CONFIG_PERF_EVENTS",
        "CONFIG_CPU_SUP_INTEL",
        "CONFIG_PERF_GUEST_MEDIATED_PMU",
        "CONFIG_KVM_INTEL",
    ),
    "y",
)


def _dialect(defines: Mapping[str, str]) -> Dialect:
    return Dialect(
        files=FILES,
        config=dict(CONFIG),
        prelude=prelude("kernel.h", "kvm.h", "vmx.h", "nested.h"),
        defines=dict(defines),
        tables={"kvm_pmu_ops": "intel_pmu_ops"},
    )


# Sizes ----------------------------------------------------------------------------------------


def _handled(program: Program) -> tuple[int, int]:
    """Counters of each kind that KVM handles. BadInput for a tree in which that is no number."""
    gp = _number(program, "KVM_MAX_NR_INTEL_GP_COUNTERS", pmu.MOST_GP)
    return gp, _number(program, "KVM_MAX_NR_INTEL_FIXED_COUNTERS", pmu.MOST_FIXED)


def _number(program: Program, name: str, most: int) -> int:
    value = program.constant(name)
    if value is None or not 0 < value <= most:
        found_as = "no constant" if value is None else value
        raise BadInput(f"{name}: is {found_as} here; it must be a number from 1 to {most}")
    return value


def _sizes(program: Program) -> tuple[int, int]:
    """Counters of each kind that are modelled: one more than KVM handles, where a CPU can have so
    many, and fixed counter 3."""
    gp, fixed = _handled(program)
    return min(gp + 1, pmu.MOST_GP), min(max(fixed + 1, 4), pmu.MOST_FIXED)


def _cells(program: Program) -> dict[str, int]:
    gp, fixed = _sizes(program)
    numbers = msr.table(gp, fixed)
    intercepts = {msr.bitmap(access, number): 0 for number in numbers for access in ("R", "W")}
    ghosts = ["GLOBAL_CTRL", "GLOBAL_STATUS", "FIXED_CTR_CTRL", "PERF_METRICS"]
    ghosts += [f"{kind}[{i}]" for i in range(gp) for kind in ("PMC", "EVTSEL")]
    ghosts += [f"FIXED_CTR[{i}]" for i in range(fixed)]
    return {
        **pmu.cells(gp, fixed),
        **vmx.CELLS,
        **kvm.CELLS,
        **kvm.asked(_handled(program)[0]),
        **filtering.CELLS,
        **vmx_kernel.CELLS,
        **intercepts,
        **nested.cells(numbers),
        **{ghost(kind): 64 for kind in ghosts},
        **mediated.CELLS,
        "config.size_kvm_gp": 8,
        "config.limit_guest_gp": 64,
        "config.limit_guest_fixed": 64,
    }


def _contracts(program: Program) -> dict[str, Contract]:
    return {
        **nmi.contracts(nmi_intel.handle_irq),
        **kvm.contracts(
            program,
            vmx_kernel.FEATURES,
            vmx_kernel.PMU_LEAF,
            _handled(program)[0],
            vmx_kernel.EVENTS,
        ),
        **vmx_kernel.contracts(),
        **mediated.instructions(pmu),
    }


# Configuration --------------------------------------------------------------------------------


def _guest_capability(m: Machine, bit: int) -> Any:
    """The guest enumerates a bit of PERF_CAPABILITIES."""
    capabilities = m.get(f"{VCPU}.arch.perf_capabilities")
    return m.get("config.guest_pdcm") & capabilities.extract(bit, bit).eq(1)


def _width(m: Machine, register: str, high: int, low: int, of_host: str) -> Any:
    """A width in CPUID leaf 0xa, where the host's counters are as wide."""
    value, host = m.get(f"{CPUID}.{register}").extract(high, low).zext(8), m.get(of_host)
    return m.ite(value.ult(host), value, host)


def _gp_width(m: Machine) -> Any:
    return _width(m, "eax", 23, 16, "config.host_gp_width")


def _fixed_width(m: Machine) -> Any:
    return _width(m, "edx", 12, 5, "config.host_fixed_width")


def _cell(name: str) -> Callable[[Machine], Any]:
    return lambda m: m.get(name)


def _flag(name: str) -> Callable[[Machine], Any]:
    return lambda m: m.get(name).nonzero()


SETTINGS = (
    Setting("host.gp", "general-purpose counters of the CPU", _cell("config.host_gp")),
    Setting("host.fixed", "fixed counters of the CPU", _cell("config.host_fixed")),
    Setting(
        "host.gp_width",
        "bits of the CPU's general-purpose counters",
        _cell("config.host_gp_width"),
        48,
    ),
    Setting(
        "host.fixed_width", "bits of the CPU's fixed counters", _cell("config.host_fixed_width"), 48
    ),
    Setting("host.perf_metrics", "1: the CPU has PERF_METRICS", pmu.has_metrics),
    Setting(
        "host.save_global_ctrl",
        "1: VM-exit can save GLOBAL_CTRL to the VMCS",
        lambda m: (m.get("vmcs_config.vmexit_ctrl") & vmx.EXIT_SAVE_GLOBAL_CTRL).nonzero(),
        1,
    ),
    Setting("guest.version", "the guest's PMU version, 0: no PMU", _cell(f"{PMU}.version"), 2),
    Setting(
        "guest.gp", "the guest's general-purpose counters", _cell(f"{PMU}.nr_arch_gp_counters")
    ),
    Setting("guest.fixed", "the guest's fixed counters", _cell(f"{PMU}.nr_arch_fixed_counters")),
    Setting("guest.gp_width", "bits of the guest's general-purpose counters", _gp_width, 48),
    Setting("guest.fixed_width", "bits of the guest's fixed counters", _fixed_width, 48),
    Setting(
        "guest.perf_metrics",
        "1: the guest enumerates PERF_METRICS",
        lambda m: _guest_capability(m, msr.CAP_PERF_METRICS),
    ),
    Setting(
        "guest.fw_writes",
        "1: the guest enumerates full-width counter writes",
        lambda m: _guest_capability(m, msr.CAP_FW_WRITES),
        1,
    ),
    Setting("guest.nested", "1: the guest may run guests of its own", _cell(vmx.GUEST_NESTED), 0),
    Setting("kvm.mediated", "1: KVM uses the mediated PMU", _flag("enable_mediated_pmu"), 1),
    Setting(
        "kvm.vmware_backdoor", "1: the VMware backdoor is on", _flag("enable_vmware_backdoor"), 0
    ),
)

PARAMETERS = (
    Parameter(
        "fixed3_write",
        "what a write of fixed counter 3 does to PERF_METRICS: keeps it, clears it, or leaves it "
        "with any value",
        "param.fixed3_write",
        pmu.FIXED3_WRITE,
    ),
    Parameter(
        "metrics_reserved",
        "what a write of PERF_METRICS with bits that the CPU does not have does",
        "param.metrics_reserved",
        pmu.METRICS_RESERVED,
    ),
    Parameter(
        "metrics_clear_cpl0",
        "1: RDPMC metrics-clear, when enabled, acts in the kernel too",
        "param.metrics_clear_cpl0",
        pmu.METRICS_CLEAR_CPL0,
    ),
)

_OF_PLATFORM = re.compile(
    r"init/(config\.host|param\.|enable_|kvm_|vmcs_config|boot_cpu|vmx_lbr|pt_mode)"
    r"|setup/kvm_init_pmu_capability|setup/vmx_get_perf_capabilities|setup/vmx_set_constant"
)


def _of_platform(name: str) -> bool:
    return _OF_PLATFORM.match(name) is not None


# Registers ------------------------------------------------------------------------------------


def _read(m: Machine, number: int) -> tuple[Any, Any]:
    with nested.pointed(m):
        return emulated.read(CPU, m, number)


def _read_counter(m: Machine, ecx: int) -> tuple[Any, Any]:
    with nested.pointed(m):
        return emulated.read_counter(CPU, m, ecx)


def _take_back(m: Machine, number: int) -> tuple[Any, Any, Any]:
    with nested.pointed(m):
        return emulated.take_back(CPU, m, number)


def _move(program: Program, m: Machine, number: int) -> tuple[Any, Any, Any]:
    with nested.pointed(m):
        return emulated.take_back(CPU, m, number, lambda: HOSTS.move(program, m))


def _load_back(m: Machine, number: int) -> tuple[Any, Any, Any]:
    with nested.pointed(m):
        return emulated.load_back(CPU, m, number)


def _pointed(run: EmulatedRead) -> EmulatedRead:
    def pointed(m: Machine, i: int) -> tuple[Any, Any, Any]:
        with nested.pointed(m):
            return run(m, i)

    return pointed


def _events(program: Program) -> list[tuple[str, counting.Counters]]:
    """What KVM counts when it emulates: functions, with the counters as they are for the event."""
    sizes = _handled(program)
    return [
        (mediated.INSTRUCTION, emulated_intel.instructions(PMU, *sizes)),
        (mediated.BRANCH, emulated_intel.branches(PMU, *sizes)),
    ]


def _registers(program: Program) -> list[Register]:
    gp, fixed = _handled(program)

    def with_pmu(m: Machine, condition: Any) -> Any:
        return kvm.mediated(m, VCPU) & condition

    def from_version_2(m: Machine, i: int) -> Any:
        return rules.has_version_2(CPU, m)

    def read(first: int, kind: str, many: bool, mask: str | None = None) -> EmulatedRead:
        def emulated_read(m: Machine, i: int) -> tuple[Any, Any, Any]:
            accepted, value = _read(m, first + i)
            expected = m.get(ghost(kind, i if many else None))
            return accepted, value, expected if mask is None else expected & m.get(mask)

        return emulated_read

    def by_rdpmc(m: Machine, i: int) -> tuple[Any, Any, Any]:
        accepted, value = _read_counter(m, i)
        return accepted, value, m.get(ghost("PMC", i)) & m.get("config.limit_guest_gp")

    def back(*numbers: int) -> Any:
        def migration(number: int) -> EmulatedRead:
            return lambda m, i: _take_back(m, number + i)

        return tuple(migration(number) for number in numbers)

    def moved(*numbers: int) -> Any:
        def migration(number: int) -> EmulatedRead:
            return lambda m, i: _move(program, m, number + i)

        return tuple(migration(number) for number in numbers)

    def zero(number: int) -> EmulatedRead:
        return lambda m, i: (*_read(m, number), m.const(0, 64))

    def fixed_counter(k: int) -> Register:
        def enumerated(m: Machine, i: int) -> Any:
            return with_pmu(m, m.const(k, 32).ult(m.get(f"{PMU}.nr_arch_fixed_counters")))

        def emulated_read(m: Machine, i: int) -> tuple[Any, Any, Any]:
            accepted, value = _read(m, msr.FIXED_CTR0 + k)
            expected = m.get(ghost("FIXED_CTR", k)) & m.get("config.limit_guest_fixed")
            return accepted, value, expected

        def by_rdpmc(m: Machine, i: int) -> tuple[Any, Any, Any]:
            accepted, value = _read_counter(m, pmu.RDPMC_FIXED | k)
            return accepted, value, m.get(ghost("FIXED_CTR", k)) & m.get("config.limit_guest_fixed")

        def migration(m: Machine, i: int) -> tuple[Any, Any, Any]:
            return _take_back(m, msr.FIXED_CTR0 + k)

        name, cell = f"FIXED_CTR{k}", pmu.fixed_ctr(k)
        reads = (emulated_read, by_rdpmc)
        return Register(
            name, 1, cell, ghost("FIXED_CTR", k), 64, True, enumerated, reads,
            migrations=(migration,), moves=moved(msr.FIXED_CTR0 + k),
            events=counted(ghost("FIXED_CTR", k)),
        )  # fmt: skip

    def metrics(m: Machine, i: int) -> Any:
        return with_pmu(m, _guest_capability(m, msr.CAP_PERF_METRICS))

    events = [
        counting.Event(VCPU, _copies(program), function, counters)
        for function, counters in _events(program)
    ]

    def counted(cell: str) -> tuple[EmulatedRead, ...]:
        return tuple(_pointed(event.into(cell)) for event in events)

    status, ctrl = pmu.GLOBAL_STATUS, pmu.GLOBAL_CTRL
    fixed_ctrl = pmu.FIXED_CTR_CTRL
    return [
        Register(
            "PMC", gp, "hw.PMC[{}]", "ghost.PMC[{}]", 64, True,
            partial(rules.has_counter, CPU),
            (
                *(read(n, "PMC", True, "config.limit_guest_gp") for n in (msr.PERFCTR0, msr.PMC0)),
                by_rdpmc,
            ),
            migrations=back(msr.PERFCTR0, msr.PMC0),
            moves=moved(msr.PERFCTR0, msr.PMC0),
            events=counted("ghost.PMC[{}]"),
        ),
        Register(
            "EVTSEL", gp, "hw.EVTSEL[{}]", "ghost.EVTSEL[{}]", 64, False,
            partial(rules.has_counter, CPU),
            (read(msr.EVTSEL0, "EVTSEL", True),), f"{PMU}.gp_counters[{{}}].eventsel_hw",
            migrations=back(msr.EVTSEL0),
            moves=moved(msr.EVTSEL0),
        ),
        *(fixed_counter(k) for k in range(fixed)),
        Register(
            "FIXED_CTR_CTRL", 1, fixed_ctrl, "ghost.FIXED_CTR_CTRL", 64, False, from_version_2,
            (read(msr.FIXED_CTR_CTRL, "FIXED_CTR_CTRL", False),), f"{PMU}.fixed_ctr_ctrl_hw",
            migrations=back(msr.FIXED_CTR_CTRL),
            moves=moved(msr.FIXED_CTR_CTRL),
        ),
        Register(
            "GLOBAL_CTRL", 1, ctrl, "ghost.GLOBAL_CTRL", 64, True, from_version_2,
            (read(msr.GLOBAL_CTRL, "GLOBAL_CTRL", False),),
            migrations=back(msr.GLOBAL_CTRL),
            moves=moved(msr.GLOBAL_CTRL),
        ),
        Register(
            "GLOBAL_STATUS", 1, status, "ghost.GLOBAL_STATUS", 64, True, from_version_2,
            (
                read(msr.GLOBAL_STATUS, "GLOBAL_STATUS", False),
                zero(msr.STATUS_RESET),
                zero(msr.STATUS_SET),
            ),
            migrations=back(msr.GLOBAL_STATUS, msr.STATUS_RESET, msr.STATUS_SET),
            moves=moved(msr.GLOBAL_STATUS, msr.STATUS_RESET, msr.STATUS_SET),
            events=tuple(map(_pointed, counting.of_status(events, from_version_2))),
        ),
        Register(
            "PERF_METRICS", 1, pmu.PERF_METRICS, "ghost.PERF_METRICS", 64, True, metrics,
            (read(msr.PERF_METRICS, "PERF_METRICS", False),),
            migrations=back(msr.PERF_METRICS),
            moves=moved(msr.PERF_METRICS),
            # Of the others no value is assumed away, so fault.load speaks of all of them.
            arrivals=(lambda m, i: _load_back(m, msr.PERF_METRICS),),
        ),
    ]  # fmt: skip


# Setup and phases -----------------------------------------------------------------------------


def _setup(program: Program, m: Machine) -> None:
    """KVM is loaded, and a vCPU is created and configured, by the kernel's own functions."""
    gp, fixed = _sizes(program)
    m.set("config.size_gp", m.const(gp, 8))
    m.set("config.size_fixed", m.const(fixed, 8))
    m.set("config.size_kvm_gp", m.const(_handled(program)[0], 8))
    pmu.limits(m)
    m.assume(pmu.legal(m))
    for cell in (*(pmu.evtsel(i) for i in range(gp)), pmu.FIXED_CTR_CTRL):
        m.assume(m.get(cell).eq(0))
    bitmap.close(pmu, m)
    _fresh_vmcs(m)
    vcpu = m.address(VCPU)
    m.call("kvm_init_pmu_capability", m.address("intel_pmu_ops"))
    m.settle()
    m.set("kvm_caps.supported_perf_cap", m.call("vmx_get_perf_capabilities"))
    m.call("vmx_set_constant_host_state", m.address("vmx"))
    supported = m.get("kvm_caps.supported_perf_cap")
    m.assume((m.get(f"{VCPU}.arch.perf_capabilities") & ~supported).eq(0))
    m.call("kvm_pmu_init", vcpu)
    mediated.configured_before(m, PMU, _copies(program), *_handled(program))
    m.call("kvm_pmu_refresh", vcpu)
    m.settle()
    m.call("vmx_recalc_pmu_msr_intercepts", vcpu)
    m.call("vmx_recalc_instruction_intercepts", vcpu)
    m.set("config.limit_guest_gp", (m.const(1, 64) << _gp_width(m).zext(64)) - 1)
    m.set("config.limit_guest_fixed", (m.const(1, 64) << _fixed_width(m).zext(64)) - 1)
    mediated.reset(m, _registers(program), PMU)
    filtering.reset(m, _controls(program))


def _controls(program: Program) -> filtering.Controls:
    return emulated_intel.controls(VCPU, *_handled(program))


def _fresh_vmcs(m: Machine) -> None:
    """A VMCS as KVM makes it (vmx.c: init_vmcs): GLOBAL_CTRL is not switched yet, RDPMC exits."""
    for name in ("entry_controls", "exit_controls", "exit_msr_store_count"):
        m.set(f"vmcs.{name}", m.const(0, 32))
    m.set("vmcs.exec_controls", m.const(vmx.RDPMC_EXITING | vmx.USE_MSR_BITMAPS, 32))
    m.set("vmcs.guest_global_ctrl", m.const(0, 64))
    m.set("vmcs.host_global_ctrl", m.const(0, 64))
    m.set("vmx.msr_autostore.nr", m.const(0, 32))
    nested.fresh(CPU, m)
    for slot in range(AUTOSTORE_SLOTS):
        m.set(f"vmx.msr_autostore.val[{slot}].index", m.const(0, 32))
        m.set(f"vmx.msr_autostore.val[{slot}].value", m.const(0, 64))
    m.set("run.inside", m.flag(False))
    m.set("run.exited", m.flag(False))
    m.set(emulated.BY_USERSPACE, m.flag(False))
    m.set(rules.LVTPC_LOADED, m.const(0, 8))


def _copies(program: Program) -> list[tuple[str, str]]:
    """KVM's copies: (cell with the value that the guest must find or "", field)."""
    gp, fixed = _handled(program)
    # Not GLOBAL_CTRL: to set its copy is what the refresh is for, and judged by the next entry.
    fields = [("GLOBAL_STATUS", "global_status"), ("FIXED_CTR_CTRL", "fixed_ctr_ctrl")]
    fields += [("PERF_METRICS", "perf_metrics")]
    found = [(ghost(kind), name) for kind, name in fields]
    for i in range(gp):
        found.append((ghost("PMC", i), f"gp_counters[{i}].counter"))
        found.append((ghost("EVTSEL", i), f"gp_counters[{i}].eventsel"))
        found.append(("", f"gp_counters[{i}].eventsel_hw"))
    found += [(ghost("FIXED_CTR", i), f"fixed_counters[{i}].counter") for i in range(fixed)]
    found += [("", "global_ctrl"), ("", "fixed_ctr_ctrl_hw")]
    return mediated.present(program, PMU, found)


def _leave(program: Program, m: Machine) -> None:
    """VM-exit, and what KVM does before anything else looks at the guest's GLOBAL_CTRL."""
    inside = m.get("run.inside")
    m.set("run.exited", inside)
    with m.when(inside):
        value = vmx.leave(m)
        for slot in range(AUTOSTORE_SLOTS):
            entry = f"vmx.msr_autostore.val[{slot}]"
            used = m.const(slot, 32).ult(m.get("vmcs.exit_msr_store_count"))
            with m.when(used & m.get(f"{entry}.index").eq(msr.GLOBAL_CTRL)):
                m.set(f"{entry}.value", value)
        copies, op = _copies(program), mediated.COPY
        mediated.edited(m, VCPU, copies, op, "vmx_refresh_guest_perf_global_control")


def _steps(program: Program) -> list[Step]:
    found = mediated.steps(
        CPU,
        vmx.enter,
        partial(guest_intel.guest, CPU),
        partial(_leave, program),
        _registers(program),
        _copies(program),
    )
    return nested.steps(CPU, program, filtering.steps(VCPU, _controls(program), found))


def _accesses(program: Program) -> list[Access]:
    gp, fixed = _sizes(program)
    counters = pmu.by_ecx(gp, fixed)
    accesses = emulated.accesses(CPU, msr.table(gp, fixed), counters, emulated_intel.expect)
    accesses += mediated.events(VCPU, _copies(program))
    accesses = nested.accesses(CPU, program, accesses)
    return filtering.accesses(VCPU, _controls(program), accesses)


_MUTABLE = re.compile(
    r"hw\.|ghost\.|run\.|vmcs\.(other_)?guest_global_ctrl|msr_data\.|guest_lvtpc_loaded"
    r"|vmx\.vcpu\.arch\.pmu\.(global_ctrl|global_status|fixed_ctr_ctrl|fixed_ctr_ctrl_hw)$"
    r"|vmx\.vcpu\.arch\.pmu\.(perf_metrics|reprogram_pmi.*|pmc_counting.*|pmc_in_use.*)$"
    r"|vmx\.vcpu\.arch\.pmu\.\w+_counters\[\d+\]\.(counter|eventsel_hw)$"
    r"|vmx\.vcpu\.arch\.pmu\.gp_counters\[\d+\]\.eventsel$"
    r"|vmx\.msr_autostore\.val\[\d+\]\.value$"
    r"|vmcs12\.|vmx\.nested\.|vmx\.vcpu\.arch\.nested_run_pending$"
)


def _owned(m: Machine, cell: str) -> Any:
    """The guest has the counter, or PERF_METRICS."""
    if cell == pmu.PERF_METRICS:
        return kvm.mediated(m, VCPU) & _guest_capability(m, msr.CAP_PERF_METRICS)
    index = pmu.index_of(cell)
    if cell == pmu.pmc(index):
        return rules.has_counter(CPU, m, index)
    return kvm.mediated(m, VCPU) & m.const(index, 32).ult(m.get(f"{PMU}.nr_arch_fixed_counters"))


def _armed(m: Machine) -> list[Item]:
    """Counters of the guest that would count as soon as the host turns the unit on."""
    return [
        Item(control, _owned(m, cell), m.ite(pmu.selected(m, cell), m.get(control), zero), zero)
        for cell in pmu.counters(m)
        for control, zero in ((_control(cell), m.const(0, 64)),)
    ]


def _control(cell: str) -> str:
    """The register that has the counter, or PERF_METRICS, count when the unit is on."""
    if cell == pmu.PERF_METRICS:
        return pmu.GLOBAL_CTRL
    index = pmu.index_of(cell)
    return pmu.evtsel(index) if cell == pmu.pmc(index) else pmu.FIXED_CTR_CTRL


def _counting(m: Machine) -> list[tuple[str, Any, Any]]:
    """What counts at VM-entry, by the register that has it count; whether the guest has it."""
    return [(_control(cell), counts, _owned(m, cell)) for cell, counts, _ in pmu.counting(m)]


def _instructions(m: Machine) -> list[counting.Counter]:
    sizes = pmu.size(m, "gp"), pmu.size(m, "fixed")
    return emulated_intel.instructions(PMU, *sizes)(m)


CHECKS = (
    Check(
        "count.host",
        "no counter counts for the host under the guest's controls",
        "the guest's control stays on in the host",
        "put",
        _armed,
    ),
    rules.count_guest(CPU, _counting),
    rules.count_enabled(CPU),
    rules.host_caches(
        CPU, _cell(pmu.INTEL_CTRL), lambda m: pmu.size(m, "gp"), (pmu.FIXED_CTR_CTRL,)
    ),
    rules.pmi_owner(CPU),
    rules.pmi_host(CPU),
    rules.fresh_global_ctrl(CPU),
    rules.stable_copies(
        CPU, lambda m: pmu.size(m, "kvm_gp"), (("fixed_ctr_ctrl_hw", pmu.FIXED_CTR_CTRL),)
    ),
    rules.count_fastpath(_instructions),
    nested.wanted_exits(CPU),
    nested.unwanted_exits(CPU),
)

WRITERS = {
    # Before a vCPU runs; and on nested VM-exit, what vmcs01 has already.
    "init_vmcs": {"VM_EXIT_MSR_STORE_COUNT"},
    "__nested_vmx_vmexit": {"VM_EXIT_MSR_STORE_COUNT"},
    # Intel PT and LBR, which are not part of the model.
    "vmx_handle_intel_pt_intr": {"global_status"},
    "intel_pmu_create_guest_lbr_event": {"event_count", "pmc_in_use"},
    "intel_pmu_handle_lbr_msrs_access": {"pmc_in_use"},
    "intel_pmu_cleanup": {"intel_pmu_release_guest_lbr_event"},
    "vmx_passthrough_lbr_msrs": {"pmc_in_use"},
    "vmx_disable_lbr_msrs_passthrough": {"msr_passthrough"},
    "vmx_enable_lbr_msrs_passthrough": {"msr_passthrough"},
}

REPLACED = (
    "vmx_vcpu_run",
    "__vmx_vcpu_run",
    "vmx_vcpu_enter_exit",
    "vmx_exit_handlers_fastpath",
    "vmx_recalc_intercepts",
    "vmx_recalc_msr_intercepts",
    "vmx_hardware_setup",
    "init_vmcs",
    "vmx_set_intercept_for_msr",
    "vmx_set_msr",
    "vmx_get_msr",
    # VM-entry and VM-exit switch GLOBAL_CTRL by its field, and no MSR of the PMU by their lists.
    "setup_vmcs_config",
    "vmx_get_initial_vmentry_ctrl",
    "vmx_get_initial_vmexit_ctrl",
    "atomic_switch_perf_msrs",
    "add_atomic_switch_msr",
    "clear_atomic_switch_msr",
    "intel_pmu_handle_irq",
    *mediated.REPLACED,
    *nested.REPLACED,
)

ASSUMPTIONS = (
    Assumption(
        "frame.order",
        "each stay in the guest is load, VM-entry, guest, VM-exit, the refresh of GLOBAL_CTRL, the "
        "fastpath, put, with interrupts off: read from the tree (x86.c: vcpu_enter_guest, vmx.c: "
        "vmx_vcpu_run), on all paths through their calls",
    ),
    *mediated.ASSUMPTIONS,
    Assumption(
        "hw.counts",
        "the CPU has 32- to 48-bit counters, and at most one counter of each kind more than KVM "
        "handles (or fixed counter 3); further ones would behave alike",
    ),
    Assumption(
        "host.perf",
        "while a vCPU is put, host perf and other vCPUs may leave any value in counters, "
        "PERF_METRICS, GLOBAL_STATUS and GLOBAL_CTRL; selectors and FIXED_CTR_CTRL are 0 when perf "
        "has scheduled its events out, unless the vCPU itself has left something there",
    ),
    Assumption(
        "hw.status-events",
        "of the bits of GLOBAL_STATUS that are no counter's, only those of ToPA PMI, buffer "
        "overflow and CondChgd can be set while a guest runs",
    ),
    Assumption(
        "hw.selector-writes",
        "a write of a selector or of FIXED_CTR_CTRL makes no counter overflow",
    ),
    Assumption("build", "the kernel is built with " + ", ".join(CONFIG) + ", other options off"),
    *nmi_intel.ASSUMPTIONS,
    *kvm.ASSUMPTIONS,
    *vmx_kernel.ASSUMPTIONS,
    *nested.ASSUMPTIONS,
    *emulated.ASSUMPTIONS,
    *filtering.ASSUMPTIONS,
    *emulated_intel.ASSUMPTIONS,
    *counting.ASSUMPTIONS,
    *other_host_intel.ASSUMPTIONS,
)


PLAIN = Target(
    name="mediated-pmu-intel",
    title="KVM's mediated vPMU on Intel: kvm_mediated_pmu_load() and kvm_mediated_pmu_put()",
    required=("arch/x86/kvm/pmu.c", "arch/x86/kvm/vmx/pmu_intel.c", "arch/x86/kvm/vmx/vmx.c"),
    functions=(
        "kvm_mediated_pmu_load",
        "kvm_mediated_pmu_put",
        "kvm_init_pmu_capability",
        "kvm_pmu_init",
        "kvm_pmu_refresh",
        "kvm_pmu_is_valid_msr",
        "kvm_pmu_get_msr",
        "kvm_pmu_set_msr",
        "kvm_pmu_rdpmc",
        "kvm_pmu_handle_event",
        mediated.INSTRUCTION,
        mediated.BRANCH,
        "kvm_pmu_is_fastpath_emulation_allowed",
        "perf_event_nmi_handler",
        "vmx_get_perf_capabilities",
        "vmx_set_constant_host_state",
        "vmx_recalc_pmu_msr_intercepts",
        "vmx_recalc_instruction_intercepts",
        "vmx_refresh_guest_perf_global_control",
        *nested.FUNCTIONS,
    ),
    dialect=_dialect,
    objects={"vmx": "struct vcpu_vmx", MSR_DATA: "struct msr_data", **nested.OBJECTS},
    cells=_cells,
    contracts=_contracts,
    settings=SETTINGS,
    parameters=PARAMETERS,
    registers=_registers,
    setup=_setup,
    steps=_steps,
    active=partial(kvm.mediated, vcpu=VCPU),
    accesses=_accesses,
    mutable=lambda cell: _MUTABLE.match(cell) is not None,
    observe=partial(guest.observe, CPU),
    reachable=partial(guest.reachable, CPU),
    host_visible=("hw.",),
    legal=pmu.legal,
    counting=pmu.counting,
    counters=lambda program: (*pmu.counter_cells(*_sizes(program)), pmu.PERF_METRICS),
    entered=mediated.entered,
    platform=_of_platform,
    transient=(rules.LVTPC_LOADED, MSR_DATA, nested.VMCS12),
    replaced=REPLACED,
    frames=(mediated.FRAME, vmx_kernel.FRAME),
    callers=mediated.CALLERS,
    writers=mediated.writers(
        WRITERS,
        mediated.SVM,
        msr.table(8, 4),
        dict.fromkeys(
            (f"{start}vmcs_write{width}" for start in ("", "__") for width in ("32", "64", "l")),
            frozenset(vmx.FIELDS),
        ),
    ),
    watches=(rules.HOST_CONTEXT, filtering.WATCH),
    orderings=(
        Ordering(
            "order.fixed3-metrics.load",
            "load",
            pmu.fixed_ctr(3),
            pmu.PERF_METRICS,
            "on load, every write of PERF_METRICS that is to last comes after the last write of "
            "fixed counter 3",
        ),
        Ordering(
            "order.fixed3-metrics.put",
            "put",
            pmu.fixed_ctr(3),
            pmu.PERF_METRICS,
            "on put, every write of PERF_METRICS that is to last comes after the last write of "
            "fixed counter 3",
        ),
    ),
    checks=CHECKS,
    from_guest=lambda m: ~m.get(emulated.BY_USERSPACE),
    assumptions=ASSUMPTIONS,
    facts=facts.INTEL,
)

TARGET = nmi.interrupted(PLAIN)
