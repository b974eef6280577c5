"""From properties to verdicts: proofs by induction over cycles, refutations by reachable runs.

The questions of all properties are asked together, stage by stage, so that the solvers have
always enough to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from verify.encode.switch import Switch
from verify.encode.term import conj, disj, evaluate
from verify.prove import reach, sanity
from verify.prove.agreement import Agreement
from verify.prove.ask import Solve
from verify.prove.context import Context
from verify.prove.goal import SAT, UNSAT, Answer, Goal
from verify.prove.prefer import wishes
from verify.prove.property import READ, Property, Violation
from verify.prove.variants import WRONG, Refuted, consequences, variants
from verify.result import PROVED, REFUTED, UNKNOWN, VACUOUS

WAYS = ((0, False), (1, False), (1, True))
"""Of looking for runs: rounds before the last one, and whether accesses come between."""


@dataclass(slots=True)
class Judgement:
    """The verdict on one property before it is explained.

    `violations`: what a proof excludes, with the `agreements` of two runs that it counts on.
    `open`: the places of those that are not excluded; None when nothing is known of any.
    `scenario` and `model`: the run that refutes it. `variants`: verdict by parameter and value.
    `consequences`: for a broken rule, the end state by parameter and value ("wrong"/"right").
    """

    prop: Property
    verdict: str
    reason: str = ""
    seconds: float = 0.0
    solver: str = ""
    violations: Sequence[Violation] = ()
    agreements: Sequence[Agreement] = ()
    open: tuple[str, ...] | None = None
    scenario: reach.Scenario | None = None
    model: dict[str, int] = field(default_factory=dict)
    variants: dict[str, dict[str, str]] = field(default_factory=dict)
    consequences: dict[str, dict[str, str]] = field(default_factory=dict)

    def is_refuted_always(self) -> bool:
        """A run breaks it, and ends badly, whatever the hardware."""
        told = [*self.variants.values(), *self.consequences.values()]
        found = {verdict for by_value in told for verdict in by_value.values()}
        return self.verdict == REFUTED and found <= {REFUTED, WRONG}


@dataclass(slots=True)
class _Case:
    """A property in work: its violations, those of them that can happen in some cycle, the places
    of all that are not excluded, and what was said; and why a proof of it would have no value, or
    nothing."""

    prop: Property
    violations: Sequence[Violation]
    agreements: Sequence[Agreement]
    suspects: list[Violation] = field(default_factory=list)
    open: dict[str, None] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    doubt: str = ""
    seconds: float = 0.0
    solver: str = ""
    tries: list[tuple[int, bool, list[Violation]]] = field(default_factory=list)
    scenario: reach.Scenario | None = None
    model: dict[str, int] = field(default_factory=dict)


class Judge:
    """Judges properties of one switch; `solve` answers goals in processes of their own. `like` and
    `part`: contexts of switches that this one has much in common with (see Context)."""

    def __init__(
        self,
        switch: Switch,
        solve: Solve,
        like: Context | None = None,
        part: Context | None = None,
    ) -> None:
        self.switch = switch
        self.context = Context(switch, solve, like=like, part=part)

    def judge(self, properties: Sequence[Property]) -> list[Judgement]:
        """A verdict for each property."""
        cases = [_Case(p, *self.context.violations(p)) for p in properties]
        self._induct(cases)
        open_ = [case for case in cases if case.suspects]
        self._find_runs(open_, len(open_))
        refuted = [case for case in open_ if case.scenario is not None]
        runs = [Refuted(c.prop, c.violations, c.scenario, c.model) for c in refuted if c.scenario]
        by_value = variants(self.context, runs, trusted=not any(case.doubt for case in cases))
        ends = consequences(self.context, [case.prop for case in refuted])
        return [
            _judgement(case, by_value.get(case.prop.name), ends.get(case.prop.name))
            for case in cases
        ]

    def judge_until_refuted(self, properties: Sequence[Property]) -> list[Judgement]:
        """A verdict for each property, but when one is refuted the others need not be, and under
        which hardware it is is not looked for."""
        cases = [_Case(p, *self.context.violations(p)) for p in properties]
        self._induct(cases)
        self._find_runs([case for case in cases if case.suspects], 1)
        return [_judgement(case) for case in cases]

    # Proofs -----------------------------------------------------------------------------------

    def _induct(self, cases: Sequence[_Case]) -> None:
        """Ask which violations can happen in a cycle, and whether a proof would have any value."""
        asked = [(case, v) for case in cases for v in case.violations]
        questions = [self.context.question(v) for _, v in asked]
        checks = sanity.questions(self.switch, self.context.holding)
        answers = self.context.asker.each([*questions, *checks])
        for (case, violation), answer in zip(asked, answers, strict=False):
            case.seconds += answer.seconds
            case.solver = case.solver or answer.solver
            if answer.status != UNSAT:
                case.open[violation.place] = None
            if answer.status == SAT:
                case.suspects.append(violation)
            elif answer.status != UNSAT:
                case.reasons.append(f"the solver did not answer: {answer.reason}")
        unsound = sanity.shape(self.switch) or sanity.complaint(checks, answers[len(asked) :])
        premises = {case.prop.premise: case.prop for case in cases}
        reached = self.context.solve([premise(self.switch, prop) for prop in premises.values()])
        for case in cases:
            answer = reached[premises[case.prop.premise].name]
            case.doubt = _vacuous(case.prop, answer) or unsound

    # Refutations ------------------------------------------------------------------------------

    def _find_runs(self, cases: Sequence[_Case], at_once: int) -> None:
        """Look for runs from a fresh vCPU, shorter ones first, and for the most telling run of each
        kind that was found, while the search goes on for others; when not all cases are looked at
        `at_once`, only until there is one."""
        for case in cases:
            groups = reach.alike(self.switch, case.suspects)
            case.tries = [
                (*way, group)
                for way in WAYS
                for group in groups
                if not way[1] or (case.prop.after is None and group[0].phase != READ)
            ]
        waiting, found = list(cases), list[_Case]()
        while waiting or found:
            now, later = waiting[:at_once], waiting[at_once:]
            models = [_telling(self.switch, case) for case in found]
            ways = [self._scenarios(case.prop, *case.tries.pop(0)) for case in now]
            goals = [_any(case, way) for case, way in zip(now, ways, strict=True)]
            answers = self.context.solve([*models, *goals])
            for case, model in zip(found, models, strict=True):
                _choose(case, answers[model.name])
            found = []
            for case, scenarios in zip(now, ways, strict=True):
                answer = answers[case.prop.name]
                case.seconds += answer.seconds
                if answer.status == SAT:
                    case.scenario = _shown(scenarios, answer)
                    found.append(case)
            open_ = [case for case in now if case.scenario is None and case.tries]
            waiting = [] if later and found else [*later, *open_]

    def _scenarios(
        self, prop: Property, cycles: int, between: bool, group: Sequence[Violation]
    ) -> list[reach.Scenario]:
        if prop.after is not None:
            return reach.chained(self.switch, prop.after, group, cycles)
        return reach.alone(self.switch, group, cycles, between=between)


def _judgement(
    case: _Case,
    by_value: dict[str, dict[str, str]] | None = None,
    ends: dict[str, dict[str, str]] | None = None,
) -> Judgement:
    result = Judgement(
        case.prop, UNKNOWN, "", case.seconds, case.solver, case.violations, case.agreements
    )
    if not case.doubt:
        result.open = tuple(case.open)
    if case.scenario is not None:
        return replace(
            result,
            verdict=REFUTED,
            scenario=case.scenario,
            model=case.model,
            variants=by_value or {},
            consequences=ends or {},
        )
    if case.suspects:
        suspect = case.suspects[0]
        result.reason = f"not inductive for {suspect.register or suspect.phase}, and no run of "
        result.reason += f"up to {WAYS[-1][0] + 1} switches from a fresh vCPU breaks it"
    elif case.reasons:
        result.reason = case.reasons[0]
    elif case.doubt:
        result.reason = case.doubt
    else:
        result.verdict = PROVED
    return result


def premise(switch: Switch, prop: Property) -> Goal:
    """Is there a first round of which the property speaks?"""
    nothing = conj(())
    phase, term = prop.premise
    violation = Violation("", phase, term, nothing, nothing, "", lambda m: (0, 0, 0))
    (scenario,) = reach.alone(switch, [violation], 0, accesses=prop.prepared)
    return Goal(prop.name, scenario.assertions)


def _any(case: _Case, scenarios: Sequence[reach.Scenario]) -> Goal:
    """Is one of the scenarios possible? They differ in their violations only."""
    bad = disj([scenario.assertions[-1] for scenario in scenarios])
    return Goal(case.prop.name, (*scenarios[0].assertions[:-1], bad), None)


def _telling(switch: Switch, case: _Case) -> Goal:
    """The scenario again, by a run that is easy to read."""
    assert case.scenario is not None
    wished = wishes(switch, case.scenario)
    return Goal(f"model {case.prop.name}", case.scenario.assertions, None, wishes=wished)


def _choose(case: _Case, answer: Answer) -> None:
    case.seconds += answer.seconds
    case.model = answer.model
    if answer.status != SAT:
        case.scenario = None


def _shown(scenarios: Sequence[reach.Scenario], answer: Answer) -> reach.Scenario:
    """The first scenario whose violation the model has."""
    bads = evaluate([scenario.assertions[-1] for scenario in scenarios], answer.model)
    return next(s for s, bad in zip(scenarios, bads, strict=True) if bad)


def _vacuous(prop: Property, answer: Answer) -> str:
    """Why the property speaks of nothing, or nothing."""
    if answer.status == UNSAT:
        return f"{VACUOUS}it never comes to this: {prop.premise_text}"
    return "" if answer.status == SAT else f"premise not decided: {answer.reason}"
