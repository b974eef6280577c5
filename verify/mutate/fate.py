"""What becomes of a mutant: killed, equivalent, survived, or undecided."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from verify import relations
from verify.encode.switch import Like, Switch
from verify.errors import BadInput
from verify.mutate.hunt import bads, hunt, replays
from verify.mutate.operators import Mutant
from verify.prove import sanity
from verify.prove.context import Context
from verify.prove.goal import UNKNOWN, Answer, Goal
from verify.prove.judge import Judge
from verify.prove.process import solve_all
from verify.prove.property import Property
from verify.prove.same import difference, not_understood
from verify.request import Request
from verify.result import NMI, PROVED, Report
from verify.source.program import CProgram
from verify.source.tree import Tree
from verify.target import Target

Work = tuple[Switch, list[Property]]
"""A switch and all that is asked of it."""

PATIENCE = 20
"""A mutant's proofs may take so many times what one question may."""

KILLED, EQUIVALENT, SURVIVED, UNDECIDED = "killed", "equivalent", "survived", "undecided"


@dataclass(frozen=True, slots=True)
class Fate:
    """`by`: the property that is proved without the change, if only at some registers, and refuted
    with it at one of those, by a run that was replayed. `reason`: what it found, what else the
    change does, or why nothing is known."""

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
        # At other registers the tree is wrong itself, or nothing is known.
        apart = {r.property: r.open for r in report.results if r.open}
        self.killers = [r.property for r in report.results if r.verdict == PROVED or r.open]
        if not self.killers:
            raise BadInput(
                f"{tree.root} ({tree.version}): nothing is proved of it, so no mutant can be killed"
            )
        self._request = replace(request, patches=(), cache=False, jobs=1, apart=apart)
        self.works = _by_switch(relations.every_property(self._request, program))
        self._until = math.inf
        solve = partial(self._solve, jobs=request.jobs)
        self._contexts: list[Context] = []
        for switch, _ in self.works:
            calm = self._contexts[0] if self._contexts else None
            self._contexts.append(Context(switch, solve, part=calm))
        self._usual = [bads(properties) for _, properties in self.works]
        self._sound = not any(_doubt(context) for context in self._contexts)
        self._lately: dict[str, None] = {}
        for context in self._contexts:
            context.asker.solve = self._solve

    def fate(self, mutant: Mutant) -> Fate:
        """Of one mutant. It is not compiled: what C would refuse is not understood, or an input."""
        began = time.monotonic()
        try:
            fate = self._fate(mutant)
        except BadInput as error:
            fate = Fate(UNDECIDED, reason=str(error))
        self.learn(fate)
        return replace(fate, seconds=time.monotonic() - began)

    def _solve(self, goals: Sequence[Goal], jobs: int = 1) -> dict[str, Answer]:
        """Answers, as long as there is time for this mutant: a guess that no solver has an answer
        to costs all of its time, and an inference makes many."""
        found: dict[str, Answer] = {}
        solved = solve_all(goals, jobs=jobs, timeout=self._request.timeout)
        with closing(solved) as answers:
            while time.monotonic() < self._until and (next_ := next(answers, None)):
                found[next_[0].name] = next_[1]
        late = Answer(UNKNOWN, reason="a mutant's proofs may not take so long")
        return {goal.name: found.get(goal.name, late) for goal in goals}

    def learn(self, fate: Fate) -> None:
        """What killed the last one kills the next one, as often as not."""
        if fate.kind == KILLED:
            self._lately = {fate.by: None, **self._lately}

    def _fate(self, mutant: Mutant) -> Fate:
        program = relations.program_of(mutant.apply(self.tree), self.target, self._request.defines)
        like = [Like(switch, mutant.function) for switch, _ in self.works]
        works = _by_switch(relations.every_property(self._request, program, like))
        timeout = self._request.timeout
        known = zip(self._contexts, self._usual, strict=True)
        for (switch, properties), (context, usual) in zip(works, known, strict=True):
            found = difference(context, switch, mutant.before)
            if found is None and self._sound and not switch.doubt:
                continue
            if unknown := not_understood(context.switch, switch):
                # It may do anything, and solvers take long to find that nothing can be told of it.
                why = f"{unknown[0].text} is not understood: {unknown[0].reason}"
                return Fate(UNDECIDED, reason=why)
            if broken := hunt(switch, self._killers(properties), usual, timeout):
                return Fate(KILLED, broken.property, broken.text)
            return self._judged(works, found.text if found else "a model that is not closed")
        return Fate(EQUIVALENT)

    def _killers(self, properties: Sequence[Property]) -> list[Property]:
        """Those that can kill, with those first that lately did."""
        names = [*self._lately, *self.killers]
        found = [prop for prop in properties if prop.name in self.killers]
        return sorted(found, key=lambda prop: names.index(prop.name))

    def _said(self, name: str, proved: Set[str]) -> bool:
        """What holds whenever interrupts hit holds when none does, at the same registers."""
        apart = self._request.apart
        same = set(apart.get(NMI + name, ())) <= set(apart.get(name, ()))
        return same and NMI + name in proved

    def _judged(self, works: Sequence[Work], told: str) -> Fate:
        """By proper proofs, with the invariant of the tree if that is enough."""
        fate = Fate(UNDECIDED)
        self._until = time.monotonic() + PATIENCE * self._request.timeout
        try:
            for contexts in (self._contexts, [None] * len(works)):
                fate = self._proved(works, contexts, told)
                if fate.kind != UNDECIDED or time.monotonic() >= self._until:
                    break
        finally:
            self._until = math.inf
        return fate

    def _proved(self, works: Sequence[Work], contexts: Sequence[Context | None], told: str) -> Fate:
        proved: set[str] = set()
        reason = ""
        judges: list[Judge] = []
        for (switch, _), like in zip(works, contexts, strict=True):
            part = judges[0].context if judges else None
            judges.append(Judge(switch, self._solve, like, part))
            if _doubt(judges[-1].context):
                # Only a run can be found then; those with interrupts take long to look through.
                del judges[1:]
                break
        for judge, (_, properties) in reversed(list(zip(judges, works, strict=False))):
            left = [p for p in self._killers(properties) if not self._said(p.name, proved)]
            judgements = judge.judge_until_refuted(left) if left else []
            for judgement in judgements:
                name, scenario = judgement.prop.name, judgement.scenario
                if judgement.verdict == PROVED:
                    proved.add(name)
                elif scenario is None:
                    reason = reason or f"{name}: {judgement.reason}"
                elif replays(judge.switch, scenario, judgement.model):
                    return Fate(KILLED, name, scenario.violation.text)
                else:
                    reason = reason or f"{name}: no counterexample that the interpreter repeats"
        if all(name in proved or self._said(name, proved) for name in self.killers):
            return Fate(SURVIVED, reason=f"it may change {told}")
        return Fate(UNDECIDED, reason=reason or "another tree has other properties")


def _by_switch(found: Sequence[tuple[Switch, Property]]) -> list[Work]:
    works: dict[int, Work] = {}
    for switch, prop in found:
        works.setdefault(id(switch), (switch, []))[1].append(prop)
    return list(works.values())


def _doubt(context: Context) -> str:
    """Why no proof can be made of the model, so that what was inferred of it may not hold either;
    or nothing."""
    questions = sanity.questions(context.switch, context.holding)
    answers = context.asker.each(questions)
    return sanity.shape(context.switch) or sanity.complaint(questions, answers)
