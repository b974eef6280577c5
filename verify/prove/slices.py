"""The few assertions that are likely to matter for one alternative.

What cannot hold with a part of the assertions cannot hold with all of them, and small questions
are answered several times as fast.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from verify.encode.term import Term, free_vars, remembered

Variables = tuple[Term, ...]


@remembered
def _variables(term: Term) -> Variables:
    return tuple(free_vars([term]))


def conjuncts(term: Term) -> tuple[Term, ...]:
    """The parts of a conjunction of truth values; the term itself when it is none."""
    return term.args if term.op == "and" and not term.width else (term,)


class Slices:
    """Parts of a conjunction, by the variables that they speak of."""

    def __init__(self, assertions: Sequence[Term]) -> None:
        parts = dict.fromkeys(part for a in assertions for part in conjuncts(a))
        uses = Counter(variable for part in parts for variable in _variables(part))
        self._definitions: dict[Term, list[Term]] = {}
        # The others, each by the one of its variables that the fewest speak of.
        self._others: dict[Term, list[Term]] = {}
        for part in parts:
            for variable in _defined(part):
                self._definitions.setdefault(variable, []).append(part)
            if used := _variables(part):
                rarest = min(used, key=lambda v: uses[v])
                self._others.setdefault(rarest, []).append(part)

    def around(self, term: Term) -> list[Term]:
        """The parts that speak of nothing but the term's variables and what defines those."""
        known: set[Term] = set()
        chosen: dict[Term, None] = {}
        # Parts by a variable that has not been met yet.
        waiting: dict[Term, list[Term]] = {}
        new = list(_variables(term))
        while new:
            variable = new.pop()
            if variable in known:
                continue
            known.add(variable)
            for part in self._definitions.get(variable, ()):
                if part not in chosen:
                    chosen[part] = None
                    new += _variables(part)
            for part in (*self._others.get(variable, ()), *waiting.pop(variable, ())):
                unmet = next((v for v in _variables(part) if v not in known), None)
                if unmet is None:
                    chosen[part] = None
                else:
                    waiting.setdefault(unmet, []).append(part)
        return list(chosen)


def _defined(part: Term) -> list[Term]:
    """The variables of which it says what they are."""
    # Of two truth values, not to be equal is to be the other's negation.
    negated = part.op == "not" and part.args[0].op == "eq" and not part.args[0].args[0].width
    equation = part.args[0] if negated else part
    return [side for side in equation.args if side.op == "var"] if equation.op == "eq" else []
