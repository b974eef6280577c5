"""All families of properties that are checked today."""

from __future__ import annotations

from collections.abc import Sequence

from proofs import leak, order, restore
from verify.encode.switch import Switch
from verify.prove.property import Pairing, Property


def properties(switch: Switch) -> list[Property]:
    """Every property of the catalogue for this switch, in the order they are printed."""
    first = restore.properties(switch) + leak.properties(switch)
    ends = [v for p in first if p.after is None for v in p.violations(_one_cycle)]
    return first + order.properties(switch, ends)


def _one_cycle(pair: Pairing, cells: Sequence[str]) -> frozenset[str]:
    """Nothing has happened before the cycle in which a rule is broken."""
    return frozenset(cells)
