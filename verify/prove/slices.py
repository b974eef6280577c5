"""The few assertions that are likely to matter for one alternative.

What cannot hold with a part of the assertions cannot hold with all of them, and small questions
are answered several times as fast.
"""

from __future__ import annotations

from collections.abc import Sequence

from verify.encode.term import Term, free_vars

Variables = frozenset[Term]


def conjuncts(term: Term) -> tuple[Term, ...]:
    """The parts of a conjunction of truth values; the term itself when it is none."""
    return term.args if term.op == "and" and not term.width else (term,)


class Slices:
    """Parts of a conjunction, by the variables that they speak of."""

    def __init__(self, assertions: Sequence[Term]) -> None:
        self._of: dict[Term, Variables] = {}
        self._parts: dict[Term, list[Term]] = {}
        for assertion in assertions:
            for part in conjuncts(assertion):
                for variable in self._variables(part):
                    self._parts.setdefault(variable, []).append(part)

    def _variables(self, term: Term) -> Variables:
        if term not in self._of:
            self._of[term] = frozenset(free_vars([term]))
        return self._of[term]

    def around(self, term: Term) -> list[Term]:
        """The parts that speak of nothing but the term's variables and what defines those."""
        known: set[Term] = set()
        chosen: dict[Term, None] = {}
        new = self._variables(term)
        while new:
            known |= new
            more: set[Term] = set()
            for part in {p: None for v in new for p in self._parts.get(v, ())}:
                if part not in chosen:
                    used = self._variables(part)
                    if used <= known:
                        chosen[part] = None
                    elif _defines(part, known):
                        chosen[part] = None
                        more |= used
            new = frozenset(more - known)
        return list(chosen)


def _defines(part: Term, known: set[Term]) -> bool:
    """It says what one of these variables is."""
    return part.op == "eq" and any(side.op == "var" and side in known for side in part.args)
