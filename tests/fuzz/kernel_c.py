"""Broken kernel C: the tool refuses it or says what it does not understand, and what it reads it
reads as gcc does."""

from __future__ import annotations

import shutil
from random import Random

from tests.fuzz.agree import Contradiction, walk
from tests.fuzz.case import Outcome
from tests.fuzz.tokens import Range, lines, mutate, truncate
from tests.fuzz.trees import Subject, subjects, switch
from verify.crosscheck.compare import crosscheck
from verify.crosscheck.text import render
from verify.errors import BadInput
from verify.relations import program_of
from verify.source.overlay import Overlay
from verify.source.tree import decode

RUNS = 60
STEPS = 24
COMPILED = 0.4  # how often gcc is asked, which takes most of the time


def anywhere(chance: Random) -> Outcome:
    """A case of any target on any tree of this machine."""
    return case(chance.choice(subjects()), chance)


def case(subject: Subject, chance: Random) -> Outcome:
    """One to three changes of what the target reads, mostly of the functions that it runs."""
    return judge(subject, broken(subject, chance), chance)


def broken(subject: Subject, chance: Random) -> Overlay:
    """The tree with some changes that make no sense."""
    if chance.random() < 0.85:
        function = chance.choice(subject.functions)
        path = function.loc.file
        text = subject.files[path]
        where = lines(text, function.loc.line, function.last_line)
    else:
        path = chance.choice(sorted(subject.files))
        text = subject.files[path]
        where = Range(0, len(text))
    if chance.random() < 0.01:
        return subject.changed(path, truncate(text, chance))
    if chance.random() < 0.01:
        return subject.changed(path, decode(_flipped(text, chance)))
    rest = len(text) - where.end
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        text, _ = mutate(text, Range(where.start, len(text) - rest), chance)
    return subject.changed(path, text)


def _flipped(text: str, chance: Random) -> bytes:
    data = bytearray(text.encode())
    for _ in range(chance.randrange(1, 20)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def judge(subject: Subject, tree: Overlay, chance: Random) -> Outcome:
    """Read a tree, compare its relations with the interpreter, and that with gcc."""
    try:
        found = switch(subject.target, tree)
    except BadInput as refusal:
        return Outcome("refused", "" if "\n" not in str(refusal) else f"two lines: {refusal}")
    same = walk(found, chance, STEPS)
    if isinstance(same, Contradiction):
        return Outcome("read", f"relations and interpreter: {same}")
    if shutil.which("gcc") is None or chance.random() > COMPILED:
        return Outcome("read")
    program = program_of(tree, subject.target, {})
    try:
        outcome = crosscheck(
            subject.target, program, subject.target.dialect({}), RUNS, chance.getrandbits(30)
        )
    except BadInput as refusal:
        fitting = "compile" in str(refusal) or "declares" in str(refusal)
        return Outcome("read, no C for gcc" if fitting else "read, not run by gcc")
    if outcome.found is not None:
        return Outcome("read, run by gcc", f"interpreter and gcc: {render(outcome)}")
    return Outcome("read, run by gcc")
