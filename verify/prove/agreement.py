"""Where two runs agree: which state cells are equal in both at each location, and when.

Houdini over facts "this cell is equal in both runs", which may hold only for some configurations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from verify.encode import term as t
from verify.encode.switch import MONITOR, STATE, Relation, Switch, renamed
from verify.encode.term import Term
from verify.prove import simulate
from verify.prove.ask import Asker, Question
from verify.prove.goal import UNSAT
from verify.prove.invariant import GHOST
from verify.prove.property import SECOND, Pairing

Seen = Mapping[str, Sequence[tuple[simulate.State, simulate.State]]]
"""States that two runs have been in, by location."""


@dataclass(frozen=True, slots=True)
class Equal:
    """At the location the cell is equal in both runs where the condition holds."""

    location: str
    cell: str
    condition: Term


class Agreement:
    """What two runs by a pairing agree on, whatever the steps and accesses; `holding` gives what
    holds of either run at a location, `moves` runs relations on numbers, `starts` are some states
    at home. `lost`: what they do not agree on; more of it is found."""

    def __init__(
        self,
        switch: Switch,
        pair: Pairing,
        holding: Callable[[str], Sequence[Term]],
        moves: Mapping[str, simulate.Move],
        starts: Sequence[simulate.State],
        asker: Asker,
        lost: Set[Equal],
    ) -> None:
        self._switch = switch
        self.lost: Set[Equal] = lost
        self.pair = pair
        self._holding = holding
        known = holding(switch.home)
        # Not kept: they take more memory than all the rest.
        seen = simulate.pairs(switch, moves, starts, known, pair.secret, pair.lasting)
        self._facts = self._first()
        self._drop([fact for fact in self._facts if self._is_wrong(fact, seen)], seen)
        while gone := self._lost(asker):
            self._drop(gone, seen)
        self._pairs = {location: self._at(location) for location in switch.locations()}

    def at(self, location: str) -> Pairing:
        """The pairing for runs that start at the location: the cells that may differ are secret."""
        return self._pairs[location]

    def has_all(self, prefixes: tuple[str, ...]) -> bool:
        """The runs always agree at home on the cells with these prefixes."""
        secret = self.at(self._switch.home).secret
        return not any(secret(STATE + c) for c in self._switch.initial if c.startswith(prefixes))

    def _at(self, location: str) -> Pairing:
        facts = [fact for fact in self._facts if fact.location == location]
        equal = {fact.cell for fact in facts if fact.condition is t.true}
        names = frozenset(STATE + cell for cell in self._switch.initial if cell not in equal)
        secret = self.pair.secret
        assumes = tuple(
            t.disj((t.negate(fact.condition), _cell(self._switch, fact.cell).eq(other)))
            for fact in facts
            if fact.cell not in equal
            for other in renamed([_cell(self._switch, fact.cell)], SECOND, lambda name: True)
        )
        return Pairing(
            self.pair.title,
            lambda name: name in names if name.startswith(STATE) else secret(name),
            self.pair.lasting,
            assumes,
        )

    def _first(self) -> list[Equal]:
        """What the pairing says of home, and everything elsewhere."""
        switch = self._switch
        # Nothing else depends on what is only looked at by properties.
        cells = [c for c in switch.initial if not c.startswith((GHOST, MONITOR))]
        initial = [switch.initial[c] for c in cells]
        others = renamed(initial, SECOND, self.pair.secret)
        found = [
            Equal(switch.home, cell, t.true)
            for cell, a, b in zip(cells, initial, others, strict=True)
            if a is b and not self.pair.secret(STATE + cell)
        ]
        for location in switch.locations():
            if location != switch.home:
                found += [Equal(location, cell, t.true) for cell in cells]
        return found

    def _conditions(self, cell: str) -> list[Term]:
        """When a cell may be equal that is not always."""
        switch = self._switch
        found = [
            switch.enumerated[register.name, i]
            for register in switch.target.registers(switch.program)
            for i in range(register.count)
            if cell in (register.cell.format(i), register.ghost.format(i))
        ]
        both = [
            c for condition in (switch.active, *found) for c in (condition, t.negate(condition))
        ]
        return [
            c
            for c in dict.fromkeys(both)
            if c.op != "const" and not any(str(v.name).startswith(STATE) for v in t.free_vars([c]))
        ]

    def _lost(self, asker: Asker) -> list[Equal]:
        pairs = {location: self._at(location) for location in self._switch.locations()}
        contexts = {
            location: both_runs(self._holding(location), pair) for location, pair in pairs.items()
        }
        asked: list[Equal] = []
        questions: list[Question] = []
        known = set(self._facts)
        for relation in self._switch.relations():
            pair = pairs[relation.start]
            assumes = both_runs(relation.assumes, pair)
            facts = [fact for fact in self._facts if self._is_open(fact, relation, known)]
            ends = [relation.post.get(f.cell, _cell(self._switch, f.cell)) for f in facts]
            others = renamed(ends, SECOND, pair.secret)
            for fact, one, other in zip(facts, ends, others, strict=True):
                if one is not other:
                    differs = t.conj((*assumes, fact.condition, one.ne(other)))
                    asked.append(fact)
                    questions.append(Question(fact.cell, contexts[relation.start], differs, fact))
        answers = asker.each(questions)
        return [f for f, a in zip(asked, answers, strict=True) if a.status != UNSAT]

    def _is_wrong(self, fact: Equal, seen: Seen) -> bool:
        """It is lost, or two runs have been seen to differ; that saves asking a solver."""
        name = STATE + fact.cell
        return fact in self.lost or any(
            one[name] != two[name] and t.evaluate([fact.condition], one)[0]
            for one, two in seen[fact.location]
        )

    def _is_open(self, fact: Equal, relation: Relation, known: set[Equal]) -> bool:
        """The relation may break the fact."""
        if fact.location != relation.end or self._lasts(fact):
            return False
        same = Equal(relation.start, fact.cell, fact.condition)
        return fact.cell in relation.post or same not in known

    def _lasts(self, fact: Equal) -> bool:
        """The pairing takes it for granted."""
        return fact.location == self._switch.home and fact.cell.startswith(self.pair.lasting)

    def _drop(self, lost: Sequence[Equal], seen: Seen) -> None:
        weaker = [
            Equal(fact.location, fact.cell, condition)
            for fact in dict.fromkeys(lost)
            if fact.condition is t.true and fact.location != self._switch.home
            for condition in self._conditions(fact.cell)
        ]
        weaker = [fact for fact in weaker if not self._is_wrong(fact, seen)]
        self.lost = self.lost | set(lost)
        self._facts = [fact for fact in self._facts if fact not in self.lost] + weaker


def both_runs(terms: Sequence[Term], pair: Pairing | None) -> tuple[Term, ...]:
    """The terms, and with a pairing their copies of the second run where those differ, and what
    the pairing says of the two."""
    if pair is None:
        return tuple(terms)
    others = renamed(terms, SECOND, pair.secret)
    differing = (o for term, o in zip(terms, others, strict=True) if o is not term)
    return (*terms, *differing, *pair.assumes)


def _cell(switch: Switch, cell: str) -> Term:
    return t.var(STATE + cell, switch.initial[cell].width)
