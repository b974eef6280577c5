"""Changes of functions that the model stands for: what was proved is no longer about them."""

from __future__ import annotations

from collections.abc import Set

from verify.ir.program import Program
from verify.source.scope import definitions
from verify.source.tree import Tree
from verify.target import Target


def names(target: Target, program: Program) -> frozenset[str]:
    """The functions of the kernel that the model stands for."""
    beside = (name for frame in target.frames for name in frame.harmless)
    return frozenset((*target.replaced, *target.contracts(program), *beside))


def changed(tree: Tree, names: Set[str]) -> str:
    """FILE:LINE NAME() of a function that a patch changed although it has one of these names, or
    nothing."""
    for path, first, last in tree.touched():
        starts = definitions((tree.read(path) or "").split("\n")[:last])
        before = [name for number, name in starts if number <= first][-1:]
        between = [name for number, name in starts if first < number]
        for name in (*before, *between):
            if name in names:
                return f"{path}:{max(first, 1)} {name}()"
    return ""
