"""From a refutation to the trace that is shown: replayed, with the kernel's own lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from verify.explain import cause
from verify.explain.cause import short
from verify.explain.replay import Replay
from verify.ir.interp import SKIP, Step
from verify.ir.program import Program
from verify.prove.property import BREAKS, CHECK, FAULTS, READ, REFUSED, Violation
from verify.result import Cause, Trace, TraceStep
from verify.result import Violation as Shown
from verify.source.tree import Tree
from verify.target import Parameter


def trace(
    replayed: Replay,
    violation: Violation,
    program: Program,
    tree: Tree,
    usual: Mapping[str, int | None],
) -> Trace:
    """The trace of a counterexample: the steps that it is about. `usual`: what most machines
    have, by setting."""
    reason = cause.find(replayed.steps, violation, replayed.expected, replayed.private)
    rule = _of_a_rule(violation)
    kept = _relevant(replayed.steps, violation, reason.steps)
    if reason.absent:
        kept = sorted({*kept, *_passed_over(replayed.steps, max(reason.steps, default=-1), tree)})
    position = {old: new for new, old in enumerate(kept)}
    return Trace(
        config=dict(replayed.settings),
        steps=(
            *(_shown(replayed.steps[i], program, tree) for i in kept),
            *_seen(replayed, violation),
        ),
        violation=Shown(
            register=short(violation.register),
            expected=None if rule else replayed.expected,
            observed=None if rule else replayed.observed,
            text=violation.text,
        ),
        cause=Cause(reason.text, tuple(position[i] for i in reason.steps), reason.advice),
        replayed=True,
        notable=tuple(n for n, value in replayed.settings.items() if usual.get(n) != value),
    )


def end_state(
    consequences: Mapping[str, Mapping[str, str]], parameters: Sequence[Parameter]
) -> str:
    """Under which hardware a broken rule leads to a wrong end state: by parameter and value it is
    "wrong", "right" or "unknown"; nothing where nobody asked."""
    ends = {end for by in consequences.values() for end in by.values()}
    if not ends:
        return ""
    if len(ends) == 1:
        return {
            "wrong": "the end state is wrong",
            "right": "the end state is right all the same",
        }.get(ends.pop(), "whether the end state is wrong is not known")
    texts = []
    for parameter in parameters:
        by = consequences.get(parameter.name, {})
        if set(by.values()) == {"wrong", "right"}:
            wrong = " or ".join(v for v in parameter.values if by[v] == "wrong")
            texts.append(f"the end state is wrong only under {parameter.name}={wrong}")
    return "; ".join(texts) or "whether the end state is wrong is not known for all hardware"


def _of_a_rule(violation: Violation) -> bool:
    """It is about what happens, so that there are no values to compare."""
    return bool(violation.late or violation.rule) or violation.kind in (REFUSED, FAULTS)


def _relevant(steps: Sequence[Step], violation: Violation, named: Sequence[int]) -> list[int]:
    """The steps that touch what the property is about, and those that bring such a step about:
    accesses with an effect on it, and what the cause names. Changes only, but for accesses of the
    violated register itself. Interrupts and switches to other state are always a part of the
    story."""
    about = {violation.register, violation.late, violation.follows} - {""}
    kept = set(named)
    for i, step in enumerate(steps):
        if step.op == SKIP or (step.op.startswith(BREAKS) and not violation.rule):
            continue
        if step.op == cause.INTERRUPT and step.before != step.after:
            kept.add(i)
        if step.op == cause.SWITCH:
            kept.add(i)
        name = short(step.register)
        if step.register in about or (f"ghost.{name}" == step.register and f"hw.{name}" in about):
            kept.add(i)
            if step.op == cause.EFFECT and i:
                kept.add(i - 1)
    if violation.rule:
        # Nothing but what changes the controls explains why something counts.
        changes = [i for i, s in enumerate(steps) if s.before != s.after]
        names = {short(steps[at].register) for at in named}
        kept |= {i for i in changes if steps[i].op == cause.WRITE}
        kept |= {
            i
            for i in changes
            if steps[i].op == cause.ACCEPTED and short(steps[i].register) in names
        }
        kept |= {i for at in kept for i in _asked(steps, at)}
    return sorted(kept)


def _asked(steps: Sequence[Step], at: int) -> list[int]:
    """The access that a step answers, if any."""
    phase = steps[at].phase
    return [i for i, s in enumerate(steps[:at]) if s.op == cause.ASKED and s.phase == phase][-1:]


def _passed_over(steps: Sequence[Step], since: int, tree: Tree) -> list[int]:
    """Where the patch's own lines did nothing after a step: what should have been done may be
    there."""
    return [
        i
        for i, step in enumerate(steps)
        if i > since
        and step.op == SKIP
        and step.loc is not None
        and tree.mark(step.loc.file, step.loc.line)
    ]


def _seen(replayed: Replay, violation: Violation) -> list[TraceStep]:
    """The end of a run that shows a wrong value: who finds it."""
    if _of_a_rule(violation):
        return []
    op = {"put": "left", READ: "read"}.get(violation.phase, "guest finds")
    if violation.kind == CHECK:
        op = "left"
    value, register = replayed.observed, short(violation.register)
    return [TraceStep(replayed.end, None, None, None, None, op, register, value, value)]


def _shown(step: Step, program: Program, tree: Tree) -> TraceStep:
    file, line, code, mark = None, None, None, None
    # What is skipped and what breaks a rule are no changes of a register.
    changes = step.op != SKIP and not step.op.startswith(BREAKS)
    if step.loc is not None:
        file, line = step.loc.file, step.loc.line
        code = program.line(file, line)
        mark = tree.mark(file, line)
    return TraceStep(
        phase=step.phase,
        file=file,
        line=line,
        function=step.function or None,
        code=code,
        op=step.op,
        register=short(step.register) or None,
        before=step.before if changes else None,
        after=step.after if changes else None,
        note=step.note,
        patch_line=mark,
    )
