"""What every PMU is to guests, hosts and KVM's common code; a vendor's module implements it.

All cells of registers have 64 bits, and a register that the CPU does not have is 0. `hw.PMC[i]`,
`hw.EVTSEL[i]`, GLOBAL_CTRL and GLOBAL_STATUS are called the same for all vendors.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from verify.ir.machine import Machine

GLOBAL_CTRL: Final = "hw.GLOBAL_CTRL"
GLOBAL_STATUS: Final = "hw.GLOBAL_STATUS"
LVTPC: Final = "hw.LVTPC"
# LVTPC delivers an NMI
DELIVERY_NMI = 4 << 8

EVTSEL_INT = 1 << 20
EVTSEL_ENABLE = 1 << 22
EVTSEL_PRIVILEGE = 3 << 16


def pmc(i: int) -> str:
    """The cell of a general-purpose counter."""
    return f"hw.PMC[{i}]"


def evtsel(i: int) -> str:
    """The cell of an event selector."""
    return f"hw.EVTSEL[{i}]"


def index_of(cell: str) -> int:
    """The index of a register copy's cell."""
    return int(cell[cell.index("[") + 1 : -1])


class Pmu(Protocol):
    """A vendor's PMU."""

    GUEST_EVENT_BITS: int
    """Bits of GLOBAL_STATUS that are no counter's and can be set while a guest runs."""
    WRITES_STATUS: tuple[int, int]
    """The MSRs that clear, and that set, bits of GLOBAL_STATUS."""

    def limits(self, m: Machine) -> None:
        """Assume a configuration that exists and compute the masks that follow from it."""
        ...

    def numbers(self, m: Machine) -> dict[int, tuple[str, int]]:
        """Every MSR number with the kind of access path and the index behind it."""
        ...

    def cell_of(self, kind: str, index: int) -> str:
        """The cell of the register that is read and written by an MSR of this kind."""
        ...

    def registers(self, m: Machine) -> list[str]:
        """The cells of all registers that an MSR reads or writes."""
        ...

    def by_rdpmc(self, m: Machine) -> list[str]:
        """The cells that some RDPMC reads."""
        ...

    def counted(self, m: Machine) -> list[str]:
        """The cells that can count."""
        ...

    def exists(self, m: Machine, cell: str) -> Any:
        """The CPU has the register."""
        ...

    def limit(self, m: Machine, cell: str) -> Any:
        """The bits that the register can hold."""
        ...

    def limited(self, m: Machine) -> list[str]:
        """The cells of registers whose values are limited."""
        ...

    def position(self, cell: str) -> int:
        """The bit of what counts in GLOBAL_CTRL and GLOBAL_STATUS."""
        ...

    def goes_with(self, cell: str) -> str:
        """The counter that a register counts with: itself, but for PERF_METRICS."""
        ...

    def control(self, cell: str) -> str:
        """The cell of the register with a counter's local enable."""
        ...

    def selected_in_guest(self, m: Machine, cell: str) -> Any:
        """A counter's local enable lets it count while a guest runs."""
        ...

    def off(self, m: Machine) -> dict[str, Any]:
        """What host perf, once scheduled out, may leave in the controls: values by cell."""
        ...

    def write_msr(self, m: Machine, number: Any, value: Any, fault: str = "#GP") -> Any:
        """WRMSR of a 64-bit value to the MSR `number` (32 bits); `fault` names a fault. Whether
        it faults."""
        ...

    def has_msr(self, m: Machine, number: Any) -> Any:
        """RDMSR of the MSR `number` (32 bits) does not fault."""
        ...

    def read_msr(self, m: Machine, number: Any) -> Any:
        """RDMSR of the MSR `number` (32 bits): its 64-bit value."""
        ...

    def read_pmc(self, m: Machine, ecx: Any) -> Any:
        """RDPMC of `ecx` (32 bits) by the kernel: a 64-bit value."""
        ...
