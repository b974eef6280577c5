"""Whether two switches have the same effects, from every state that is reached.

By induction over runs: where setup allows the same machines and leaves the same state, and every
step from a state that the first switch can be in has the same successors, faults and readings, the
two do the same for ever. State is what a property can speak of, and what watches the hardware's
accesses; that one of them writes a register again with the value that it has is no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from verify.encode import term as t
from verify.encode.execute import Fault, NotUnderstood
from verify.encode.switch import STATE, Cells, Point, Read, Switch
from verify.encode.term import Term
from verify.prove.ask import Question
from verify.prove.context import Context
from verify.prove.goal import SAT, UNSAT

Rename = Callable[[str], str]

_FEW = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the effects may differ. `decided`: there is a state with all that was inferred of the
    first switch in which they do; else no solver knew."""

    text: str
    decided: bool = True


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two terms that must be equal in the context, where `when` holds."""

    about: str
    context: tuple[Term, ...]
    when: Term
    one: Term
    other: Term


def difference(base: Context, other: Switch, rename: Rename | None = None) -> Difference | None:
    """The first difference that is found; None when there is none, which is proved.

    `rename` gives the names of the other switch's inputs in the first one; it must give different
    inputs different names.
    """
    if (shape := _shape(base.switch, other)) is not None:
        return Difference(shape)
    initial = _renamed(list(other.initial.values()), rename)
    pairs = [
        *_setup(base.switch, other),
        *_steps(base, other, dict(zip(other.initial, initial, strict=True))),
    ]
    others = _renamed([pair.other for pair in pairs], rename)
    pairs = [replace(p, other=o) for p, o in zip(pairs, others, strict=True) if p.one is not o]
    if (twofold := _twofold(pairs)) is not None:
        return Difference(twofold)
    # What differs is most often told by the first few.
    for part in (slice(0, _FEW), slice(_FEW, None)):
        questions = [
            Question(p.about, p.context, t.conj((p.when, p.one.ne(p.other)))) for p in pairs[part]
        ]
        answers = base.asker.each(questions)
        for question, answer in zip(questions, answers, strict=True):
            if answer.status != UNSAT:
                return Difference(question.name, answer.status == SAT)
    return None


def _renamed(terms: Sequence[Term], rename: Rename | None) -> list[Term]:
    if rename is None:
        return list(terms)
    names = {v: rename(str(v.name)) for v in t.free_vars(terms)}
    return t.substitute(
        list(terms), {v: t.var(n, v.width, v.hi) for v, n in names.items() if n != v.name}
    )


def _twofold(pairs: Sequence[_Pair]) -> str | None:
    """A variable that the two switches take for different ones: its bounds, which are assertions
    of a question, would hold of both."""
    names: set[str] = set()
    terms = [term for p in pairs for term in (*p.context, p.when, p.one, p.other)]
    for variable in t.free_vars(list(dict.fromkeys(terms))):
        if str(variable.name) in names:
            return f"what {variable.name} can be"
        names.add(str(variable.name))
    return None


def _shape(one: Switch, other: Switch) -> str | None:
    """What cannot be compared term by term."""
    for a, b in zip_longest(one.relations(), other.relations()):
        if a is None or b is None or (a.name, a.start, a.end) != (b.name, b.start, b.end):
            return "the transitions"
    for name in ("points", "reads", "enumerated", "settings"):
        if list(getattr(one, name)) != list(getattr(other, name)):
            return f"the {name}"
    if not_understood(one, other) or not_understood(other, one):
        return "what is not understood"
    return None


def not_understood(one: Switch, other: Switch) -> list[NotUnderstood]:
    """What is not understood of the other switch only, wherever it is in its file."""
    known = {(n.file, n.text, n.reason) for n in one.not_understood}
    return [n for n in other.not_understood if (n.file, n.text, n.reason) not in known]


def _setup(one: Switch, other: Switch) -> Iterator[_Pair]:
    start = (t.conj((*one.config, *one.pinned)), t.conj((*other.config, *other.pinned)))
    yield _Pair("the machines and guests", (), t.true, *start)
    context = (*one.config, *one.pinned)

    def pair(about: str, a: Term, b: Term) -> _Pair:
        return _Pair(about, context, t.true, a, b)

    yield pair("faults of setup", _faulty(one.setup_faults), _faulty(other.setup_faults))
    for cell in one.initial:
        if cell in other.initial:
            yield pair(f"{cell} after setup", one.initial[cell], other.initial[cell])
    for key, term in one.enumerated.items():
        yield pair(f"whether the guest has {key[0]}[{key[1]}]", term, other.enumerated[key])
    for name, term in one.settings.items():
        yield pair(name, term, other.settings[name])
    yield pair("whether the switch does anything", one.active, other.active)
    yield pair("the hardware's states", t.conj(one.legal), t.conj(other.legal))


def _steps(base: Context, other: Switch, initial: Cells) -> Iterator[_Pair]:
    """`initial`: the other switch's cells after setup."""
    one = base.switch
    # What the first switch leaves alone, or what nothing depends on there, must stay as it was.
    still = [
        t.var(STATE + cell, value.width).eq(value)
        for cell, value in initial.items()
        if cell not in one.initial
    ]
    seen = {*one.initial, *one.target.cells(one.program)}
    for a, b in zip(one.relations(), other.relations(), strict=True):
        context = (*base.holding(a.start), *still)
        runs, passes = t.conj(a.assumes), _passes(a.assumes, a.faults)
        yield _Pair(f"inputs of {a.name}", context, t.true, runs, t.conj(b.assumes))
        yield _Pair(f"faults of {a.name}", context, runs, _faulty(a.faults), _faulty(b.faults))
        for cell in dict.fromkeys((*a.post, *b.post)):
            # What nothing depends on in the other switch is no state of it.
            if cell in initial:
                state = t.var(STATE + cell, initial[cell].width)
                old = state if cell in one.initial else initial[cell]
                ends = (a.post.get(cell, old), b.post.get(cell, state))
                yield _Pair(f"{cell} after {a.name}", context, passes, *ends)
        for phase in (name for name, point in one.points.items() if point.step == a.name):
            for what, where, x, y in _points(one.points[phase], other.points[phase], seen):
                yield _Pair(f"{what} after {phase}", context, t.conj((passes, where)), x, y)
    home = (*base.holding(one.home), *still)
    for key, read in one.reads.items():
        for what, where, x, y in _reads(read, other.reads[key]):
            yield _Pair(f"{what} of read {key[2]} of {key[0]}[{key[1]}]", home, where, x, y)


_Compared = tuple[str, Term, Term, Term]
"""What is compared, where, and the two terms."""


def _points(one: Point, other: Point, cells: set[str]) -> Iterator[_Compared]:
    """What is to be seen after a phase."""
    for cell in (c for c in one.cells if c in cells and c in other.cells):
        yield cell, t.true, one.cells[cell], other.cells[cell]
    seen = [(*p.observed, *p.reachable) for p in (one, other)]
    for x, y in zip_longest(*seen):
        if x is None or y is None or x.register != y.register:
            yield "what the guest sees", t.true, t.true, t.false
            return
        yield f"whether the guest sees {x.register}", t.true, x.visible, y.visible
        yield f"what the guest sees of {x.register}", x.visible, x.value, y.value
    for name, items in one.items.items():
        for i, j in zip_longest(items, other.items.get(name, ())):
            if i is None or j is None or (i.cell, i.follows) != (j.cell, j.follows):
                yield name, t.true, t.true, t.false
                return
            yield f"when {name} speaks of {i.cell}", t.true, i.when, j.when
            yield f"what {name} finds in {i.cell}", i.when, i.found, j.found
            yield f"what {name} expects in {i.cell}", i.when, i.expected, j.expected


def _reads(one: Read, other: Read) -> Iterator[_Compared]:
    runs, passes = t.conj(one.assumes), _passes(one.assumes, one.faults)
    told = t.conj((passes, one.accepted))
    yield "inputs", t.true, runs, t.conj(other.assumes)
    yield "faults", runs, _faulty(one.faults), _faulty(other.faults)
    yield "acceptance", passes, one.accepted, other.accepted
    yield "value", told, one.value, other.value
    yield "expected value", told, one.expected, other.expected


def _passes(assumes: Sequence[Term], faults: Sequence[Fault]) -> Term:
    return t.conj((*assumes, t.negate(_faulty(faults))))


def _faulty(faults: Sequence[Fault]) -> Term:
    return t.disj([fault.guard for fault in faults])
