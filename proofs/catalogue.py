"""All families of properties that are checked today, and what watches a run for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proofs import check, count, leak, migrate, order, restore, watch
from verify.encode.switch import Switch
from verify.ir.program import Program
from verify.prove.property import Property
from verify.target import Target

FAMILIES = (restore, leak, order, watch, check, count, migrate)


def properties(switch: Switch) -> list[Property]:
    """Every property of the catalogue for this switch, in the order they are printed."""
    return [prop for family in FAMILIES for prop in family.properties(switch)]


def observers(target: Target, program: Program) -> Sequence[Any]:
    """What watches hardware accesses and events."""
    return [order.observer(target), watch.observer(target, program)]


def monitors(target: Target, program: Program) -> Mapping[str, int]:
    """The cells of the observers, with their widths."""
    return {**order.monitors(target), **watch.monitors(target, program)}
