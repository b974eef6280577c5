"""All families of properties that are checked today."""

from __future__ import annotations

from proofs import leak, order, restore
from verify.encode.switch import Switch
from verify.prove.property import Property


def properties(switch: Switch) -> list[Property]:
    """Every property of the catalogue for this switch, in the order they are printed."""
    return restore.properties(switch) + leak.properties(switch) + order.properties(switch)
