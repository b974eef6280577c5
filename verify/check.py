"""The main job: tree and patches in, report out; an earlier report where there is one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from verify import cache, frame
from verify.errors import InternalError
from verify.inputs import described, find_target, patched, tree_of
from verify.report import json
from verify.request import Request
from verify.result import UNKNOWN, FailedHunk, PatchSummary, Report
from verify.source.overlay import PatchReport
from verify.source.tree import Tree
from verify.target import Target


def run(request: Request) -> Report:
    """Check a tree as the user names it. Raises BadInput for what the user can put right."""
    tree, patches = patched(tree_of(request), request.patches)
    return check_tree(tree, patches, request)


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
        summaries = _summaries(patches, known)
        given = described(tree, request, target, summaries, known.input.outside)
        return replace(known, input=given, seconds=time.monotonic() - began)
    from verify.verdicts import prove  # the provers: what is known needs none of them

    report = prove(tree, patches, target, request, broken, began)
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
    if target.writers is not None:
        files.update(dict.fromkeys(tree.paths(target.writers.folder)))
    texts = [f"{path}\n{tree.read(path)}" for path in files]
    options = replace(request, kernel=None, patches=(), jobs=1, compare=False, git=None)
    failed = [hunk for patch in patches for hunk in patch.failed]
    return cache.digest([repr(options), repr(failed), repr(touched), broken, *texts])
