"""From a refutation to the trace that is shown: replayed, with the kernel's own lines."""

from __future__ import annotations

from verify.explain import cause
from verify.explain.replay import Replay
from verify.ir.interp import Step
from verify.ir.program import Program
from verify.prove.property import Violation
from verify.result import Cause, Trace, TraceStep
from verify.result import Violation as Shown
from verify.source.tree import Tree


def trace(replayed: Replay, violation: Violation, program: Program, tree: Tree) -> Trace:
    """The trace of a counterexample: the steps that change something, or that the cause names."""
    reason = cause.find(replayed.steps, violation, replayed.observed, replayed.expected)
    kept = [
        i
        for i, s in enumerate(replayed.steps)
        if s.before != s.after or i in reason.steps or s.register == violation.register
    ]
    position = {old: new for new, old in enumerate(kept)}
    return Trace(
        config=dict(replayed.settings),
        steps=tuple(_shown(replayed.steps[i], program, tree) for i in kept),
        violation=Shown(
            register=_plain(violation.register),
            expected=replayed.expected,
            observed=replayed.observed,
            text=violation.text,
        ),
        cause=Cause(text=reason.text, steps=tuple(position[i] for i in reason.steps)),
        replayed=True,
    )


def _plain(register: str) -> str:
    return register.split(".", 1)[-1]


def _shown(step: Step, program: Program, tree: Tree) -> TraceStep:
    file, line, code, mark = None, None, "", None
    if step.loc is not None:
        file, line = step.loc.file, step.loc.line
        code = program.line(file, line)
        mark = tree.mark(file, line)
    return TraceStep(
        phase=step.phase,
        file=file,
        line=line,
        function=step.function,
        code=code,
        op=step.op,
        register=_plain(step.register),
        before=step.before,
        after=step.after,
        note=step.note,
        patch_line=mark,
    )
