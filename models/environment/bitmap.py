"""Contracts of the helpers that set and test the MSR bitmap, which vendors call differently."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from models.environment.kvm import as_bool
from models.hardware import msr
from models.hardware.constants import known
from models.hardware.pmu import Pmu
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine

READ, WRITE = 1, 2  # MSR_TYPE_R, MSR_TYPE_W


Flag = Callable[[str, int], Any]
"""The flag of an access, "R" or "W", of an MSR: true means intercepted."""


def intercepts(m: Machine, access: str, number: int) -> Any:
    """The access of the MSR is intercepted."""
    return m.get(msr.bitmap(access, number))


def intercept(pmu: Pmu) -> Contract:
    """Contract of what intercepts accesses or not."""

    def answer(m: Machine, call: CallSite) -> None:
        """The filter of userspace may keep an access intercepted."""
        number, kind, on = call.args

        def change(access: str, candidate: int) -> None:
            denied = m.fresh(f"filter/{access}{candidate:#x}", 0)
            m.set(msr.bitmap(access, candidate), on.nonzero() | denied)

        for_each(pmu, m, number, kind, on, change)

    return answer


def for_each(
    pmu: Pmu, m: Machine, number: Any, kind: Any, on: Any, change: Callable[[str, int], None]
) -> None:
    """Have `change` intercept, or not, the accesses of these kinds (READ | WRITE)."""
    constant = known(number)
    other = m.flag(True)
    for candidate in pmu.numbers(m):
        if constant is not None and constant != candidate:
            continue
        other = other & number.ne(candidate)
        for bit, access in ((READ, "R"), (WRITE, "W")):
            with m.when(number.eq(candidate) & (kind & bit).nonzero()):
                change(access, candidate)
    with m.when(other & ~on.nonzero()):
        m.not_understood("interception", "an MSR outside of the model is left to the guest")


def intercepted(pmu: Pmu, m: Machine, number: Any, write: Any, flag: Flag) -> Any:
    """The flag of an access. An MSR outside of the model is always intercepted: the guest's access
    changes nothing."""
    result = m.flag(True)
    for candidate in pmu.numbers(m):
        found = m.ite(write.nonzero(), flag("W", candidate), flag("R", candidate))
        result = m.ite(number.eq(candidate), found, result)
    return result


def contracts(pmu: Pmu) -> dict[str, Contract]:
    """Of a vendor with one bitmap, by the name of the function in its header."""

    def test(m: Machine, call: CallSite) -> Any:
        number, write = call.args
        result = intercepted(pmu, m, number, write, partial(intercepts, m))
        return as_bool(m, result, getattr(call.result, "width", 8))

    return {"__model_intercept": intercept(pmu), "__model_intercepted": test}


def close(pmu: Pmu, m: Machine) -> None:
    """As KVM makes the bitmap: every access exits."""
    for number in pmu.numbers(m):
        for access in ("R", "W"):
            m.set(msr.bitmap(access, number), m.flag(True))
