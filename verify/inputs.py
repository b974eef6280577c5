"""What the user names: a target, a tree and patches for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import models.reference
import models.targets
from verify.request import Request, require_known
from verify.result import Input, Outside, PatchSummary
from verify.source.changes import changes
from verify.source.mail import name_of, order_series, read_input, split_messages
from verify.source.overlay import PatchReport, apply
from verify.source.patch import Patch, parse_patch
from verify.source.tree import Tree, open_tree
from verify.target import Target


def find_target(name: str) -> Target:
    """The target of this name; BadInput lists the known ones."""
    require_known("--target", name, models.targets.names())
    return models.targets.find(name)


def root(request: Request) -> Path:
    return request.kernel or Path(str(models.reference.__file__)).parent / "tree"


def tree_of(request: Request) -> Tree:
    """The tree that the user names, without patches. BadInput when it cannot be used."""
    return open_tree(root(request), find_target(request.target).required)


def read_patches(sources: Sequence[str]) -> list[Patch]:
    """All patches of the named inputs, in the order of their series. BadInput as for `run`."""
    messages = [m for s in sources for m in split_messages(read_input(s), name_of(s))]
    return [parse_patch(m) for m in order_series(messages)] if messages else []


def patched(tree: Tree, sources: Sequence[str]) -> tuple[Tree, list[PatchReport]]:
    patches = read_patches(sources)
    return apply(tree, patches) if patches else (tree, [])


def described(
    tree: Tree,
    request: Request,
    target: Target,
    summaries: Iterable[PatchSummary],
    outside: tuple[Outside, ...],
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
        outside=outside,
    )
