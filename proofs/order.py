"""order.* (domain.md 4): rules on the sequence of hardware accesses, watched by monitors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from proofs import leak, restore
from verify.encode import term as t
from verify.encode.switch import Switch
from verify.encode.term import Term
from verify.ir.machine import Machine
from verify.prove.property import Agree, Probe, Property, Violation, simply
from verify.target import Ordering, Target

WRITE = "WRMSR"


def _cells(rule: Ordering) -> tuple[str, str]:
    return f"monitor.{rule.property}.written", f"monitor.{rule.property}.late"


def monitors(target: Target) -> dict[str, int]:
    """The monitor cells of the target's ordering rules, by name, with their widths."""
    return {cell: 1 for rule in target.orderings for cell in _cells(rule)}


def observer(target: Target) -> Any:
    """Watch hardware accesses and keep the monitor cells."""

    def watch(m: Machine, op: str, register: str, before: Any, after: Any) -> None:
        phase = m.phase
        for rule in target.orderings:
            written, late = _cells(rule)
            if op != WRITE or phase != rule.phase:
                continue
            if register == rule.second:
                m.set(written, m.const(1, 1))
                m.set(late, m.const(0, 1))
            elif register == rule.first:
                m.set(late, m.get(written))

    return watch


def _watched(cell: str) -> Probe:
    return lambda m: (m.flag(True), m.get(cell), m.const(0, 1))


def _consequence(
    switch: Switch, rule: Ordering, broken: Term
) -> Callable[[Agree], Sequence[Violation]]:
    """End states that are wrong in a step that breaks the rule: `second` does not hold the guest's
    value when the guest is about to run, or depends on the guest when it has."""

    def violations(agree: Agree) -> Sequence[Violation]:
        loads = switch.step(rule.phase).start == switch.home
        ends = restore.held(switch, rule.phase) if loads else leak.left(switch, agree)
        found = (v for v in ends if v.register == rule.second)
        return [replace(v, bad=t.conj([broken, v.bad])) for v in found]

    return violations


def properties(switch: Switch) -> list[Property]:
    """The target's ordering rules."""
    zero, one = t.const(0, 1), t.const(1, 1)
    result = []
    for rule in switch.target.orderings:
        _, late = _cells(rule)
        flag = switch.points[rule.phase].cells[late]
        violation = Violation(
            rule.second,
            rule.phase,
            flag.eq(one),
            zero,
            flag,
            rule.text,
            _watched(late),
            late=rule.first,
        )
        result.append(
            Property(
                rule.property,
                "order",
                rule.text,
                simply((violation,)),
                (rule.phase, switch.points[rule.phase].cells[_cells(rule)[0]].eq(one)),
                f"{rule.second.rpartition('.')[2]} is written on {rule.phase}",
                _consequence(switch, rule, flag.eq(one)),
            )
        )
    return result
