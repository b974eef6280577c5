"""Bits of a term that are the same whatever its variables hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from operator import and_

from verify.encode.term import Term

DEPTH = 8


def fixed(term: Term, depth: int = DEPTH) -> tuple[int, int]:
    """Masks of the bits that are surely 1, and surely 0; a cheap look that misses some."""
    full = (1 << term.width) - 1
    if term.op == "const":
        return term.value, full & ~term.value
    if not depth:
        return 0, 0
    parts = [fixed(arg, depth - 1) for arg in term.args if arg.width == term.width]
    if term.op == "and":
        return parts[0][0] & parts[1][0], parts[0][1] | parts[1][1]
    if term.op == "or":
        return parts[0][0] | parts[1][0], parts[0][1] & parts[1][1]
    if term.op == "not":
        return parts[0][1], parts[0][0]
    if term.op == "ite":
        return parts[0][0] & parts[1][0], parts[0][1] & parts[1][1]
    return 0, 0


def alike(term: Term, other: Term, ignored: Callable[[Term], bool], depth: int = DEPTH) -> int:
    """A mask of the bits that are those of another term, if what is ignored masks nothing away; a
    cheap look that misses some."""
    full = (1 << term.width) - 1
    if term is other:
        return full
    if not depth or term.op not in ("and", "or", "ite"):
        return 0
    args = [arg for arg in term.args if arg.width == term.width and not ignored(arg)]
    parts = [alike(arg, other, ignored, depth - 1) for arg in args]
    if term.op == "ite":
        return reduce(and_, parts, full)
    neutral = [fixed(arg, depth - 1)[0 if term.op == "and" else 1] for arg in args]
    found = 0
    for i, part in enumerate(parts):
        found |= reduce(and_, neutral[:i] + neutral[i + 1 :], part)
    return found


def written(term: Term, before: Term) -> Iterator[Term]:
    """What a cell may become, where it does not stay `before`."""
    seen: set[Term] = set()
    left = [term]
    while left:
        term = left.pop()
        if term in seen:
            continue
        seen.add(term)
        if term.op == "ite":
            left += reversed(term.args[1:])
        elif term is not before:
            yield term
