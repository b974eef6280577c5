"""From properties to verdicts: proofs by induction over cycles, refutations by reachable runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from verify.encode import term as t
from verify.encode.switch import STATE, Switch, parameter_is, renamed
from verify.encode.term import Term
from verify.prove import reach
from verify.prove.goal import Answer, Goal
from verify.prove.invariant import infer
from verify.prove.property import SECOND, Pairing, Property, Violation

Solve = Callable[[Sequence[Goal]], Mapping[str, Answer]]
CYCLES = (0, 1)
TRIES = 6


def _with_cells(pair: Pairing, equal: frozenset[str], left: Sequence[Violation]) -> Pairing:
    """The pairing in which the hardware cells outside `equal` differ between the runs as well."""
    cells = {STATE + v.register for v in left if v.register not in equal}
    return Pairing(pair.title, lambda name: pair.secret(name) or name in cells)


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


class Judge:
    """Judges properties of one switch; `solve` answers goals in processes of their own."""

    def __init__(self, switch: Switch, solve: Solve) -> None:
        self.switch = switch
        self.solve = solve
        self.background = [*switch.config, *switch.pinned, *switch.legal]
        self.invariant = infer(switch, self.background, solve)
        self.unsound = self._sanity()

    def _sanity(self) -> str:
        """Why no proof can be trusted, or nothing: the hardware stays legal and every relation
        has a successor from every state."""
        cycle = self.switch.cycle
        after = {t.var(STATE + c, v.width): v for c, v in cycle.post.items()}
        goals = [
            Goal(
                "legal kept",
                (
                    *self.background,
                    *self.invariant,
                    *cycle.assumes,
                    ~t.conj(t.substitute(self.switch.legal, after)),
                ),
                None,
            )
        ]
        for relation in self.switch.relations():
            if not relation.assumes:
                continue
            inputs = {
                v: t.const(0, v.width) if v.width else t.false
                for v in t.free_vars(relation.assumes)
                if not v.name.startswith((STATE, "config/", "init/", "setup/"))
            }
            witness = t.conj(t.substitute(list(relation.assumes), inputs))
            if witness is not t.true:
                goals.append(
                    Goal(
                        f"total {relation.name}",
                        (*self.background, *self.invariant, ~witness),
                        None,
                    )
                )
        answers = self.solve(goals)
        for goal in goals:
            if answers[goal.name].status != "unsat":
                return f"the model is not closed: {goal.name} ({answers[goal.name].status})"
        return ""

    def context(self, violation: Violation) -> list[Term]:
        """What holds of every cycle in which the violation is looked for (both runs of it)."""
        one = [
            *self.background,
            *self.invariant,
            *self.switch.cycle.assumes,
            *violation.assumes,
        ]
        if violation.pair is None:
            return one
        return one + [
            other
            for term, other in zip(one, renamed(one, SECOND, violation.pair.secret), strict=True)
            if other is not term
        ]

    def goals(
        self, name: str, violations: Iterable[Violation]
    ) -> list[tuple[Goal, list[Violation]]]:
        """Goals whose unsatisfiability excludes all the violations; grouped by their context."""
        groups: dict[tuple[int, tuple[int, ...]], list[Violation]] = {}
        for v in violations:
            if v.bad is not t.false:
                key = (id(v.pair), tuple(a.id for a in v.assumes))
                groups.setdefault(key, []).append(v)
        return [
            (
                Goal(
                    f"{name}/{k}",
                    (*self.context(group[0]), t.disj([v.bad for v in group])),
                    None,
                ),
                group,
            )
            for k, group in enumerate(groups.values())
        ]

    def judge(self, properties: Sequence[Property]) -> list[Judgement]:
        """A verdict for each property."""
        expanded = {p.name: self._violations(p) for p in properties}
        work: dict[str, list[tuple[Goal, list[Violation]]]] = {
            p.name: self.goals(p.name, expanded[p.name]) for p in properties
        }
        premise = {p.name: self._premise(p) for p in properties}
        answers = self.solve(
            [g for goals in work.values() for g, _ in goals] + list(premise.values())
        )
        return [
            self._verdict(p, work[p.name], answers, answers[premise[p.name].name])
            for p in properties
        ]

    def _premise(self, prop: Property) -> Goal:
        violation = Violation(
            "", "put", prop.premise, t.true, t.true, "", lambda m: (None, None, None)
        )
        scenario = reach.scenarios(self.switch, prop, violation, 0)
        return Goal(f"{prop.name}/premise", scenario.assertions, ())

    def _violations(self, prop: Property) -> Sequence[Violation]:
        if prop.chain is None:
            return prop.violations
        return prop.chain(self._unaffected(prop.violations))

    def _unaffected(self, left: Sequence[Violation]) -> frozenset[str]:
        """Hardware cells that are equal at the host phase whatever an earlier guest's secret was:
        the largest set that is closed under cycles."""
        equal = frozenset(v.register for v in left)
        while True:
            goals = []
            for v in left:
                if v.register in equal and v.pair is not None:
                    pair = _with_cells(v.pair, equal, left)
                    weaker = replace(v, pair=pair)
                    end = self.switch.points["put"].cells[v.register]
                    (other,) = renamed([end], SECOND, pair.secret)
                    if other is not end:
                        assertions = (*self.context(weaker), end.ne(other))
                        goals.append(Goal(v.register, assertions, ()))
            answers = self.solve(goals)
            lost = {g.name for g in goals if answers[g.name].status != "unsat"}
            if not lost:
                return equal
            equal -= lost

    def _verdict(
        self,
        prop: Property,
        work: Sequence[tuple[Goal, list[Violation]]],
        answers: Mapping[str, Answer],
        premise: Answer,
    ) -> Judgement:
        began = time.monotonic()
        spent = sum(answers[g.name].seconds for g, _ in work)
        solver = next((answers[g.name].solver for g, _ in work), "")
        suspects: list[Violation] = []
        reason = ""
        for goal, group in work:
            answer = answers[goal.name]
            if answer.status == "sat":
                values = t.evaluate([v.bad for v in group], answer.model)
                suspects += [v for v, hit in zip(group, values, strict=True) if hit]
                suspects += [v for v, hit in zip(group, values, strict=True) if not hit]
            elif answer.status == "unknown":
                reason = reason or f"the solver did not answer: {answer.reason}"
        if suspects:
            found = self._refute(prop, suspects)
            if found is not None:
                scenario, model = found
                result = Judgement(prop, "refuted", "", 0.0, solver, scenario, model)
                result.variants = self._variants(prop, scenario)
                result.consequences = self._consequences(prop)
            else:
                text = f"not inductive for {suspects[0].register or suspects[0].phase}, and no "
                text += f"run of up to {CYCLES[-1] + 1} switches from a fresh vCPU breaks it"
                result = Judgement(prop, "unknown", text)
        elif reason:
            result = Judgement(prop, "unknown", reason)
        elif premise.status == "unsat":
            result = Judgement(prop, "unknown", f"vacuous: there is no {prop.premise_text}")
        elif premise.status != "sat":
            result = Judgement(prop, "unknown", f"premise not decided: {premise.reason}")
        elif self.unsound:
            result = Judgement(prop, "unknown", self.unsound)
        else:
            result = Judgement(prop, "proved", "", 0.0, solver)
        result.seconds = spent + time.monotonic() - began
        return result

    def _scenario(self, prop: Property, violation: Violation, cycles: int) -> reach.Scenario:
        first = prop.violations[0].pair
        if prop.chain is not None and first is not None:
            return reach.chained(self.switch, first, violation)
        return reach.scenarios(self.switch, prop, violation, cycles)

    def _refute(
        self, prop: Property, suspects: Sequence[Violation]
    ) -> tuple[reach.Scenario, dict[str, int]] | None:
        seen: list[Violation] = []
        for v in suspects:
            if len(seen) < TRIES:
                seen.append(v)
        for cycles in CYCLES if prop.chain is None else (0,):
            for v in seen:
                scenario = self._scenario(prop, v, cycles)
                answer = self.solve([Goal(f"{prop.name}/run", scenario.assertions, None)])[
                    f"{prop.name}/run"
                ]
                if answer.status == "sat":
                    return scenario, answer.model
        return None

    def _values(self) -> list[tuple[str, str, Term]]:
        return [
            (p.name, value, parameter_is(self.switch, p.name, value))
            for p in self.switch.target.parameters
            for value in p.values
        ]

    def _variants(self, prop: Property, scenario: reach.Scenario) -> dict[str, dict[str, str]]:
        """Under which hardware the property fails: for each value of each parameter alone."""
        goals: list[Goal] = []
        proofs = self.goals(prop.name, self._violations(prop))
        for name, value, term in self._values():
            goals.append(Goal(f"{name}={value}/run", (*scenario.assertions, term), ()))
            for k, (goal, _) in enumerate(proofs):
                goals.append(Goal(f"{name}={value}/{k}", (*goal.assertions, term), ()))
        answers = self.solve(goals)
        result: dict[str, dict[str, str]] = {}
        for name, value, _ in self._values():
            if answers[f"{name}={value}/run"].status == "sat":
                verdict = "refuted"
            elif all(answers[f"{name}={value}/{k}"].status == "unsat" for k in range(len(proofs))):
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
        work = self.goals(prop.name, prop.consequence)
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
