"""The hardware facts (domain.md 2) that the models are made from, as they are told to a reader:
short, with where they are from and how sure that is.
"""

from __future__ import annotations

from models.hardware import amd_pmu
from models.hardware import intel_pmu as pmu
from verify.target import Fact

_PMC, _EVTSEL, _FIXED = "hw.PMC[", "hw.EVTSEL[", "hw.FIXED_CTR["
_COUNTERS = (_PMC, _FIXED)
_GLOBAL = (pmu.GLOBAL_CTRL, pmu.GLOBAL_STATUS)

_FAULTS = Fact(
    "H15",
    "a write of an MSR that faults in the kernel is lost with a message; an RDPMC that faults "
    "is not caught",
    "asm/msr.h",
    "high for writes, medium for RDPMC",
)

INTEL = (
    Fact("H1", "each register has the MSR number that the manual gives it", "SDM", "high"),
    Fact(
        "H2",
        "fixed counter 3 has to be written before PERF_METRICS, both while they are disabled",
        "comments in Linux's perf for Intel",
        "high",
        (pmu.PERF_METRICS, f"{_FIXED}3]"),
    ),
    Fact(
        "H3",
        "a write of fixed counter 3 keeps PERF_METRICS, clears it, or leaves it with any value: "
        "sources differ, so fixed3_write has a value for each",
        "comments in Linux's perf for Intel",
        "low on which",
        (pmu.PERF_METRICS, f"{_FIXED}3]"),
    ),
    Fact(
        "H4",
        "PERF_METRICS has 8-bit fractions in 32 or 64 bits; a write of others is ignored or "
        "faults (metrics_reserved)",
        "Linux's perf for Intel",
        "low",
        (pmu.PERF_METRICS,),
    ),
    Fact(
        "H5",
        "RDPMC takes a general-purpose counter's index, a fixed one's with bit 30, or bit 29 for "
        "PERF_METRICS; it faults for anything else",
        "SDM",
        "high",
        (*_COUNTERS, pmu.PERF_METRICS),
    ),
    Fact(
        "H6",
        "with metrics-clear enabled, RDPMC of PERF_METRICS clears it and fixed counter 3; whether "
        "also in the kernel is metrics_clear_cpl0",
        "SDM",
        "high on the bits",
        (pmu.PERF_METRICS, f"{_FIXED}3]", pmu.FIXED_CTR_CTRL),
    ),
    Fact(
        "H7",
        "GLOBAL_CTRL and GLOBAL_STATUS have bit n for general-purpose counter n, 32+n for fixed "
        "counter n, 48 for PERF_METRICS; setting what the CPU has not got faults",
        "asm/perf_event.h",
        "high",
        _GLOBAL,
    ),
    Fact(
        "H8",
        "GLOBAL_STATUS is read-only: STATUS_RESET clears bits, STATUS_SET only sets some",
        "SDM",
        "high",
        (pmu.GLOBAL_STATUS,),
    ),
    Fact(
        "H9",
        "a counter counts when GLOBAL_CTRL, its own control and the privilege filter all say so; "
        "an overflow sets its bit in GLOBAL_STATUS",
        "SDM",
        "high",
        (*_COUNTERS, _EVTSEL, pmu.FIXED_CTR_CTRL, pmu.PERF_METRICS, *_GLOBAL),
    ),
    Fact(
        "H10",
        "FIXED_CTR_CTRL has four bits for each fixed counter: kernel, user, any thread (counter 3: "
        "metrics-clear), interrupt; selectors have their own enable bit",
        "asm/perf_event.h",
        "high",
        (pmu.FIXED_CTR_CTRL, _EVTSEL),
    ),
    Fact(
        "H11",
        "a write by the legacy number of a counter sign-extends bit 31; by the full-width number, "
        "and of a fixed counter, bits above the width fault",
        "SDM",
        "high",
        _COUNTERS,
    ),
    Fact(
        "H12",
        "VM-entry fails when the field for GLOBAL_CTRL has a reserved bit; VM-exit loads the "
        "host's in one step",
        "SDM",
        "high",
        (pmu.GLOBAL_CTRL,),
    ),
    Fact(
        "H13",
        "the CPU masks LVTPC when it delivers a PMI, and a write of LVTPC unmasks it",
        "SDM",
        "high",
        (pmu.LVTPC,),
    ),
    _FAULTS,
)

AMD = (
    Fact("H1", "each register has the MSR number that the manual gives it", "APM, PPR", "high"),
    Fact(
        "H5",
        "RDPMC takes a counter's index below 6; from 6 on it reads counters of the data fabric, "
        "from 10 on of the L3 cache, where the CPU has them: all cores share those",
        "APM, Linux's perf for AMD (events/amd/uncore.c)",
        "high",
        (_PMC, amd_pmu.DF_CTR, amd_pmu.L3_CTR),
    ),
    Fact(
        "H8",
        "GLOBAL_STATUS is read-only: STATUS_CLR clears bits, STATUS_SET only sets some, also those "
        "that tell of frozen counters and branch records where the CPU can freeze them",
        "APM",
        "high",
        (pmu.GLOBAL_STATUS,),
    ),
    Fact(
        "H14",
        "a selector with GuestOnly and without HostOnly counts only in the guest; VMRUN does not "
        "switch PerfCntrGlobalCtl, so the host runs with the guest's between load and put",
        "APM",
        "high",
        (_PMC, _EVTSEL, *_GLOBAL),
    ),
    _FAULTS,
)
