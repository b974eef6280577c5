"""Guests of the guest (domain.md 3): L1 is the guest, L2 runs under vmcs02 what L1 wants of it.

The tree's own functions merge the MSR bitmaps, make vmcs02's control words, check what L1 has in
its VMCS for L2 (vmcs12), and set GLOBAL_CTRL at nested VM-entry and VM-exit. Which value it must
have then is the architecture's: a load that L1 asks for, else the value goes on from one to the
other. vmcs12 holds anything at any time. The C side is nested.h in this folder.

Bitmaps and control words of vmcs02 are made anew for each stay of L2 on the CPU, from any vmcs12:
KVM makes them when L2 is entered, and L2 may stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from models.environment import bitmap, emulated, guest
from models.environment.cpu import Cpu
from models.environment.emulated import becomes, ghost
from models.environment.kvm import anything, as_bool, mediated, members
from models.hardware import msr, vmx
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.ir.program import Program
from verify.ir.types import Int
from verify.target import Access, Assumption, Check, Item, Phase, Step

VMCS12 = "vmcs12"
OBJECTS = {VMCS12: "struct vmcs12"}
MERGED = "vmcs02.merged"
"""L2 runs, and vmcs02's bitmap is that of the present stay; else it is an earlier one."""
FUNCTIONS = (
    "nested_vmx_merge_pmu_msr_bitmaps",
    "prepare_vmcs02_early",
    "prepare_vmcs02",
    "nested_vmx_check_guest_state",
    "nested_vmx_check_host_state",
    "load_vmcs12_host_state",
)
REPLACED = (
    "nested_vmx_run",
    "nested_vmx_enter_non_root_mode",
    "__nested_vmx_vmexit",
    "vmx_switch_vmcs",
    "nested_vmx_prepare_msr_bitmap",
    "nested_get_vmcs12_pages",
    "prepare_vmcs02_early_rare",
    "prepare_vmcs02_constant_state",
    "prepare_vmcs02_rare",
    "nested_vmx_load_msr",
    "nested_vmx_store_msr",
)
ASSUMPTIONS = (
    Assumption(
        "nested.bitmap",
        "L2 runs with no bitmap, or with all accesses intercepted but where "
        "nested_vmx_merge_pmu_msr_bitmaps lets it go direct, for any bitmap of L1 "
        "(nested.c: nested_vmx_prepare_msr_bitmap)",
    ),
    Assumption(
        "nested.switch",
        "vmcs02 is used from nested VM-entry (prepare_vmcs02_early, the checks, prepare_vmcs02) to "
        "nested VM-exit (load_vmcs12_host_state with vmcs01), both while the vCPU is put; an entry "
        "that fails changes no more than L1's writes can (nested.c: "
        "nested_vmx_enter_non_root_mode, __nested_vmx_vmexit)",
    ),
    Assumption(
        "nested.vmcs02",
        "vmcs02 has vmcs01's host GLOBAL_CTRL and VM-exit MSR-store area (nested.c: "
        "prepare_vmcs02_constant_state, prepare_vmcs02_rare), and its GLOBAL_CTRL is 0 at first",
    ),
    Assumption(
        "nested.lists",
        "L1's lists of MSRs and what L0 emulates for L2 are accesses by the guest, any number in "
        "any order (nested.c: nested_vmx_load_msr, nested_vmx_store_msr)",
    ),
    Assumption(
        "nested.other-state",
        "what nested VM-entry and VM-exit do to other state (models/environment/nested.h names "
        "the functions) changes nothing of the PMU and its fields in the VMCS",
    ),
    Assumption(
        "nested.restore",
        "a vCPU that userspace restores in the midst of L2 (KVM_SET_NESTED_STATE) has the "
        "GLOBAL_CTRL that KVM then tells of, and no nested VM-entry fails in hardware that passed "
        "KVM's checks",
    ),
)

_BITMAPS = {"__model_bitmap01": 1, "__model_bitmap12": 2, "__model_bitmap02": 3}
"""What tells the bitmaps apart: the word that a pointer to one of them points to."""
_LOADED = "vmx.loaded_vmcs"
_VMCS01, _VMCS02 = "vmx.vmcs01", "vmx.nested.vmcs02"
_SHADOWS = {"exec_controls": "exec", "exit_controls": "vm_exit", "entry_controls": "vm_entry"}


def _flag(owner: str, access: str, number: int) -> str:
    """The cell of a flag in the bitmap of L1 or in that of vmcs02."""
    return f"{owner}.{msr.bitmap(access, number)}"


def _access(access: str, number: int) -> str:
    """What traces call the access that a flag is about."""
    return f"{'RDMSR' if access == 'R' else 'WRMSR'} {number:#x}"


def _flags(numbers: Iterable[int]) -> list[tuple[str, int]]:
    return [(access, number) for number in numbers for access in ("R", "W")]


def cells(numbers: Iterable[int]) -> dict[str, int]:
    """The cells of a CPU with these MSRs."""
    flags = _flags(numbers)
    return {MERGED: 0} | {_flag(owner, *f): 0 for f in flags for owner in ("vmcs02", "l1")}


def intercepts(m: Machine, access: str, number: int) -> Any:
    """The access by L1, or by L2 where that runs, is intercepted."""
    own = bitmap.intercepts(m, access, number)
    flag = m.ite(vmx.nested(m), m.get(_flag("vmcs02", access, number)), own)
    return flag | ~vmx.uses_msr_bitmaps(m)


def _tests(cpu: Cpu) -> Contract:
    def answer(m: Machine, call: CallSite) -> Any:
        which, number, write = call.args
        which, before = m.read(which, "", 64), m.fresh("an earlier bitmap of vmcs02", 0)

        def flag(access: str, candidate: int) -> Any:
            own = bitmap.intercepts(m, access, candidate)
            wanted = m.get(_flag("l1", access, candidate))
            merged = m.get(_flag("vmcs02", access, candidate))
            merged = m.ite(m.get(MERGED), merged, before)
            return m.ite(which.eq(1), own, m.ite(which.eq(2), wanted, merged))

        result = bitmap.intercepted(cpu.pmu, m, number, write, flag)
        return as_bool(m, result, getattr(call.result, "width", 8))

    return answer


def _changes(cpu: Cpu) -> Contract:
    """Set or clear a flag. KVM only changes that of vmcs02 so."""

    def answer(m: Machine, call: CallSite) -> None:
        which, number, write, on = call.args
        with m.when(m.read(which, "", 64).ne(3)):
            m.not_understood("interception", "a flag of a bitmap other than vmcs02's is changed")
        kind = m.ite(write.nonzero(), m.const(bitmap.WRITE, 32), m.const(bitmap.READ, 32))

        def change(access: str, candidate: int) -> None:
            flag, after = _flag("vmcs02", access, candidate), on.nonzero()
            before = as_bool(m, m.get(flag), 1)
            m.emit("bitmap", _access(access, candidate), before, as_bool(m, after, 1), "of vmcs02")
            m.set(flag, after)

        bitmap.for_each(cpu.pmu, m, number, kind, on, change)

    return answer


def _writes(cpu: Cpu) -> Contract:
    """A write of an MSR on behalf of the guest: 0, or 1 when it is refused."""

    def answer(m: Machine, call: CallSite) -> Any:
        assert isinstance(call.result, Int)
        _, number, data = call.args
        valid, refused = emulated.write(cpu, m, number, data, m.flag(False))
        return as_bool(m, ~valid | refused, call.result.width)

    return answer


def contracts(cpu: Cpu) -> dict[str, Contract]:
    """By the name of the function that they stand for."""

    def in_l2(m: Machine, call: CallSite) -> Any:
        assert isinstance(call.result, Int)
        return as_bool(m, vmx.nested(m), call.result.width)

    return {
        "__model_intercepted": _tests(cpu),
        "__model_set_flag": _changes(cpu),
        "__kvm_emulate_msr_write": _writes(cpu),
        "__model_other": anything("other state"),
        "is_guest_mode": in_l2,
    }


def fresh(cpu: Cpu, m: Machine) -> None:
    """A vCPU that has not run any guest of its own."""
    m.set(f"{_VMCS01}.msr_bitmap", m.address("__model_bitmap01"))
    m.set(f"{_VMCS02}.msr_bitmap", m.address("__model_bitmap02"))
    m.set(vmx.NESTED, m.flag(False))
    m.set(vmx.OTHER_GUEST_GLOBAL_CTRL, m.const(0, 64))
    for name, shadow in _SHADOWS.items():
        m.set(f"{_VMCS01}.controls_shadow.{shadow}", m.get(f"vmcs.{name}"))
    point(m)
    _forget(cpu, m)


def point(m: Machine) -> None:
    """Have KVM's pointer point to the VMCS in use, and tell the bitmaps apart."""
    for name, number in _BITMAPS.items():
        m.set(name, m.const(number, 64))
    m.set(_LOADED, m.ite(vmx.nested(m), m.address(_VMCS02), m.address(_VMCS01)))


def _unpoint(m: Machine) -> None:
    """The pointer is no state of its own: it follows from which VMCS is in use."""
    m.set(_LOADED, m.address(_VMCS01))


@contextmanager
def pointed(m: Machine) -> Iterator[None]:
    """Meanwhile KVM's pointer points to the VMCS in use."""
    point(m)
    yield
    _unpoint(m)


def _vmcs12(program: Program, m: Machine) -> Any:
    """L1 has anything in its VMCS."""
    for name, member in members(program, "vmcs12").items():
        if isinstance(member.type, Int):
            m.set(f"{VMCS12}.{name}", m.fresh(f"vmcs12.{name}", member.type.width))
    return m.address(VMCS12)


def _prepare(cpu: Cpu, program: Program, m: Machine) -> None:
    """Bitmap and control words of vmcs02."""
    vmcs12 = _vmcs12(program, m)
    for access, number in _flags(cpu.pmu.numbers(m)):
        wanted = m.fresh(f"vmcs12 {access}[{number:#x}]", 0)
        m.set(_flag("l1", access, number), wanted)
    for name, shadow in _SHADOWS.items():
        word = m.fresh(f"vmcs02.{name}", 32)
        m.set(f"vmcs02.{name}", word)
        m.set(f"{_VMCS02}.controls_shadow.{shadow}", word)
    m.set(MERGED, vmx.nested(m))
    with m.when(vmx.nested(m)):
        bitmaps = (m.address("__model_bitmap12"), m.address("__model_bitmap02"))
        m.call("nested_vmx_merge_pmu_msr_bitmaps", m.address(cpu.vcpu), *bitmaps)
        m.call("prepare_vmcs02_early", m.address("vmx"), m.address(_VMCS01), vmcs12)


def _forget(cpu: Cpu, m: Machine) -> None:
    for access, number in _flags(cpu.pmu.numbers(m)):
        m.set(_flag("l1", access, number), m.flag(True))
        m.set(_flag("vmcs02", access, number), m.flag(True))
    for name in _SHADOWS:
        m.set(f"vmcs02.{name}", m.const(0, 32))
    m.set(MERGED, m.flag(False))


def steps(cpu: Cpu, program: Program, found: Sequence[Step]) -> list[Step]:
    """The steps, in which the guest that runs may be L2."""

    def begin(step: Step) -> Callable[[Machine], None]:
        runs = any(phase.entry for phase in step.phases)

        def run(m: Machine) -> None:
            point(m)
            if runs:
                _prepare(cpu, program, m)

        return run

    def end(m: Machine) -> None:
        _unpoint(m)
        _forget(cpu, m)

    def within(step: Step) -> Step:
        phases = list(step.phases)
        phases[0] = _after(begin(step), phases[0])
        phases[-1] = replace(phases[-1], run=_sequence(phases[-1].run, end))
        return replace(step, phases=phases)

    return [within(step) for step in found]


def _after(first: Callable[[Machine], None], phase: Phase) -> Phase:
    return replace(phase, run=_sequence(first, phase.run))


def _sequence(*parts: Callable[[Machine], None]) -> Callable[[Machine], None]:
    def run(m: Machine) -> None:
        for part in parts:
            part(m)

    return run


def accesses(cpu: Cpu, program: Program, found: Sequence[Access]) -> list[Access]:
    """The accesses, by L1 or L2, and nested VM-entry and VM-exit."""

    def enter(m: Machine) -> None:
        m.set(emulated.BY_USERSPACE, m.flag(False))
        vmcs12 = _vmcs12(program, m)
        with m.when(m.get(vmx.GUEST_NESTED) & ~m.get(vmx.NESTED)):
            _enter(cpu, vmcs12, m, from_vmentry=True)

    def leave(m: Machine) -> None:
        m.set(emulated.BY_USERSPACE, m.flag(False))
        vmcs12 = _vmcs12(program, m)
        with m.when(vmx.nested(m)):
            _leave(cpu, vmcs12, m)

    def restore(m: Machine) -> None:
        m.set(emulated.BY_USERSPACE, m.flag(True))
        with m.when(m.get(vmx.GUEST_NESTED)):
            _restore(cpu, program, m)

    every = [
        *found,
        Access("enter L2", enter),
        Access("leave L2", leave),
        Access("restore L2", restore),
    ]
    return [replace(a, run=_sequence(point, a.run, _unpoint)) for a in every]


def wanted_exits(cpu: Cpu) -> Check:
    """What L1 sees of L2's accesses (nested.c: nested_vmx_exit_handled_msr)."""

    def exits(m: Machine) -> list[Item]:
        inside = m.get("run.inside") & vmx.nested(m) & mediated(m, cpu.vcpu)
        one = m.const(1, 1)
        controls = m.get(f"{VMCS12}.cpu_based_vm_exec_control")
        found = [("RDPMC", (controls & vmx.RDPMC_EXITING).nonzero(), vmx.rdpmc_exits(m))]
        for access, number in _flags(cpu.pmu.numbers(m)):
            wanted = m.get(_flag("l1", access, number))
            found.append((_access(access, number), wanted, intercepts(m, access, number)))
        return [Item(name, inside & wanted, as_bool(m, on, 1), one) for name, wanted, on in found]

    return Check(
        "access.nested",
        "what L2 can reach directly, L1 does not want to be asked for",
        "L2 reaches what L1 intercepts",
        "enter",
        exits,
        prepared=True,
    )


def unwanted_exits(cpu: Cpu) -> Check:
    """L2 reaches what L1 leaves to it and KVM leaves to L1: the merge forgets nothing. Where vmcs02
    has no bitmap, L1 has none, or none that can be read."""

    def exits(m: Machine) -> list[Item]:
        inside = m.get("run.inside") & vmx.nested(m) & mediated(m, cpu.vcpu)
        zero = m.const(0, 1)
        controls = m.get(f"{VMCS12}.cpu_based_vm_exec_control") | m.get("vmcs.exec_controls")
        asked = (controls & vmx.RDPMC_EXITING).nonzero()
        found = [("RDPMC", inside & ~asked, vmx.rdpmc_exits(m))]
        for access, number in guest.accesses(cpu, m):
            asked = m.get(_flag("l1", access, number)) | bitmap.intercepts(m, access, number)
            when = inside & vmx.uses_msr_bitmaps(m) & ~asked
            found.append((_access(access, number), when, intercepts(m, access, number)))
        return [Item(name, when, as_bool(m, on, 1), zero) for name, when, on in found]

    return Check(
        "access.nested.direct",
        "what neither L1 nor KVM wants to be asked for, L2 reaches directly",
        "an access of L2 is intercepted that neither L1 nor KVM intercepts",
        "enter",
        exits,
        prepared=True,
    )


def _enter(cpu: Cpu, vmcs12: Any, m: Machine, from_vmentry: bool) -> None:
    """VMLAUNCH or VMRESUME, by L1, or the like by userspace."""
    vcpu = m.address(cpu.vcpu)
    failure = m.address("__model_entry_failure")
    m.write(m.address(f"{cpu.vcpu}.arch.nested_run_pending"), "", 1)
    own = mediated(m, cpu.vcpu)
    with m.when(~own):
        vmx.use(m, True)
    with m.when(own):
        bad = m.call("nested_vmx_check_host_state", vcpu, vmcs12).nonzero()
        bad = bad | m.call("nested_vmx_check_guest_state", vcpu, vmcs12, failure).nonzero()
        with m.when(~bad):
            before = m.get(ghost("GLOBAL_CTRL"))
            vmx.use(m, True)
            point(m)
            controls = m.get(f"{VMCS12}.vm_entry_controls")
            with m.when((controls & vmx.ENTRY_LOAD_GLOBAL_CTRL).nonzero()):
                value = m.get(f"{VMCS12}.guest_ia32_perf_global_ctrl")
                becomes(m, ghost("GLOBAL_CTRL"), value)
            entry = m.const(from_vmentry, 8)
            failed = m.call("prepare_vmcs02", vcpu, vmcs12, entry, failure)
            with m.when(failed.nonzero()):
                vmx.use(m, False)
                m.set(ghost("GLOBAL_CTRL"), before)


def _restore(cpu: Cpu, program: Program, m: Machine) -> None:
    """KVM_SET_NESTED_STATE (nested.c: vmx_set_nested_state): back to L1 first, then perhaps into L2
    as vmcs12 has it. GLOBAL_CTRL is what KVM then says it is: whether userspace sets registers
    before or after is its own affair."""
    copy = f"{cpu.vcpu}.arch.pmu.global_ctrl"
    with m.when(vmx.nested(m)):
        _leave(cpu, _vmcs12(program, m), m)
    with m.when(~vmx.nested(m)):
        with m.when(m.fresh("into L2", 0)):
            _enter(cpu, _vmcs12(program, m), m, from_vmentry=False)
        with m.when(mediated(m, cpu.vcpu)):
            becomes(m, ghost("GLOBAL_CTRL"), m.get(copy))


def _leave(cpu: Cpu, vmcs12: Any, m: Machine) -> None:
    """A VM-exit that L1 gets to see."""
    vcpu = m.address(cpu.vcpu)
    own = mediated(m, cpu.vcpu)
    with m.when(~own):
        vmx.use(m, False)
    with m.when(own):
        # KVM had looked at it when L2 was entered.
        bad = m.call("nested_vmx_check_host_state", vcpu, vmcs12).nonzero()
        with m.when(~bad):
            vmx.use(m, False)
            point(m)
            controls = m.get(f"{VMCS12}.vm_exit_controls")
            with m.when((controls & vmx.EXIT_LOAD_GLOBAL_CTRL).nonzero()):
                value = m.get(f"{VMCS12}.host_ia32_perf_global_ctrl")
                becomes(m, ghost("GLOBAL_CTRL"), value)
            m.call("load_vmcs12_host_state", vcpu, vmcs12)
