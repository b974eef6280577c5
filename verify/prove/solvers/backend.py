"""What the solvers have in common: terms become the solver's own, each once."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from verify.encode.term import Term, evaluate, free_vars
from verify.prove.goal import SAT, UNKNOWN, UNSAT, Answer, Goal

WISHES_SECONDS = 6.0
"""Of CPU time, so that a busy machine shows the same model."""
"""How long to look for a better model; any model will do."""
TOGETHER = 64
"""Wishes that are tried at once."""


class Backend(ABC):
    """One solver. It keeps what it builds: goals that share terms share the work.

    `excuse`: why the last status was unknown, if the solver says. Not safe after a failure: an
    exception leaves it in any state.
    """

    excuse = ""

    def __init__(self) -> None:
        self._native: dict[Term, Any] = {}
        self._variables: dict[tuple[str, int], Any] = {}
        # Per term the bounded variables that it depends on, as bits that number `_bounds`.
        self._limited: dict[Term, int] = {}
        self._bounds: list[Any] = []

    def solve(self, goal: Goal, limit: float | None = None) -> Answer:
        """The answer to a goal, with the values of all variables.

        Asserts the bounds of the variables too. `limit`: seconds for each alternative. Raises
        ValueError for a model in which a name has two widths, and whatever the solver raises.
        """
        if goal.alternatives is not None:
            return self._possible(goal, goal.alternatives, limit)
        self.start(self.build(goal.assertions), None, bool(goal.wishes))
        status = self.check()
        if status != SAT:
            return Answer(status)
        variables = _widths(goal.assertions)
        model = self._model(variables)
        if goal.wishes:
            model = self._improved(goal, variables, model)
        return Answer(status, model)

    def _improved(
        self, goal: Goal, variables: Mapping[str, int], model: dict[str, int]
    ) -> dict[str, int]:
        """A model that meets wishes: as many at a time as can be met together."""
        end = time.process_time() + WISHES_SECONDS
        chunks = [
            (True, list(goal.wishes[i : i + TOGETHER]))
            for i in range(0, len(goal.wishes), TOGETHER)
        ]
        while chunks:
            again, left = chunks.pop(0)
            later: set[Term] = set()
            while not all(evaluate(left, model)):
                if time.process_time() > end:
                    return model
                # The bounds of variables come first, and are asserted already.
                status, conflict = self.check_all(self.build(left)[-len(left) :])
                if status == SAT:
                    model = self._model(variables)
                    break
                # The least important of those that cannot be met together.
                wish = left.pop(max(conflict, default=len(left) - 1))
                # What it was in conflict with may be given up as well.
                if again and len(conflict) > 1:
                    later.add(wish)
            self.also(self.build(left))
            if later:
                chunks.insert(0, (False, [wish for wish in goal.wishes if wish in later]))
        return model

    def _possible(self, goal: Goal, alternatives: Sequence[Term], limit: float | None) -> Answer:
        # One by one: their disjunction takes fewer questions but twice the time.
        natives = self.build([*goal.assertions, *alternatives])
        first = len(natives) - len(alternatives)
        common = natives[:first]
        # What shares nothing is answered faster by a solver that knows nothing else.
        alone = not goal.assertions or len(alternatives) == 1
        if not alone:
            self.start(natives[:first], limit)
        subjects = goal.subjects or range(len(alternatives))
        waiting: dict[int, list[int]] = {}
        for i in reversed(range(len(alternatives))):
            waiting.setdefault(subjects[i], []).append(i)
        possible: set[int] = set()
        undecided: set[int] = set()
        while waiting:
            subject, left = waiting.popitem()
            i = left.pop()
            if alone:
                self.start([*common, natives[first + i]], limit)
                status = self.check()
            else:
                status = self.check(natives[first + i])
            if status == SAT:
                possible |= {i, *left}
                # To look at all that are left of a subject takes longer than to ask.
                heads = {} if alone else {s: natives[first + of[-1]] for s, of in waiting.items()}
                for also in [s for s, native in heads.items() if self.value(native, 0)]:
                    possible.update(waiting.pop(also))
                continue
            if status != UNSAT:
                undecided.add(i)
            if left:
                waiting[subject] = left
        status = UNKNOWN if undecided else SAT if possible else UNSAT
        return Answer(status, possible=frozenset(possible), undecided=frozenset(undecided))

    def build(self, assertions: Sequence[Term]) -> list[Any]:
        """The solver's own terms of the bounds and of the assertions."""
        native, limited = self._native, self._limited
        for term in self._missing(assertions):
            if term.op == "var":
                self._variable(term)
                continue
            native[term] = self.node(term, [native[a] for a in term.args])
            if limited:
                bits = 0
                for arg in term.args:
                    bits |= limited.get(arg, 0)
                if bits:
                    limited[term] = bits
        bits = 0
        for assertion in assertions:
            bits |= limited.get(assertion, 0)
        bounds = [bound for i, bound in enumerate(self._bounds) if bits >> i & 1]
        return bounds + [native[a] for a in assertions]

    def _missing(self, terms: Sequence[Term]) -> list[Term]:
        """What is not built yet, arguments first."""
        found: set[Term] = set()
        stack = [t for t in terms if t not in self._native]
        while stack:
            term = stack.pop()
            if term not in found:
                found.add(term)
                stack.extend([a for a in term.args if a not in self._native])
        return sorted(found, key=lambda t: t.id)

    def _variable(self, term: Term) -> None:
        # Variables that differ in their bound only are one variable to the solver.
        key = str(term.name), term.width
        if key not in self._variables:
            self._variables[key] = self.variable(*key)
        native = self._native[term] = self._variables[key]
        if term.width and term.hi < (1 << term.width) - 1:
            self._limited[term] = 1 << len(self._bounds)
            self._bounds.append(self.at_most(native, term.hi, term.width))

    def _model(self, variables: Mapping[str, int]) -> dict[str, int]:
        return {n: self.value(self._variables[n, w], w) for n, w in variables.items()}

    @abstractmethod
    def variable(self, name: str, width: int) -> Any:
        """A new variable; width 0 for a truth value."""

    @abstractmethod
    def at_most(self, variable: Any, bound: int, width: int) -> Any:
        """`variable <= bound`, unsigned."""

    @abstractmethod
    def node(self, term: Term, args: list[Any]) -> Any:
        """The operator or constant of `term` over arguments that are built."""

    @abstractmethod
    def start(self, assertions: list[Any], limit: float | None, conflicts: bool = False) -> None:
        """Forget all assertions before; assert these. `limit`: seconds for each check. `conflicts`:
        `check_all` will be asked; to be ready for that costs a third."""

    @abstractmethod
    def also(self, assertions: list[Any]) -> None:
        """Assert these, too, until the next start."""

    @abstractmethod
    def check(self, extra: Any = None) -> str:
        """sat, unsat or unknown: the assertions, for this once with one more."""

    @abstractmethod
    def check_all(self, extras: Sequence[Any]) -> tuple[str, list[int]]:
        """Like `check`, with all `extras`; when that is unsat, the numbers of some of them that
        cannot hold together."""

    @abstractmethod
    def value(self, term: Any, width: int) -> int:
        """Of a variable or (width 0) a truth value, after sat."""


def _widths(assertions: Sequence[Term]) -> dict[str, int]:
    """The widths of the variables by name."""
    widths: dict[str, int] = {}
    for term in free_vars(assertions):
        name = str(term.name)
        if widths.setdefault(name, term.width) != term.width:
            raise ValueError(f"variable {name!r} has {widths[name]} and {term.width} bits")
    return widths
