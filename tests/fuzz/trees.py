"""What the campaigns change: the embedded reference tree and real kernels, target by target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import models.reference
from models import targets
from proofs import catalogue
from proofs.selfcheck import PATCHES, RIGHT, WRONG
from tests.kernels.fetch import tree_path
from verify.encode.switch import Switch, build
from verify.inputs import find_target, read_patches
from verify.ir.nodes import Function
from verify.relations import program_of
from verify.request import DEFAULT_TARGET
from verify.source.index import PRELUDE
from verify.source.overlay import Overlay, apply
from verify.source.tree import Tree, open_tree
from verify.target import Target

REFERENCE = Path(models.reference.__file__).parent / "tree"


@dataclass(frozen=True)
class Subject:
    """One target on one tree; `patch` of the project's own is applied to it, if there is one."""

    name: str
    root: Path
    target: Target
    patch: str = ""

    @cached_property
    def tree(self) -> Tree:
        """The tree as it is before anything is changed."""
        tree = open_tree(self.root, self.target.required)
        if not self.patch:
            return tree
        return apply(tree, read_patches([str(PATCHES / self.patch)]))[0]

    @cached_property
    def switch(self) -> Switch:
        """The relations of that tree."""
        return switch(self.target, self.tree)

    @cached_property
    def files(self) -> dict[str, str]:
        """The texts that the target reads, by path."""
        paths = self.target.dialect({}).files
        return {path: text for path in paths if (text := self.tree.read(path)) is not None}

    @cached_property
    def functions(self) -> list[Function]:
        """The tree's functions that the switch runs."""
        program = program_of(self.tree, self.target, {})
        found = map(program.function, sorted(self.switch.functions))
        return [f for f in found if f is not None and f.loc.file != PRELUDE]

    def changed(self, path: str, text: str) -> Overlay:
        """The tree with another text for one file, in memory."""
        overlay = Overlay(self.tree)
        overlay.rewrite(path, text)
        return overlay


def switch(target: Target, tree: Tree) -> Switch:
    """The relations of a tree. BadInput as of `verify.relations.program_of`."""
    program = program_of(tree, target, {})
    watch, cells = catalogue.observers(target, program), catalogue.monitors(target, program)
    return build(target, program, watch, cells, {}, {})


@cache
def subjects() -> tuple[Subject, ...]:
    """Each target on the reference tree and on the kernels that are on this machine."""
    return tuple(_subjects())


def _subjects() -> Iterator[Subject]:
    roots = {"reference": REFERENCE} | {v: tree_path(v) for v in ("7.2", "7.3")}
    for name, root in roots.items():
        if root.is_dir():
            for target in targets.names():
                yield Subject(f"{name}/{target}", root, find_target(target))


@cache
def patched() -> tuple[Subject, ...]:
    """The reference tree with the right patch and with the wrong one."""
    target = find_target(DEFAULT_TARGET)
    return tuple(Subject(patch, REFERENCE, target, patch) for patch in (RIGHT, WRONG))
