"""On which hardware a property fails: the same questions for each value of each parameter alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verify.encode.switch import parameter_is
from verify.encode.term import Term, disj, evaluate
from verify.prove.context import Context
from verify.prove.goal import UNSAT, Goal
from verify.prove.property import Property, Violation
from verify.prove.reach import Scenario, alike, alone, anything
from verify.result import PROVED, REFUTED, UNKNOWN

ByValue = dict[str, dict[str, str]]

WRONG, RIGHT = "wrong", "right"
"""How a cycle that breaks a rule ends."""


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of a parameter that the user has left open; the parameter's cell, then."""

    parameter: str
    name: str
    term: Term
    model: Mapping[str, int]


def _values(context: Context) -> list[_Value]:
    switch = context.switch
    return [
        _Value(p.name, v, parameter_is(switch, p.name, v), {f"init/{p.cell}": p.values.index(v)})
        for p in switch.target.parameters
        if p.name not in switch.hardware
        for v in p.values
    ]


@dataclass(frozen=True, slots=True)
class Refuted:
    """A refuted property with the violations that were looked for, and the run that was found: its
    scenario, and the model of it."""

    prop: Property
    violations: Sequence[Violation]
    scenario: Scenario
    model: Mapping[str, int]


def _runs_by_value(context: Context, refuted: Sequence[Refuted]) -> set[tuple[str, int]]:
    """The properties with the values, by number, for which the same kind of run exists."""
    values = _values(context)
    found = {(r.prop.name, i) for r in refuted for i, v in enumerate(values) if _fits(r, v)}
    left = {
        r.prop.name: [i for i in range(len(values)) if (r.prop.name, i) not in found]
        for r in refuted
    }
    goals = [
        Goal(name, r.scenario.assertions, (), tuple(values[i].term for i in left[name]))
        for r in refuted
        if left[name := r.prop.name]
    ]
    answers = context.solve(goals)
    return found | {
        (goal.name, left[goal.name][k]) for goal in goals for k in answers[goal.name].possible
    }


def _fits(run: Refuted, value: _Value) -> bool:
    """The run that was found is one with the value, too, if nothing else of it is changed."""
    return all(evaluate(run.scenario.assertions, {**run.model, **value.model}))


def variants(context: Context, refuted: Sequence[Refuted], trusted: bool) -> dict[str, ByValue]:
    """By property the verdict for each value: refuted when the same kind of run exists; proved when
    no violation is possible in any cycle and proofs are `trusted`."""
    values = _values(context)
    fixed = tuple(value.term for value in values)
    runs = _runs_by_value(context, refuted)
    left = {
        (r.prop.name, i): r
        for r in refuted
        for i in range(len(values))
        if (r.prop.name, i) not in runs
    }
    open_ = _not_proved(context, {key: (r.violations, fixed[key[1]]) for key, r in left.items()})
    for i in sorted({i for _, i in open_}):
        # What is invariant for every value may be too little for one.
        narrow = context.under(fixed[i])
        again = {
            key: (left[key].prop.violations(narrow.agree), fixed[i]) for key in open_ if key[1] == i
        }
        open_ -= set(again) - _not_proved(narrow, again)
    result: dict[str, ByValue] = {}
    for r in refuted:
        name = r.prop.name
        for i, value in enumerate(values):
            if (name, i) not in left:
                verdict = REFUTED
            else:
                verdict = PROVED if trusted and (name, i) not in open_ else UNKNOWN
            result.setdefault(name, {}).setdefault(value.parameter, {})[value.name] = verdict
    return result


def _not_proved(
    context: Context, asked: Mapping[tuple[str, int], tuple[Sequence[Violation], Term]]
) -> set[tuple[str, int]]:
    """Those of which some violation may be possible where the term holds."""
    questions = [
        (key, context.question(violation, term))
        for key, (violations, term) in asked.items()
        for violation in violations
    ]
    answers = context.asker.each([question for _, question in questions])
    return {key for (key, _), a in zip(questions, answers, strict=True) if a.status != UNSAT}


def consequences(context: Context, broken: Sequence[Property]) -> dict[str, ByValue]:
    """For a broken rule: under which hardware a cycle that breaks it ends "wrong", as a run from a
    fresh vCPU shows; or "right", as no cycle can; or "unknown"."""
    values = _values(context)
    fixed = tuple(value.term for value in values)
    ends = {prop.name: prop.consequence(anything) for prop in broken}
    goals = [
        Goal(f"{prop.name}/{k}", (*one.assertions[:-1], _any(group)), (), fixed)
        for prop in broken
        for k, group in enumerate(_runs(context, ends[prop.name]))
        for one in group[:1]
    ]
    runs = context.solve(goals)
    wrong = {
        (prop.name, i)
        for prop in broken
        for goal in goals
        if goal.name.rpartition("/")[0] == prop.name
        for i in runs[goal.name].possible
    }
    left = {
        (prop.name, i): prop
        for prop in broken
        if ends[prop.name]
        for i in range(len(values))
        if (prop.name, i) not in wrong
    }
    open_ = _not_proved(context, {k: (ends[p.name], fixed[k[1]]) for k, p in left.items()})
    # Few ends depend on what is known of the states before, which takes long to find out.
    again = {k: (left[k].consequence(context.agree), fixed[k[1]]) for k in open_}
    open_ = _not_proved(context, again)
    for i in sorted({i for _, i in open_}):
        narrow = context.under(fixed[i])
        again = {
            key: (left[key].consequence(narrow.agree), fixed[i]) for key in open_ if key[1] == i
        }
        open_ -= set(again) - _not_proved(narrow, again)
    result: dict[str, ByValue] = {}
    for name, i in (*wrong, *left):
        value = values[i]
        end = WRONG if (name, i) in wrong else UNKNOWN if (name, i) in open_ else RIGHT
        result.setdefault(name, {}).setdefault(value.parameter, {})[value.name] = end
    return result


def _runs(context: Context, violations: Sequence[Violation]) -> list[list[Scenario]]:
    return [alone(context.switch, group, 0) for group in alike(context.switch, violations)]


def _any(scenarios: Sequence[Scenario]) -> Term:
    return disj([scenario.assertions[-1] for scenario in scenarios])
