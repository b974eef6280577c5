"""KVM's mediated vPMU on AMD: load before VMRUN, put after the last #VMEXIT (domain.md 1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from models.environment import (
    bitmap,
    counting,
    emulated,
    emulated_amd,
    filtering,
    guest,
    kvm,
    mediated,
    nmi,
    nmi_amd,
    other_host_amd,
    prelude,
    rules,
)
from models.environment import svm as svm_kernel
from models.environment.emulated import MSR_DATA, ghost
from models.environment.other_host_amd import HOSTS
from models.environment.svm import CPU, GUEST_HAS, KVM_HAS, PERFMON_V2, VCPU
from models.hardware import amd_pmu as pmu
from models.hardware import facts, msr, svm
from models.hardware.pmu import GLOBAL_CTRL, GLOBAL_STATUS, pmc
from verify.errors import BadInput
from verify.ir.contract import Contract
from verify.ir.machine import Machine
from verify.ir.program import Dialect, Program
from verify.target import (
    Access,
    Assumption,
    EmulatedRead,
    Event,
    Parameter,
    Register,
    Setting,
    Step,
    Target,
    Watch,
)

PMU = f"{VCPU}.arch.pmu"

FILES = (
    "arch/x86/kvm/pmu.h",
    "arch/x86/kvm/svm/svm.h",
    *mediated.HEADERS,
    "arch/x86/include/asm/svm.h",
    "arch/x86/include/uapi/asm/svm.h",
    "include/hyperv/hvgdk.h",
    "arch/x86/kvm/regs.h",
    *mediated.SOURCES,
    "arch/x86/kvm/svm/pmu.c",
    "arch/x86/kvm/svm/svm.c",
)
CONFIG = dict.fromkeys(
    (
        "CONFIG_X86_64",
        "CONFIG_PERF_EVENTS",
        "CONFIG_CPU_SUP_AMD",
        "CONFIG_PERF_GUEST_MEDIATED_PMU",
        "CONFIG_KVM_AMD",
    ),
    "y",
)


def _dialect(defines: Mapping[str, str]) -> Dialect:
    return Dialect(
        files=FILES,
        config=dict(CONFIG),
        prelude=prelude("kernel.h", "kvm.h", "svm.h"),
        defines=dict(defines),
        tables={"kvm_pmu_ops": "amd_pmu_ops"},
        splits={"svm_vcpu_run": "svm_vcpu_enter_exit"},
    )


def _handled(program: Program) -> int:
    """Counters that KVM handles. BadInput for a tree in which that is no number."""
    name = "KVM_MAX_NR_AMD_GP_COUNTERS"
    value = program.constant(name)
    if value is None or not 0 < value <= pmu.MOST_GP:
        found_as = "no constant" if value is None else value
        raise BadInput(f"{name}: is {found_as} here; it must be a number from 1 to {pmu.MOST_GP}")
    return value


def _size(program: Program) -> int:
    """Counters that are modelled: one more than KVM handles."""
    return _handled(program) + 1


def _cells(program: Program) -> dict[str, int]:
    size = _size(program)
    intercepts = {
        msr.bitmap(access, number): 0 for number in pmu.table(size) for access in ("R", "W")
    }
    ghosts = [ghost("GLOBAL_CTRL"), ghost("GLOBAL_STATUS")]
    ghosts += [ghost(kind, i) for i in range(size) for kind in ("PMC", "EVTSEL")]
    return {
        **pmu.cells(size),
        **svm.CELLS,
        **kvm.CELLS,
        **kvm.asked(_handled(program)),
        **filtering.CELLS,
        **svm_kernel.CELLS,
        **intercepts,
        **dict.fromkeys(ghosts, 64),
        **emulated_amd.CELLS,
        **mediated.CELLS,
    }


def _contracts(program: Program) -> dict[str, Contract]:
    return {
        **nmi.contracts(nmi_amd.handle_irq),
        **kvm.contracts(
            program,
            svm_kernel.FEATURES,
            svm_kernel.PMU_LEAF,
            _handled(program),
            svm_kernel.EVENTS,
        ),
        **svm_kernel.contracts(program),
        **mediated.instructions(pmu),
    }


# Configuration ----------------------------------------------------------------------------------


def _cell(name: str) -> Callable[[Machine], Any]:
    return lambda m: m.get(name)


def _flag(name: str) -> Callable[[Machine], Any]:
    return lambda m: m.get(name).nonzero()


SETTINGS = (
    Setting("host.gp", "counters of the CPU's cores", _cell("config.host_gp")),
    Setting("host.v2", "1: the CPU has PMU version 2", _cell("config.host_v2"), 1),
    Setting(
        "host.freeze",
        "1: overflows can freeze counters and branch records",
        _cell("config.host_freeze"),
        1,
    ),
    Setting("host.df", "1: RDPMC reads counters of the data fabric", _cell("config.host_nb"), 0),
    Setting("host.l3", "1: RDPMC reads counters of the L3 cache", _cell("config.host_llc"), 0),
    Setting("guest.version", "the guest's PMU version, 0: no PMU", _cell(f"{PMU}.version"), 2),
    Setting("guest.gp", "the guest's counters", _cell(f"{PMU}.nr_arch_gp_counters")),
    Setting(
        "guest.core",
        "1: the guest enumerates the core counter extension",
        _cell("config.guest_core"),
        1,
    ),
    Setting("guest.nested", "1: the guest may run guests of its own", _cell("config.guest_svm"), 0),
    Setting("kvm.mediated", "1: KVM uses the mediated PMU", _flag("enable_mediated_pmu"), 1),
    Setting(
        "kvm.vmware_backdoor", "1: the VMware backdoor is on", _flag("enable_vmware_backdoor"), 0
    ),
)

PARAMETERS = (
    Parameter(
        "reserved_writes",
        "what a write of bits that a register does not have, or to a read-only one, does",
        "param.reserved_writes",
        pmu.RESERVED_WRITES,
    ),
)

_OF_PLATFORM = re.compile(
    r"init/(config\.host|param\.|enable_|kvm_|boot_cpu|nested$|nrips|npt_|tsc_scaling|vls|lbrv|"
    r"gmet_|vgif|vnmi)|setup/kvm_init_pmu_capability|setup/svm_set_cpu_caps"
)


def _of_platform(name: str) -> bool:
    return _OF_PLATFORM.match(name) is not None


# Registers --------------------------------------------------------------------------------------


def _registers(program: Program) -> list[Register]:
    count = _handled(program)

    counter = partial(rules.has_counter, CPU)

    def from_version_2(m: Machine, i: int) -> Any:
        return rules.has_version_2(CPU, m)

    def names(legacy: int, core: int) -> tuple[Callable[[int], int], Callable[[int], int]]:
        """The MSR that every guest has, as far as there is one, and the other."""

        def first(i: int) -> int:
            return legacy + i if i < pmu.LEGACY_COUNTERS else core + 2 * i

        return first, lambda i: core + 2 * i

    counters = names(pmu.K7_PERFCTR0, pmu.CORE_CTR0)
    selectors = names(pmu.K7_EVTSEL0, pmu.CORE_CTL0)

    def read(kind: str, number: Callable[[int], int]) -> EmulatedRead:
        return lambda m, i: (*emulated.read(CPU, m, number(i)), m.get(ghost(kind, i)))

    def back(*numbers: Callable[[int], int]) -> tuple[EmulatedRead, ...]:
        def migration(number: Callable[[int], int]) -> EmulatedRead:
            return lambda m, i: emulated.take_back(CPU, m, number(i))

        return tuple(migration(number) for number in numbers)

    def moved(*numbers: Callable[[int], int]) -> tuple[EmulatedRead, ...]:
        def migration(number: Callable[[int], int]) -> EmulatedRead:
            return lambda m, i: emulated.take_back(
                CPU, m, number(i), lambda: HOSTS.move(program, m)
            )

        return tuple(migration(number) for number in numbers)

    def by_rdpmc(m: Machine, i: int) -> tuple[Any, Any, Any]:
        return (*emulated.read_counter(CPU, m, i), m.get(ghost("PMC", i)))

    def always(*numbers: int) -> list[Callable[[int], int]]:
        def same(number: int) -> Callable[[int], int]:
            return lambda i: number

        return [same(number) for number in numbers]

    def one(kind: str, number: int) -> EmulatedRead:
        return lambda m, i: (*emulated.read(CPU, m, number), m.get(ghost(kind)))

    def zero(number: int) -> EmulatedRead:
        return lambda m, i: (*emulated.read(CPU, m, number), m.const(0, 64))

    events = [
        counting.Event(VCPU, _copies(program), function, counters)
        for function, counters in (
            (mediated.INSTRUCTION, emulated_amd.instructions(VCPU, count)),
            (mediated.BRANCH, emulated_amd.branches(VCPU, count)),
        )
    ]
    ctrl = always(pmu.CTL)
    status = always(pmu.STATUS, pmu.STATUS_CLR, pmu.STATUS_SET)
    # No arrivals: of no register a value is assumed away, so fault.load speaks of all of them.
    return [
        Register(
            "PMC", count, "hw.PMC[{}]", "ghost.PMC[{}]", 64, True, counter,
            (*(read("PMC", number) for number in counters), by_rdpmc),
            migrations=back(*counters), moves=moved(*counters),
            events=tuple(event.into("ghost.PMC[{}]") for event in events),
        ),
        Register(
            "EVTSEL", count, "hw.EVTSEL[{}]", "ghost.EVTSEL[{}]", 64, False, counter,
            [read("EVTSEL", number) for number in selectors],
            f"{PMU}.gp_counters[{{}}].eventsel_hw",
            migrations=back(*selectors), moves=moved(*selectors),
        ),
        Register(
            "GLOBAL_CTRL", 1, GLOBAL_CTRL, "ghost.GLOBAL_CTRL", 64, True, from_version_2,
            (one("GLOBAL_CTRL", pmu.CTL),),
            migrations=back(*ctrl), moves=moved(*ctrl),
        ),
        Register(
            "GLOBAL_STATUS", 1, GLOBAL_STATUS, "ghost.GLOBAL_STATUS", 64, True, from_version_2,
            (one("GLOBAL_STATUS", pmu.STATUS), zero(pmu.STATUS_CLR), zero(pmu.STATUS_SET)),
            migrations=back(*status), moves=moved(*status),
            events=counting.of_status(events, from_version_2),
        ),
    ]  # fmt: skip


# Setup and phases -------------------------------------------------------------------------------


def _setup(program: Program, m: Machine) -> None:
    """KVM is loaded, and a vCPU is created and configured, by the kernel's own functions."""
    m.set("config.size_gp", m.const(_size(program), 8))
    pmu.limits(m)
    m.assume(pmu.legal(m))
    for cell, value in pmu.off(m).items():
        m.set(cell, value)
    bitmap.close(pmu, m)
    m.set("vmcb.rdpmc", m.flag(True))
    for name in ("reached", "inside", "exited"):
        m.set(f"run.{name}", m.flag(False))
    m.set(emulated.BY_USERSPACE, m.flag(False))
    m.set(rules.LVTPC_LOADED, m.const(0, 8))
    m.set("svm.vmcb", m.address("vmcb"))
    m.set("svm.vmcb01.ptr", m.address("vmcb"))
    vcpu = m.address(VCPU)
    m.call("kvm_init_pmu_capability", m.address("amd_pmu_ops"))
    m.settle()
    m.call("svm_set_cpu_caps")
    m.settle()
    for name, cell in GUEST_HAS.items():
        m.assume(~m.get(cell) | m.get(KVM_HAS[name]))
    m.assume(~m.get(GUEST_HAS[PERFMON_V2]) | m.get("config.guest_has_cpuid_pmu"))
    m.call("kvm_pmu_init", vcpu)
    mediated.configured_before(m, PMU, _copies(program), _handled(program), 0)
    m.call("kvm_pmu_refresh", vcpu)
    m.settle()
    m.call("svm_recalc_pmu_msr_intercepts", vcpu)
    m.call("svm_recalc_instruction_intercepts", vcpu)
    emulated_amd.limits(m, PMU)
    mediated.reset(m, _registers(program), PMU)
    filtering.reset(m, _controls(program))


def _controls(program: Program) -> filtering.Controls:
    return emulated_amd.controls(VCPU, _handled(program))


def _enter(m: Machine) -> None:
    """What KVM does up to VMRUN, unless it decides at the last moment not to enter."""
    for name in ("reached", "inside"):
        m.set(f"run.{name}", m.flag(False))
    with m.when(~m.fresh("host skips the entry", 0)):
        m.call("svm_vcpu_run.before", m.address(VCPU), m.fresh("run_flags", 64))


def _copies(program: Program) -> list[tuple[str, str]]:
    """KVM's copies: (cell with the value that the guest must find or "", field)."""
    # Not GLOBAL_CTRL: to set its copy is what the code after #VMEXIT is for.
    found = [(ghost("GLOBAL_STATUS"), "global_status"), ("", "global_ctrl")]
    for i in range(_handled(program)):
        found.append((ghost("PMC", i), f"gp_counters[{i}].counter"))
        found.append((ghost("EVTSEL", i), f"gp_counters[{i}].eventsel"))
        found.append(("", f"gp_counters[{i}].eventsel_hw"))
    return mediated.present(program, PMU, found)


def _leave(program: Program, m: Machine) -> None:
    """What KVM does from #VMEXIT on, before anything else looks at the guest's GLOBAL_CTRL."""
    m.set("run.exited", m.get("run.inside"))
    with m.when(m.get("run.reached")):
        flags = m.fresh("run_flags", 64)
        copies = _copies(program)
        mediated.edited(m, VCPU, copies, mediated.COPY, "svm_vcpu_run.after", flags)
        for name in ("reached", "inside"):
            m.set(f"run.{name}", m.flag(False))


def _steps(program: Program) -> list[Step]:
    found = mediated.steps(
        CPU,
        _enter,
        partial(guest.guest, CPU),
        partial(_leave, program),
        _registers(program),
        _copies(program),
    )
    return filtering.steps(VCPU, _controls(program), found)


def _accesses(program: Program) -> list[Access]:
    size = _size(program)
    accesses = emulated.accesses(CPU, pmu.table(size), range(size), emulated_amd.expect)
    accesses += mediated.events(VCPU, _copies(program))
    return filtering.accesses(VCPU, _controls(program), accesses)


def _counts_for_host(m: Machine, event: Event) -> list[tuple[Any, str]]:
    """What counts while the host's code runs; host perf's own events are off."""
    if event.op not in ("WRMSR", "RDMSR", "RDPMC", "APIC"):
        return []
    switched = kvm.mediated(m, VCPU)
    counting = pmu.counting(m)
    return [(switched & counts, f"{cell[3:]} counts: {why}") for cell, counts, why in counting]


def _counting(m: Machine) -> list[tuple[str, Any, Any]]:
    """What counts when the guest is entered, by its selector; whether the guest has it."""
    return [
        (pmu.control(cell), pmu.counts_in_guest(m, cell), rules.has_counter(CPU, m, i))
        for i, cell in enumerate(map(pmc, range(pmu.size(m))))
    ]


def _selectors(m: Machine) -> int:
    """Those that KVM handles."""
    return pmu.size(m) - 1


WATCHES = (
    rules.HOST_CONTEXT,
    Watch(
        "count.host",
        "no counter counts for the host under the guest's controls",
        "a counter counts while the host runs",
        _counts_for_host,
        ("load", "put"),
    ),
    filtering.WATCH,
)

CHECKS = (
    rules.count_guest(CPU, _counting),
    rules.count_enabled(CPU),
    rules.host_caches(CPU, pmu.perf_ctrl, _selectors),
    rules.pmi_owner(CPU),
    rules.pmi_host(CPU),
    rules.fresh_global_ctrl(CPU),
    rules.stable_copies(CPU, _selectors),
    rules.count_fastpath(lambda m: emulated_amd.instructions(VCPU, _selectors(m))(m)),
)

_MUTABLE = re.compile(
    r"hw\.|ghost\.|run\.|msr_data\.|guest_lvtpc_loaded"
    r"|svm\.vcpu\.arch\.pmu\.(global_ctrl|global_status|reprogram_pmi.*|pmc_counting.*)$"
    r"|svm\.vcpu\.arch\.pmu\.(pmc_in_use.*|pmc_has_mode.*)$"
    r"|svm\.vcpu\.arch\.pmu\.gp_counters\[\d+\]\.(counter|eventsel|eventsel_hw)$"
)

WRITERS = {
    # EFER.SVME is taken not to change (counted.svme).
    "svm_set_efer": {"efer"},
    "svm_set_cr0": {"efer"},
    # Nested guests, which are not part of the model: an instruction that counts, and the filter
    # asked once more.
    "nested_svm_vmrun": {"kvm_pmu_instruction_retired"},
    "__svm_pmu_handle_nested_transition": {"__kvm_pmu_reprogram_counters"},
}

REPLACED = (
    "svm_vcpu_enter_exit",
    "__svm_vcpu_run",
    "svm_exit_handlers_fastpath",
    "svm_recalc_intercepts",
    "svm_recalc_msr_intercepts",
    "svm_hardware_setup",
    "svm_set_intercept_for_msr",
    "msr_write_intercepted",
    "svm_set_msr",
    "svm_get_msr",
    "amd_pmu_handle_irq",
    "amd_pmu_v2_handle_irq",
    *mediated.REPLACED,
)

ASSUMPTIONS = (
    Assumption(
        "frame.order",
        "each stay in the guest is load, svm_vcpu_run, again on the fastpath, put, with "
        "interrupts off: read from the tree (x86.c: vcpu_enter_guest), on all paths through its "
        "calls",
    ),
    *mediated.ASSUMPTIONS,
    Assumption(
        "hw.counts",
        "the CPU has 48-bit counters, at most one more than KVM handles, and one for all of the "
        "data fabric's and for all of the L3 cache's that RDPMC reads; further ones would behave "
        "alike",
    ),
    Assumption(
        "host.perf",
        "while a vCPU is put, host perf and other vCPUs may leave any value in counters, "
        "GLOBAL_STATUS and GLOBAL_CTRL, and in selectors that perf used any value with the enable "
        "bit off; a fresh vCPU finds all of them off",
    ),
    Assumption(
        "hw.status-events",
        "of the bits of GLOBAL_STATUS that are no counter's, a guest can set those of freezes, and "
        "only by GLOBAL_STATUS_SET: KVM refuses it the bits of DEBUGCTL that enable freezing",
    ),
    Assumption("build", "the kernel is built with " + ", ".join(CONFIG) + ", other options off"),
    *nmi_amd.ASSUMPTIONS,
    *kvm.ASSUMPTIONS,
    *svm_kernel.ASSUMPTIONS,
    *emulated.ASSUMPTIONS,
    *filtering.ASSUMPTIONS,
    *emulated_amd.ASSUMPTIONS,
    *counting.ASSUMPTIONS,
    *other_host_amd.ASSUMPTIONS,
)

PLAIN = Target(
    name="mediated-pmu-amd",
    title="KVM's mediated vPMU on AMD: kvm_mediated_pmu_load() and kvm_mediated_pmu_put()",
    required=("arch/x86/kvm/pmu.c", "arch/x86/kvm/svm/pmu.c", "arch/x86/kvm/svm/svm.c"),
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
        "svm_set_cpu_caps",
        "svm_recalc_pmu_msr_intercepts",
        "svm_recalc_instruction_intercepts",
        "svm_vcpu_run.before",
        "svm_vcpu_run.after",
    ),
    dialect=_dialect,
    objects={"svm": "struct vcpu_svm", "vmcb": "struct vmcb", MSR_DATA: "struct msr_data"},
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
    counters=lambda program: pmu.counter_cells(_size(program)),
    entered=mediated.entered,
    platform=_of_platform,
    transient=(rules.LVTPC_LOADED, MSR_DATA),
    replaced=REPLACED,
    frames=(mediated.FRAME,),
    callers=mediated.CALLERS,
    writers=mediated.writers(WRITERS, mediated.VMX, pmu.table(6)),
    orderings=(),
    watches=WATCHES,
    checks=CHECKS,
    from_guest=lambda m: ~m.get(emulated.BY_USERSPACE),
    assumptions=ASSUMPTIONS,
    facts=facts.AMD,
)

TARGET = nmi.interrupted(PLAIN)
