"""Replay of a scenario by the concrete interpreter, which shares no code with the encoder.

The model of the solver only gives the inputs; every value in the trace and the violation itself
come from this run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from verify.ir.interp import Interpreter, Step, Stuck
from verify.ir.program import Program
from verify.prove.property import READ, SECOND, Violation
from verify.prove.reach import Scenario
from verify.prove.reach import Step as Planned
from verify.target import Step as SwitchStep
from verify.target import Target


@dataclass(frozen=True, slots=True)
class Replay:
    """What a concrete run showed. `reproduced` is None when the run met code that is not modelled
    (`reason` says where); `settings` are the configuration values of the last vCPU; `end` is the
    phase after which the violation shows. `second`: what is shown is the second of two runs.
    `private`: with two runs, the indices of the steps that bring a value about which the other run
    does not have."""

    reproduced: bool | None
    reason: str
    steps: tuple[Step, ...]
    observed: int
    expected: int
    settings: dict[str, int]
    end: str
    private: frozenset[int] = frozenset()
    second: bool = False


@dataclass(slots=True)
class _Outcome:
    relevant: bool
    observed: int
    expected: int | None
    steps: list[Step]
    settings: dict[str, int]


class _Inputs:
    """Values of inputs by name, for the step and run that is being replayed."""

    def __init__(self, model: Mapping[str, int], second: bool) -> None:
        self.model = model
        self.run = SECOND if second else ""
        self.vcpu = ""
        self.step = ""

    def __call__(self, name: str, width: int) -> int:
        mark = self.vcpu if name.startswith(("init/", "setup/")) else self.step
        for key in (name + mark + self.run, name + mark):
            if key in self.model:
                return self.model[key]
        if mark == self.vcpu and name in self.model:
            return self.model[name]
        return 0

    def flag(self, name: str) -> bool:
        """Whether an optional step is taken."""
        return bool(self.model.get(name + self.run, self.model.get(name, 0)))


Observer = Callable[..., None]
Make = Callable[..., Interpreter]
"""Makes a machine as `Interpreter` does, from the same arguments by position."""


def replay(
    target: Target,
    program: Program,
    scenario: Scenario,
    model: Mapping[str, int],
    observers: Sequence[Observer],
    monitors: Mapping[str, int],
) -> Replay:
    """Run the scenario (twice for a two-run property) and look for its violation."""
    violation = scenario.violation
    private: frozenset[int] = frozenset()
    swapped = False
    try:
        first = _run(target, program, scenario, model, observers, monitors, False)
        if violation.pair is None:
            expected = first.expected or 0
            broken = first.relevant and first.observed != expected
        else:
            second = _run(target, program, scenario, model, observers, monitors, True)
            if _tells(second, first, violation.register) > _tells(
                first, second, violation.register
            ):
                first, second, swapped = second, first, True
            private = _private(first.steps, second.steps)
            expected = second.observed
            broken = first.relevant and second.relevant and first.observed != expected
    except Stuck as stuck:
        return Replay(None, str(stuck), (), 0, 0, {}, "")
    steps, values = tuple(first.steps), (first.observed, expected)
    end = _label("B", scenario, violation.phase)
    return Replay(broken, "", steps, *values, first.settings, end, private, swapped)


def again(
    target: Target,
    program: Program,
    scenario: Scenario,
    model: Mapping[str, int],
    monitors: Mapping[str, int],
    second: bool,
    make: Make,
) -> None:
    """Make one run of a scenario on other machines, such as ones that record it."""
    _run(target, program, scenario, model, (), monitors, second, make)


def _private(steps: Sequence[Step], others: Sequence[Step]) -> frozenset[int]:
    """The changes in one run that the other run does not have."""
    shared = {(s.phase, s.op, s.register, s.after) for s in others if s.before != s.after}
    return frozenset(
        i
        for i, s in enumerate(steps)
        if s.before != s.after and (s.phase, s.op, s.register, s.after) not in shared
    )


def _tells(run: _Outcome, other: _Outcome, register: str) -> tuple[bool, bool]:
    """How well a run shows the secret: it is seen to get into the register, and is no zero."""
    private = _private(run.steps, other.steps)
    return any(run.steps[i].register == register for i in private), bool(run.observed)


def _run(
    target: Target,
    program: Program,
    scenario: Scenario,
    model: Mapping[str, int],
    observers: Sequence[Observer],
    monitors: Mapping[str, int],
    second: bool,
    make: Make = Interpreter,
) -> _Outcome:
    inputs = _Inputs(model, second)
    accesses = {a.name: a for a in target.accesses(program)}
    switch_steps = {step.name: step for step in target.steps(program)}
    hardware = target.host_visible
    machine: Interpreter | None = None
    vcpu = "A"
    steps: list[Step] = []
    settings: dict[str, int] = {}
    last = scenario.steps[-1]
    for step in scenario.steps:
        if step.kind == "setup":
            previous, machine = machine, _machine(target, program, inputs, monitors, make)
            inputs.vcpu = step.mark
            vcpu = "B" if previous is not None else "A"
            machine.begin_phase("setup")
            target.setup(program, machine)
            for name, width in monitors.items():
                machine.set(name, machine.const(0, width))
            if previous is not None:
                for cell in target.cells(program):
                    if cell.startswith(hardware):
                        machine.set(cell, previous.get(cell))
            settings = {s.name: s.read(machine).value for s in target.settings}
            machine.trace.clear()
            continue
        assert machine is not None
        inputs.step = step.mark
        if step.enabled is not None and not inputs.flag(str(step.enabled.name)):
            continue
        if step.kind == "access":
            machine.observers.extend(observers)
            machine.begin_phase(step.name)
            accesses[step.name].run(machine)
            machine.observers.clear()
        else:
            # What shows in a read shows after the last step.
            shows = step is last and scenario.violation.phase != READ
            stop = scenario.violation.phase if shows else ""
            taken = switch_steps[step.name]
            found = _step(taken, machine, observers, monitors, stop, scenario.violation)
            if found is not None:
                steps += _labelled(machine, vcpu, scenario)
                return _Outcome(*found, steps, settings)
        steps += _labelled(machine, vcpu, scenario)
    assert machine is not None
    inputs.step = _next_mark(scenario.steps)
    machine.begin_phase(_read_phase(target, program, scenario.violation))
    found = _probe(machine, scenario.violation)
    steps += _labelled(machine, vcpu, scenario)
    return _Outcome(*found, steps, settings)


def _next_mark(steps: Sequence[Planned]) -> str:
    used = sum(1 for s in steps if s.kind != "setup")
    return f"#{used}"


def _read_phase(target: Target, program: Program, violation: Violation) -> str:
    for register in target.registers(program):
        for i in range(register.count):
            if register.cell.format(i) == violation.register:
                return register.read_phase(i, violation.way)
    return READ


def _machine(
    target: Target, program: Program, inputs: _Inputs, monitors: Mapping[str, int], make: Make
) -> Interpreter:
    cells = {**target.cells(program), **monitors}
    return make(program, target.contracts(program), target.objects, inputs, cells)


def _labelled(machine: Interpreter, vcpu: str, scenario: Scenario) -> list[Step]:
    """Take the steps so far out of the machine; with two vCPUs the phase tells which one."""
    steps = [replace(s, phase=_label(vcpu, scenario, s.phase)) for s in machine.trace]
    machine.trace.clear()
    return steps


def _label(vcpu: str, scenario: Scenario, phase: str) -> str:
    two = sum(1 for s in scenario.steps if s.kind == "setup") > 1
    return f"{vcpu}:{phase}" if two else phase


def _step(
    step: SwitchStep,
    machine: Interpreter,
    observers: Sequence[Observer],
    monitors: Mapping[str, int],
    stop: str,
    violation: Violation,
) -> tuple[bool, int, int | None] | None:
    machine.observers.extend(observers)
    for name, width in monitors.items():
        machine.set(name, machine.const(0, width))
    found = None
    for phase in step.phases:
        machine.begin_phase(phase.name)
        phase.run(machine)
        if phase.name == stop:
            found = _probe(machine, violation)
            break
    machine.observers.clear()
    return found


def _probe(machine: Interpreter, violation: Violation) -> tuple[bool, int, int | None]:
    relevant, observed, expected = violation.probe(machine)
    other: Any = expected
    return bool(relevant.value), observed.value, None if other is None else other.value
