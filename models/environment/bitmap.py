"""Contracts of the helpers that set and test the MSR bitmap, which vendors call differently."""

from __future__ import annotations

from typing import Any

from models.environment.kvm import as_bool
from models.hardware import msr
from models.hardware.constants import known
from models.hardware.pmu import Pmu
from verify.ir.contract import CallSite, Contract
from verify.ir.machine import Machine

READ, WRITE = 1, 2  # MSR_TYPE_R, MSR_TYPE_W


def contracts(pmu: Pmu) -> dict[str, Contract]:
    """By the name of the function in the vendor's header."""

    def intercept(m: Machine, call: CallSite) -> None:
        """The filter of userspace may keep an access intercepted."""
        number, kind, on = call.args
        constant = known(number)
        other = m.flag(True)
        for candidate in pmu.numbers(m):
            if constant is not None and constant != candidate:
                continue
            other = other & number.ne(candidate)
            for bit, access in ((READ, "R"), (WRITE, "W")):
                denied = m.fresh(f"filter/{access}{candidate:#x}", 0)
                with m.when(number.eq(candidate) & (kind & bit).nonzero()):
                    m.set(msr.bitmap(access, candidate), on.nonzero() | denied)
        with m.when(other & ~on.nonzero()):
            m.not_understood("interception", "an MSR outside of the model is left to the guest")

    def intercepted(m: Machine, call: CallSite) -> Any:
        """An MSR outside of the model is always intercepted: the guest's access changes nothing."""
        number, write = call.args
        result = m.flag(True)
        for candidate in pmu.numbers(m):
            flags = [m.get(msr.bitmap(access, candidate)) for access in ("R", "W")]
            found = m.ite(write.nonzero(), flags[1], flags[0])
            result = m.ite(number.eq(candidate), found, result)
        return as_bool(m, result, getattr(call.result, "width", 8))

    return {"__model_intercept": intercept, "__model_intercepted": intercepted}


def close(pmu: Pmu, m: Machine) -> None:
    """As KVM makes the bitmap: every access exits."""
    for number in pmu.numbers(m):
        for access in ("R", "W"):
            m.set(msr.bitmap(access, number), m.flag(True))
