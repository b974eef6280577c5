"""Whether the kernel takes the steps of a switch in the order that the model has them in.

The model does not run the function that calls the switch's parts: it takes for granted in which
order they come. That is read from the tree here (see `verify.target.Frame`). Where it does not
hold, nothing that the model says is about this kernel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from verify.ir.program import Dialect
from verify.source.build import Unsupported
from verify.source.c_lex import strip_comments
from verify.source.index import Index
from verify.source.scope import speakers
from verify.source.skeleton import BRANCH, ENTRY, RETURN, Step, skeleton
from verify.source.tree import Tree
from verify.target import Callers, Frame, Target


def broken(tree: Tree, target: Target, defines: Mapping[str, str]) -> str:
    """Where and how the tree departs from the target's frames, in words, or nothing."""
    dialect = target.dialect(defines)
    found = next(filter(None, (_departure(tree, frame, dialect) for frame in target.frames)), "")
    found = found or _stranger(tree, target.callers, dialect)
    return f"the frame does not hold: {found}" if found else ""


def _departure(tree: Tree, frame: Frame, dialect: Dialect) -> str:
    index = Index(tree.read, (frame.file,), dialect.config, "", dialect.defines)
    try:
        steps = skeleton(index, frame.function, frame.file)
    except Unsupported as error:
        return f"{frame.file}: {frame.function}() cannot be read: {error}"
    found = departure(steps, frame)
    return f"{frame.file}:{found[0]} {frame.function}(): {found[1]}" if found else ""


def departure(steps: tuple[Step, ...], frame: Frame) -> tuple[int, str] | None:
    """Where (line) and how a function departs from its frame on some path, if it does. What is in
    the wrong place comes before what is not known."""
    by_start: dict[int, list[Step]] = {}
    for step in steps:
        by_start.setdefault(step.start, []).append(step)
    seen = {(ENTRY, frame.start)}
    ahead = deque(seen)
    misplaced: list[tuple[int, str]] = []
    unknown: list[tuple[int, str]] = []
    while ahead:
        place, state = ahead.popleft()
        for step in by_start.get(place, ()):
            after = _after(step, state, frame)
            if after is None:
                misplaced.append((step.line, f"{_told(step, frame)} {state}"))
                continue
            if state in frame.closed and not _harmless(step, frame):
                told = f"{step.names[-1]}(), which the model does not know, is called {state}"
                unknown.append((step.line, told))
            if (step.end, after) not in seen:
                seen.add((step.end, after))
                ahead.append((step.end, after))
    if not misplaced and frame.reached not in {state for _, state in seen}:
        misplaced.append((steps[-1].line, f"does nothing {frame.reached}"))
    return next(iter((*misplaced, *unknown)), None)


def _known(step: Step, frame: Frame) -> str:
    """The name of a step that the frame has a say about, or nothing."""
    return next((name for name in step.names if name in frame.calls), "")


def _told(step: Step, frame: Frame) -> str:
    return "returns" if step.names[0] == RETURN else f"{_known(step, frame)}() is called"


def _is_call(step: Step) -> bool:
    return bool(step.names) and not step.names[0].startswith((RETURN, BRANCH))


def _harmless(step: Step, frame: Frame) -> bool:
    named = bool(_known(step, frame)) or not frame.harmless.isdisjoint(step.names)
    return named or not _is_call(step)


def _after(step: Step, state: str, frame: Frame) -> str | None:
    """The state after a step, None where the step must not be taken."""
    if step.names[:1] == (RETURN,):
        return state if state in frame.ends else None
    event = frame.calls.get(_known(step, frame), "")
    # A branch says something in some states only.
    return frame.moves.get((state, event), None if event and _is_call(step) else state)


def _stranger(tree: Tree, rules: Sequence[Callers], dialect: Dialect) -> str:
    """Who speaks of a call that is not for it."""
    paths = {path for path, _, _ in tree.touched()}.union(dialect.files)
    paths.update(path for folder in {rule.folder for rule in rules} for path in tree.paths(folder))
    for path in sorted(paths):
        text = tree.read(path) or ""
        for rule in rules:
            if any(name in text for name in rule.calls) and (how := _spoken(text, rule)):
                return f"{path}:{how}"
    return ""


def _spoken(text: str, rule: Callers) -> str:
    stripped = strip_comments(text)
    spoken = ((line, name, who) for name in rule.calls for who, line in speakers(stripped, name))
    for line, name, who in sorted(spoken):
        if who not in rule.functions:
            allowed = " and ".join(f"{function}()" for function in rule.functions)
            return f"{line}: {name}() is spoken of outside of {allowed}"
    return ""
