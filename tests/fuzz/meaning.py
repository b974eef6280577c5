"""Trees whose C is rewritten but means the same: they do the same, and have the same verdicts."""

from __future__ import annotations

import re
from functools import cache
from random import Random

from tests.fuzz import agree, behave
from tests.fuzz.case import Outcome
from tests.fuzz.transform import KINDS, rewrite
from tests.fuzz.trees import Subject, patched, subjects, switch
from verify.check import check_tree
from verify.crosscheck.compare import crosscheck
from verify.crosscheck.text import render
from verify.errors import BadInput
from verify.relations import program_of
from verify.request import Request
from verify.source.overlay import Overlay

STEPS = 40
MANY = 60
CUTS = ("split", "same_value")


def rewritten(subject: Subject, count: int, chance: Random) -> tuple[Overlay, list[str]]:
    """The tree with so many rewritings, and where they are of which kind."""
    texts = dict(subject.files)
    done: list[str] = []
    while len(done) < count:
        function, kind = chance.choice(subject.functions), chance.choice(KINDS)
        if kind in CUTS and function.name in subject.target.dialect({}).splits:
            continue  # the models stand at a call in it, which no local outlives
        new = rewrite(texts[function.loc.file], function.name, kind, chance)
        if new is not None:
            texts[function.loc.file] = new
            done.append(f"{kind} {function.name}")
    tree = Overlay(subject.tree)
    for path, text in texts.items():
        if text != subject.files[path]:
            tree.rewrite(path, text)
    return tree, done


def anything(chance: Random) -> Outcome:
    """A rewritten tree beside the one that it is made of, on numbers."""
    return case(chance.choice((*subjects(), *patched())), chance.choice((1, 1, 2, 5, 20)), chance)


def case(subject: Subject, count: int, chance: Random) -> Outcome:
    """A tree with so many rewritings: nothing in it is less understood, it does the same, and its
    relations are what the interpreter runs."""
    tree, done = rewritten(subject, count, chance)
    found, kind = switch(subject.target, tree), "rewritten"
    where = f"{subject.name}, {', '.join(done)}"
    known = {(_shape(p.text), p.reason) for p in subject.switch.not_understood}
    for place in found.not_understood:
        if (_shape(place.text), place.reason) not in known:
            return Outcome(kind, f"{where}: not understood: {place.text} ({place.reason})")
    constants = agree.machine(subject.switch, chance)
    if constants is None:
        return Outcome("no machine")
    programs = subject.switch.program, found.program
    if other := behave.difference(subject.target, *programs, constants, chance, STEPS):
        return Outcome(kind, f"{where}: {other}")
    same = agree.walk(found, chance, STEPS // 4)
    if isinstance(same, agree.Contradiction):
        return Outcome(kind, f"{where}: relations and interpreter: {same}")
    return Outcome(kind)


def _shape(text: str) -> str:
    """Without names, which may be others."""
    return re.sub(r"\b[A-Za-z_]\w*", "x", text)


def compiled(chance: Random) -> Outcome:
    """A rewritten tree as gcc compiles it, which must take it: rewritings leave C."""
    subject = chance.choice((*subjects(), *patched()))
    tree, done = rewritten(subject, 30, chance)
    program = program_of(tree, subject.target, {})
    try:
        outcome = crosscheck(subject.target, program, subject.target.dialect({}), 60, 1)
    except BadInput as refusal:
        return Outcome("compiled", f"{subject.name}, {', '.join(done)}: {refusal}")
    return Outcome("compiled", render(outcome) if outcome.found else "")


# Verdicts -------------------------------------------------------------------------------------


def verdicts(subject: Subject, tree: Overlay | None = None, *properties: str) -> dict[str, str]:
    """What is said of the subject's tree, or of one made of it, by property (of these patterns)."""
    request = Request(target=subject.target.name, properties=properties, cache=False, timeout=300.0)
    report = check_tree(tree or subject.tree, (), request)
    return {result.property: result.verdict for result in report.results}


@cache
def _known(subject: Subject) -> dict[str, str]:
    return verdicts(subject)


def proved(chance: Random) -> Outcome:
    """The verdicts on a tree with many rewritings."""
    subject = chance.choice((*subjects(), *patched()))
    tree, done = rewritten(subject, MANY, chance)
    found = verdicts(subject, tree)
    wrong = [
        f"{n}: {v}, not {found.get(n)}" for n, v in _known(subject).items() if found.get(n) != v
    ]
    what = f"{subject.name}, {', '.join(done)}: {'; '.join(wrong)}"
    return Outcome("verdicts", what if wrong else "")


def alone(chance: Random) -> Outcome:
    """The verdict on one property when no other is asked for."""
    subject = chance.choice((*subjects()[:2], *patched()))
    name = chance.choice(sorted(_known(subject)))
    expected, found = _known(subject)[name], verdicts(subject, None, name)
    wrong = found != {name: expected}
    return Outcome("alone", f"{subject.name}: {name}: {found}, not {expected}" if wrong else "")
