"""The switch of KERNEL_GS_BASE in the example's tree: gs_base_load() and gs_base_put()."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.environment import prelude
from models.environment.kvm import cell
from models.hardware import gs_base
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine
from verify.ir.program import Dialect, Program
from verify.target import (
    Access,
    Assumption,
    Check,
    Item,
    Observation,
    Phase,
    Register,
    Setting,
    Step,
    Target,
)

SOURCE = "arch/x86/kvm/vmx/gs_base.c"
GS = "gs"  # the object that the models hand to the kernel's functions
GHOST, HOST = "ghost.KERNEL_GS_BASE", "ghost.host"
INSIDE = "run.inside"


def _dialect(defines: Mapping[str, str]) -> Dialect:
    """Which files are read, with what in front of them."""
    return Dialect(
        files=("arch/x86/include/asm/msr-index.h", SOURCE),
        config={"CONFIG_X86_64": "y"},
        prelude=prelude("kernel.h") + "bool cpu_has_la57(void);\n",
        defines=dict(defines),
        tables={},
    )


def _contracts(program: Program) -> dict[str, Contract]:
    """What stands for functions that have no C here."""

    def write(m: Machine, call: CallSite) -> None:
        gs_base.write_msr(m, *call.args)

    def read(m: Machine, call: CallSite) -> Any:
        return gs_base.read_msr(m, *call.args)

    return {"wrmsrq": write, "__model_rdmsr": read, "cpu_has_la57": cell(gs_base.LA57)}


# What happens ---------------------------------------------------------------------------------


def _setup(program: Program, m: Machine) -> None:
    """A fresh vCPU; the register may hold anything that it can hold."""
    m.assume(gs_base.legal(m))
    for name in (f"{GS}.guest_base", f"{GS}.host_base", GHOST, HOST):
        m.set(name, m.const(0, 64))
    m.set(INSIDE, m.flag(False))


def _host(m: Machine) -> None:
    """The host, or another vCPU, has used the register; that is what it must find again."""
    before, value = m.get(gs_base.CELL), m.fresh("KERNEL_GS_BASE", 64)
    with m.when(gs_base.canonical(m, value)):
        m.emit("host", gs_base.CELL, before, value)
        m.set(gs_base.CELL, value)
    m.set(HOST, m.get(gs_base.CELL))


def _load(m: Machine) -> None:
    m.call("gs_base_load", m.address(GS))


def _enter(m: Machine) -> None:
    m.set(INSIDE, m.flag(True))


def _guest(m: Machine) -> None:
    """The guest writes the register, or does not; what it leaves is what it must find again."""
    before, value = m.get(gs_base.CELL), m.fresh("KERNEL_GS_BASE", 64)
    with m.when(gs_base.canonical(m, value) & m.fresh("writes", 0)):
        m.emit("guest", gs_base.CELL, before, value)
        m.set(gs_base.CELL, value)


def _leave(m: Machine) -> None:
    m.set(GHOST, m.get(gs_base.CELL))
    m.set(INSIDE, m.flag(False))


def _put(m: Machine) -> None:
    m.call("gs_base_put", m.address(GS))


def _steps(program: Program) -> list[Step]:
    run = [
        Phase("enter", _enter, observed=True, entry=True),
        Phase("guest", _guest, observed=True),
        Phase("leave", _leave),
    ]
    return [
        Step("load", "put", "loaded", [Phase("host", _host), Phase("load", _load)]),
        Step("run", "loaded", "loaded", run),
        Step("put", "loaded", "put", [Phase("put", _put)]),
    ]


def _set_by_userspace(m: Machine) -> None:
    """KVM_SET_MSRS: what is accepted is what the guest must find."""
    data = m.fresh("data", 64)
    refused = m.call("gs_base_set", m.address(GS), data).nonzero()
    with m.when(~refused):
        m.emit("emulated", GHOST, m.get(GHOST), data, "accepted by KVM")
        m.set(GHOST, data)


def _get(m: Machine, i: int) -> tuple[Any, Any, Any]:
    """KVM_GET_MSRS: (accepted, value, what it must be)."""
    return m.flag(True), m.call("gs_base_get", m.address(GS)), m.get(GHOST)


# What must hold -------------------------------------------------------------------------------


def _registers(program: Program) -> list[Register]:
    always = lambda m, i: m.flag(True)  # noqa: E731
    return [Register("KERNEL_GS_BASE", 1, gs_base.CELL, GHOST, 64, True, always, (_get,))]


def _seen(m: Machine) -> list[Observation]:
    """The guest's accesses are not intercepted."""
    return [Observation(gs_base.CELL, m.flag(True), m.get(gs_base.CELL))]


CHECKS = (
    Check(
        "host.gs-base",
        "after put, KERNEL_GS_BASE is as the host left it",
        "the host finds another value than it left",
        "put",
        lambda m: [Item(gs_base.CELL, m.flag(True), m.get(gs_base.CELL), m.get(HOST))],
    ),
)

ASSUMPTIONS = (
    Assumption("gs.order", "each stay in the guest is load, guest, put, in this order"),
    Assumption("gs.direct", "accesses by the guest itself are not intercepted"),
    Assumption("gs.userspace", "userspace reads and writes the register only while it is put"),
)

TARGET = Target(
    name="kernel-gs-base",
    title="KERNEL_GS_BASE in the documentation's example: gs_base_load() and gs_base_put()",
    required=(SOURCE,),
    functions=("gs_base_load", "gs_base_put", "gs_base_set", "gs_base_get"),
    dialect=_dialect,
    objects={GS: "struct vcpu_gs"},
    cells=lambda program: {**gs_base.CELLS, GHOST: 64, HOST: 64, INSIDE: 0},
    contracts=_contracts,
    settings=(
        Setting("host.la57", "1: the CPU has 57-bit addresses", lambda m: m.get(gs_base.LA57)),
    ),
    parameters=(),
    registers=_registers,
    setup=_setup,
    steps=_steps,
    active=lambda m: m.flag(True),
    accesses=lambda program: [Access("write by userspace", _set_by_userspace)],
    mutable=lambda name: name.startswith(("hw.", "ghost.", "run.", "gs.")),
    observe=_seen,
    reachable=_seen,
    host_visible=("hw.",),
    legal=gs_base.legal,
    counting=lambda m: (),
    counters=lambda program: (),
    entered=lambda cells: cells[INSIDE],
    platform=lambda name: name == f"init/{gs_base.LA57}",
    transient=(),
    replaced=(),
    orderings=(),
    checks=CHECKS,
    assumptions=ASSUMPTIONS,
    facts=gs_base.FACTS,
)
