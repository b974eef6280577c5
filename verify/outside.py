"""What a patch changes and no answer depends on, so that no proof is taken to be about it."""

from __future__ import annotations

from collections.abc import Set

from verify.result import Outside
from verify.source.scope import functions
from verify.source.tree import Tree


def outside(tree: Tree, files: Set[str], looked_at: Set[str]) -> tuple[Outside, ...]:
    """The changed functions of these files that are none of those looked at, and other changed
    files."""
    found: dict[tuple[str, str], Outside] = {}
    for path, first, last in tree.touched():
        if path not in files:
            found[path, ""] = Outside(path)
            continue
        for begins, ends, name in functions((tree.read(path) or "").split("\n")):
            if begins <= last and first <= ends and name not in looked_at:
                found.setdefault((path, name), Outside(path, max(begins, first), name))
    return tuple(found.values())
