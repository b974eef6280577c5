"""From properties to verdicts: proofs by induction over cycles, refutations by reachable runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from verify.encode import term as t
from verify.encode.switch import Switch, parameter_is, renamed
from verify.encode.term import Term
from verify.errors import InternalError
from verify.prove import reach, sanity
from verify.prove.goal import Answer, Goal
from verify.prove.invariant import infer
from verify.prove.property import READ, SECOND, Pairing, Property, Violation

Solve = Callable[[Sequence[Goal]], Mapping[str, Answer]]
CYCLES = (0, 1)
TRIES = 6


@dataclass(slots=True)
class Judgement:
    """The verdict on one property before it is explained.

    `scenario` and `model`: the run that refutes it. `variants`: verdict by parameter and value.
    `consequences`: for a broken rule, the end state by parameter and value ("wrong"/"right").
    """

    prop: Property
    verdict: str
    reason: str = ""
    seconds: float = 0.0
    solver: str = ""
    scenario: reach.Scenario | None = None
    model: dict[str, int] = field(default_factory=dict)
    variants: dict[str, dict[str, str]] = field(default_factory=dict)
    consequences: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Case:
    """A property with its violations, and the goals that exclude them, each with its own."""

    prop: Property
    violations: tuple[Violation, ...]
    work: tuple[tuple[Goal, list[Violation]], ...]
    premise: Goal


class Judge:
    """Judges properties of one switch; `solve` answers goals in processes of their own."""

    def __init__(self, switch: Switch, solve: Solve) -> None:
        names = [relation.name for relation in switch.relations()]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise InternalError(f"relations share a name: {', '.join(sorted(repeated))}")
        self.switch = switch
        self.solve = solve
        self.background = [*switch.config, *switch.pinned, *switch.legal]
        self.invariant = infer(switch, self.background, solve)
        self.holding = [*self.background, *self.invariant]

    # Goals ------------------------------------------------------------------------------------

    def _both(self, terms: Sequence[Term], pair: Pairing | None) -> list[Term]:
        """The terms, and with a pairing their copies of the second run where those differ."""
        if pair is None:
            return list(terms)
        others = renamed(terms, SECOND, pair.secret)
        return [*terms, *(o for term, o in zip(terms, others, strict=True) if o is not term)]

    def _context(self, violation: Violation) -> list[Term]:
        """What holds of every cycle in which the violation is looked for (both runs of it)."""
        # What shows between cycles may be in a state from which no cycle is possible.
        cycle = () if violation.phase == READ else self.switch.cycle.assumes
        return self._both([*self.holding, *cycle, *violation.assumes], violation.pair)

    def _goals(
        self, name: str, violations: Iterable[Violation]
    ) -> list[tuple[Goal, list[Violation]]]:
        """Goals whose unsatisfiability excludes all the violations; grouped by their context."""
        groups: dict[tuple[int, bool, tuple[int, ...]], list[Violation]] = {}
        for v in violations:
            if v.bad is not t.false:
                key = (id(v.pair), v.phase == READ, tuple(a.id for a in v.assumes))
                groups.setdefault(key, []).append(v)
        return [
            (
                Goal(
                    f"{name}/{k}",
                    (*self._context(group[0]), t.disj([v.bad for v in group])),
                    None,
                ),
                group,
            )
            for k, group in enumerate(groups.values())
        ]

    # What a secret can travel through -----------------------------------------------------------

    def unaffected(self, pair: Pairing, cells: Sequence[str]) -> frozenset[str]:
        """The largest subset of the cells that setup makes equal in both runs, and every relation
        keeps equal when the other cells differ."""
        initial = [self.switch.initial[c] for c in cells]
        others = renamed(initial, SECOND, pair.secret)
        equal = {c for c, a, b in zip(cells, initial, others, strict=True) if a is b}
        while True:
            hidden = pair.with_cells(c for c in cells if c not in equal)
            goals, differs = [], {}
            for relation in self.switch.relations():
                names = [c for c in relation.post if c in equal]
                ends = [relation.post[c] for c in names]
                pairs = zip(names, ends, renamed(ends, SECOND, hidden.secret), strict=True)
                found = {c: a.ne(b) for c, a, b in pairs if a is not b}
                if found:
                    terms = self._both([*self.holding, *relation.assumes], hidden)
                    goals.append(Goal(relation.name, tuple(terms), (), tuple(found.values())))
                    differs[relation.name] = list(found)
            answers = self.solve(goals)
            lost = {c for name, of in differs.items() for c in answers[name].not_excluded(of)}
            if not lost:
                return frozenset(equal)
            equal -= lost

    # Verdicts ---------------------------------------------------------------------------------

    def judge(self, properties: Sequence[Property]) -> list[Judgement]:
        """A verdict for each property."""
        cases = [self._case(p) for p in properties]
        checks = sanity.goals(self.switch, self.holding)
        goals = [g for case in cases for g, _ in case.work] + [c.premise for c in cases]
        answers = self.solve([*goals, *checks])
        unsound = sanity.complaint(checks, answers)
        return [self._verdict(case, answers, unsound) for case in cases]

    def _case(self, prop: Property) -> _Case:
        violations = tuple(prop.violations(self.unaffected))
        work = tuple(self._goals(prop.name, violations))
        reached = Violation(
            "", "put", prop.premise, t.true, t.true, "", lambda m: (None, None, None)
        )
        scenario = reach.alone(self.switch, reached, 0)
        premise = Goal(f"{prop.name}/premise", scenario.assertions, ())
        return _Case(prop, violations, work, premise)

    def _verdict(self, case: _Case, answers: Mapping[str, Answer], unsound: str) -> Judgement:
        began = time.monotonic()
        prop, premise = case.prop, answers[case.premise.name]
        spent = sum(answers[g.name].seconds for g, _ in case.work)
        solver = next((answers[g.name].solver for g, _ in case.work), "")
        suspects: list[Violation] = []
        reason = ""
        for goal, group in case.work:
            answer = answers[goal.name]
            if answer.status == "sat":
                values = t.evaluate([v.bad for v in group], answer.model)
                suspects += [v for v, hit in zip(group, values, strict=True) if hit]
                suspects += [v for v, hit in zip(group, values, strict=True) if not hit]
            elif answer.status == "unknown":
                reason = reason or f"the solver did not answer: {answer.reason}"
        if suspects:
            result = self._refuted(case, suspects, solver)
        elif reason:
            result = Judgement(prop, "unknown", reason)
        elif premise.status == "unsat":
            result = Judgement(prop, "unknown", f"vacuous: there is no {prop.premise_text}")
        elif premise.status != "sat":
            result = Judgement(prop, "unknown", f"premise not decided: {premise.reason}")
        elif unsound:
            result = Judgement(prop, "unknown", unsound)
        else:
            result = Judgement(prop, "proved", "", 0.0, solver)
        result.seconds = spent + time.monotonic() - began
        return result

    def _refuted(self, case: _Case, suspects: Sequence[Violation], solver: str) -> Judgement:
        """Refuted when a run from a fresh vCPU breaks the property, else unknown."""
        for cycles in CYCLES:
            for violation in suspects[:TRIES]:
                scenario = self._scenario(case.prop, violation, cycles)
                goal = Goal(f"{case.prop.name}/run", scenario.assertions, None)
                answer = self.solve([goal])[goal.name]
                if answer.status == "sat":
                    result = Judgement(case.prop, "refuted", "", 0.0, solver)
                    result.scenario, result.model = scenario, answer.model
                    result.variants = self._variants(case, scenario)
                    result.consequences = self._consequences(case.prop)
                    return result
        text = f"not inductive for {suspects[0].register or suspects[0].phase}, and no "
        text += f"run of up to {CYCLES[-1] + 1} switches from a fresh vCPU breaks it"
        return Judgement(case.prop, "unknown", text)

    def _scenario(self, prop: Property, violation: Violation, cycles: int) -> reach.Scenario:
        if prop.after is not None:
            return reach.chained(self.switch, prop.after, violation, cycles)
        return reach.alone(self.switch, violation, cycles)

    # Hardware parameters ------------------------------------------------------------------------

    def _values(self) -> list[tuple[str, str, Term]]:
        return [
            (p.name, value, parameter_is(self.switch, p.name, value))
            for p in self.switch.target.parameters
            for value in p.values
        ]

    def _variants(self, case: _Case, scenario: reach.Scenario) -> dict[str, dict[str, str]]:
        """Under which hardware the property fails: for each value of each parameter alone."""
        goals: list[Goal] = []
        for name, value, term in self._values():
            goals.append(Goal(f"{name}={value}/run", (*scenario.assertions, term), ()))
            for k, (goal, _) in enumerate(case.work):
                goals.append(Goal(f"{name}={value}/{k}", (*goal.assertions, term), ()))
        answers = self.solve(goals)
        result: dict[str, dict[str, str]] = {}
        for name, value, _ in self._values():
            excluded = [answers[f"{name}={value}/{k}"].status for k in range(len(case.work))]
            if answers[f"{name}={value}/run"].status == "sat":
                verdict = "refuted"
            elif set(excluded) == {"unsat"}:
                verdict = "proved"
            else:
                verdict = "unknown"
            result.setdefault(name, {})[value] = verdict
        return result

    def _consequences(self, prop: Property) -> dict[str, dict[str, str]]:
        """For a broken rule: under which hardware a cycle that breaks it ends wrong."""
        if not prop.consequence:
            return {}
        goals = []
        work = self._goals(prop.name, prop.consequence)
        for name, value, term in self._values():
            for k, (goal, _) in enumerate(work):
                goals.append(Goal(f"{name}={value}/{k}", (*goal.assertions, term), ()))
        answers = self.solve(goals)
        result: dict[str, dict[str, str]] = {}
        for name, value, _ in self._values():
            statuses = {answers[f"{name}={value}/{k}"].status for k in range(len(work))}
            verdict = (
                "wrong" if "sat" in statuses else "right" if statuses <= {"unsat"} else "unknown"
            )
            result.setdefault(name, {})[value] = verdict
        return result
