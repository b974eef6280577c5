"""Numbers of the Intel PMU's MSRs and the register copies behind them (fact H1; SDM, high).

The numbers are the hardware's, so that a wrong number in a tree's headers is found.
"""

from __future__ import annotations

PERFCTR0 = 0xC1
EVTSEL0 = 0x186
FIXED_CTR0 = 0x309
PERF_METRICS = 0x329
PERF_CAPABILITIES = 0x345
FIXED_CTR_CTRL = 0x38D
GLOBAL_STATUS = 0x38E
GLOBAL_CTRL = 0x38F
STATUS_RESET = 0x390
STATUS_SET = 0x391
PMC0 = 0x4C1

CAP_FW_WRITES = 13
CAP_PERF_METRICS = 15
CAP_METRICS_CLEAR = 19


def table(gp: int, fixed: int) -> dict[int, tuple[str, int]]:
    """MSR number -> (kind of register, index) on a CPU with these counts of counters."""
    numbers = {
        PERF_METRICS: ("PERF_METRICS", 0),
        PERF_CAPABILITIES: ("PERF_CAPABILITIES", 0),
        FIXED_CTR_CTRL: ("FIXED_CTR_CTRL", 0),
        GLOBAL_STATUS: ("GLOBAL_STATUS", 0),
        GLOBAL_CTRL: ("GLOBAL_CTRL", 0),
        STATUS_RESET: ("STATUS_RESET", 0),
        STATUS_SET: ("STATUS_SET", 0),
    }
    for i in range(gp):
        numbers[PERFCTR0 + i] = ("PERFCTR", i)
        numbers[EVTSEL0 + i] = ("EVTSEL", i)
        numbers[PMC0 + i] = ("PMC", i)
    for i in range(fixed):
        numbers[FIXED_CTR0 + i] = ("FIXED_CTR", i)
    return numbers


def bitmap(access: str, number: int) -> str:
    """The cell of the MSR bitmap's flag for "R" or "W" of an MSR: true means intercepted."""
    return f"bitmap.{access}[{number:#x}]"
