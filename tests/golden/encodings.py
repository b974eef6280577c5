"""The relations of the reference tree in readable form, as they are kept in `proofs/golden`.

What is long has a name that is a digest of what it says, and the arguments of operators that do not
care are sorted: the text depends on nothing but what is encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import proofs
from proofs import selfcheck
from verify.encode.switch import Relation, Switch
from verify.encode.term import Term, reachable
from verify.relations import switch_of
from verify.request import Request

FOLDER = Path(proofs.__file__).parent / "golden"
_LONG = 60
_SYMMETRIC = {"and", "or", "xor", "add", "mul", "eq"}


@cache
def switch() -> Switch:
    """The reference tree with the right patch."""
    return switch_of(Request(patches=(str(selfcheck.PATCHES / selfcheck.RIGHT),)))


def rendered(found: Switch) -> dict[str, str]:
    """By file name: setup, each step, the accesses, the reads; and a digest of each."""
    setup = [("assume", term) for term in found.config]
    setup += [("possible", term) for term in found.legal]
    setup += list(found.initial.items())
    texts = {"setup.txt": _text(setup)}
    for step in found.steps:
        texts[f"{step.name}.txt"] = _text(_relation(step))
    accesses = [
        (f"{access.name}: {what}", term)
        for access in found.accesses
        for what, term in _relation(access)
    ]
    texts["accesses.txt"] = _text(accesses)
    reads = []
    for (register, i, way), read in found.reads.items():
        name = f"{register}[{i}] {way}"
        reads += [(f"{name}: assume", term) for term in read.assumes]
        reads += [(f"{name}: accepted", read.accepted), (f"{name}: value", read.value)]
        reads.append((f"{name}: expected", read.expected))
        reads += [(f"{name}: fault", fault.guard) for fault in read.faults]
    texts["reads.txt"] = _text(reads)
    lines = (f"{hashlib.sha256(text.encode()).hexdigest()}  {n}\n" for n, text in texts.items())
    return {**texts, "SHA256SUMS": "".join(sorted(lines))}


def _relation(relation: Relation) -> Iterable[tuple[str, Term]]:
    yield from (("assume", term) for term in relation.assumes)
    yield from (("fault", fault.guard) for fault in relation.faults)
    yield from sorted(relation.post.items())


def _text(items: Iterable[tuple[str, Term]]) -> str:
    entries = list(items)
    short: dict[Term, str] = {}
    named: dict[str, str] = {}
    for term in reachable(term for _, term in entries):
        body = _spelled(term, short)
        short[term] = body
        if len(body) > _LONG:
            short[term] = f"#{hashlib.sha256(body.encode()).hexdigest()[:8]}"
            if named.setdefault(short[term], body) != body:
                raise ValueError(f"two terms are called {short[term]}")
    lines = sorted(f"{name} = {short[term]}" for name, term in entries)
    lines += sorted(f"{name} := {body}" for name, body in named.items())
    return "".join(f"{line}\n" for line in lines)


def _spelled(term: Term, short: Mapping[Term, str]) -> str:
    if term.op == "const":
        return repr(term)
    if term.op == "var":
        return str(term.name)
    args = [short[arg] for arg in term.args]
    if term.op in _SYMMETRIC:
        args.sort()
    bits = f"[{term.value[0]}:{term.value[1]}]" if term.op == "extract" else ""
    width = f"/{term.width}" if term.op in ("zext", "sext") else ""
    return f"({term.op}{bits}{width} {' '.join(args)})"
