"""What may stand in place of a name: another one of its kind that the same file uses.

A member gives way to one of the same record and type, a function to one of the same signature, a
constant to one whose name begins with the same word. One of the same function is preferred; which
one it is follows from the names alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from verify.ir import nodes
from verify.ir.types import Array, Record, Type
from verify.mutate.operators import CALL, MEMBER, NAME, uses
from verify.source.edit_function import Function
from verify.source.program import CProgram


@dataclass(frozen=True, slots=True)
class Subject:
    """A function that is mutated. `name`: as in the IR."""

    name: str
    file: str
    function: Function


Siblings = Mapping[tuple[str, str], str]


def siblings(program: CProgram, subjects: Sequence[Subject]) -> dict[str, Siblings]:
    """For each function, by kind of use and name, what may stand there instead."""
    used = {subject.name: _used(subject.function) for subject in subjects}
    kinds = _Kinds(program, subjects)
    found: dict[str, Siblings] = {}
    for subject in subjects:
        file = [s.name for s in subjects if s.file == subject.file]
        others = [use for name in file for use in used[name]]
        mapping: dict[tuple[str, str], str] = {}
        for use in used[subject.name]:
            kind = kinds.of(use, subject.file)
            for near in (used[subject.name], others):
                alike = {o[1] for o in near if o[0] == use[0] and kinds.of(o, subject.file) & kind}
                if other := _next(use[1], kinds.unlike(use, alike)):
                    mapping[use] = other
                    break
        found[subject.name] = mapping
    return found


def _used(function: Function) -> list[tuple[str, str]]:
    found = (use for path in function.statements() for use in uses(function, path[-1]))
    return list(dict.fromkeys(found))


def _next(name: str, names: Iterable[str]) -> str:
    """The next of the other names in alphabetical order, after the last one the first."""
    others = sorted(set(names) - {name})
    return next((other for other in others if other > name), others[0] if others else "")


class _Kinds:
    """What a use of a name is alike to: two are of a kind when they have one of these in common."""

    def __init__(self, program: CProgram, subjects: Sequence[Subject]) -> None:
        self._program = program
        self._members: dict[str, set[Any]] = {}
        for subject in subjects:
            for node in _walk(program.function(subject.name)):
                if isinstance(node, nodes.Field) and isinstance(node.base.type, Record):
                    kind = (node.base.type.tag, _alike(node.type))
                    self._members.setdefault(node.name, set()).add(kind)

    def of(self, use: tuple[str, str], file: str) -> set[Any]:
        what, name = use
        if what == MEMBER:
            return self._members.get(name, set())
        if what == CALL:
            function = self._program.function(self._program.function_name(name, file))
            if function is None:
                return set()
            return {(function.result, *(p.type for p in function.parameters))}
        if what == NAME and name == name.upper() and self._program.constant(name) is not None:
            return {name.partition("_")[0]}
        return set()

    def unlike(self, use: tuple[str, str], names: Iterable[str]) -> list[str]:
        """The names that do not stand for the same constant."""
        if use[0] != NAME:
            return list(names)
        value = self._program.constant(use[1])
        return [name for name in names if self._program.constant(name) != value]


def _alike(kind: Type) -> Any:
    """Arrays are alike whatever their lengths."""
    return ("array", _alike(kind.of)) if isinstance(kind, Array) else kind


def _walk(node: object) -> Iterator[object]:
    """The node and all that it consists of."""
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            stack += node
        elif is_dataclass(node) and not isinstance(node, Type):
            yield node
            stack += [getattr(node, field.name) for field in fields(node)]
