"""On which hardware a property fails: the same questions for each value of each parameter alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from verify.encode.switch import parameter_is
from verify.encode.term import Term
from verify.prove.ask import ask_each
from verify.prove.context import Context
from verify.prove.goal import SAT, UNSAT, Goal
from verify.prove.property import Violation
from verify.prove.reach import Scenario

ByValue = dict[str, dict[str, str]]


def _values(context: Context) -> list[tuple[str, str, Term]]:
    """The values that the user has left open."""
    switch = context.switch
    return [
        (p.name, value, parameter_is(switch, p.name, value))
        for p in switch.target.parameters
        if p.name not in switch.hardware
        for value in p.values
    ]


def variants(
    context: Context,
    refuted: Mapping[str, tuple[Scenario, Sequence[Violation]]],
    trusted: bool,
) -> dict[str, ByValue]:
    """By property the verdict for each value: refuted when the same kind of run exists, proved
    when no violation is possible in any cycle and proofs are `trusted`."""
    values = _values(context)
    fixed = tuple(term for _, _, term in values)
    runs = context.solve(
        [Goal(name, scenario.assertions, (), fixed) for name, (scenario, _) in refuted.items()]
    )
    asked = [
        (name, i, context.question(violation, term))
        for name, (_, violations) in refuted.items()
        for i, term in enumerate(fixed)
        if i not in runs[name].possible
        for violation in violations
    ]
    answers = ask_each(context.solve, [question for _, _, question in asked])
    open_ = {(name, i) for (name, i, _), a in zip(asked, answers, strict=True) if a.status != UNSAT}
    result: dict[str, ByValue] = {}
    for name in refuted:
        for i, (parameter, value, _) in enumerate(values):
            possible = "proved" if trusted and (name, i) not in open_ else "unknown"
            verdict = "refuted" if i in runs[name].possible else possible
            result.setdefault(name, {}).setdefault(parameter, {})[value] = verdict
    return result


def consequences(context: Context, broken: Mapping[str, Sequence[Violation]]) -> dict[str, ByValue]:
    """For a broken rule: under which hardware a cycle that breaks it ends "wrong"; or "right", or
    "unknown"."""
    asked = [
        (name, parameter, value, context.question(violation, term))
        for name, violations in broken.items()
        for violation in violations
        for parameter, value, term in _values(context)
    ]
    answers = ask_each(context.solve, [question for *_, question in asked])
    result: dict[str, ByValue] = {}
    for (name, parameter, value, _), answer in zip(asked, answers, strict=True):
        ends = result.setdefault(name, {}).setdefault(parameter, {})
        end = {SAT: "wrong", UNSAT: "right"}.get(answer.status, "unknown")
        ends[value] = min(end, ends.get(value, end), key=("wrong", "unknown", "right").index)
    return result
