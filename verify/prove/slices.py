"""The few assertions that are likely to matter for one alternative.

What cannot hold with a part of the assertions cannot hold with all of them, and small questions
are answered several times as fast.
"""

from __future__ import annotations

from collections.abc import Sequence

from verify.encode.term import Term, free_vars, remembered

Variables = frozenset[Term]


@remembered
def _variables(term: Term) -> Variables:
    return frozenset(free_vars([term]))


def conjuncts(term: Term) -> tuple[Term, ...]:
    """The parts of a conjunction of truth values; the term itself when it is none."""
    return term.args if term.op == "and" and not term.width else (term,)


class Slices:
    """Parts of a conjunction, by the variables that they speak of."""

    def __init__(self, assertions: Sequence[Term]) -> None:
        self._parts: dict[Term, list[Term]] = {}
        for assertion in assertions:
            for part in conjuncts(assertion):
                for variable in _variables(part):
                    self._parts.setdefault(variable, []).append(part)

    def around(self, term: Term) -> list[Term]:
        """The parts that speak of nothing but the term's variables and what defines those."""
        known: set[Term] = set()
        chosen: dict[Term, None] = {}
        new = _variables(term)
        while new:
            known |= new
            more: set[Term] = set()
            for part in {p: None for v in new for p in self._parts.get(v, ())}:
                if part not in chosen:
                    used = _variables(part)
                    if used <= known:
                        chosen[part] = None
                    elif _defines(part, known):
                        chosen[part] = None
                        more |= used
            new = frozenset(more - known)
        return list(chosen)


def _defines(part: Term, known: set[Term]) -> bool:
    """It says what one of these variables is."""
    # Of two truth values, not to be equal is to be the other's negation.
    negated = part.op == "not" and part.args[0].op == "eq" and not part.args[0].args[0].width
    equation = part.args[0] if negated else part
    return equation.op == "eq" and any(s.op == "var" and s in known for s in equation.args)
