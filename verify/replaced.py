"""Changes of what the model stands for: what was proved is no longer about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from verify.ir.program import Program
from verify.source.scope import defined_name, definitions
from verify.source.tree import Tree
from verify.target import Target


def names(target: Target, program: Program) -> frozenset[str]:
    """The functions and macros of the kernel that the model stands for."""
    beside = (name for frame in target.frames for name in frame.harmless)
    prelude = target.dialect({}).prelude.split("\n")
    given = (name for _, name in (*definitions(prelude), *_macros(prelude)))
    return frozenset((*target.replaced, *target.contracts(program), *beside, *given))


def changed(tree: Tree, names: Set[str]) -> str:
    """FILE:LINE NAME of a function, with (), or a macro that a patch changed although it has one
    of these names, or nothing."""
    for path, first, last in tree.touched():
        lines = (tree.read(path) or "").split("\n")
        starts = definitions(lines[:last])
        before = [name for number, name in starts if number <= first][-1:]
        between = [name for number, name in starts if first < number]
        macros = [name for ends, name in _macros(lines[:last]) if first <= ends]
        for name, parentheses in (
            *((name, "()") for name in (*before, *between)),
            *((name, "") for name in macros),
        ):
            if name in names:
                return f"{path}:{max(first, 1)} {name}{parentheses}"
    return ""


def _macros(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Last line, from 1, and name of each macro that is defined, or undefined."""
    for number, line in enumerate(lines, 1):
        if line.lstrip()[:1] == "#" and (name := defined_name(line)):
            while number < len(lines) and lines[number - 1].endswith("\\"):
                number += 1
            yield number, name
