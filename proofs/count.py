"""count.emulated (domain.md 4): what the kernel emulates counts as if the guest had executed it."""

from __future__ import annotations

from proofs.way import violations
from verify.encode.switch import Switch
from verify.prove.property import EMULATED, Property, simply


def properties(switch: Switch) -> list[Property]:
    """One property, none where the target knows of no such events."""
    found = list(
        violations(
            switch,
            lambda register: register.events,
            EMULATED,
            "an emulated event does not count as it must",
        )
    )
    entry = switch.entries[0]
    inside = switch.target.entered(switch.points[entry].cells)
    statement = (
        "what KVM emulates adds one to each counter that is on for it and that the event filter "
        "allows, and to no other; an overflow sets its status bit, and asks for its interrupt"
    )
    prop = Property(
        "count.emulated", "count", statement, simply(found), (entry, inside), "the guest is entered"
    )
    return [prop] if found else []
