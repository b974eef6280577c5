"""migrate.closed (domain.md 4): what userspace can read of a vCPU can be written to one like it,
there or on another host, and what it can write can be loaded."""

from __future__ import annotations

from proofs.way import violations
from verify.encode import term as t
from verify.encode.switch import Switch
from verify.prove.property import FAULTS, REFUSED, Property, simply


def properties(switch: Switch) -> list[Property]:
    """A property each for what is set and what is loaded; none where the target knows no such
    migrations."""
    entry = switch.entries[0]
    inside = switch.target.entered(switch.points[entry].cells)
    closed = list(
        violations(
            switch,
            lambda register: register.migrations,
            REFUSED,
            "KVM refuses to take back from userspace what it gave",
        )
    )
    moved = list(
        violations(
            switch,
            lambda register: register.moves,
            REFUSED,
            "KVM refuses on another host what it gave",
        )
    )
    loaded = list(
        violations(
            switch,
            lambda register: register.arrivals,
            FAULTS,
            "KVM takes from userspace what faults when it is loaded",
        )
    )
    arriving = [
        switch.enumerated[register.name, i]
        for register in switch.target.registers(switch.program)
        for i in range(register.count)
        if register.arrivals
    ]
    found = [
        Property(
            "migrate.closed",
            "migrate",
            "what userspace reads of a register, it can write to a vCPU of the same configuration",
            simply(closed),
            (entry, inside),
            "the guest is entered",
        ),
        Property(
            "migrate.closed.other-host",
            "migrate",
            "what userspace reads of a register, it can write to a vCPU of the same configuration "
            "on another host that supports that",
            simply(moved),
            (entry, inside),
            "the guest is entered",
        ),
        Property(
            "migrate.closed.load",
            "migrate",
            "what userspace can write to a register, KVM can load without a fault",
            simply(loaded),
            (entry, t.conj((inside, t.disj(arriving)))),
            "a guest with such a register is entered",
        ),
    ]
    return [prop for prop, bad in zip(found, (closed, moved, loaded), strict=True) if bad]
