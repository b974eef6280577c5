"""From a tree to a report: it is read, encoded and judged."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from proofs import catalogue
from verify import output, replaced, unapplied
from verify.certified import certified
from verify.crosscheck.emit import emit
from verify.encode.switch import Switch
from verify.encode.unknown import POINTERS
from verify.errors import BadInput, InternalError
from verify.explain.replay import replay
from verify.inputs import described
from verify.judged import Judged, judge_all
from verify.outside import outside
from verify.prove.ask import Solve
from verify.prove.goal import UNSAT, Answer, Goal
from verify.prove.process import solve_all
from verify.prove.race import isolated
from verify.relations import Work, program_of, works_of
from verify.request import Request
from verify.result import UNKNOWN, NotUnderstood, Report, Result
from verify.source.overlay import PatchReport
from verify.source.program import CProgram
from verify.source.tree import Tree
from verify.target import Target


@isolated()
def prove(
    tree: Tree,
    patches: Sequence[PatchReport],
    target: Target,
    request: Request,
    broken: str,
    began: float,
) -> Report:
    """Check a tree to which `patches` have been applied, and write what the request names.

    `broken`: see `frame.broken`. `began`: when, by time.monotonic(). BadInput as for `check.run`.
    """
    progress = request.progress
    progress.stage("read")
    program = program_of(tree, target, request.defines)
    progress.stage("encode")
    works = works_of(target, program, request)
    switch = works[0].switch
    properties = [prop for work in works for prop in work.properties]
    names = tuple(p.name for p in properties)
    stands = replaced.names(target, program)
    functions = stands.union(
        (framed.function for framed in target.frames), *(work.switch.functions for work in works)
    )
    files = {framed.file for framed in target.frames}
    summaries = [
        unapplied.summary(patch, names, functions, files, program, tree) for patch in patches
    ]
    blocked = next((f"{h.file}:{h.line}" for p in summaries for h in p.failed if h.affects), "")
    progress.stage("prove")
    solve = _solver(request)
    _require_machine(switch, request, solve)
    modelled = replaced.changed(tree, stands)
    judged: list[Judged] = []
    if blocked or broken or modelled:
        reason = broken or f"the patch changes {modelled}, which the model stands for"
        if blocked:
            reason = f"depends on the hunk {blocked}, which did not apply"
        results = [
            Result(p.name, p.family, UNKNOWN, reason, statement=p.statement) for p in properties
        ]
    else:
        judged = judge_all(works, solve, program, tree)
        results = [item.result for item in judged]
        if request.emit_c is not None:
            _emit_c(request.emit_c, judged, program, tree, request.defines)
    progress.stage("")
    not_understood = _not_understood(works)
    read = {*target.dialect(request.defines).files, *files}
    report = Report(
        input=described(tree, request, target, summaries, outside(tree, read, functions)),
        assumptions=(*target.assumptions, *((POINTERS,) if not_understood else ())),
        not_understood=not_understood,
        results=tuple(results),
        seconds=time.monotonic() - began,
    )
    if request.certificates is None:
        return report
    return certified(report, judged, tree, target, request, request.certificates)


def _solver(request: Request) -> Solve:
    def solve(goals: Sequence[Goal]) -> Mapping[str, Answer]:
        request.progress.asked(len(goals))
        answers = {}
        for goal, answer in solve_all(goals, jobs=request.jobs, timeout=request.timeout):
            request.progress.answered()
            answers[goal.name] = answer
        if len(answers) != len(goals):
            raise InternalError("two goals share a name")
        return answers

    return solve


def _require_machine(switch: Switch, request: Request, solve: Solve) -> None:
    """BadInput when no machine has what the user fixed: every proof would be of nothing."""
    given = [f"--config {name}={value}" for name, value in request.config.items()]
    given += [f"--hardware {name}={value}" for name, value in request.hardware.items()]
    fixed = dict(zip(given, switch.pinned, strict=True))

    def excluded(names: Sequence[str]) -> bool:
        goal = Goal("machine", (*switch.config, *(fixed[name] for name in names)))
        return solve([goal])[goal.name].status == UNSAT

    if not given or not excluded(given):
        return
    for name in list(given):
        rest = [other for other in given if other != name]
        if excluded(rest):
            given = rest
    if not given:
        raise BadInput("the tree allows no configuration at all; see --define and --patch")
    raise BadInput(
        f"{' '.join(given)}: with this kernel no machine and guest can be like this;"
        " change or drop one"
    )


def _emit_c(
    path: Path,
    judged: Sequence[Judged],
    program: CProgram,
    tree: Tree,
    defines: Mapping[str, str],
) -> None:
    """Write the first counterexample as a C program; nothing when there is none."""

    for item in judged:
        judgement = item.judgement
        if item.result.trace is None or judgement is None or judgement.scenario is None:
            continue
        target, scenario, model = item.switch.target, judgement.scenario, judgement.model
        watch, cells = catalogue.observers(target, program), catalogue.monitors(target, program)
        shown = replay(target, program, scenario, model, watch, cells)
        name = f"{tree.root} ({tree.version})"
        text = emit(target, program, defines, scenario, model, cells, shown, item.result, name)
        output.write(path, text, "--emit-c")
        return


def _not_understood(works: Sequence[Work]) -> tuple[NotUnderstood, ...]:
    names = tuple(prop.name for work in works for prop in work.properties)
    found = {
        (item.file, item.line, item.text): item
        for work in works
        for item in work.switch.not_understood
    }
    return tuple(
        NotUnderstood(item.file, item.line, item.text, item.reason, names)
        for item in found.values()
    )
