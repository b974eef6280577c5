"""The main job: tree and patches in, report out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import models.reference
import models.targets
from proofs import catalogue
from verify import cache, digest, frame, output, replaced, unapplied
from verify.encode.switch import Switch, build
from verify.encode.system import System
from verify.encode.unknown import POINTERS
from verify.errors import BadInput, InternalError
from verify.explain import tell
from verify.explain.replay import replay
from verify.ir.nodes import Function, Unmodelled
from verify.ir.program import Program
from verify.ir.types import VOID
from verify.prove import certificate
from verify.prove.ask import Solve
from verify.prove.context import Context
from verify.prove.export import export
from verify.prove.goal import UNSAT, Answer, Goal
from verify.prove.judge import Judge, Judgement
from verify.prove.process import solve_all
from verify.prove.property import Property
from verify.report import json
from verify.request import Request, require_known, select
from verify.result import (
    NMI,
    PROVED,
    REFUTED,
    UNKNOWN,
    FailedHunk,
    Input,
    NotUnderstood,
    PatchSummary,
    Report,
    Result,
)
from verify.source.changes import changes
from verify.source.mail import name_of, order_series, read_input, split_messages
from verify.source.overlay import PatchReport, apply
from verify.source.patch import Patch, parse_patch
from verify.source.program import CProgram
from verify.source.tree import Tree, open_tree
from verify.target import Target


def run(request: Request) -> Report:
    """Check a tree as the user names it. Raises BadInput for what the user can put right."""
    tree, patches = _patched(tree_of(request), request.patches)
    return check_tree(tree, patches, request)


def tree_of(request: Request) -> Tree:
    """The tree that the user names, without patches. BadInput when it cannot be used."""
    return open_tree(_root(request), find_target(request.target).required)


def _root(request: Request) -> Path:
    return request.kernel or Path(str(models.reference.__file__)).parent / "tree"


def check_tree(tree: Tree, patches: Sequence[PatchReport], request: Request) -> Report:
    """Check a tree to which `patches` have been applied. BadInput as for `run`."""
    began = time.monotonic()
    target = find_target(request.target)
    # An earlier report has no run to make a program of, and no proofs to write.
    cached = request.cache and request.emit_c is None and request.certificates is None
    broken = frame.broken(tree, target, request.defines)
    key = _key(tree, patches, target, request, broken) if cached else ""
    known = _known(key) if key else None
    if known is not None:
        given = _input(tree, request, target, _summaries(patches, known))
        return replace(known, input=given, seconds=time.monotonic() - began)
    report = _check(tree, patches, target, request, broken, began)
    if key and all(r.verdict != UNKNOWN or r.is_vacuous() for r in report.results):
        cache.keep(key, json.render(report))
    return report


def _summaries(patches: Sequence[PatchReport], known: Report) -> Iterator[PatchSummary]:
    """These patches; the earlier report knows what their failed hunks affect."""
    affects = iter([hunk.affects for patch in known.input.patches for hunk in patch.failed])
    for patch in patches:
        failed = (FailedHunk(h.file, h.line, h.reason, next(affects)) for h in patch.failed)
        yield PatchSummary(
            patch.subject,
            patch.message_id,
            patch.applied,
            tuple(failed),
            patch.source,
            patch.attribution,
        )


def _input(
    tree: Tree, request: Request, target: Target, summaries: Iterable[PatchSummary]
) -> Input:
    return Input(
        kernel=str(request.kernel) if request.kernel else None,
        kernel_version=tree.version,
        target=target.name,
        defines=dict(request.defines),
        config=dict(request.config),
        hardware=dict(request.hardware),
        patches=tuple(summaries),
        changes=tuple(changes(tree)),
        compare=request.compare,
        git=request.git,
    )


def _known(key: str) -> Report | None:
    """The earlier report of this key, if there is one that can be read."""
    text = cache.find(key)
    try:
        return None if text is None else json.parse(text)
    except (KeyError, TypeError, ValueError, InternalError):
        return None


def _key(
    tree: Tree, patches: Sequence[PatchReport], target: Target, request: Request, broken: str
) -> str:
    """What the answers depend on: not where the tree lies, nor what its patches are called."""
    touched = tree.touched()
    files = dict.fromkeys(
        (*target.dialect(request.defines).files, *(path for path, _, _ in touched))
    )
    texts = [f"{path}\n{tree.read(path)}" for path in files]
    options = replace(request, kernel=None, patches=(), jobs=1, compare=False, git=None)
    failed = [hunk for patch in patches for hunk in patch.failed]
    return cache.digest([repr(options), repr(failed), repr(touched), broken, *texts])


def _check(
    tree: Tree,
    patches: Sequence[PatchReport],
    target: Target,
    request: Request,
    broken: str,
    began: float,
) -> Report:
    progress = request.progress
    progress.stage("read")
    program = program_of(tree, target, request.defines)
    progress.stage("encode")
    works = _works(target, program, request)
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
    judged: list[_Judged] = []
    if blocked or broken or modelled:
        reason = broken or f"the patch changes {modelled}, which the model stands for"
        if blocked:
            reason = f"depends on the hunk {blocked}, which did not apply"
        results = [
            Result(p.name, p.family, UNKNOWN, reason, statement=p.statement) for p in properties
        ]
    else:
        judged = _judged(works, solve, program, tree)
        results = [item.result for item in judged]
        if request.emit_c is not None:
            _emit_c(request.emit_c, judged, program, tree, request.defines)
    progress.stage("")
    not_understood = _not_understood(works)
    report = Report(
        input=_input(tree, request, target, summaries),
        assumptions=(*target.assumptions, *((POINTERS,) if not_understood else ())),
        not_understood=not_understood,
        results=tuple(results),
        seconds=time.monotonic() - began,
    )
    if request.certificates is None:
        return report
    facts = _facts(report, tree, target, request)
    return _certified(report, judged, facts, request.certificates)


def _certified(
    report: Report, judged: Sequence[_Judged], facts: dict[str, Any], folder: Path
) -> Report:
    """The report, with its proofs in the folder; in one within those with interrupts."""
    began = time.monotonic()
    proofs = [item for item in judged if item.result.verdict == PROVED]
    if not proofs:
        return report
    parts: dict[str, list[_Judged]] = {}
    for item in proofs:
        interrupted = item.result.property.startswith(NMI)
        parts.setdefault(certificate.INTERRUPTED if interrupted else ".", []).append(item)
    texts: dict[str, str] = {}
    for part, items in parts.items():
        context, judgements = items[0].context, [i.judgement for i in items if i.judgement]
        assert context is not None and len(judgements) == len(items)
        found = certificate.files(context, judgements, {**facts, "parts": list(parts)})
        texts |= {f"{part}/{name}": text for name, text in found.items()}
    output.write_folder("--certificates", folder, texts)
    proved = {item.result.property for item in proofs}
    where = str(folder)
    results = (replace(r, certificate=where) if r.property in proved else r for r in report.results)
    seconds = report.seconds + time.monotonic() - began
    return replace(report, results=tuple(results), seconds=seconds)


def switch_of(request: Request) -> Switch:
    """The relations of a tree as the user names it.

    BadInput as for `run`, and for a patch of which something cannot be checked.
    """
    target = find_target(request.target)
    tree, patches = _patched(tree_of(request), request.patches)
    failed = [hunk for patch in patches for hunk in patch.failed]
    if failed:
        raise BadInput(f"--patch: {failed[0].file}:{failed[0].line} does not apply; see check")
    switch = _switch(target, program_of(tree, target, request.defines), request)
    if broken := frame.broken(tree, target, request.defines):
        raise BadInput(f"{tree.root}: {broken}")
    if modelled := replaced.changed(tree, replaced.names(target, switch.program)):
        raise BadInput(f"--patch: changes {modelled}, which the model stands for")
    return switch


def exported(request: Request) -> dict[str, System]:
    """The transition systems of the properties, by name. BadInput as for `switch_of`."""
    switch = switch_of(request)
    found = {}
    properties = catalogue.properties(switch)
    names = set(select([prop.name for prop in properties], request.properties))
    for prop in (prop for prop in properties if prop.name in names):
        systems = export(switch, prop)
        for k, system in enumerate(systems):
            found[prop.name if len(systems) == 1 else f"{prop.name}-{k}"] = system
    return found


def _facts(report: Report, tree: Tree, target: Target, request: Request) -> dict[str, Any]:
    """What the proofs are about: tool, input, sources as they lie and as they were checked."""
    whole = json.as_object(report)
    root = _root(request).resolve()
    listed = (*target.dialect(request.defines).files, *(framed.file for framed in target.frames))
    files = [f for f in dict.fromkeys(listed) if tree.read(f) is not None]
    return {
        "tool": {**whole["tool"], "parts": digest.parts()},
        "input": whole["input"],
        "assumptions": whole["assumptions"],
        "not_understood": whole["not_understood"],
        "sources": {
            "root": str(root) if request.kernel else None,
            "lie": {f: _file_digest(root / f) for f in files if (root / f).is_file()},
            "checked": {f: tree.digest(f) for f in files},
        },
    }


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Work:
    """A switch and what is asked of it."""

    switch: Switch
    properties: list[Property]


def _works(target: Target, program: Program, request: Request) -> list[_Work]:
    """The switch, and the same with interrupts where that is asked for."""
    plain = _switch(target, program, request)
    found = catalogue.properties(plain)
    chosen = [prop.name for prop in found]
    if target.interrupted is not None:
        chosen += [NMI + name for name in chosen]
    names = set(select(chosen, request.properties))
    works = [_Work(plain, [prop for prop in found if prop.name in names])]
    if target.interrupted is not None and any(name.startswith(NMI) for name in names):
        switch = _switch(target.interrupted, program, request, plain.mutable)
        found = [
            replace(prop, name=NMI + prop.name, statement=f"{prop.statement}, whenever an NMI hits")
            for prop in catalogue.properties(switch)
        ]
        works.append(_Work(switch, [prop for prop in found if prop.name in names]))
    return works


def _switch(
    target: Target, program: Program, request: Request, mutable: Set[str] = frozenset()
) -> Switch:
    watch, cells = catalogue.observers(target, program), catalogue.monitors(target, program)
    return build(target, program, watch, cells, request.config, request.hardware, mutable)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A result with what it stands on; no judgement where another one's is enough."""

    result: Result
    switch: Switch
    judgement: Judgement | None = None
    context: Context | None = None


def _judged(works: Sequence[_Work], solve: Solve, program: Program, tree: Tree) -> list[_Judged]:
    """Results for all that is asked of the switch, and then of the one with interrupts: what goes
    wrong without them on any hardware goes wrong with them, too."""
    found: dict[str, _Judged] = {}
    wanted = {prop.name: prop for work in works for prop in work.properties}
    calm: Context | None = None
    for work in works:
        judge = Judge(work.switch, solve, part=calm)
        calm = judge.context
        for judgement in judge.judge([p for p in work.properties if p.name not in found]):
            result = _result(judgement, work.switch, program, tree)
            found[result.property] = _Judged(result, work.switch, judgement, judge.context)
            if result.verdict == REFUTED and judgement.is_refuted_always():
                same = wanted.get(NMI + result.property)
                if same is not None:
                    copy = replace(result, property=same.name, statement=same.statement)
                    found[same.name] = _Judged(copy, work.switch)
    return [found[name] for name in wanted]


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


def listing(request: Request, what: str) -> list[tuple[str, str]]:
    """Names with a line each: targets, properties, registers, assumptions."""
    if what == "targets":
        return [(n, models.targets.find(n).title) for n in models.targets.names()]
    target = find_target(request.target)
    if what == "assumptions":
        return [(a.id, a.text) for a in target.assumptions]
    if what == "hardware":
        return [(p.name, f"{' | '.join(p.values)}: {p.text}") for p in target.parameters]
    if what == "config":
        return [(setting.name, setting.text) for setting in target.settings]
    program = program_of(tree_of(request), target, request.defines)
    if what == "registers":
        return [(r.name, f"{r.count} x {r.width} bits") for r in target.registers(program)]
    return [(p.name, p.statement) for _, p in every_property(request, program)]


def every_property(request: Request, program: Program) -> list[tuple[Switch, Property]]:
    """All that can be asked of the tree, each with the relations that it is about."""
    all_of = replace(request, config={}, hardware={}, properties=())
    works = _works(find_target(request.target), program, all_of)
    return [(work.switch, prop) for work in works for prop in work.properties]


def load(request: Request) -> tuple[Tree, list[PatchReport], Target, CProgram]:
    """The tree that a request names, with its patches, and the target's program of it. BadInput
    as for `run`."""
    target = find_target(request.target)
    tree, patches = _patched(tree_of(request), request.patches)
    return tree, patches, target, program_of(tree, target, request.defines)


def find_target(name: str) -> Target:
    """The target of this name; BadInput lists the known ones."""
    require_known("--target", name, models.targets.names())
    return models.targets.find(name)


def read_patches(sources: Sequence[str]) -> list[Patch]:
    """All patches of the named inputs, in the order of their series. BadInput as for `run`."""
    messages = [m for s in sources for m in split_messages(read_input(s), name_of(s))]
    return [parse_patch(m) for m in order_series(messages)] if messages else []


def _patched(tree: Tree, sources: Sequence[str]) -> tuple[Tree, list[PatchReport]]:
    patches = read_patches(sources)
    return apply(tree, patches) if patches else (tree, [])


def program_of(tree: Tree, target: Target, defines: Mapping[str, str]) -> CProgram:
    """What the tree says of the target. BadInput when that is not enough for it."""
    if defines:
        plain = CProgram(tree, target.dialect({}))
        for name in defines:
            if plain.constant(name) is None:
                raise BadInput(f"--define {name}: the tree has no such constant")
    program = CProgram(tree, target.dialect(defines))
    missing = [name for name in target.functions if not _has_head(program.function(name))]
    if missing:
        raise BadInput(
            f"{tree.root} ({tree.version}): no function {', '.join(missing[:3])} that can be read;"
            f" give a kernel tree that has what {target.name} checks"
        )
    return program


def _has_head(function: Function | None) -> bool:
    """Whether models can call it. Of a head that is no C neither parameters nor result are known:
    nothing is left but the whole text."""
    if function is None or function.parameters or function.result != VOID:
        return function is not None
    return not any(isinstance(s, Unmodelled) and s.loc == function.loc for s in function.body)


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
    )


def _emit_c(
    path: Path,
    judged: Sequence[_Judged],
    program: CProgram,
    tree: Tree,
    defines: Mapping[str, str],
) -> None:
    """Write the first counterexample as a C program; nothing when there is none."""
    from verify.crosscheck.emit import emit

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


def _not_understood(works: Sequence[_Work]) -> tuple[NotUnderstood, ...]:
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
