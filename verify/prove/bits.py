"""Bits of a term that are the same whatever its variables hold."""

from __future__ import annotations

from collections.abc import Iterator

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
