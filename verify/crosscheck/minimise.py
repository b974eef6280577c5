"""The smallest case that still shows a difference: most numbers 0, the others small."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from verify.crosscheck.sample import Case, nonzero
from verify.ir.word import Word

Shows = Callable[[Case], bool]


def minimise(case: Case, shows: Shows) -> Case:
    """A case with as few numbers as can be; `shows` tells whether a case has a difference."""
    names = list(nonzero(case))
    size = len(names)
    while size:
        kept: list[str] = []
        for at in range(0, len(names), size):
            part = names[at : at + size]
            smaller = _with(case, dict.fromkeys(part, 0))
            if shows(smaller):
                case = smaller
            else:
                kept += part
        names = kept
        size = min(size, len(names) + 1) // 2
    for name, value in nonzero(case).items():
        for other in _smaller(value):
            smaller = _with(case, {name: other})
            if shows(smaller):
                case = smaller
                break
    return case


def _smaller(value: int) -> Iterable[int]:
    """Numbers that are easier to read, the best one first."""
    bits = (1 << i for i in range(value.bit_length()) if value >> i & 1)
    return sorted({n for n in (1, 2, 3, 4, *bits) if n < value})


def _with(case: Case, numbers: Mapping[str, int]) -> Case:
    cells, inputs = dict(case.cells), dict(case.inputs)
    for name, value in numbers.items():
        kind, _, path = name.partition(" ")
        if kind == "input":
            inputs[path] = value
            continue
        cell = cells[path]
        assert isinstance(cell, Word)
        cells[path] = Word(value, cell.width)
    return Case(case.step, cells, inputs)
