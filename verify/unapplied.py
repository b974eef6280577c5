"""Hunks that were not applied: which of them could have changed what is checked."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from verify.ir.program import Program
from verify.result import FailedHunk, PatchSummary
from verify.source.overlay import PatchReport
from verify.source.tree import Tree


def summary(
    patch: PatchReport,
    names: tuple[str, ...],
    functions: Set[str],
    files: Set[str],
    program: Program,
    tree: Tree,
) -> PatchSummary:
    """What became of a patch; a hunk that could have changed what is checked affects all of it.
    functions, and files besides those of the program: where that is."""
    failed = tuple(
        FailedHunk(
            hunk.file,
            hunk.line,
            hunk.reason,
            names if _touches(hunk.file, hunk.scope, functions, files, program, tree) else (),
        )
        for hunk in patch.failed
    )
    return PatchSummary(
        patch.subject, patch.message_id, patch.applied, failed, patch.source, patch.attribution
    )


def _touches(
    file: str,
    scope: Sequence[str],
    functions: Set[str],
    files: Set[str],
    program: Program,
    tree: Tree,
) -> bool:
    """Could a hunk that did not apply have changed what was checked?"""
    used = program.sources()
    if not scope:
        return file in files or any(f == file for f, _, _ in used)
    if any(name in functions for name in scope):
        return True
    words = re.compile(r"\b(" + "|".join(map(re.escape, scope)) + r")\b")
    for path, first, last in used:
        lines = (tree.read(path) or "").split("\n")[first - 1 : last]
        if any(words.search(line) for line in lines):
            return True
    return False
