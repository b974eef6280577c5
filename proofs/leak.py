"""leak.* and access.closed (domain.md 4): two runs that differ in a secret look the same.

A value that hardware leaves undefined may depend on the secret, so it differs between the runs;
only what the guest itself makes undefined while it runs is the guest's own affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

from verify.encode import term as t
from verify.encode.switch import CONFIG, STATE, Switch, renamed
from verify.encode.term import Term
from verify.ir.machine import Machine
from verify.prove.property import (
    READ,
    SECOND,
    Agree,
    MachineCells,
    Pairing,
    Probe,
    Property,
    Violation,
)
from verify.target import EmulatedRead, Observation, Target

OF_HOST = "/host "
"""In the names of inputs that are the host's while the kernel's code runs."""
GUEST = "guest/"
"""The phase in which the guest runs."""


def _base(name: str) -> str:
    """The name of a variable without the marks of its step and vCPU."""
    return name.split("#")[0]


def _is_public(name: str) -> bool:
    return name.startswith(("init/", CONFIG, "setup/"))


def _made_undefined(base: str) -> bool:
    """Hardware left this value undefined, and not by the guest's own doing."""
    return "undefined/" in base and not base.startswith(GUEST)


def _counted(base: str) -> bool:
    """What a counter counted while the kernel's code ran."""
    return not base.startswith(GUEST) and ("/advance/" in base or base.endswith("/overflow"))


@cache
def host_secret(prefixes: tuple[str, ...]) -> Pairing:
    """The hardware's content when the switch begins, and what the host does, is secret; the
    guest's inputs are not."""
    cells = tuple(start + p for p in prefixes for start in (STATE, "init/"))

    def secret(name: str) -> bool:
        base = _base(name)
        if base.startswith(GUEST):
            return False
        return base.startswith((*cells, "host/")) or "undefined/" in base or _counted(base)

    return Pairing("the guest must not see the host's values", secret)


@cache
def left_over(prefixes: tuple[str, ...], equal: frozenset[str]) -> Pairing:
    """Hardware that an earlier guest may have influenced is secret: all but the `equal` cells."""
    cells = tuple(STATE + p for p in prefixes)

    def secret(name: str) -> bool:
        base = _base(name)
        if base.startswith(cells):
            return base.removeprefix(STATE) not in equal
        return _made_undefined(base)

    return Pairing("the next guest must not see this guest's values", secret)


@cache
def guest_secret(prefixes: tuple[str, ...], shared: tuple[str, ...]) -> Pairing:
    """All that the guest and its software state hold is secret; hardware, kernel objects that are
    `shared`, and what the host does or is counted of it, are not."""
    cells = tuple(STATE + p for p in (*prefixes, *shared))

    def secret(name: str) -> bool:
        base = _base(name)
        if "undefined/" in base:
            return True
        if _is_public(base) or base.startswith((*cells, "host/")) or OF_HOST in base:
            return False
        return not _counted(base)

    return Pairing("nobody else may see the guest's values", secret, lasting=prefixes)


def _guest(switch: Switch) -> Pairing:
    return guest_secret(switch.target.host_visible, switch.target.transient)


def _second(terms: list[Term], pair: Pairing) -> list[Term]:
    return renamed(terms, SECOND, pair.secret)


def _probe(target: Target, kind: str, register: str) -> Probe:
    """The observation of one register copy; other machines list the same ones in the same order."""

    def probe(m: Machine) -> tuple[Any, Any, Any]:
        items: Sequence[Observation] = getattr(
            target, "observe" if kind == "observed" else "reachable"
        )(m)
        seen = next(o for o in items if o.register == register)
        return seen.visible & target.entered(MachineCells(m)), seen.value, None

    return probe


def _content(cell: str) -> Probe:
    return lambda m: (m.flag(True), m.get(cell), None)


def _emulated(read: EmulatedRead, i: int) -> Probe:
    def probe(m: Machine) -> tuple[Any, Any, Any]:
        accepted, value, _ = read(m, i)
        return accepted, value, None

    return probe


def _observations(
    switch: Switch, phase: str, kind: str, pair: Pairing, text: str
) -> list[Violation]:
    items: tuple[Observation, ...] = getattr(switch.points[phase], kind)
    entered = switch.target.entered(switch.points[phase].cells)
    flat = [x for o in items for x in (o.visible, o.value)] + [entered]
    other = _second(flat, pair)
    result = []
    for k, seen in enumerate(items):
        visible, value = other[2 * k], other[2 * k + 1]
        bad = t.conj([entered, other[-1], seen.visible, visible, seen.value.ne(value)])
        probe = _probe(switch.target, kind, seen.register)
        result.append(
            Violation(seen.register, phase, bad, value, seen.value, text, probe, pair=pair)
        )
    return result


def _reads(switch: Switch, pair: Pairing, text: str) -> list[Violation]:
    """The guest's reads that KVM answers."""
    result = []
    for register in switch.target.registers(switch.program):
        for i in range(register.count):
            for k, way in enumerate(register.reads):
                read = switch.reads[register.name, i, k]
                other, value = _second([read.accepted, read.value], pair)
                bad = t.conj([read.accepted, other, read.value.ne(value)])
                cell, probe = register.cell.format(i), _emulated(way, i)
                given = (value, read.value, text, probe, read.assumes, pair)
                result.append(Violation(cell, READ, bad, *given, way=k))
    return result


def left(switch: Switch, agree: Agree) -> list[Violation]:
    """What of the hardware differs after put between two runs of different guests."""
    last = next(reversed(switch.points))
    pair = agree(_guest(switch), last)
    end = switch.points[last].cells
    names = sorted(c for c in end if c.startswith(switch.target.host_visible))
    values = [end[c] for c in names]
    text = "what put leaves in hardware depends on the guest"
    return [
        Violation(c, last, a.ne(b), b, a, text, _content(c), pair=pair)
        for c, a, b in zip(names, values, _second(values, pair), strict=True)
    ]


def _seen(
    switch: Switch, pairing: Callable[[Agree], Pairing], text: str
) -> Callable[[Agree], Sequence[Violation]]:
    """What the guest observes right after entry, after it has run for a while, and by reads that
    KVM answers."""

    def violations(agree: Agree) -> Sequence[Violation]:
        pair = pairing(agree)
        seen = [
            violation
            for phase in switch.observed
            for violation in _observations(switch, phase, "observed", agree(pair, phase), text)
        ]
        return seen + _reads(switch, agree(pair, READ), text)

    return violations


def _unlike(switch: Switch, agree: Agree) -> Pairing:
    """The next vCPU's runs differ in what this vCPU may have left in hardware."""
    prefixes = switch.target.host_visible
    pair = replace(_guest(switch), lasting=())
    known = agree(pair, READ)
    hardware = (c for c in switch.initial if c.startswith(prefixes))
    return left_over(prefixes, frozenset(c for c in hardware if not known.secret(STATE + c)))


def _closed(switch: Switch, agree: Agree) -> Sequence[Violation]:
    """Registers that the guest reaches directly and load does not write, or put does not scrub."""
    entry = switch.entries[0]
    open_ = {o.register: o.visible for o in switch.points[entry].reachable}
    pair = agree(host_secret(switch.target.host_visible), entry)
    text = "reachable by the guest directly, but load does not write it"
    found = _observations(switch, entry, "reachable", pair, text)
    text = "reachable by the guest directly, but put does not save and scrub it"
    for v in left(switch, agree):
        if v.register in open_:
            bad = t.conj([open_[v.register], v.bad])
            found.append(replace(v, bad=bad, text=text))
    return found


def properties(switch: Switch) -> list[Property]:
    """The leak family and access.closed."""
    prefixes, entry = switch.target.host_visible, switch.entries[0]
    premise = (entry, switch.target.entered(switch.points[entry].cells))
    runs = "the guest is entered"
    guest, host = _guest(switch), host_secret(prefixes)
    return [
        Property(
            "leak.guest-host",
            "leak",
            "nothing that depends on the guest is left in hardware after put",
            partial(left, switch),
            premise,
            runs,
        ),
        Property(
            "leak.guest-guest",
            "leak",
            "nothing that depends on one vCPU can be observed by the next, whatever its "
            "configuration",
            _seen(
                switch,
                partial(_unlike, switch),
                "the next vCPU can read what the first one left there",
            ),
            premise,
            runs,
            after=guest,
        ),
        Property(
            "leak.host-guest",
            "leak",
            "no value of the host's registers can be observed by the guest",
            _seen(switch, lambda agree: host, "the guest can read what the host had there"),
            premise,
            runs,
        ),
        Property(
            "access.closed",
            "access",
            "what the guest reaches directly is written by load, saved and scrubbed by put",
            partial(_closed, switch),
            premise,
            runs,
        ),
    ]
