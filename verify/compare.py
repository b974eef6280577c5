"""Several trees, one after the other: what a patch, each of a series or each commit changes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial

from verify import check, replaced
from verify.errors import BadInput
from verify.inputs import find_target, read_patches, tree_of
from verify.relations import program_of
from verify.request import NothingMatches, Request
from verify.result import (
    FIXES,
    INTRODUCES,
    KEEPS,
    LEAVES,
    PROVED,
    REFUTED,
    UNKNOWN,
    Report,
    Result,
    Stage,
    Turn,
)
from verify.source.git import Repository
from verify.source.overlay import Overlay, PatchReport, apply_each
from verify.source.tree import Tree, require
from verify.target import Target

_C = (".c", ".h", ".S")

Patched = tuple[Tree, Sequence[PatchReport]]


@dataclass(frozen=True, slots=True)
class Point:
    """A tree on the way. `open`: gives it, with the patches that were applied. `parents`: those
    that it grew from, by index, all of them before it. `modelled`: a function that was changed on
    the way although the model stands for it, so that nothing can be said."""

    name: str
    open: Callable[[], Patched]
    parents: tuple[int, ...] = ()
    commit: str | None = None
    modelled: str = ""


def run(request: Request) -> Report:
    """The report of a patched tree, or of the last commit of a range, beside what was before.

    BadInput as of check.run. A tree on the way that cannot be checked is told, and no error.
    """
    if request.git is None:
        return _series(request)
    if request.kernel is None:
        raise BadInput("--git: give the repository that has the commits with --kernel")
    with closing(Repository(request.kernel)) as repository:
        return _commits(request, repository, request.git)


def _series(request: Request) -> Report:
    patches = read_patches(request.patches)
    if not patches:
        raise BadInput("--compare: give the patch to compare with --patch")
    plain = tree_of(request)
    points = [Point("base", partial(_given, plain, []))]
    for number, (tree, reports) in enumerate(apply_each(plain, patches)):
        name = reports[-1].subject or reports[-1].source
        points.append(Point(name, partial(_given, tree, reports), (number,)))
    return compared(points, request)


def _given(tree: Tree, reports: Sequence[PatchReport]) -> Patched:
    return tree, reports


def _opened(repository: Repository, commit: str, required: Sequence[str]) -> Patched:
    tree = repository.tree(commit)
    require(tree, required)
    return tree, []


def _commits(request: Request, repository: Repository, text: str) -> Report:
    target = find_target(request.target)
    files = (*target.dialect(request.defines).files, *(frame.file for frame in target.frames))
    base, tip = repository.range(text)
    model = _Model(repository, base, tip, target, request)

    points: list[Point] = []
    index: dict[str, int] = {}

    def add(name: str, commit: str, parents: Sequence[str] = ()) -> None:
        index[commit] = len(points)
        open_ = partial(_opened, repository, commit, target.required)
        before = tuple(index[parent] for parent in parents)
        modelled = model.changed(commit) if parents else ""
        points.append(Point(name, open_, before, commit, modelled))

    add("base", base)
    for commit in repository.commits(base, tip, (*files, *model.paths)):
        for parent in commit.parents:
            if parent not in index:  # it is outside of the range
                add("before", parent)
        add(commit.subject, commit.hash, commit.parents)
    if tip not in index:  # it touches none of the files
        add(repository.subject(tip), tip, [points[-1].commit or base])
    return compared(points, request)


class _Model:
    """Watches the functions that the model stands for: as with patches, nothing is said of a commit
    that has others than the base of the range. `paths`: files of the range that speak of them, or
    of calls that only some may make."""

    def __init__(
        self, repository: Repository, base: str, tip: str, target: Target, request: Request
    ) -> None:
        ends = [repository.tree(commit) for commit in (base, tip)]
        require(ends[1], target.required)
        program = program_of(ends[1], target, request.defines)
        self._names = replaced.names(target, program)
        self._repository, self._base = repository, base
        own = (name for callers in target.callers for name in callers.calls)
        words = "|".join(map(re.escape, sorted(self._names.union(own))))
        spoken = re.compile(rf"(?<!\w)(?:{words})(?!\w)")
        self.paths = [
            path
            for path in repository.touched(base, tip)
            if path.endswith(_C) and any(spoken.search(_text(tree, path) or "") for tree in ends)
        ]

    def changed(self, commit: str) -> str:
        """FILE:LINE NAME() of such a function that differs from the base's, or nothing."""
        before, after = self._repository.tree(self._base), self._repository.tree(commit)
        overlay = Overlay(before)
        for path in self.paths:
            old, new = _text(before, path), _text(after, path)
            if new is not None and new != old:
                overlay.rewrite(path, new)
        return replaced.changed(overlay, self._names)


def _text(tree: Tree, path: str) -> str | None:
    try:
        return tree.read(path)
    except BadInput:  # such as a link out of the tree: no C of the kernel
        return None


def compared(points: Sequence[Point], request: Request) -> Report:
    """The report of the last point, beside those before it, of which the first is the base.

    The last one is checked first: what is wrong with the request shows there.
    """
    began = time.monotonic()
    request.progress.tree(1, len(points), points[-1].name)
    final = check.check_tree(*points[-1].open(), request)
    if points[-1].modelled:
        final = _untold(final, points[-1].modelled)
    tried: list[tuple[Report | None, str]] = []
    for number, point in enumerate(points[:-1], start=2):
        request.progress.tree(number, len(points), point.name)
        tried.append(_tried(point, replace(request, certificates=None, emit_c=None)))
    tried.append((final, ""))
    reports = [report for report, _ in tried]
    before = {r.property: r for r in reports[0].results} if reports[0] else None
    results = tuple(_beside(result, before) for result in final.results)
    if asked := _besides(results, before or {}):
        again = replace(request, properties=tuple(asked), apart=asked)
        again = replace(again, certificates=None, emit_c=None)
        rest = check.check_tree(*points[-1].open(), again)
        results = _joined(results, {r.property: r for r in rest.results})
    stages = tuple(
        Stage(point.name, point.commit, _verdicts(report), problem)
        for point, (report, problem) in zip(points, tried, strict=True)
    )
    return replace(
        final,
        results=results,
        series=stages,
        turns=turns([point.parents for point in points], reports),
        seconds=time.monotonic() - began,
    )


def _untold(report: Report, modelled: str) -> Report:
    """Without verdicts."""
    reason = f"a commit changes {modelled}, which the model stands for"
    results = (
        replace(r, verdict=UNKNOWN, reason=reason, trace=None, variants={}, certificate=None)
        for r in report.results
    )
    return replace(report, results=tuple(results))


def _tried(point: Point, request: Request) -> tuple[Report | None, str]:
    """The report, or why there is none. A property that this tree has not got is left out."""
    if point.modelled:
        return None, f"changes {point.modelled}, which the model stands for"
    while True:
        try:
            return check.check_tree(*point.open(), request), ""
        except NothingMatches as error:
            rest = tuple(p for p in request.properties if p != error.pattern)
            if not rest:
                return None, "has none of the properties"
            request = replace(request, properties=rest)
        except BadInput as error:
            return None, str(error)


def _verdicts(report: Report | None) -> Mapping[str, str]:
    return {r.property: r.verdict for r in report.results} if report else {}


def _beside(result: Result, before: Mapping[str, Result] | None) -> Result:
    """With the answer before, where that tree could be checked."""
    if before is None:
        return replace(result, difference=UNKNOWN)
    base = before.get(result.property)
    verdict = base.verdict if base and not base.is_vacuous() else None
    return replace(result, base=verdict, difference=difference(_holds(base), result.verdict))


def _besides(results: Sequence[Result], before: Mapping[str, Result]) -> dict[str, tuple[str, ...]]:
    """The refuted properties that were not proved before, either, with the registers at which they
    were not, where there are others now: what fails there comes with the patch."""
    found = {}
    for result in results:
        base = before.get(result.property)
        if base is None or result.verdict != REFUTED or result.difference not in (LEAVES, UNKNOWN):
            continue
        if base.open is not None and result.open is not None and set(result.open) - set(base.open):
            found[result.property] = base.open
    return found


def _joined(results: Sequence[Result], rest: Mapping[str, Result]) -> tuple[Result, ...]:
    """The results, with what fails at registers at which it did not before in the place of what
    failed there, too."""
    return tuple(_joint(result, rest.get(result.property)) for result in results)


def _joint(result: Result, rest: Result | None) -> Result:
    if rest is None or rest.verdict == PROVED:
        return result
    if rest.trace is None:
        text = f"whether it fails at registers at which it did not before is unknown: {rest.reason}"
        return replace(result, reason="; ".join(filter(None, (text, result.reason))))
    before = "failed" if result.base == REFUTED else "was unknown"
    text = f"{before} before, too, but not at {rest.trace.violation.register}"
    reason = "; ".join(filter(None, (text, rest.reason)))
    return replace(rest, reason=reason, base=result.base, difference=INTRODUCES, open=result.open)


def _holds(result: Result | None) -> bool | None:
    """Nothing violates the property (as where it speaks of nothing), something does, or it is not
    known."""
    if result is None or result.is_vacuous():
        return True
    return {PROVED: True, REFUTED: False}.get(result.verdict)


def difference(before: bool | None, verdict: str) -> str:
    """What a patch does to a property that held, or not, before it."""
    if before is None or verdict == UNKNOWN:
        return UNKNOWN
    if verdict == PROVED:
        return KEEPS if before else FIXES
    return INTRODUCES if before else LEAVES


@dataclass(slots=True)
class _Before:
    """What is known of a property at a point, or of those before it that it may have been since
    `since`."""

    holds: bool | None
    since: frozenset[int] = field(default_factory=frozenset)


def turns(parents: Sequence[tuple[int, ...]], reports: Sequence[Report | None]) -> tuple[Turn, ...]:
    """Where each property begins to fail or to hold, in the order of the points.

    `parents`: by index, before each point. A merge turns a property only when it differs from all
    of its parents.
    """
    names = dict.fromkeys(r.property for report in reports if report for r in report.results)
    found = [turn for name in names for turn in _turns(name, parents, reports)]
    return tuple(sorted(found, key=lambda turn: turn.stages))


def _turns(
    name: str, parents: Sequence[tuple[int, ...]], reports: Sequence[Report | None]
) -> list[Turn]:
    known: list[_Before] = []
    found = []
    for index, report in enumerate(reports):
        before = _merged([known[parent] for parent in parents[index]])
        result = next((r for r in report.results if r.property == name), None) if report else None
        now = _holds(result) if report else None
        if now is None:
            known.append(_Before(before.holds, before.since | {index}))
            continue
        known.append(_Before(now))
        what = difference(before.holds, result.verdict) if result and parents[index] else KEEPS
        if what in (INTRODUCES, FIXES):
            found.append(Turn(name, what, tuple(sorted(before.since | {index}))))
    return found


def _merged(before: Sequence[_Before]) -> _Before:
    """Of all parents: what they agree on."""
    states = {one.holds for one in before}
    since = frozenset[int]().union(*(one.since for one in before))
    return _Before(states.pop() if len(states) == 1 else None, since)
