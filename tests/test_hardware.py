"""models.hardware: its instructions agree on which MSRs a CPU has."""

from __future__ import annotations

import random
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.environment import mediated, prelude
from models.hardware import amd_pmu, intel_pmu
from tests.source_text import program
from verify.ir.interp import Interpreter
from verify.ir.word import Word

SIZES = {intel_pmu: {"gp": 4, "fixed": 4}, amd_pmu: {"gp": 6}}
READ = program(
    """
u64 read_once, seen;
int read(u32 number)
{
	int ret = rdmsrq_safe(number, &seen);

	rdmsrq(number, read_once);
	return ret;
}
""",
    prelude("kernel.h") + "\n#define EIO 5\n",
)


def cpu(pmu: ModuleType, seed: int) -> Interpreter:
    """A CPU of any configuration, with as many counters as SIZES says at most."""
    rng = random.Random(seed)
    cells = pmu.cells(**SIZES[pmu])
    m = Interpreter(
        READ,
        mediated.instructions(pmu),
        {},
        lambda name, width: rng.getrandbits(width or 1),
        cells,
    )
    m.begin_phase("test")
    for kind, count in SIZES[pmu].items():
        m.set(f"config.size_{kind}", Word(count, 8))
    return m


@pytest.mark.parametrize("pmu", SIZES, ids=lambda pmu: pmu.__name__)
@given(seed=st.integers(0, 1 << 32), place=st.integers(0, 1 << 16))
def test_what_faults_is_what_is_not_there(pmu: ModuleType, seed: int, place: int) -> None:
    m = cpu(pmu, seed)
    numbers = sorted(pmu.numbers(m))
    ret = m.call("read", Word(numbers[place % len(numbers)], 32))
    faults = any(step.op == "#GP" for step in m.trace)
    assert ret.value == (-5 & 0xFFFFFFFF if faults else 0)
    # What the CPU has not got reads as 0.
    assert m.get("seen").value == 0 or not faults
