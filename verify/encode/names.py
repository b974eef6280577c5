"""Names of inputs on merged paths (the rule is `verify.ir.contract`'s).

On numbers a place has one name. Here paths that called a function a different number of times may
have met before it is called again: then the place has a name under each of several guards, and an
input there is a choice between variables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from verify.encode.term import Term, conj, disj, false, ite, true, var

Input = tuple[tuple[Term, str], ...]
"""Names of one input; the guards exclude each other, and one of them holds."""

_Way = tuple[Term, ...]
_Count = int | tuple[tuple[_Way, "_Count"], ...]
Counts = dict[str, _Count]
"""How often each label came in a place, where that is not one number: by the way that led here."""


HAVOC = "?havoc"
"""Inputs that stand for what unknown code did have this part in their name."""


def through_havoc(name: str) -> bool:
    """The input of this name stands for what unknown code did."""
    return any(part.partition("~")[0] == HAVOC for part in name.split("/"))


def below(name: Input, suffix: str) -> Input:
    """The input whose names go on with `suffix`."""
    return tuple((guard, text + suffix) for guard, text in name)


def value_of(name: Input, width: int) -> Term:
    """The input as a term."""
    value = var(name[-1][1], width)
    for guard, text in name[-2::-1]:
        value = ite(guard, var(text, width), value)
    return value


class Places:
    """`verify.ir.contract.Names` for terms. `fold` decides guards by what the path says.

    `counts` belongs to the innermost place; a path that splits takes a copy for each way, and
    `join` puts them together again.
    """

    __slots__ = ("_fold", "_outer", "_place", "counts")

    def __init__(self, fold: Callable[[Term], Term]) -> None:
        self._fold = fold
        self._place: Input = ((true, ""),)
        self._outer: list[tuple[Input, Counts]] = []
        self.counts: Counts = {}

    def begin(self, phase: str) -> None:
        """Start a phase; the names of an earlier one of that name come again."""
        self._place = ((true, phase + "/"),)
        self._outer.clear()
        self.counts = {}

    @property
    def depth(self) -> int:
        """How many places are around this one."""
        return len(self._outer)

    def counts_at(self, depth: int) -> Counts:
        """The counts of this place or one around it."""
        return self.counts if depth == len(self._outer) else self._outer[depth][1]

    def enter(self, frame: str) -> None:
        """Go into a call or a round of a loop."""
        place = below(self.label(frame), "/")
        self._outer.append((self._place, self.counts))
        self._place = place
        self.counts = {}

    def leave(self) -> None:
        """Go back to where the matching `enter` was."""
        self._place, self.counts = self._outer.pop()

    def here(self, label: str) -> Input:
        """The name of a label that is known to come only once here."""
        return below(self._place, label)

    def label(self, label: str) -> Input:
        """The name of an input made here; also used up when the input is not needed."""
        count = self.counts.get(label, 0)
        if not isinstance(count, int):
            ways = self._ways(count)
            if len(ways) == 1:
                count = ways[0][1]
        if isinstance(count, int):
            self.counts[label] = count + 1
            return below(self._place, f"{label}~{count}" if count else label)
        self.counts[label] = tuple(((guard,), number + 1) for guard, number in ways)
        texts = [(guard, f"{label}~{number}" if number else label) for guard, number in ways]
        names = [(conj((g, h)), p + text) for g, p in self._place for h, text in texts]
        return tuple((guard, text) for guard, text in names if guard is not false)

    def _ways(self, count: _Count) -> list[tuple[Term, int]]:
        """The counts that the path allows, each under its guard."""
        found: dict[int, Term] = {}
        self._collect(count, true, found)
        ways = [(self._fold(guard), number) for number, guard in found.items()]
        return [way for way in ways if way[0] is not false]

    def _collect(self, count: _Count, guard: Term, found: dict[int, Term]) -> None:
        if isinstance(count, int):
            found[count] = disj((found[count], guard)) if count in found else guard
            return
        for way, inner in count:
            self._collect(inner, conj((guard, *way)), found)


def join(ways: Sequence[tuple[_Way, Counts]]) -> Counts:
    """The counts where paths meet, which came by these ways."""
    first = ways[0][1]
    if all(counts == first for _, counts in ways[1:]):
        return first
    result: Counts = {}
    for label in dict.fromkeys(label for _, counts in ways for label in counts):
        each = [counts.get(label, 0) for _, counts in ways]
        if all(count == each[0] for count in each):
            result[label] = each[0]
        else:
            result[label] = tuple((way[0], count) for way, count in zip(ways, each, strict=True))
    return result
