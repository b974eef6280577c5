"""What patches changed in a tree, as the hunks of a unified diff of its text before and after.

Unlike the lines of the mail these have the tree's white space and line numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from verify.source.overlay import Overlay
from verify.source.tree import Tree

CONTEXT = 3
_HEADING = re.compile(r"[A-Za-z_$]")


@dataclass(frozen=True, slots=True)
class Change:
    """A hunk. `old_start` and `start`: its first line before and after, from 1. `heading`: the
    nearest line above it that starts at the margin with a name, such as a function's head.
    `lines`: with their column of " ", "+" or "-" in front."""

    file: str
    old_start: int
    start: int
    heading: str
    lines: tuple[str, ...]

    def numbered(self) -> Iterator[tuple[int | None, str]]:
        """Each line with its number in the text after; None for a removed one."""
        number = self.start
        for line in self.lines:
            if line.startswith("-"):
                yield None, line
            else:
                yield number, line
                number += 1

    @property
    def header(self) -> str:
        """The @@ line."""
        old = sum(not line.startswith("+") for line in self.lines)
        new = sum(not line.startswith("-") for line in self.lines)
        return f"@@ -{self.old_start},{old} +{self.start},{new} @@ {self.heading}".rstrip()


def changes(tree: Tree) -> list[Change]:
    """All hunks, by file and line; none of a plain tree, nor of files that were removed whole."""
    if not isinstance(tree, Overlay):
        return []
    paths = dict.fromkeys(path for path, _, _ in tree.touched())
    return [hunk for path in paths for hunk in _of(tree, path)]


def _of(tree: Overlay, path: str) -> Iterator[Change]:
    lines = tree.lines(path) or []
    rows: list[tuple[int, int, str]] = []  # numbers before and after, and the line
    more = 0  # lines that patches removed so far, less those that they added
    for index in _near(tree.changed(path), len(lines)):
        line, new = lines[index], index + 1
        for text in line.cut:
            rows.append((new + more, new, "-" + text))
            more += 1
        rows.append((new + more, new, ("+" if line.added else " ") + line.text))
        more -= line.added
        for text in line.tail:
            rows.append((new + 1 + more, new + 1, "-" + text))
            more += 1
    changed = [index for index, (_, _, text) in enumerate(rows) if text[0] != " "]
    for first, last in _runs(changed):
        begin = max(0, first - CONTEXT)
        old, new, _ = rows[begin]
        above = (lines[index].text for index in range(new - 2, -1, -1))
        heading = next((text for text in above if _HEADING.match(text)), "")
        shown = tuple(text for _, _, text in rows[begin : last + CONTEXT + 1])
        yield Change(path, old, new, heading, shown)


def _near(changed: list[int], count: int) -> list[int]:
    """Indexes of the lines around changed ones; one more than are shown, so that hunks which do
    not meet are not next to each other."""
    around = range(-CONTEXT - 1, CONTEXT + 2)
    return sorted({i + k for i in changed for k in around if 0 <= i + k < count})


def _runs(changed: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of the rows that share a hunk, as their context would meet."""
    start = 0
    for at, row in enumerate(changed):
        if at + 1 == len(changed) or changed[at + 1] > row + 2 * CONTEXT + 1:
            yield changed[start], row
            start = at + 1
