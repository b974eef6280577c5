"""What becomes of a mutant: killed, equivalent, survived, or undecided."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from verify import check
from verify.encode.switch import Switch
from verify.errors import BadInput
from verify.mutate.hunt import hunt
from verify.mutate.operators import Mutant
from verify.prove import sanity
from verify.prove.ask import Solve
from verify.prove.context import Context
from verify.prove.process import solve_all
from verify.prove.property import Property
from verify.prove.same import difference
from verify.request import Request
from verify.result import PROVED, REFUTED, Report
from verify.source.program import CProgram
from verify.source.tree import Tree
from verify.target import Target

KILLED, EQUIVALENT, SURVIVED, UNDECIDED = "killed", "equivalent", "survived", "undecided"


@dataclass(frozen=True, slots=True)
class Fate:
    """`by`: the property that is proved without the change and refuted with it, by a run that was
    replayed. `reason`: what it found, what else the change does, or why nothing is known."""

    kind: str
    by: str = ""
    reason: str = ""
    seconds: float = 0.0


class Base:
    """The tree without a mutant, and what is proved of it. BadInput when that is nothing."""

    def __init__(
        self, tree: Tree, target: Target, program: CProgram, report: Report, request: Request
    ) -> None:
        self.tree = tree
        self.target = target
        self.report = report
        self.killers = [r.property for r in report.results if r.verdict == PROVED]
        if not self.killers:
            raise BadInput(
                f"{tree.root} ({tree.version}): nothing is proved of it, so no mutant can be killed"
            )
        self._request = replace(request, patches=(), cache=False, jobs=1)
        self.works = _by_switch(check.every_property(self._request, program))
        solve = _solver(request)
        self._contexts = [Context(switch, solve) for switch, _ in self.works]
        self._sound = all(_is_sound(context) for context in self._contexts)
        self._lately: dict[str, None] = {}
        for context in self._contexts:
            context.asker.solve = _solver(self._request)

    def fate(self, mutant: Mutant) -> Fate:
        """Of one mutant. It is not compiled: what C would refuse is not understood, or an input."""
        began = time.monotonic()
        try:
            fate = self._fate(mutant.apply(self.tree), mutant)
        except BadInput as error:
            fate = Fate(UNDECIDED, reason=str(error))
        if fate.kind == KILLED:
            # What killed the last one kills the next one, as often as not.
            self._lately = {fate.by: None, **self._lately}
        return replace(fate, seconds=time.monotonic() - began)

    def _fate(self, tree: Tree, mutant: Mutant) -> Fate:
        program = check.program_of(tree, self.target, self._request.defines)
        works = _by_switch(check.every_property(self._request, program))
        for (switch, properties), context in zip(works, self._contexts, strict=True):
            found = difference(context, switch, mutant.before)
            if found is None and self._sound:
                continue
            if broken := hunt(switch, self._killers(properties), self._request.timeout):
                return Fate(KILLED, broken.property, broken.text)
            return self._checked(tree, found.text if found else "a model that is not closed")
        return Fate(EQUIVALENT)

    def _killers(self, properties: Sequence[Property]) -> list[Property]:
        """Those that can kill, with those first that lately did."""
        names = [*self._lately, *self.killers]
        found = [prop for prop in properties if prop.name in self.killers]
        return sorted(found, key=lambda prop: names.index(prop.name))

    def _checked(self, tree: Tree, told: str) -> Fate:
        """By proper proofs."""
        request = replace(self._request, properties=tuple(self.killers))
        results = check.check_tree(tree, (), request).results
        for result in results:
            if result.verdict == REFUTED:
                text = result.trace.violation.text if result.trace else result.reason
                return Fate(KILLED, result.property, text)
        for result in results:
            if result.verdict != PROVED:
                return Fate(UNDECIDED, reason=f"{result.property}: {result.reason}")
        return Fate(SURVIVED, reason=f"it may change {told}")


def _by_switch(found: Sequence[tuple[Switch, Property]]) -> list[tuple[Switch, list[Property]]]:
    works: dict[int, tuple[Switch, list[Property]]] = {}
    for switch, prop in found:
        works.setdefault(id(switch), (switch, []))[1].append(prop)
    return list(works.values())


def _is_sound(context: Context) -> bool:
    """Proofs can be made of the model, and so what was inferred of it holds."""
    questions = sanity.questions(context.switch, context.holding)
    answers = context.asker.each(questions)
    return not (sanity.shape(context.switch) or sanity.complaint(questions, answers))


def _solver(request: Request) -> Solve:
    jobs, timeout = request.jobs, request.timeout
    return lambda goals: {g.name: a for g, a in solve_all(goals, jobs=jobs, timeout=timeout)}
