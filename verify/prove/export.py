"""Switches with properties as transition systems for other engines.

The first step is setup; after it each is a step of the switch, an emulated access, or nothing.
Constants are state that never changes. What a step assumes decides whether the run is still
`alive`: only then a bad state counts. What two runs do not share is there twice. A property of two
vCPUs has both of them on one CPU, and a step by which the second takes over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from verify.encode import term as t
from verify.encode.switch import CONFIG, STATE, Switch
from verify.encode.system import CHOICE, System
from verify.encode.term import Term
from verify.prove.property import READ, SECOND, Pairing, Property, Violation

_CONSTANT = (CONFIG, "init/", "setup/")
_NOBODY = Pairing("", lambda name: False)
_OTHER = "#B"
_HAND_OVER = "the second vCPU takes over"
_ALIVE, _BEGUN, _HANDED = (t.var(name, 0) for name in ("alive", "begun", "handed-over"))
_LOCATION = t.var("location", 8)


def export(switch: Switch, prop: Property) -> list[System]:
    """The property's violations as bad states; a system for each way to compare two runs."""
    # Nothing is known of what two runs agree on.
    violations = prop.violations(lambda pair, phase: _apart(pair))
    terms = [*_terms(switch), *(v.bad for v in violations)]
    names = {str(v.name).removesuffix(SECOND) for v in t.free_vars(terms)}
    groups: dict[frozenset[str], list[Violation]] = {}
    for violation in violations:
        secret = (violation.pair or _NOBODY).secret
        groups.setdefault(frozenset(filter(secret, names)), []).append(violation)
    return [_Builder(switch, prop, group).system() for group in groups.values()]


def _apart(pair: Pairing) -> Pairing:
    """Both runs have a state of their own."""
    return Pairing(pair.title, lambda name: name.startswith(STATE) or pair.secret(name))


def _terms(switch: Switch) -> list[Term]:
    relations = switch.relations()
    return [
        *switch.config,
        *switch.initial.values(),
        *(term for r in relations for term in (*r.assumes, *r.post.values())),
    ]


@dataclass(frozen=True, slots=True)
class _Guest:
    """A vCPU: the mark of what is its own, and what its two runs do not share."""

    switch: Switch
    mark: str
    pair: Pairing

    def place(self, terms: Iterable[Term], second: bool = False) -> list[Term]:
        """The terms over this vCPU's variables, in the first or in the second run."""
        found = list(terms)
        mapping = {}
        for v in t.free_vars(found):
            base = str(v.name).removesuffix(SECOND)
            other = (second or base != v.name) and self.pair.secret(base)
            name = f"{base}{'' if self._shared(base) else self.mark}{SECOND if other else ''}"
            mapping[v] = t.var(name, v.width, v.hi)
        return t.substitute(found, mapping)

    def both(self, terms: Iterable[Term]) -> list[Term]:
        """The terms in both runs."""
        found = list(terms)
        return [*self.place(found), *self.place(found, second=True)]

    def _shared(self, base: str) -> bool:
        target = self.switch.target
        if base.startswith(STATE):
            return base.removeprefix(STATE).startswith(target.host_visible)
        return base.startswith(_CONSTANT) and target.platform(base)


class _Builder:
    """One system: its vCPUs, and the violations that the last of them shows."""

    def __init__(
        self,
        switch: Switch,
        prop: Property,
        violations: Sequence[Violation],
    ) -> None:
        self._switch = switch
        self._prop = prop
        self._violations = violations
        pair = violations[0].pair or _NOBODY
        self._guests = [_Guest(switch, "", pair)]
        if prop.after is not None:
            first = _Guest(switch, "", _apart(prop.after))
            self._guests = [first, _Guest(switch, _OTHER, pair)]
        self._state: dict[str, Term] = {}
        self._start: dict[str, Term] = {}
        for guest in self._guests:
            self._add(guest)

    def _add(self, guest: _Guest) -> None:
        """The cells of a vCPU with their values after setup; hardware is there already for the
        second one."""
        for cell, value in self._switch.initial.items():
            for second in (False, True):
                (variable,) = guest.place([t.var(STATE + cell, value.width)], second)
                name = str(variable.name)
                if name not in self._state:
                    self._state[name] = variable
                    (self._start[name],) = guest.place([value], second)

    def system(self) -> System:
        """The whole of it."""
        enough = [_ALIVE, _BEGUN]
        after = dict(self._state)
        alive: list[Term] = []
        choices: list[str] = []
        location: Term = _LOCATION
        for guest in self._guests:
            turn = self._turn(guest)
            for relation in self._switch.relations():
                chosen = CHOICE.eq(len(choices))
                choices.append(f"{relation.name}{guest.mark}")
                possible = [turn, self._at(relation.start), *guest.both(relation.assumes)]
                alive.append(t.disj([~chosen, t.conj(possible)]))
                end = t.const(self._switch.locations().index(relation.end), _LOCATION.width)
                location = t.ite(chosen, end, location)
                for cell, value in relation.post.items():
                    for second in (False, True):
                        (variable,) = guest.place([t.var(STATE + cell, value.width)], second)
                        (result,) = guest.place([value], second)
                        name = str(variable.name)
                        # What runs share is the first one's.
                        if not second or name.endswith(SECOND):
                            after[name] = t.ite(chosen, result, after[name])
        setup = [
            x for g in self._guests for x in g.both([*self._switch.config, *self._switch.pinned])
        ]
        start = {self._state[name]: value for name, value in self._start.items()}
        setup += t.substitute(self._guests[0].both(self._switch.legal), start)
        bad = self._bad(enough)
        whole = [*after.values(), *self._start.values(), *alive, *setup, *bad.values()]
        variables = {str(v.name): v for v in t.free_vars(whole)}
        constants = {n: v for n, v in variables.items() if n.startswith(_CONSTANT)}
        limits = _limits(t.free_vars(whole))
        state = {**self._state, **constants, "alive": _ALIVE, "begun": _BEGUN}
        following = {name: t.ite(_BEGUN, value, self._start[name]) for name, value in after.items()}
        following["begun"] = t.true
        living = t.ite(_BEGUN, t.conj(alive), t.conj(setup))
        following["alive"] = t.conj([_ALIVE, living, *limits])
        # Home is the first of the locations.
        state["location"] = _LOCATION
        following["location"] = t.ite(_BEGUN, location, _LOCATION)
        first = {"alive": t.true, "begun": t.false, "location": t.const(0, _LOCATION.width)}
        if len(self._guests) > 1:
            # Only from home: elsewhere the CPU is the first vCPU's.
            hands = t.conj([_BEGUN, self._at(self._switch.home), CHOICE.eq(len(choices))])
            choices.append(_HAND_OVER)
            state["handed-over"], first["handed-over"] = _HANDED, t.false
            following["handed-over"] = t.disj([_HANDED, hands])
        bad = {name: t.conj([term, *limits]) for name, term in bad.items()}
        title = f"{self._prop.name}: {self._prop.statement}"
        return System(title, state, first, following, bad, choices)

    def _at(self, location: str) -> Term:
        return _LOCATION.eq(self._switch.locations().index(location))

    def _turn(self, guest: _Guest) -> Term:
        """This vCPU is the one that runs."""
        if len(self._guests) == 1:
            return t.true
        return _HANDED if guest.mark else ~_HANDED

    def _bad(self, enough: Sequence[Term]) -> dict[str, Term]:
        guest = self._guests[-1]
        found = {}
        for i, violation in enumerate(self._violations):
            step = None if violation.phase == READ else self._switch.step(violation.phase)
            assumes = guest.both([*(step.assumes if step else ()), *violation.assumes])
            here = self._at(step.start if step else self._switch.home)
            shown = guest.place([violation.bad])
            name = f"{self._prop.name}/{i} {violation.register}"
            found[name] = t.conj([*enough, self._turn(guest), here, *assumes, *shown])
        return found


def _limits(variables: Iterable[Term]) -> list[Term]:
    """What bounds the variables that terms were simplified by."""
    return [
        # Of the bounded variable itself that would be simplified to true.
        t.var(str(v.name), v.width).ule(v.hi)
        for v in variables
        if v.width and v.hi < (1 << v.width) - 1
    ]
