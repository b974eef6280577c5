"""Invariants of each location, inferred: candidate templates and Houdini.

Candidates come from the shape of the relations, never from names: a kernel cell equals a ghost
when one access writes both, or one step the same to both; a cell holds only what hardware can hold
that it comes from or goes into; bits that an access derives from what it writes are those that it
would derive anew from what the guest must find; a cell has no bit of a mask when an access that
writes it looks at that mask, or when hardware that it comes from or goes into has the mask; bits
that an access always writes alike stay so; a hardware cell is zero, or has no bit beyond a mask of
those who use it meanwhile, or is what the guest must find in it, or what a step loads into it, or
one of the known values that a step leaves in it. Each may hold only where the switch does anything,
or where the guest's configuration has the register.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from operator import and_

from verify.encode import term as t
from verify.encode.evaluation import Evaluation
from verify.encode.switch import CONFIG, MONITOR, STATE, Cells, Relation, Switch
from verify.encode.term import Term
from verify.prove import simulate
from verify.prove.ask import Asker, Question
from verify.prove.bits import alike, fixed, written
from verify.prove.goal import UNSAT

GHOST = "ghost."
_CONSTANT = (CONFIG, "init/", "setup/")
FIRST = 100
FEW = 4
"""Values that a cell may alternate between."""

Invariant = Mapping[str, Sequence[Term]]
"""What holds at each location."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A term that may hold whenever a vCPU is at the location."""

    location: str
    term: Term


Candidate = tuple[Fact, ...]
"""Something that may be invariant, and weaker forms to try when it is not."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """What holds at each location, and what does not, as far as it was tried."""

    invariant: Invariant
    lost: Set[Fact]


class _Templates:
    """Collects the candidates of one switch, over state variables and constants."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.state = {c: t.var(STATE + c, v.width) for c, v in switch.initial.items()}
        self.owned: dict[str, Term] = {}
        self.pairs: list[tuple[str, str]] = []
        for register in switch.target.registers(switch.program):
            for i in range(register.count):
                cell, ghost = register.cell.format(i), register.ghost.format(i)
                condition = switch.enumerated[register.name, i]
                self.owned[cell] = self.owned[ghost] = condition
                self.pairs.append((cell, ghost))
        self.found: dict[Candidate, None] = {}
        # Values that accesses write, with the cells that may get them.
        self._written: dict[Term, set[str]] = {}
        for access in switch.accesses:
            for cell, after in access.post.items():
                for value in written(after, self.state[cell]):
                    self._written.setdefault(value, set()).add(cell)

    def is_hardware(self, cell: str) -> bool:
        return cell.startswith(self.switch.target.host_visible)

    def add(
        self, location: str, candidate: Term, *conditions: Term, weaker: Sequence[Term] = ()
    ) -> None:
        where = [t.false, *(t.negate(c) for c in (self.switch.active, *conditions))]
        forms = [t.disj((unless, form)) for form in (candidate, *weaker) for unless in where]
        chain = dict.fromkeys(Fact(location, form) for form in forms if form.op != "const")
        if chain:
            self.found[tuple(chain)] = None

    def zeros(self, location: str, limits: Mapping[str, list[Term]]) -> None:
        first = next(iter(self.switch.points.values())).cells
        for cell in dict.fromkeys(c for step in self.switch.steps for c in step.post):
            passing = cell in self.switch.target.transient
            if (passing or self.is_hardware(cell)) and self.state[cell].width:
                owned = self._owned(cell)
                value = self.state[cell]
                self.add(location, value.eq(0), *owned, *map(t.negate, owned))
                # Others may leave it with the bits of a mask, and no more. Each half by itself:
                # what the guest owns goes other ways than what it does not.
                for mask in _masks([first[cell]] if cell in first else []):
                    if mask.width == value.width and mask not in limits.get(cell, ()):
                        masked = (value & ~mask).eq(0)
                        for condition in (*owned, *map(t.negate, owned)) or (t.false,):
                            self.add(location, t.disj((condition, masked)))

    def silence(self) -> None:
        """Nothing has happened of what is watched, but not in steps."""
        watched = {c for c in self.switch.initial if c.startswith(MONITOR)}
        for step in self.switch.steps:
            watched -= {c for c in watched & set(step.post) if step.post[c].op != "const"}
        for cell in sorted(watched):
            self.add(self.switch.home, self.state[cell].eq(0))

    def loaded(self, location: str) -> None:
        """Hardware cells that hold what the guest must find, or what a step writes to them."""
        for cell, ghost in self.pairs:
            if cell in self.state and ghost in self.state:
                self.add(location, self.state[cell].eq(self.state[ghost]), *self._owned(cell))
        for step in self.switch.steps:
            if step.end != location:
                continue
            for cell in self.switch.target.transient:
                for number in _numbers(step.post.get(cell)):
                    self.add(location, self.state[cell].eq(number))
            for cell, value in step.post.items():
                self._one_of(location, cell, value)
                for source in _cells_in(value) if self.is_hardware(cell) else ():
                    same = self.state[source].width == self.state[cell].width
                    if same and not source.startswith((GHOST, MONITOR)):
                        if not self.is_hardware(source):
                            equal = self.state[cell].eq(self.state[source])
                            self.add(location, equal, *self._owned(cell))

    def _one_of(self, location: str, cell: str, value: Term) -> None:
        """A hardware cell has one of the few known values that a step writes to it."""
        state = self.state[cell]
        known = [
            leaf
            for leaf in written(value, state)
            if leaf.op == "const" or (leaf.op == "var" and str(leaf.name).startswith("init/"))
        ]
        if self.is_hardware(cell) and state.width and 1 < len(known) <= FEW:
            self.add(location, t.disj(tuple(state.eq(k) for k in known)))

    def copied(self, location: str) -> None:
        """Kernel cells to which a step writes the same as to a ghost."""
        for step in (step for step in self.switch.steps if step.end == location):
            kernel = [c for c in step.post if not self.is_hardware(c)]
            for ghost in (c for c in kernel if c.startswith(GHOST)):
                for cell in (c for c in kernel if not c.startswith((GHOST, MONITOR))):
                    if step.post[cell] == step.post[ghost] and step.post[cell].op != "const":
                        self.add(location, self.state[cell].eq(self.state[ghost]))

    def shaped(self, location: str, shapes: Mapping[str, list[Term]]) -> None:
        """Kernel cells that come from hardware, or go into it, of which more is known than bits."""
        for cell, value in self.state.items():
            if self.is_hardware(cell) or cell.startswith(MONITOR):
                continue
            for other in dict.fromkeys((*self._sources(cell), *self._targets(cell))):
                if self.is_hardware(other) and self.state[other].width == value.width:
                    parts = shapes.get(other, [])
                    for part in t.substitute(parts, {self.state[other]: value}) if parts else ():
                        self.add(location, part)

    def accessed(self, location: str, access: Relation, limits: Mapping[str, list[Term]]) -> None:
        """What the writes of an access to one register suggest of kernel cells."""
        written = [c for c in access.post if self.state[c].width]
        ghosts = [c for c in written if c in self.owned and not self.is_hardware(c)]
        if len(ghosts) > 1:
            return
        conditions = [self.owned[c] for c in ghosts]
        for cell in written:
            if cell.startswith((GHOST, MONITOR)) or self.is_hardware(cell):
                continue
            value = self.state[cell]
            for ghost in ghosts:
                if self.state[ghost].width == value.width:
                    copy, part = value.eq(self.state[ghost]), (value & ~self.state[ghost]).eq(0)
                    self.add(location, copy, self.owned[ghost], weaker=[part])
                # Without the register nothing changes.
                unchanged = value.eq(self.switch.initial[cell])
                without = t.negate(self.owned[ghost])
                self.add(location, unchanged, without, t.conj((self.switch.active, without)))
            for ghost in ghosts:
                for candidate in self._in_common(cell, ghost):
                    self.add(location, candidate, *conditions)
                for candidate, *weaker in self._derived(access, cell, ghost):
                    self.add(location, candidate, *conditions, weaker=weaker)
            for candidate in self._fixed_bits(access, cell):
                self.add(location, candidate, *conditions)
            # Without a register what is looked at says little of what is written.
            masks = _masks([access.post[cell]]) if ghosts else []
            for mask in (m for m in masks if m.width == value.width):
                self.add(location, (value & mask).eq(0), *conditions)
                self.add(location, (value & ~mask).eq(0), *conditions)
            for other in self._sources(cell) or self._targets(cell):
                if self.is_hardware(other) and location != self.switch.home:
                    for mask in (m for m in masks if m.width == self.state[other].width):
                        self.add(location, (self.state[other] & mask).eq(0), *conditions)
                for mask in limits.get(other, ()):
                    if mask.width == value.width:
                        self.add(location, (value & ~mask).eq(0), *conditions)

    def _in_common(self, cell: str, ghost: str) -> Iterator[Term]:
        """The bits of a cell that accesses write as they write a ghost, and not without it."""
        state = self.state[cell]
        full = mask = (1 << state.width) - 1
        for access in (a for a in self.switch.accesses if cell in a.post):
            values = self._values(access, ghost) if ghost in access.post else [state]
            for term in written(access.post[cell], state):
                mask &= alike(term, values[0], _is_named) if len(values) == 1 else 0
        if mask not in (0, full) and self.state[ghost].width == state.width:
            yield ((state ^ self.state[ghost]) & mask).eq(0)

    def _derived(self, access: Relation, cell: str, ghost: str) -> Iterator[tuple[Term, ...]]:
        """An access that writes a value to a ghost derives from it what it writes to a cell: each
        bit that it sets or clears is so, or set at least, or all of the cell is so. What the access
        does when the value stays the same tells nothing."""
        found = self._values(access, ghost)
        if len(found) != 1 or found[0].op != "var" or str(found[0].name).startswith(_CONSTANT):
            return
        value, before = found[0], self.state[cell]
        if value in self._values(access, cell):
            return
        post = _unguarded(access.post[cell], before)
        copies = {self.state[c] for c in access.post if value in self._values(access, c)}
        changes = {
            node: t.false
            for node in t.reachable([post])
            if node.op == "eq" and _looks_at(node, value, copies)
        }
        (anew,) = t.substitute([post], {value: self.state[ghost], **changes})
        if all(str(v.name).startswith((STATE, *_CONSTANT)) for v in t.free_vars([anew])):
            known = [one | zero for one, zero in map(fixed, written(post, before))]
            bits = [k for k in range(before.width) if any(mask >> k & 1 for mask in known)]
            for k in bits:
                bit, derived = before.extract(k, k), anew.extract(k, k)
                yield bit.eq(derived), (derived & ~bit).eq(0)
            if not bits:
                yield (before.eq(anew),)

    def _values(self, access: Relation, cell: str) -> list[Term]:
        """What an access writes to a cell, without masks."""
        return [_unmasked(value) for value in written(access.post[cell], self.state[cell])]

    def _sources(self, cell: str) -> list[str]:
        values = [step.post[cell] for step in self.switch.steps if cell in step.post]
        return list(dict.fromkeys(c for value in values for c in _cells_in(value)))

    def _targets(self, cell: str) -> list[str]:
        """The hardware that a cell goes into, which no step changes: in a step, and in one after
        an access that copies the cell to another one."""
        ways = {cell, *self._written.get(self.state[cell], ())}
        posts = [(c, v) for step in self.switch.steps for c, v in step.post.items()]
        return [c for c, v in posts if self.is_hardware(c) and ways.intersection(_cells_in(v))]

    def _fixed_bits(self, access: Relation, cell: str) -> Iterator[Term]:
        """From bits that are 1 in all that an access writes to a cell: bits that are 0 in it stay
        so, and the cell has others only where one that is written with it has them."""
        value = self.state[cell]
        found = [fixed(term) for term in written(access.post[cell], value)]
        ones, zeros = ((1 << value.width) - 1 for _ in range(2))
        for one, zero in found:
            ones, zeros = ones & one, zeros & zero
        if not found or not ones:
            return
        yield (value & zeros).eq(0)
        for other in access.post:
            also = self.state[other]
            if other != cell and also.width == value.width:
                unchanged = also.eq(self.switch.initial[other])
                yield t.disj((unchanged, (value & ones).eq(ones)))
                yield (value & ~(also | ones)).eq(0)

    def _owned(self, cell: str) -> list[Term]:
        return [self.owned[cell]] if cell in self.owned else []


def candidates(switch: Switch) -> list[Candidate]:
    """What may be invariant, at each location."""
    templates = _Templates(switch)
    limits, shapes = _limits(switch.legal), _shapes(switch.legal)
    templates.silence()
    for location in switch.locations():
        templates.zeros(location, limits)
        templates.copied(location)
        templates.shaped(location, shapes)
        if location != switch.home:
            templates.loaded(location)
        for access in switch.accesses:
            templates.accessed(location, access, limits)
    return list(templates.found)


def guessed(switch: Switch, invariant: Invariant) -> list[Candidate]:
    """What is invariant of another switch, as far as this one has the cells."""
    return [
        (Fact(location, term),)
        for location in switch.locations()
        for term in invariant.get(location, ())
        if set(_cells_in(term)) <= set(switch.initial)
    ]


def _limits(legal: Sequence[Term]) -> dict[str, list[Term]]:
    """The masks that limit hardware cells, by cell."""
    result: dict[str, list[Term]] = {}
    for part in _parts(legal):
        for cell in _cells_in(part):
            result.setdefault(cell, []).extend(_masks([part]))
    return result


def _shapes(legal: Sequence[Term]) -> dict[str, list[Term]]:
    """What else than masks limits a hardware cell by itself, by cell."""
    result: dict[str, list[Term]] = {}
    for part in _parts(legal):
        cells = _cells_in(part)
        if len(cells) == 1 and not _masks([part]):
            result.setdefault(cells[0], []).append(part)
    return result


def _parts(terms: Sequence[Term]) -> Iterator[Term]:
    for term in terms:
        yield from term.args if term.op == "and" else (term,)


@t.remembered
def _cells_in(term: Term) -> tuple[str, ...]:
    """The state cells that a term looks at."""
    names = (str(v.name) for v in t.free_vars([term]))
    return tuple(name.removeprefix(STATE) for name in names if name.startswith(STATE))


def _unguarded(term: Term, before: Term) -> Term:
    """What a cell becomes, whatever it takes for it not to stay `before`."""
    while term.op == "ite" and before in term.args[1:]:
        term = term.args[1] if term.args[2] is before else term.args[2]
    return term


def _unmasked(term: Term) -> Term:
    """The value of which a term has the bits that a constant of the configuration allows."""
    while term.op == "and" and term.width:
        left = [a for a in term.args if not _is_constant(a)]
        if len(left) != 1:
            break
        (term,) = left
    return term


def _is_constant(term: Term) -> bool:
    return all(str(v.name).startswith(_CONSTANT) for v in t.free_vars([term]))


def _is_named(term: Term) -> bool:
    """It is a constant of the configuration, and no number."""
    return _is_constant(term) and term.op != "const"


def _looks_at(node: Term, value: Term, copies: Set[Term]) -> bool:
    """A comparison of a value with what was in one of the cells that it goes to."""
    found = set(t.free_vars([node]))
    return value in found and not copies.isdisjoint(found)


def _masks(terms: Sequence[Term]) -> list[Term]:
    """The constants of the configuration that the terms look at, and the numbers of whose several
    bits they look whether one is set."""
    named = [
        v for v in t.free_vars(terms) if v.width > 1 and str(v.name).startswith((CONFIG, "init/"))
    ]
    tested = [n.args[0] for n in t.reachable(terms) if n.op == "eq" and n.args[0].op == "and"]
    numbers = [a for n in tested for a in n.args if a.op == "const" and a.value & (a.value - 1)]
    return list(dict.fromkeys([*named, *numbers]))


def _numbers(value: Term | None) -> list[Term]:
    """The constants that a cell may get."""
    nodes = t.reachable([] if value is None else [value])
    return [n for n in nodes if value is not None and n.op == "const" and n.width == value.width]


def _substituted(terms: Sequence[Term], cells: Cells) -> list[Term]:
    return t.substitute(list(terms), {t.var(STATE + c, v.width): v for c, v in cells.items()})


def infer(
    switch: Switch,
    background: Sequence[Term],
    reached: Mapping[str, Sequence[simulate.State]],
    asker: Asker,
    guesses: Sequence[Candidate],
) -> Inferred:
    """The guesses, each in its strongest form, that setup establishes and every relation keeps.

    `background`: what holds of configuration and hardware anyway. `reached`: some states of each
    location, for which no guess may be false. A guess of which a solver does not answer is
    dropped: the result is inductive in any case.
    """
    gone = _wrong(guesses, reached)
    open_ = without(guesses, gone)
    ways = _Ways(switch)
    while True:
        kept = list(dict.fromkeys(chain[0] for chain in open_))
        holding = {
            location: (*background, *(fact.term for fact in kept if fact.location == location))
            for location in switch.locations()
        }
        left, tried, known = kept, set(kept), set(kept)
        while left:
            # What is lost under this hypothesis is lost under weaker ones, too. So the forms that
            # take the place of others are tried at once; that they hold is for the next round.
            lost = _lost(switch, holding, ways, known, left, asker)
            gone |= lost
            known |= {form for chain in open_ for form in chain}
            open_ = [chain[1:] if chain[0] in lost else chain for chain in open_]
            open_ = [chain for chain in open_ if chain]
            left = [f for f in dict.fromkeys(chain[0] for chain in open_) if f not in tried]
            tried.update(left)
        if kept == list(dict.fromkeys(chain[0] for chain in open_)):
            invariant = {
                location: [fact.term for fact in kept if fact.location == location]
                for location in switch.locations()
            }
            return Inferred(invariant, gone)


@dataclass(frozen=True, slots=True)
class _Way:
    """How a fact may be lost: from where, and that it happens."""

    fact: Fact
    start: str
    term: Term


class _Ways:
    """How facts may be lost, each found out once."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._ends: dict[tuple[str, Term], Term] = {}

    def of(self, facts: Sequence[Fact], known: Collection[Fact]) -> Iterator[_Way]:
        """How the facts may be lost; a relation that changes nothing of what a fact speaks of
        keeps it, when it is `known` to hold where the relation starts."""
        for relation in self._switch.relations():
            concerned = [fact for fact in facts if fact.location == relation.end]
            for fact, after in zip(concerned, self._after(relation, concerned), strict=True):
                if after is not fact.term or Fact(relation.start, fact.term) not in known:
                    broken = t.conj((*relation.assumes, t.negate(after)))
                    yield _Way(fact, relation.start, broken)

    def _after(self, relation: Relation, facts: Sequence[Fact]) -> list[Term]:
        new = [fact.term for fact in facts if (relation.name, fact.term) not in self._ends]
        for term, end in zip(new, _substituted(new, relation.post), strict=True):
            self._ends[relation.name, term] = end
        return [self._ends[relation.name, fact.term] for fact in facts]


def _lost(
    switch: Switch,
    holding: Mapping[str, tuple[Term, ...]],
    ways: _Ways,
    known: Collection[Fact],
    left: Sequence[Fact],
    asker: Asker,
) -> set[Fact]:
    """Those `left` that are not shown to hold from setup on and to be kept, by the hypothesis
    `holding` (with the background, by location), of which all `known` are taken to follow."""
    at_home = [fact for fact in left if fact.location == switch.home]
    starts = _substituted([fact.term for fact in at_home], switch.initial)
    setup = (*switch.config, *switch.pinned)
    asked = [
        (fact, Question(_about(fact), setup, t.negate(start), fact))
        for fact, start in zip(at_home, starts, strict=True)
    ]
    asked += [
        (way.fact, Question(_about(way.fact), holding[way.start], way.term, way.fact))
        for way in ways.of(left, known)
    ]
    answers = asker.each([question for _, question in asked])
    return {fact for (fact, _), a in zip(asked, answers, strict=True) if a.status != UNSAT}


def _about(fact: Fact) -> str:
    """What a fact speaks of."""
    cells = [cell for cell in _cells_in(fact.term) if not cell.startswith(GHOST)]
    return f"{' '.join(cells)} at {fact.location}"


def without(chains: Sequence[Candidate], lost: Set[Fact]) -> list[Candidate]:
    """The candidates without the forms that are known not to hold."""
    found = (tuple(form for form in chain if form not in lost) for chain in chains)
    return list(dict.fromkeys(chain for chain in found if chain))


def _wrong(
    chains: Sequence[Candidate], reached: Mapping[str, Sequence[simulate.State]]
) -> set[Fact]:
    """The forms that are false in a reachable state."""
    facts = list(dict.fromkeys(form for chain in chains for form in chain))
    wrong: set[Fact] = set()
    for location, states in reached.items():
        here = [fact for fact in facts if fact.location == location]
        # Most are false in some of the first states.
        for some in (states[:FIRST], states[FIRST:]):
            run = Evaluation([fact.term for fact in here])
            held: Sequence[int] = [1] * len(here)
            for state in some:
                held = list(map(and_, held, run(state)))
            wrong |= {fact for fact, holds in zip(here, held, strict=True) if not holds}
            here = [fact for fact, holds in zip(here, held, strict=True) if holds]
    return wrong
