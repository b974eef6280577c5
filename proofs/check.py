"""Rules on what a phase leaves, as the target gives them (domain.md 4): host.caches and others."""

from __future__ import annotations

from typing import Any

from verify.encode import term as t
from verify.encode.switch import Switch
from verify.ir.machine import Machine
from verify.prove.property import CHECK, Probe, Property, Violation, simply
from verify.target import Check


def properties(switch: Switch) -> list[Property]:
    """One property for each rule."""
    return [_property(switch, check) for check in switch.target.checks]


def _property(switch: Switch, check: Check) -> Property:
    items = switch.points[check.phase].items[check.property]
    violations = [
        Violation(
            item.cell,
            check.phase,
            t.conj([item.when, item.found.ne(item.expected)]),
            item.expected,
            item.found,
            check.text,
            _probe(check, k),
            kind=CHECK,
            follows=item.follows,
        )
        for k, item in enumerate(items)
    ]
    return Property(
        check.property,
        check.property.partition(".")[0],
        check.statement,
        simply(violations),
        (check.phase, t.disj([item.when for item in items])),
        f"guest for which there is something to check on {check.phase}",
        prepared=check.prepared,
    )


def _probe(check: Check, k: int) -> Probe:
    def probe(m: Machine) -> tuple[Any, Any, Any]:
        item = check.items(m)[k]
        return item.when, item.found, item.expected

    return probe
