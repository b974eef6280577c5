"""The main job: tree and patches in, report out."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import models.reference
import models.targets
from proofs import catalogue, order
from verify.encode.switch import Switch, build
from verify.errors import BadInput
from verify.explain import tell
from verify.explain.replay import replay
from verify.ir.program import Program
from verify.prove.goal import Answer, Goal
from verify.prove.judge import Judge, Judgement
from verify.prove.process import solve_all
from verify.prove.property import Property
from verify.request import Request, require_known, select
from verify.result import FailedHunk, Input, NotUnderstood, PatchSummary, Report, Result
from verify.source.mail import order_series, read_input, split_messages
from verify.source.overlay import PatchReport, apply
from verify.source.patch import parse_patch
from verify.source.program import CProgram
from verify.source.tree import Tree, open_tree
from verify.target import Target


def run(request: Request) -> Report:
    """Check a tree. Raises BadInput for what the user can put right."""
    began = time.monotonic()
    target = find_target(request.target)
    root = request.kernel or Path(models.reference.__file__).parent / "tree"
    plain = open_tree(root, target.required)
    tree, patches = _patched(plain, request.patches)
    program = _program(tree, target, request.defines)
    switch = build(
        target,
        program,
        [order.observer(target)],
        order.monitors(target),
        request.config,
        request.hardware,
    )
    properties = _selected(catalogue.properties(switch), request.properties)

    def solve(goals: Sequence[Goal]) -> Mapping[str, Answer]:
        return {
            goal.name: answer
            for goal, answer in solve_all(goals, jobs=request.jobs, timeout=request.timeout)
        }

    touching = {
        (p.subject, h.file, h.line): _touches(h.file, h.scope, switch, program, tree)
        for p in patches
        for h in p.failed
    }
    names = tuple(p.name for p in properties)
    blocked = next((f"{f}:{n}" for (_, f, n), hit in touching.items() if hit), "")
    results = [
        _result(judgement, switch, program, tree, blocked)
        for judgement in Judge(switch, solve).judge(properties)
    ]
    summaries = tuple(
        PatchSummary(
            p.subject,
            p.message_id,
            p.applied,
            tuple(
                FailedHunk(
                    h.file,
                    h.line,
                    h.reason,
                    names if touching[p.subject, h.file, h.line] else (),
                )
                for h in p.failed
            ),
        )
        for p in patches
    )
    return Report(
        input=Input(
            kernel=str(request.kernel) if request.kernel else None,
            kernel_version=tree.version,
            target=target.name,
            defines=dict(request.defines),
            config=dict(request.config),
            hardware=dict(request.hardware),
            patches=summaries,
        ),
        assumptions=tuple(target.assumptions),
        not_understood=_not_understood(switch, properties),
        results=tuple(results),
        seconds=time.monotonic() - began,
    )


def listing(request: Request, what: str) -> list[tuple[str, str]]:
    """Names with a line each: targets, properties, registers, assumptions."""
    if what == "targets":
        return [(n, models.targets.find(n).title) for n in models.targets.names()]
    target = find_target(request.target)
    if what == "assumptions":
        return [(a.id, a.text) for a in target.assumptions]
    root = request.kernel or Path(models.reference.__file__).parent / "tree"
    program = _program(open_tree(root, target.required), target, request.defines)
    if what == "registers":
        return [(r.name, f"{r.count} x {r.width} bits") for r in target.registers(program)]
    watch, cells = [order.observer(target)], order.monitors(target)
    switch = build(target, program, watch, cells, {}, {})
    return [(p.name, p.statement) for p in catalogue.properties(switch)]


def find_target(name: str) -> Target:
    """The target of this name; BadInput lists the known ones."""
    require_known("--target", name, models.targets.names())
    return models.targets.find(name)


def _patched(tree: Tree, sources: Sequence[str]) -> tuple[Tree, list[PatchReport]]:
    messages = [m for s in sources for m in split_messages(read_input(s), s)]
    if not messages:
        return tree, []
    return apply(tree, [parse_patch(m) for m in order_series(messages)])


def _program(tree: Tree, target: Target, defines: Mapping[str, str]) -> Program:
    if defines:
        plain = CProgram(tree, target.dialect({}))
        for name in defines:
            if plain.constant(name) is None:
                raise BadInput(f"--define {name}: the tree has no such constant")
    program = CProgram(tree, target.dialect(defines))
    return program


def _selected(properties: list[Property], globs: Sequence[str]) -> list[Property]:
    chosen = set(select([p.name for p in properties], globs))
    return [p for p in properties if p.name in chosen]


def _touches(file: str, scope: Sequence[str], switch: Switch, program: Program, tree: Tree) -> bool:
    """Could a hunk that did not apply have changed what was checked?"""
    used = program.sources()
    if not scope:
        return any(f == file for f, _, _ in used)
    if any(name in switch.functions for name in scope):
        return True
    words = re.compile(r"\b(" + "|".join(map(re.escape, scope)) + r")\b")
    for path, first, last in used:
        lines = (tree.read(path) or "").split("\n")[first - 1 : last]
        if any(words.search(line) for line in lines):
            return True
    return False


def _result(
    judgement: Judgement, switch: Switch, program: Program, tree: Tree, blocked: str
) -> Result:
    prop, verdict, reason, trace = judgement.prop, judgement.verdict, judgement.reason, None
    if judgement.scenario is not None:
        target = switch.target
        watch, cells = [order.observer(target)], order.monitors(target)
        shown = replay(target, program, judgement.scenario, judgement.model, watch, cells)
        if shown.reproduced:
            trace = tell.trace(shown, judgement.scenario.violation, program, tree)
            reason = _ends_wrong(judgement.consequences)
        elif shown.reproduced is None:
            verdict = "unknown"
            reason = f"the counterexample passes through what is not modelled: {shown.reason}"
        else:
            verdict = "unknown"
            reason = "internal error: the counterexample does not replay"
    if blocked and verdict != "unknown":
        verdict, trace = "unknown", None
        reason = f"depends on the hunk {blocked}, which did not apply"
    return Result(
        property=prop.name,
        family=prop.family,
        verdict=verdict,
        reason=reason,
        seconds=judgement.seconds,
        variants=judgement.variants if verdict == "refuted" else {},
        certificate=None,
        trace=trace,
    )


def _ends_wrong(consequences: Mapping[str, Mapping[str, str]]) -> str:
    """Under which hardware a broken rule leads to a wrong end state."""
    texts = []
    for name, values in consequences.items():
        wrong = [v for v, verdict in values.items() if verdict == "wrong"]
        if wrong and len(wrong) < len(values):
            texts.append(f"the end state is wrong only under {name}={' or '.join(wrong)}")
    if consequences and not texts:
        every = all(v == "wrong" for values in consequences.values() for v in values.values())
        return "the end state is wrong" if every else "the end state is right all the same"
    return "; ".join(texts)


def _not_understood(switch: Switch, properties: Sequence[Property]) -> tuple[NotUnderstood, ...]:
    seen = {}
    for item in switch.not_understood:
        seen[item.file, item.line, item.text] = item
    names = tuple(p.name for p in properties)
    return tuple(
        NotUnderstood(item.file, item.line, item.text, item.reason, names) for item in seen.values()
    )
