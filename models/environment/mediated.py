"""What the targets of KVM's mediated vPMU share: its common files, phases and instructions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from typing import Any

from models.environment import emulated, host_perf
from models.environment.cpu import Cpu
from models.environment.kvm import (
    ALLOWED,
    ASKED,
    CPL,
    GUEST_LVTPC,
    HOST_OUT,
    PMI,
    as_bool,
    mediated,
    members,
)
from models.hardware.pmu import Pmu
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.ir.program import Program
from verify.ir.types import Int
from verify.target import Access, Assumption, Callers, Frame, Idioms, Phase, Register, Step, Writers

HEADERS = (
    "arch/x86/kvm/x86.h",
    "arch/x86/kvm/msrs.h",
    "arch/x86/kvm/trace.h",
    "arch/x86/include/asm/kvm_vcpu_regs.h",
    "arch/x86/include/asm/kvm_host.h",
    "include/linux/kvm_host.h",
    "arch/x86/include/asm/perf_event.h",
    "arch/x86/include/asm/msr-index.h",
    "arch/x86/include/asm/cpufeatures.h",
    "arch/x86/include/asm/apicdef.h",
    "arch/x86/include/asm/irq_vectors.h",
    "arch/x86/include/asm/processor.h",
    "arch/x86/include/uapi/asm/processor-flags.h",
    "arch/x86/include/asm/segment.h",
    "arch/x86/include/asm/shared/msr.h",
    "arch/x86/include/uapi/asm/kvm.h",
    "include/uapi/asm-generic/errno-base.h",
    "include/uapi/linux/perf_event.h",
)
SKIPPED = "run.skipped"
CELLS = {"run.exited": 0, SKIPPED: 0, emulated.BY_USERSPACE: 0, emulated.FAULTED: 0}
"""The guest has just been left; the fastpath has skipped an instruction of it; an access is
userspace's; a WRMSR of the kernel was lost."""

EIO = 5
SOURCES = ("arch/x86/kvm/pmu.c", "arch/x86/events/core.c")


def instructions(pmu: Pmu) -> dict[str, Contract]:
    """Contracts of what executes WRMSR, RDMSR and RDPMC, and of perf, whose PMU it is."""

    def write(m: Machine, call: CallSite) -> None:
        number, value = call.args
        with m.when(pmu.write_msr(m, number, value)):
            m.set(emulated.FAULTED, m.flag(True))

    def write_safe(m: Machine, call: CallSite) -> Any:
        number, value = call.args
        faults = pmu.write_msr(m, number, value, "#GP, fixed up")
        return m.ite(faults, m.const(-EIO, 32), m.const(0, 32))

    def has(m: Machine, call: CallSite) -> Any:
        assert isinstance(call.result, Int)
        return as_bool(m, pmu.has_msr(m, call.args[0]), call.result.width)

    def read(m: Machine, call: CallSite) -> Any:
        return pmu.read_msr(m, call.args[0])

    def read_counter(m: Machine, call: CallSite) -> Any:
        return pmu.read_pmc(m, call.args[0])

    return {
        **host_perf.contracts(pmu),
        "wrmsrq": write,
        "wrmsrq_safe": write_safe,
        "__model_has_msr": has,
        "__model_rdmsr": read,
        "rdpmc": read_counter,
    }


def configured_before(
    m: Machine, pmu: str, copies: Sequence[tuple[str, str]], gp: int, fixed: int
) -> None:
    """Userspace may have given the vCPU another configuration first, of up to so many counters, and
    set any register: only what the kernel resets is then as after RESET."""
    valid = (1 << gp) - 1 | ((1 << fixed) - 1) << _FIXED_COUNTERS
    m.set(f"{pmu}.all_valid_pmc_idx[0]", m.const(valid, 64))
    m.set(f"{pmu}.nr_arch_gp_counters", m.const(gp, 32))
    m.set(f"{pmu}.nr_arch_fixed_counters", m.const(fixed, 32))
    for _, field in copies:
        m.set(field, m.fresh(f"before: {field}", 64))


def reset(m: Machine, registers: Sequence[Register], pmu: str) -> None:
    """What a guest must find in its registers after RESET: 0, but GLOBAL_CTRL has the counters on
    that are no fixed ones."""
    count = m.get(f"{pmu}.nr_arch_gp_counters").zext(64)
    values = {"GLOBAL_CTRL": (m.const(1, 64) << count) - 1}
    for register in registers:
        for i in range(register.count):
            m.set(register.ghost.format(i), m.const(0, 64))
            accepted, _, _ = register.reads[0](m, i)
            value = values.get(register.name, m.const(0, 64))
            m.set(register.ghost.format(i), m.ite(accepted, value, m.const(0, 64)))


def present(program: Program, pmu: str, fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of (cell, member of the struct kvm_pmu at `pmu`) those that the tree has, as paths."""
    known = members(program, "kvm_pmu")
    return [(cell, f"{pmu}.{name}") for cell, name in fields if name.partition("[")[0] in known]


_FIXED_COUNTERS = 32
"""Where KVM's map of counters has the fixed ones."""

INSTRUCTION, BRANCH = "kvm_pmu_instruction_retired", "kvm_pmu_branch_retired"
"""What tells KVM of an event that it has emulated."""

COPY = "copy"
"""What traces call a change of KVM's copy of a register while hardware has the register."""


def edited(
    m: Machine, vcpu: str, copies: Sequence[tuple[str, str]], op: str, function: str, *args: Any
) -> None:
    """Run a function of the kernel on the vCPU: a value that it writes into KVM's copy of a
    register is one that the guest must find. copies: (cell with that value, path of the copy);
    without a cell it is a copy of what hardware gets. op: what traces call a change of a copy."""
    before = [m.get(field) for _, field in copies]
    m.call(function, m.address(vcpu), *args)
    for (cell, field), old in zip(copies, before, strict=True):
        new = m.get(field)
        if not cell:
            with m.when(new.ne(old)):
                m.emit(op, field, old, new, f"in {function}")
            continue
        with m.when(new.ne(old) & new.ne(m.get(cell))):
            m.emit(op, cell, m.get(cell), new, f"in {function}")
            m.set(cell, new)


def begin_event(m: Machine) -> None:
    """The guest is at any privilege level, and userspace may have changed the event filter."""
    m.set(CPL, m.fresh("cpl", 2))
    m.set(ALLOWED, m.fresh("allowed", 64))
    m.set(ASKED, m.const(0, 64))
    m.set(PMI, m.flag(False))


PUT, LOADED = "put", "loaded"

_NEW = "before it has looked for requests"
_SOME, _DUE = "before it has looked for KVM_REQ_PMU", "while KVM_REQ_PMU may not be served"
_ON, _OFF = "with interrupts on", "with interrupts off"
_IN = "while the guest's PMU is loaded"
_WRITES = (
    *("wrmsr", "wrmsrl", "wrmsrq", "wrmsrns", "native_wrmsr", "native_wrmsrl", "native_wrmsrq"),
    *("wrmsr_safe", "wrmsrl_safe", "wrmsrq_safe"),
)

FRAME = Frame(
    file="arch/x86/kvm/x86.c",
    function="vcpu_enter_guest",
    calls={
        **dict.fromkeys(("local_irq_disable", "raw_local_irq_disable", "local_irq_save"), "off"),
        **dict.fromkeys(("local_irq_enable", "raw_local_irq_enable"), "on"),
        **dict.fromkeys(("local_irq_restore", "guard(irq)", "guard(irqsave)"), "perhaps on"),
        "kvm_mediated_pmu_load": "load",
        "kvm_mediated_pmu_put": "put",
        "kvm_x86_call(vcpu_run)": "run",
        "static_call(kvm_x86_vcpu_run)": "run",
        **dict.fromkeys(_WRITES, "write"),
        "wrmsrq(MSR_IA32_XFD_ERR)": "",
        "kvm_request_pending": "look",
        "if(!(kvm_request_pending(vcpu)))": "none",
        "kvm_check_request(KVM_REQ_PMU)": "look for it",
        "if(!(kvm_check_request(KVM_REQ_PMU,vcpu)))": "not there",
        "kvm_pmu_handle_event": "serve",
    },
    start=_NEW,
    moves={
        (_NEW, "look"): _SOME,
        (_SOME, "none"): _ON,
        (_NEW, "look for it"): _DUE,
        (_SOME, "look for it"): _DUE,
        (_DUE, "not there"): _ON,
        (_DUE, "serve"): _ON,
        (_NEW, "serve"): _NEW,
        (_SOME, "serve"): _SOME,
        (_ON, "serve"): _ON,
        (_ON, "off"): _OFF,
        (_OFF, "off"): _OFF,
        (_ON, "on"): _ON,
        (_OFF, "on"): _ON,
        (_OFF, "load"): _IN,
        (_IN, "run"): _IN,
        (_IN, "put"): _OFF,
    },
    ends={_NEW, _SOME, _ON},
    reached=_IN,
    closed={_IN},
    harmless={
        "likely",
        "unlikely",
        "WARN_ON_ONCE",
        "guest_timing_enter_irqoff",
        "kvm_load_guest_pkru",
        "kvm_load_host_pkru",
        "kvm_vcpu_apicv_activated",
        "kvm_vcpu_apicv_active",
        "kvm_get_apic_mode",
        "kvm_lapic_enabled",
        "kvm_x86_call(sync_pir_to_irr)",
        "kvm_vcpu_exit_request",
    },
)
"""The order of what `steps` has; nothing else may happen in between."""

_KVM = "arch/x86/kvm"
CALLERS = (
    Callers(
        (
            "kvm_mediated_pmu_load",
            "kvm_mediated_pmu_put",
            "kvm_x86_call(vcpu_run)",
            "kvm_x86_vcpu_run",
            "kvm_x86_ops.vcpu_run",
        ),
        (FRAME.function,),
        _KVM,
    ),
    # Not the RESET or INIT of a vCPU.
    Callers(("kvm_pmu_reset",), ("kvm_pmu_refresh", "kvm_pmu_destroy"), _KVM),
    Callers(("kvm_pmu_refresh",), ("kvm_vcpu_after_set_cpuid", "kvm_set_msr_common"), _KVM),
)

SVM, VMX = f"{_KVM}/svm/", f"{_KVM}/vmx/"
_WRITERS = {
    # Perf's events, of which a vCPU with a mediated PMU has none (reprogram_counter).
    "pmc_reprogram_counter": {"event_count", "is_paused"},
    "pmc_pause_counter": {"counter", "emulated_counter", "is_paused"},
    "pmc_resume_counter": {"is_paused"},
    "pmc_release_perf_event": {"current_config", "event_count"},
    "kvm_perf_overflow": {"reprogram_pmi"},
    "__kvm_perf_overflow": {"global_status"},
    "kvm_arch_vcpu_load": {"need_cleanup"},
    "kvm_pmu_cleanup": {"need_cleanup", "pmc_in_use", "pmc_stop_counter"},
    # Before there is a vCPU, or before it runs.
    "kvm_x86_vendor_init": {"efer", "kvm_init_pmu_capability"},
    "kvm_arch_vcpu_create": {"perf_capabilities", "kvm_pmu_init"},
    "kvm_arch_init_vm": {"enable_pmu"},
    "kvm_arch_vcpu_precreate": {"enable_pmu"},
    "kvm_vm_ioctl_enable_cap": {"enable_pmu"},
}
_CALLS = ("kvm_pmu_call({})", "kvm_x86_pmu_{}", "kvm_pmu_ops.{}")
_IDIOMS = Idioms(
    reads=r"(?:arch_)?test_bit\w*|find_\w+|\w*for_each_\w+|memcmp|memchr_inv|copy_to_user|sizeof"
    r"|bitmap_(?:empty|full|weight|equal|intersects|subset)|atomic\w*_read|smp_load_acquire"
    r"|READ_ONCE|static_branch_(?:un)?likely|static_key_enabled|ARRAY_SIZE|offsetof|trace_\w+"
    r"|(?:raw_|__)?this_cpu_(?:read|ptr|has)",
    writes=r"WRITE_ONCE|swap|get_user|bitmap_\w+|(?:raw_|__)?this_cpu_\w+|per_cpu",
    fills="memset|memcpy|memmove|memzero_explicit|copy_from_user",
    once="__init|__exit",
    parameter=r"module_param\w*",
)


def writers(
    known: Mapping[str, set[str]],
    beside: str,
    registers: Iterable[int],
    more: Mapping[str, Set[int]] | None = None,
) -> Writers:
    """`known` and `registers`: those of one vendor; `more`: its other instructions, with what they
    must not write. `beside`: the folder of the other one."""
    safe = ("wrmsr", "wrmsrl", "wrmsrq", "native_write_msr", "paravirt_write_msr")
    forms = [f"{name}{end}" for name in safe for end in ("", "_safe")]
    forms += ["wrmsrns", "__wrmsrq", "native_wrmsr", "native_wrmsrl", "native_wrmsrq"]
    forms += ["msr_set_bit", "msr_clear_bit"]
    instructions = {**dict.fromkeys(forms, frozenset(registers)), **(more or {})}
    return Writers(_KVM, (beside,), {**_WRITERS, **known}, instructions, _CALLS, _IDIOMS)


REPLACED = (
    # Bring an access by the guest, or by userspace, to the PMU's code.
    "kvm_set_msr_common",
    "kvm_get_msr_common",
    "kvm_emulate_rdpmc",
    "emulator_check_rdpmc_early",
    "emulator_read_pmc",
    # Tell the PMU's code what was emulated.
    "kvm_skip_emulated_instruction",
    "x86_emulate_instruction",
    # Ask it whether the fastpath may emulate.
    "handle_fastpath_hlt",
    "handle_fastpath_invd",
    "__handle_fastpath_wrmsr",
    # Bring the guest an overflow's interrupt.
    "kvm_pmu_deliver_pmi",
    "kvm_pmu_ops_update",
    # Has the PMU asked for all counters.
    "kvm_vm_ioctl_set_pmu_event_filter",
)
"""Functions for which the model stands, common to the vendors."""

ASSUMPTIONS = (
    Assumption(
        "frame.fastpath",
        "the fastpath emulates instructions only when kvm_pmu_is_fastpath_emulation_allowed says "
        "so, and may enter the guest again without put any number of times",
    ),
    Assumption(
        "frame.calls",
        "what vcpu_enter_guest calls besides leaves interrupts on or off as it finds them and does "
        "not touch the PMU while that is loaded",
    ),
    Assumption(
        "frame.writers",
        "what the switch reads, and the PMU's MSRs, nobody in arch/x86/kvm writes but who is "
        "modelled, which is read from the tree; and but for perf's events, which a vCPU with a "
        "mediated PMU has not, for what is written before a vCPU runs, and for Intel PT, LBR, EFER "
        "and nested guests on AMD",
    ),
)


def steps(
    cpu: Cpu,
    enter: Callable[[Machine], None],
    guest: Callable[[Machine], None],
    leave: Callable[[Machine], None],
    registers: Sequence[Register],
    copies: Sequence[tuple[str, str]],
) -> list[Step]:
    """One stay of the vCPU on the CPU (x86.c: vcpu_enter_guest). `leave` sets run.exited where KVM
    may handle the exit at once."""
    vcpu = cpu.vcpu

    def load(m: Machine) -> None:
        m.set(GUEST_LVTPC, m.fresh("guest LVTPC", 32))
        m.call("kvm_mediated_pmu_load", m.address(vcpu))

    def capture(m: Machine) -> None:
        """What the guest leaves in its registers is what it must find again."""
        for register in registers:
            if register.switched:
                for i in range(register.count):
                    with m.when(m.get("run.inside") & register.enumerated(m, i)):
                        m.set(register.ghost.format(i), m.get(register.cell.format(i)))

    def fastpath(m: Machine) -> None:
        """After an exit KVM may skip an instruction at once, and enter the guest again without put
        (vmx.c: vmx_exit_handlers_fastpath, svm.c: svm_exit_handlers_fastpath)."""
        begin_event(m)
        m.set(SKIPPED, m.flag(False))
        with m.when(m.get("run.exited") & m.fresh("instruction", 0)):
            allowed = m.call("kvm_pmu_is_fastpath_emulation_allowed", m.address(vcpu))
            with m.when(allowed.nonzero()):
                m.set(SKIPPED, mediated(m, vcpu))
                edited(m, vcpu, copies, COPY, INSTRUCTION)

    def put(m: Machine) -> None:
        m.set(HOST_OUT, m.const(1, 1))
        m.call("kvm_mediated_pmu_put", m.address(vcpu))

    run = [
        Phase("enter", enter, observed=True, entry=True),
        Phase("guest", guest, observed=True),
        Phase("capture", capture),
        Phase("leave", leave),
        Phase("fastpath", fastpath),
    ]
    return [
        Step(
            "load", PUT, LOADED, [Phase("host", partial(host_perf.host, cpu)), Phase("load", load)]
        ),
        Step("run", LOADED, LOADED, run),
        Step("put", LOADED, PUT, [Phase("put", put)]),
    ]


def events(vcpu: str, copies: Sequence[tuple[str, str]]) -> list[Access]:
    """KVM emulates an instruction, or a branch, while the vCPU is put."""

    def counted(function: str) -> Callable[[Machine], None]:
        def run(m: Machine) -> None:
            m.set(emulated.BY_USERSPACE, m.flag(False))
            begin_event(m)
            with m.when(mediated(m, vcpu)):
                edited(m, vcpu, copies, emulated.ACCEPTED, function)

        return run

    return [
        Access("emulate an instruction", counted(INSTRUCTION)),
        Access("emulate a branch", counted(BRANCH)),
    ]


def entered(cells: Mapping[str, Any]) -> Any:
    """The CPU is in the guest."""
    return cells["run.inside"]
