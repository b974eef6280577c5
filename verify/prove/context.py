"""What holds at every host phase of a switch, and questions about one cycle from there."""

from __future__ import annotations

from collections.abc import Sequence

from verify.encode.switch import Switch, renamed
from verify.encode.term import Term, conj, disj
from verify.errors import InternalError
from verify.prove.ask import Question, Solve, ask_each
from verify.prove.goal import UNSAT
from verify.prove.invariant import infer
from verify.prove.property import READ, SECOND, Pairing, Violation


class Context:
    """The switch with its inferred invariant; `solve` answers goals by name.

    `holding`: what holds of configuration and state at every host phase of one run. `also`: what
    is assumed of the configuration.
    """

    def __init__(self, switch: Switch, solve: Solve, *also: Term) -> None:
        names = [relation.name for relation in switch.relations()]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise InternalError(f"relations share a name: {', '.join(sorted(repeated))}")
        self.switch = switch
        self.solve = solve
        background = [*switch.config, *switch.pinned, *also, *switch.legal]
        self.invariant = infer(switch, background, solve)
        self.holding = [*background, *self.invariant]
        self._under: dict[Term, Context] = {}
        self._unaffected: dict[tuple[int, tuple[str, ...]], tuple[Pairing, frozenset[str]]] = {}

    def under(self, condition: Term) -> Context:
        """The same for configurations and hardware for which the condition holds."""
        if condition not in self._under:
            self._under[condition] = Context(self.switch, self.solve, condition)
        return self._under[condition]

    def of(self, violation: Violation) -> tuple[Term, ...]:
        """What holds of every cycle in which the violation is looked for (both runs of it)."""
        # What shows between cycles may be in a state from which no cycle is possible.
        cycle = () if violation.phase == READ else self.switch.cycle.assumes
        return self._both([*self.holding, *cycle], violation.pair)

    def question(self, violation: Violation, *also: Term) -> Question:
        """Can the violation happen in a cycle in which `also` holds?"""
        assumes = self._both(violation.assumes, violation.pair)
        term = conj((*also, *assumes, violation.bad))
        return Question(violation.register, self.of(violation), term)

    def _both(self, terms: Sequence[Term], pair: Pairing | None) -> tuple[Term, ...]:
        """The terms, and with a pairing their copies of the second run where those differ."""
        if pair is None:
            return tuple(terms)
        others = renamed(terms, SECOND, pair.secret)
        return (*terms, *(o for term, o in zip(terms, others, strict=True) if o is not term))

    def unaffected(self, pair: Pairing, cells: Sequence[str]) -> frozenset[str]:
        """The largest subset of the cells that setup makes equal in both runs, and every relation
        keeps equal when the other cells differ."""
        key = id(pair), tuple(cells)
        if key not in self._unaffected:
            # The pairing is kept so that no other gets its id.
            self._unaffected[key] = pair, self._largest(pair, cells)
        return self._unaffected[key][1]

    def _largest(self, pair: Pairing, cells: Sequence[str]) -> frozenset[str]:
        initial = [self.switch.initial[c] for c in cells]
        others = renamed(initial, SECOND, pair.secret)
        equal = {c for c, a, b in zip(cells, initial, others, strict=True) if a is b}
        while True:
            hidden = pair.with_cells(c for c in cells if c not in equal)
            context = self._both(self.holding, hidden)
            differs: dict[str, list[Term]] = {}
            for relation in self.switch.relations():
                assumes = self._both(relation.assumes, hidden)
                names = [c for c in relation.post if c in equal]
                ends = [relation.post[c] for c in names]
                others = renamed(ends, SECOND, hidden.secret)
                for cell, one, other in zip(names, ends, others, strict=True):
                    if one is not other:
                        differs.setdefault(cell, []).append(conj((*assumes, one.ne(other))))
            questions = [Question(c, context, disj(terms)) for c, terms in differs.items()]
            answers = ask_each(self.solve, questions)
            lost = {q.name for q, a in zip(questions, answers, strict=True) if a.status != UNSAT}
            if not lost:
                return frozenset(equal)
            equal -= lost
