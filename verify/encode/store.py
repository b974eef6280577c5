"""The symbolic state: cells, the path condition, and the merging of paths.

There is one live store. A `Scope` is opened where paths will meet again: each way there is parked
as an outcome (its conditions since the scope was opened, and the cells it changed), the store goes
back to how it was, and closing the scope merges the outcomes into one state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from verify.encode.term import Term, conj, const, disj, false, interval, ite, negate, true

UNDEFINED = "?"
"""The target of a pointer of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer may point to: a path, None for NULL or `UNDEFINED`, each under a guard.

    Guards exclude each other, and on every path where the pointer exists one of them holds.
    """

    targets: tuple[tuple[Term, str | None], ...]

    @staticmethod
    def to(path: str | None) -> Pointer:
        """The pointer to one path, or NULL."""
        return Pointer(((true, path),))

    def is_null(self) -> bool:
        """Known to be NULL."""
        return len(self.targets) == 1 and self.targets[0][1] is None


Cell = Term | Pointer
Delta = dict[str, Cell | None]
"""Changed cells; None for one that is again as if never assigned."""


def merge(condition: Term, then: Cell, orelse: Cell) -> Cell:
    """`then` where the condition is true, else `orelse`."""
    if then is orelse or then == orelse:
        return then
    if isinstance(then, Term) and isinstance(orelse, Term):
        return ite(condition, then, orelse)
    if isinstance(then, Pointer) and isinstance(orelse, Pointer):
        guards: dict[str | None, Term] = {}
        for holds, pointer in ((condition, then), (negate(condition), orelse)):
            for guard, path in pointer.targets:
                both = conj((holds, guard))
                guards[path] = disj((guards[path], both)) if path in guards else both
        return Pointer(tuple((g, p) for p, g in guards.items() if g is not false))
    return Pointer.to(UNDEFINED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A way to the end of a scope, relative to its start."""

    path: tuple[Term, ...]
    delta: Delta


@dataclass(slots=True)
class Scope:
    """A place where paths meet again; from `Store.open`."""

    depth: int
    path_length: int
    trail_length: int
    dead: bool
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state to come back to; from `Store.snapshot`."""

    cells: dict[str, Cell]
    path: tuple[Term, ...]
    facts: dict[Term, bool]
    ranges: dict[Term, tuple[int, int]]
    dead: bool


_Trail = tuple[dict[Term, bool] | dict[Term, tuple[int, int]], Term, object]


class Store:
    """Cells by path, with undo. `initial` gives what a never assigned cell holds."""

    __slots__ = (
        "_facts",
        "_layers",
        "_ranges",
        "_trail",
        "cells",
        "dead",
        "declared",
        "initial",
        "path",
    )

    def __init__(self, initial: Callable[[str], Cell]) -> None:
        self.cells: dict[str, Cell] = {}
        self.path: list[Term] = []
        self.dead = False
        self.initial = initial
        # The depth at which each local was declared: it ends with the scope around it.
        self.declared: dict[str, int] = {}
        self._layers: list[dict[str, Cell | None]] = []
        self._facts: dict[Term, bool] = {}
        self._ranges: dict[Term, tuple[int, int]] = {}
        self._trail: list[_Trail] = []

    # Cells ------------------------------------------------------------------------------------

    def read(self, path: str) -> Cell:
        """The value of a cell, simplified by what the path says."""
        value = self.cells.get(path)
        if value is None:
            value = self.initial(path)
            if path[0] == "%":
                self.write(path, value)
            else:
                # Not a change: every path would find this value.
                self.cells[path] = value
        if isinstance(value, Pointer):
            return self.narrow_pointer(value)
        return self.narrow(value)

    def write(self, path: str, value: Cell) -> None:
        """Assign a cell on the current path."""
        if self.dead:
            return
        if self._layers:
            layer = self._layers[-1]
            if path not in layer:
                layer[path] = self.cells.get(path)
        self.cells[path] = value

    def forget(self, path: str) -> None:
        """Make a cell as if never assigned."""
        if path in self.cells and not self.dead:
            if self._layers:
                self._layers[-1].setdefault(path, self.cells[path])
            del self.cells[path]

    # Conditions -------------------------------------------------------------------------------

    def push(self, condition: Term) -> None:
        """Go on only where `condition` is true, until the scope is reset or closed."""
        if condition is false:
            self.dead = True
        elif condition is not true:
            self.path.append(condition)
            self.learn(condition)

    def learn(self, condition: Term) -> None:
        """Use `condition` as known on this path, without making it a part of guards."""
        for literal in condition.args if condition.op == "and" else (condition,):
            for term, value in ((literal, True), (negate(literal), False)):
                self._trail.append((self._facts, term, self._facts.get(term)))
                self._facts[term] = value
            limits = interval(literal)
            if limits is not None:
                x, low, high = limits
                old = self._ranges.get(x)
                self._trail.append((self._ranges, x, old))
                if old is not None:
                    low, high = max(low, old[0]), min(high, old[1])
                self._ranges[x] = (low, high)

    def fold(self, condition: Term) -> Term:
        """The condition as far as the path does not decide it."""
        if condition.op == "const":
            return condition
        known = self._facts.get(condition)
        if known is not None:
            return true if known else false
        if condition.op == "and":
            parts = [self._fold_literal(part) for part in condition.args]
            return conj(parts)
        if condition.op == "not" and condition.args[0].op == "and":
            return negate(conj([self._fold_literal(part) for part in condition.args[0].args]))
        return self._fold_literal(condition)

    def _fold_literal(self, literal: Term) -> Term:
        known = self._facts.get(literal)
        if known is not None:
            return true if known else false
        atom = literal.args[0] if literal.op == "not" else literal
        if atom.op == "eq":
            x, key = atom.args
            if key.op == "const" and x in self._ranges:
                low, high = self._ranges[x]
                if not low <= key.value <= high:
                    return false if atom is literal else true
                if low == high:
                    return true if atom is literal else false
        elif atom.op == "ult" and atom.args[0].op == "const" and atom.args[1] in self._ranges:
            low, high = self._ranges[atom.args[1]]
            if low > atom.args[0].value:
                return true if atom is literal else false
            if high <= atom.args[0].value:
                return false if atom is literal else true
        return literal

    def narrow(self, value: Term) -> Term:
        """A value simplified by what the path says of it."""
        while value.op == "ite" and value.width:
            condition = self.fold(value.args[0])
            if condition.op != "const":
                break
            value = value.args[1] if condition.value else value.args[2]
        if not value.width:
            return self.fold(value)
        limits = self._ranges.get(value)
        if limits is not None and limits[0] == limits[1]:
            return const(limits[0], value.width)
        return value

    def narrow_pointer(self, pointer: Pointer) -> Pointer:
        """A pointer without the targets that the path rules out."""
        if len(pointer.targets) == 1:
            return pointer
        targets = [(self.fold(guard), path) for guard, path in pointer.targets]
        targets = [target for target in targets if target[0] is not false]
        if len(targets) == 1:
            return Pointer.to(targets[0][1])
        return Pointer(tuple(targets))

    # Scopes -----------------------------------------------------------------------------------

    def open(self) -> Scope:
        """Start a scope here."""
        scope = Scope(len(self._layers), len(self.path), len(self._trail), self.dead)
        self._layers.append({})
        return scope

    def outcome(self, scope: Scope, condition: Term = true) -> Outcome:
        """The current state where also `condition` holds, relative to the scope's start."""
        cells = self.cells
        delta: Delta = {}
        for layer in self._layers[scope.depth :]:
            for path in layer:
                delta[path] = cells.get(path)
        conditions = tuple(self.path[scope.path_length :])
        return Outcome(conditions if condition is true else (*conditions, condition), delta)

    def park(self, scope: Scope) -> None:
        """This path goes to the end of the scope, and nothing happens on it before."""
        if not self.dead:
            scope.outcomes.append(self.outcome(scope))
            self.dead = True

    def reset(self, scope: Scope) -> None:
        """Go back to the scope's start; only scopes inside it may have been opened, and closed."""
        layer = self._layers[scope.depth]
        for path, value in layer.items():
            if value is None:
                self.cells.pop(path, None)
            else:
                self.cells[path] = value
        layer.clear()
        del self.path[scope.path_length :]
        trail = self._trail
        while len(trail) > scope.trail_length:
            where, term, old = trail.pop()
            if old is None:
                del where[term]
            else:
                where[term] = old  # type: ignore[assignment]
        self.dead = scope.dead

    def close(self, scope: Scope, keep: bool = False) -> None:
        """Merge the outcomes, this path the last of them; locals of the scope end unless kept."""
        self.park(scope)
        self.reset(scope)
        self._layers.pop()
        self.enter(scope.outcomes, None if keep else scope.depth)
        self.dead = self.dead or scope.dead

    def enter(self, outcomes: Sequence[Outcome], depth: int | None = None) -> None:
        """Go on from the start of a scope as one state for all outcomes (none: no path)."""
        if not outcomes:
            self.dead = True
            return
        for path, value in merged(outcomes, self, depth).items():
            if value is None:
                self.forget(path)
            else:
                self.write(path, value)
        if len(outcomes) == 1:
            for condition in outcomes[0].path:
                self.push(condition)
        else:
            self.push(_cover([o.path for o in outcomes]))

    def ends(self, path: str, depth: int) -> bool:
        """A local declared at more than this depth."""
        if path[0] != "%":
            return False
        declared = self.declared.get(local_root(path))
        return declared is not None and declared > depth

    @property
    def depth(self) -> int:
        """How many scopes are open."""
        return len(self._layers)

    def condition(self) -> Term:
        """The whole path condition."""
        return false if self.dead else conj(self.path)

    def snapshot(self) -> Snapshot:
        """The state now; no scope may be open."""
        assert not self._layers
        facts, ranges = dict(self._facts), dict(self._ranges)
        return Snapshot(dict(self.cells), tuple(self.path), facts, ranges, self.dead)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot; no scope may be open. `cells` stays the same object."""
        assert not self._layers
        self.cells.clear()
        self.cells.update(snapshot.cells)
        self.path = list(snapshot.path)
        self._facts, self._ranges = dict(snapshot.facts), dict(snapshot.ranges)
        self._trail = []
        self.dead = snapshot.dead


def local_root(path: str) -> str:
    """The path of the whole local that a local's path is in."""
    start = path.index(".") + 1
    ends = [end for end in (path.find(c, start) for c in ".[-") if end >= 0]
    return path[: min(ends)] if ends else path


def merged(outcomes: Sequence[Outcome], store: Store, depth: int | None) -> Delta:
    """One value for each cell that some outcome changed, before any is applied."""
    if len(outcomes) == 1:
        delta = outcomes[0].delta
        if depth is None:
            return delta
        return {p: v for p, v in delta.items() if p[0] != "%" or not store.ends(p, depth)}
    last = outcomes[-1].delta
    conditions = _distinguish([o.path for o in outcomes])
    result: Delta = {}
    for path in dict.fromkeys(p for o in outcomes for p in o.delta):
        if path[0] == "%" and depth is not None and store.ends(path, depth):
            continue
        base: Cell | None = store.cells.get(path)
        value = last.get(path, base)
        for outcome, condition in zip(outcomes[-2::-1], conditions[-2::-1], strict=True):
            other = outcome.delta.get(path, base)
            if other is value:
                continue
            value = merge(
                condition,
                store.initial(path) if other is None else other,
                store.initial(path) if value is None else value,
            )
        result[path] = value
    return result


def _distinguish(paths: Sequence[tuple[Term, ...]]) -> list[Term]:
    """For each path a condition that tells it from all later ones: without what all share."""
    shared = 0
    conditions: list[Term] = []
    for i in range(len(paths) - 1, -1, -1):
        if i == len(paths) - 1:
            conditions.append(true)
            shared = len(paths[i])
            continue
        # What path i shares with the next one, and the next ones share with each other.
        here, after = paths[i], paths[i + 1]
        common = 0
        while common < min(len(here), len(after)) and here[common] is after[common]:
            common += 1
        shared = min(shared, common)
        conditions.append(conj(here[shared:]))
    conditions.reverse()
    return conditions


def _cover(paths: Sequence[tuple[Term, ...]]) -> Term:
    """The disjunction of paths, by their common beginnings."""
    if any(not path for path in paths):
        return true
    parts: list[Term] = []
    start = 0
    while start < len(paths):
        first = paths[start][0]
        end = start
        while end < len(paths) and paths[end][0] is first:
            end += 1
        parts.append(conj((first, _cover([path[1:] for path in paths[start:end]]))))
        start = end
    return disj(parts)
