"""Whether the kernel takes the steps of a switch in the order that the model has them in.

The model does not run the function that calls the switch's parts: it takes for granted in which
order they come. That is read from the tree here (see `verify.target.Frame`). Where it does not
hold, nothing that the model says is about this kernel.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping

from verify.ir.program import Dialect
from verify.source.build import Unsupported
from verify.source.c_lex import strip_comments
from verify.source.index import Index
from verify.source.scope import defined_name
from verify.source.skeleton import BRANCH, ENTRY, RETURN, Step, skeleton
from verify.source.tree import Tree
from verify.target import Frame, Target


def broken(tree: Tree, target: Target, defines: Mapping[str, str]) -> str:
    """Where and how the tree departs from the target's frames, in words, or nothing."""
    dialect = target.dialect(defines)
    found = (_broken(tree, frame, dialect) for frame in target.frames)
    return next((f"the frame does not hold: {how}" for how in found if how), "")


def _broken(tree: Tree, frame: Frame, dialect: Dialect) -> str:
    index = Index(tree.read, (frame.file,), dialect.config, "", dialect.defines)
    item = index.function_in(frame.function, frame.file)
    try:
        steps = skeleton(index, frame.function, frame.file)
    except Unsupported as error:
        return f"{frame.file}: {frame.function}() cannot be read: {error}"
    problem = departure(steps, frame)
    if problem is not None:
        return f"{frame.file}:{problem[0]} {frame.function}(): {problem[1]}"
    assert item is not None
    own = (frame.file, item.first, item.last)
    return next(_others(tree, frame, dialect, own), "")


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


def _others(tree: Tree, frame: Frame, dialect: Dialect, own: tuple[str, int, int]) -> Iterator[str]:
    """Who else speaks of the calls that are the frame's own."""
    if not frame.own:
        return
    names = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, frame.own))})(?!\w)")
    touched = (path for path, _, _ in tree.touched())
    for path in sorted({*tree.paths(frame.folder), *dialect.files, *touched}):
        text = tree.read(path) or ""
        if not any(name in text for name in frame.own):
            continue
        for number, line in enumerate(strip_comments(text).split("\n"), 1):
            found = names.search(line)
            within = path == own[0] and own[1] <= number <= own[2]
            if found is None or within or _declares(line, found.group()):
                continue
            yield f"{path}:{number}: {found.group()}() is spoken of outside of {frame.function}()"


def _declares(line: str, name: str) -> bool:
    """A line is the start of a definition or declaration of a function, or exports it."""
    if line.startswith("EXPORT_SYMBOL"):
        return True
    declared = line.rstrip().removesuffix(";")
    return line[:1].isalpha() and defined_name(declared) == name
