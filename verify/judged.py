"""What becomes of each property: a verdict, and a run that shows it when it is refuted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from proofs import catalogue
from verify.encode.switch import Switch
from verify.explain import tell
from verify.explain.replay import replay
from verify.ir.program import Program
from verify.prove.ask import Solve
from verify.prove.context import Context
from verify.prove.judge import Judge, Judgement
from verify.relations import Work
from verify.result import NMI, REFUTED, Result
from verify.source.tree import Tree


@dataclass(frozen=True, slots=True)
class Judged:
    """A result with what it stands on; no judgement where another one's is enough."""

    result: Result
    switch: Switch
    judgement: Judgement | None = None
    context: Context | None = None


def judge_all(works: Sequence[Work], solve: Solve, program: Program, tree: Tree) -> list[Judged]:
    """Results for all that is asked of the switch, and then of the one with interrupts: what goes
    wrong without them on any hardware goes wrong with them, too."""
    found: dict[str, Judged] = {}
    wanted = {prop.name: prop for work in works for prop in work.properties}
    calm: Context | None = None
    for work in works:
        judge = Judge(work.switch, solve, part=calm)
        calm = judge.context
        for judgement in judge.judge([p for p in work.properties if p.name not in found]):
            result = _result(judgement, work.switch, program, tree)
            found[result.property] = Judged(result, work.switch, judgement, judge.context)
            if result.verdict == REFUTED and judgement.is_refuted_always():
                same = wanted.get(NMI + result.property)
                if same is not None:
                    copy = replace(result, property=same.name, statement=same.statement, open=None)
                    found[same.name] = Judged(copy, work.switch)
    return [found[name] for name in wanted]


def _result(judgement: Judgement, switch: Switch, program: Program, tree: Tree) -> Result:
    prop, verdict, reason, trace = judgement.prop, judgement.verdict, judgement.reason, None
    if judgement.scenario is not None:
        target = switch.target
        watch, cells = catalogue.observers(target, program), catalogue.monitors(target, program)
        shown = replay(target, program, judgement.scenario, judgement.model, watch, cells)
        if shown.reproduced:
            usual = {setting.name: setting.usual for setting in target.settings}
            trace = tell.trace(shown, judgement.scenario.violation, program, tree, usual)
            reason = tell.end_state(judgement.consequences, target.parameters)
        elif shown.reproduced is None:
            verdict = "unknown"
            reason = f"the counterexample passes through what is not modelled: {shown.reason}"
        else:
            verdict = "unknown"
            reason = "internal error: the counterexample does not replay"
    return Result(
        property=prop.name,
        family=prop.family,
        verdict=verdict,
        reason=reason,
        seconds=judgement.seconds,
        variants=judgement.variants if verdict == "refuted" else {},
        certificate=None,
        trace=trace,
        statement=prop.statement,
        open=judgement.open,
    )
