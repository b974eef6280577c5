"""Proofs as a folder of SMT-LIB 2 questions that anyone can put to a solver (see recheck).

Everything is spelled by one speller, so that a symbol means the same in all files. Assumptions and
invariants are functions of the variables that they look at: the conclusion of an induction step is
the very function of its hypothesis, applied to the state after the step. What two runs do not share
is spelled again from the same terms with other variables, not taken from the prover's questions.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from verify.encode import term as t
from verify.encode.smtlib import SECOND_RUN, Copy, Speller, Text, script
from verify.encode.switch import STATE, Relation
from verify.encode.term import Term
from verify.errors import InternalError
from verify.prove import sanity
from verify.prove.agreement import Agreement
from verify.prove.ask import Question
from verify.prove.certificate_readme import README
from verify.prove.context import Context
from verify.prove.judge import Judgement, premise
from verify.prove.property import Pairing, Property, Violation
from verify.prove.slices import conjuncts

SCHEMA = "msrproof-certificate/1"
MANIFEST = "manifest.json"
INTERRUPTED = "nmi"
"""The folder in it of the proofs about the switch with interrupts."""

_Parts = list[tuple[str, Sequence[Text]]]


def files(
    context: Context, proofs: Sequence[Judgement], facts: Mapping[str, Any]
) -> dict[str, str]:
    """What proves these judgements, by file name; `facts` about the run go into the manifest."""
    return _Writer(context, proofs).files(facts)


def _all(items: Iterable[Text]) -> Text:
    return _joined("and true", items)


def _any(items: Iterable[Text]) -> Text:
    return _joined("or false", items)


def _joined(head: str, items: Iterable[Text]) -> Text:
    """A list of any length: SMT-LIB's operators want two arguments or more."""
    texts = list(items)
    inner = "".join(f"\n    {text}" for text in texts)
    return Text(f"({head}{inner})" if texts else head.split()[1], _names(texts))


def _not(text: Text) -> Text:
    return Text(f"(not {text})", text.names)


def _names(texts: Iterable[Text]) -> frozenset[str]:
    return frozenset[str]().union(*(text.names for text in texts))


class _Run:
    """A second run, by what it does not share with the first one."""

    def __init__(self, name: str, secret: frozenset[str]) -> None:
        self.secret = secret
        self.copy = Copy(name, secret.__contains__)


@dataclass(frozen=True, slots=True)
class _Place:
    """What two runs agree on at a location: the run there, and the functions of both runs' state
    that hold. What that run shares is equal."""

    run: _Run
    functions: list[str]


class _Writer:
    """Builds the texts of all files."""

    def __init__(self, context: Context, proofs: Sequence[Judgement]) -> None:
        self._context = context
        self._switch = switch = context.switch
        self._proofs = proofs
        self._speller = Speller()
        self._texts: dict[str, str] = {}
        self._obligations: dict[str, dict[str, Any]] = {}
        self._bounds: dict[str, None] = {}
        self._setup = self._define("config", switch.config) | self._define("pinned", switch.pinned)
        self._host = self._define("legal", switch.legal)
        background = self._setup | self._host
        if any(term not in background for term in context.background):
            raise InternalError("a proof rests on an assumption that its certificate does not have")
        self._invariant = {
            location: self._define(f"invariant {location}", context.invariant[location])
            for location in switch.locations()
        }
        self._variables = {
            str(v.name).removesuffix(SECOND_RUN) for v in t.free_vars(self._all_terms())
        }
        self._runs: dict[frozenset[str], _Run] = {}
        self._agreements: dict[int, tuple[str, Agreement, dict[str, _Place]]] = {}

    def _define(self, kind: str, terms: Sequence[Term]) -> dict[Term, list[str]]:
        """Functions for the parts of each term."""
        found: dict[Term, list[str]] = {}
        count = 0
        for term in dict.fromkeys(terms):
            found[term] = []
            for part in conjuncts(term):
                found[term].append(self._speller.function(f"{kind}/{count}", part))
                count += 1
        return found

    def _all_terms(self) -> list[Term]:
        switch = self._switch
        terms = [*self._context.background, *switch.initial.values()]
        for location in switch.locations():
            terms += self._context.invariant[location]
        for relation in switch.relations():
            terms += [*relation.assumes, *relation.post.values()]
        for judgement in self._proofs:
            terms += [x for v in judgement.violations for x in (v.bad, *v.assumes)]
        return terms + [t.var(STATE + c, v.width) for c, v in switch.initial.items()]

    def _run(self, pair: Pairing) -> _Run:
        secret = frozenset(name for name in self._variables if pair.secret(name))
        if secret not in self._runs:
            self._runs[secret] = _Run(f"run{len(self._runs)}", secret)
        return self._runs[secret]

    def _agreement(self, agreement: Agreement) -> tuple[str, dict[str, _Place]]:
        """Its name, and what it says of each location."""
        if id(agreement) not in self._agreements:
            name = chr(ord("a") + len(self._agreements))
            places = {}
            for location in self._switch.locations():
                pair = agreement.at(location)
                functions = self._define(f"agreement {name} {location}", pair.assumes)
                places[location] = _Place(self._run(pair), _flat(functions))
            self._agreements[id(agreement)] = name, agreement, places
        name, _, places = self._agreements[id(agreement)]
        return name, places

    # Obligations ------------------------------------------------------------------------------

    def files(self, facts: Mapping[str, Any]) -> dict[str, str]:
        """All files by name."""
        switch = self._switch
        shared = [self._initiation(), *map(self._consecution, switch.relations())]
        shared += self._sanity()
        premises: dict[tuple[str, Term], str] = {}
        properties = [self._property(j, shared, premises) for j in self._proofs]
        self._texts["README.md"] = README
        digests = {name: _sha256(text) for name, text in sorted(self._texts.items())}
        system = {
            "state": list(switch.initial),
            "home": switch.home,
            "setup": _flat(self._setup),
            "host": _flat(self._host),
            "invariant": {location: _flat(f) for location, f in self._invariant.items()},
            "relations": {
                relation.name: {
                    "start": relation.start,
                    "end": relation.end,
                    "assumes": [self._assume(relation, i).text for i in _indices(relation)],
                    "changes": list(relation.post),
                }
                for relation in switch.relations()
            },
            "bounds": list(self._bounds),
        }
        agreements = {
            name: {
                "title": agreement.pair.title,
                "lasting": self._lasting(agreement),
                "at": {
                    location: {"run": place.run.copy.name, "holds": place.functions}
                    for location, place in places.items()
                },
            }
            for name, agreement, places in self._agreements.values()
        }
        manifest = {
            "schema": SCHEMA,
            **facts,
            "system": system,
            "runs": {run.copy.name: sorted(run.secret) for run in self._runs.values()},
            "agreements": agreements,
            "properties": properties,
            "obligations": self._obligations,
            "files": digests,
        }
        text = json.dumps(manifest, indent=1) + "\n"
        self._texts[MANIFEST] = text
        self._texts[f"{MANIFEST}.sha256"] = f"{_sha256(text)}  {MANIFEST}\n"
        return self._texts

    def _put(
        self,
        name: str,
        claim: str,
        parts: Sequence[tuple[str, Sequence[Text]]],
        expect: str = "unsat",
        **facts: Any,
    ) -> str:
        """One file; its name. The last part is the goal."""
        texts = [text for _, items in parts for text in items]
        bounds = self._speller.bounds(texts)
        self._bounds.update(dict.fromkeys(b.text for b in bounds))
        comments = (f"Claim: {claim}.", f"It holds when the answer is {expect}.")
        limits = ("what limits the values of inputs", bounds)
        file = f"{_slug(name)}.smt2"
        if file in self._texts:
            raise InternalError(f"two files of a certificate are called {file}")
        self._texts[file] = script(self._speller, comments, [limits, *parts])
        self._obligations[file] = {"expect": expect, **facts}
        return file

    def _calls(self, functions: Sequence[str], run: _Run | None) -> list[Text]:
        """The assumptions, in both runs where those differ."""
        return _both(
            run, lambda r: [self._speller.call(f, copy=r.copy if r else None) for f in functions]
        )

    def _background(self, location: str, run: _Run | None = None) -> _Parts:
        return [
            self._possible(run),
            ("hardware holds only what it can hold", self._calls(_flat(self._host), run)),
            (f"the invariant of '{location}'", self._calls(_flat(self._invariant[location]), run)),
        ]

    def _possible(self, run: _Run | None = None) -> tuple[str, Sequence[Text]]:
        return "the configuration is a possible one", self._calls(_flat(self._setup), run)

    def _agreed(self, place: _Place | None) -> tuple[str, Sequence[Text]]:
        """What else is known of both runs."""
        functions = place.functions if place else []
        return "what both runs agree on", [self._speller.call(f) for f in functions]

    def _assume(self, relation: Relation, i: int, run: _Run | None = None) -> Text:
        name = f"assume {relation.name}/{i}"
        return self._speller.named(name, relation.assumes[i], run.copy if run else None)

    def _assumes(self, relation: Relation, run: _Run | None = None) -> list[Text]:
        return _both(run, lambda r: [self._assume(relation, i, r) for i in _indices(relation)])

    def _after(self, relation: Relation, cell: str, run: _Run | None = None) -> Text:
        name = f"after {relation.name}/{cell}"
        return self._speller.named(name, relation.post[cell], run.copy if run else None)

    def _initial(self, cell: str, run: _Run | None = None) -> Text:
        value = self._switch.initial[cell]
        return self._speller.named(f"start/{cell}", value, run.copy if run else None)

    def _initiation(self) -> str:
        start = {STATE + cell: self._initial(cell) for cell in self._switch.initial}
        functions = _flat(self._invariant[self._switch.home])
        goal = _not(_all(self._speller.call(f, start) for f in functions))
        return self._put(
            "initiation",
            f"the invariant of '{self._switch.home}' holds of every vCPU that setup makes",
            [self._possible(), ("setup makes a state without the invariant", [goal])],
            kind="initiation",
        )

    def _consecution(self, relation: Relation) -> str:
        after = {STATE + cell: self._after(relation, cell) for cell in relation.post}
        kept = [*_flat(self._host), *_flat(self._invariant[relation.end])]
        goal = _not(_all(self._speller.call(f, after) for f in kept))
        return self._put(
            f"consecution/{relation.name}",
            f"'{relation.name}' leads from '{relation.start}' to the invariant of '{relation.end}',"
            " and hardware holds what it can hold",
            [
                *self._background(relation.start),
                (f"what inputs of '{relation.name}' can be", self._assumes(relation)),
                ("afterwards some of it does not hold", [goal]),
            ],
            kind="consecution",
            relation=relation.name,
        )

    def _sanity(self) -> list[str]:
        groups: dict[tuple[Term, ...], list[Question]] = {}
        for question in sanity.questions(self._switch, self._context.holding):
            if question.term is not t.false:
                groups.setdefault(question.context, []).append(question)
        known = {self._context.holding(place): place for place in self._invariant}
        found = []
        for k, (context, questions) in enumerate(groups.items()):
            # What is no location's is setup's.
            location = known.get(context)
            parts = [self._possible()] if location is None else self._background(location)
            checks = {
                self._speller.named(f"sanity/{k}/{i}", question.term): question.name
                for i, question in enumerate(questions)
            }
            file = self._put(
                f"sanity/{k}",
                "no path ends in a fault, and every state has a successor",
                [*parts, ("what must not happen", [_any(checks)])],
                kind="sanity",
                location=location,
                checks={check.text: name for check, name in checks.items()},
            )
            found.append(file)
        return found

    def _property(
        self, judgement: Judgement, shared: Sequence[str], premises: dict[tuple[str, Term], str]
    ) -> dict[str, Any]:
        prop = judgement.prop
        equal = [file for a in dict.fromkeys(judgement.agreements) for file in self._equal(a)]
        if prop.premise not in premises:
            premises[prop.premise] = self._premise(prop)
        groups: dict[tuple[Any, ...], list[tuple[int, Violation]]] = {}
        for i, violation in enumerate(judgement.violations):
            step = self._context.step(violation.phase)
            key = id(violation.pair), step.name if step else None, violation.assumes
            groups.setdefault(key, []).append((i, violation))
        safety = [self._safety(judgement, k, group) for k, group in enumerate(groups.values())]
        return {
            "property": prop.name,
            "family": prop.family,
            "statement": prop.statement,
            "solver": judgement.solver,
            "violations": {
                f"|{prop.name}/{i}|": {"register": v.register, "point": v.phase, "text": v.text}
                for i, v in enumerate(judgement.violations)
            },
            "obligations": [*shared, *equal, *safety],
            "premise": premises[prop.premise],
        }

    def _lasting(self, agreement: Agreement) -> list[str]:
        """The cells on which runs agree at home by the statement of the property."""
        return [c for c in self._switch.initial if c.startswith(agreement.pair.lasting)]

    def _equal(self, agreement: Agreement) -> list[str]:
        """The files that show what two runs agree on."""
        name, places = self._agreement(agreement)
        starts = list(dict.fromkeys(r.start for r in self._switch.relations()))
        files = [f"{_slug(f'equal/{name}-{part}')}.smt2" for part in ("setup", *starts)]
        if files[0] in self._texts:
            return files
        home = places[self._switch.home]
        run = home.run
        one = {c: self._initial(c) for c in self._switch.initial}
        other = {c: self._initial(c, run) for c in self._switch.initial}
        title = f"two runs ({agreement.pair.title})"
        same = self._agree(one, other, home, frozenset())
        self._put(
            f"equal/{name}-setup",
            f"setup makes equal what {title} share at '{self._switch.home}'",
            [self._possible(run), ("setup makes something differ", [_not(same)])],
            kind="equal-setup",
            agreement=name,
        )
        lasting = set(self._lasting(agreement))
        for start in starts:
            run = places[start].run
            ways = [
                _all(
                    [*self._assumes(r, run), _not(self._both_after(r, run, places[r.end], lasting))]
                )
                for r in self._switch.relations()
                if r.start == start
            ]
            self._put(
                f"equal/{name}-{start}",
                f"transitions from '{start}' keep {title} as equal as they are where these end",
                [
                    *self._background(start, run),
                    self._agreed(places[start]),
                    ("some transition makes something differ", [_any(ways)]),
                ],
                kind="equal-step",
                agreement=name,
                location=start,
            )
        return files

    def _both_after(self, relation: Relation, run: _Run, end: _Place, lasting: Set[str]) -> Text:
        """After a transition both runs agree as they do where it ends."""
        one, other = {}, {}
        for cell, value in self._switch.initial.items():
            variable = t.var(STATE + cell, value.width)
            changed = cell in relation.post
            one[cell] = self._after(relation, cell) if changed else self._speller.spell(variable)
            other[cell] = (
                self._after(relation, cell, run)
                if changed
                else self._speller.spell(variable, run.copy)
            )
        taken = lasting if relation.end == self._switch.home else frozenset[str]()
        return self._agree(one, other, end, taken)

    def _agree(
        self, one: Mapping[str, Text], other: Mapping[str, Text], place: _Place, taken: Set[str]
    ) -> Text:
        """Both runs' cells are as the place says, but for what is taken for granted."""
        equal = [
            _equal(one[cell], other[cell])
            for cell in one
            if STATE + cell not in place.run.secret and cell not in taken
        ]
        values = {STATE + cell: text for cell, text in one.items()}
        values |= {STATE + cell + SECOND_RUN: text for cell, text in other.items()}
        return _all([*equal, *(self._speller.call(f, values) for f in place.functions)])

    def _safety(self, judgement: Judgement, k: int, group: Sequence[tuple[int, Violation]]) -> str:
        prop, (_, first) = judgement.prop, group[0]
        step = self._context.step(first.phase)
        location = step.start if step else self._switch.home
        name, place = None, None
        for agreement in judgement.agreements:
            if first.pair is not None and agreement.at(location) is first.pair:
                name, places = self._agreement(agreement)
                place = places[location]
        if first.pair is not None and place is None:
            raise InternalError("a proof compares runs of which nothing is known")
        run = place.run if place else None
        own = {f"assume {prop.name}/{k}/{i}": term for i, term in enumerate(first.assumes)}
        assumes = self._assumes(step, run) if step else []
        more = _both(
            run,
            lambda r: [
                self._speller.named(n, term, r.copy if r else None) for n, term in own.items()
            ],
        )
        bad = [self._speller.named(f"{prop.name}/{i}", v.bad) for i, v in group]
        where = f"in '{step.name}'" if step else "in an emulated read"
        return self._put(
            f"safety/{prop.name}-{k}",
            f"{prop.name}: {prop.statement} ({where})",
            [
                *self._background(location, run),
                self._agreed(place),
                ("what inputs can be", [*assumes, *more]),
                ("the property is violated", [_any(bad)]),
            ],
            kind="safety",
            location=location,
            relation=step.name if step else None,
            agreement=name,
            assumes=[symbol.text for symbol in more],
            violations=[symbol.text for symbol in bad],
        )

    def _premise(self, prop: Property) -> str:
        return self._put(
            f"premise/{prop.name}",
            f"the property is not about nothing: {prop.premise_text}",
            [
                (
                    "a first cycle of a fresh vCPU",
                    [self._speller.spell(term) for term in premise(self._switch, prop).assertions],
                )
            ],
            expect="sat",
            kind="premise",
        )


def _flat(functions: Mapping[Term, list[str]]) -> list[str]:
    return [symbol for symbols in functions.values() for symbol in symbols]


def _both(run: _Run | None, spelled: Callable[[_Run | None], list[Text]]) -> list[Text]:
    """What is spelled of the first run, and of the second what differs."""
    return list(dict.fromkeys([*spelled(None), *(spelled(run) if run else ())]))


def _equal(one: Text, other: Text) -> Text:
    return Text(f"(= {one} {other})", one.names | other.names)


def _indices(relation: Relation) -> range:
    return range(len(relation.assumes))


def _slug(name: str) -> str:
    return re.sub(r"[^\w./-]+", "-", name, flags=re.ASCII)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
