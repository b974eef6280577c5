"""The symbolic state: cells, the path condition, and the merging of paths.

There is one live store. A `Scope` is opened where paths will meet again: each way there is parked
as an outcome (its conditions since the scope was opened, and the cells it changed), the store goes
back to how it was, and closing the scope merges the outcomes into one state.

Outcomes of one scope exclude each other. A path that leaves a scope for one further out, or ends,
makes the scopes that it leaves `lossy`: only then does closing them add a condition to the path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from verify.encode.term import Term, conj, const, disj, false, interval, ite, negate, true

UNDEFINED = "?"
"""The target of a pointer of which nothing is known, but that it is not NULL."""

UNSET = "??"
"""The target of a local pointer that was never assigned: it may be copied, though not used."""


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


@dataclass(slots=True)
class Outcome:
    """A way to the end of a scope, relative to its start. `learned` are facts that are no part of
    the path: what was assumed on it."""

    path: tuple[Term, ...]
    delta: Delta
    learned: tuple[Term, ...] = ()


class Scope:
    """A place where paths meet again; from `Store.open`."""

    __slots__ = (
        "dead",
        "depth",
        "learned_length",
        "lossy",
        "outcomes",
        "path_length",
        "trail_length",
        "waiting",
    )

    def __init__(
        self, depth: int, path_length: int, learned_length: int, trail_length: int, dead: bool
    ) -> None:
        self.depth = depth
        self.path_length = path_length
        self.learned_length = learned_length
        self.trail_length = trail_length
        self.dead = dead
        # A path left the scope for a place further out, or ended.
        self.lossy = False
        # The store still is in the state of the last outcome, which is not in `outcomes` yet.
        self.waiting = False
        self.outcomes: list[Outcome] = []


_Trail = tuple[dict[Term, bool] | dict[Term, tuple[int, int]], Term, object]


class Store:
    """Cells by path, with undo. `initial` gives what a never assigned cell holds."""

    __slots__ = (
        "_facts",
        "_layers",
        "_learned",
        "_ranges",
        "_scopes",
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
        self._scopes: list[Scope] = []
        self._facts: dict[Term, bool] = {}
        self._ranges: dict[Term, tuple[int, int]] = {}
        self._learned: list[Term] = []
        self._trail: list[_Trail] = []

    def fork(self, initial: Callable[[str], Cell]) -> Store:
        """A copy that goes its own way; no scope may be open."""
        assert not self._layers
        copy = Store(initial)
        copy.cells = dict(self.cells)
        copy.path = list(self.path)
        copy.dead = self.dead
        copy._facts = dict(self._facts)
        copy._ranges = dict(self._ranges)
        return copy

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

    def take(self, path: str) -> Cell | None:
        """The value of a cell that exists only in the innermost scope, and its end."""
        if self._layers:
            self._layers[-1].pop(path, None)
        return self.cells.pop(path, None)

    # Conditions -------------------------------------------------------------------------------

    def push(self, condition: Term) -> None:
        """Go on only where `condition` is true, until the scope is reset or closed."""
        if condition is false:
            self.dead = True
        elif condition is not true:
            self.path.append(condition)
            self._note(condition)

    def exclude(self, condition: Term) -> None:
        """Paths where `condition` is true end here; for no scope are they a way to its end."""
        for scope in self._scopes:
            scope.lossy = True
        self.push(negate(condition))

    def learn(self, condition: Term) -> None:
        """Use `condition` as known on this path, without making it a part of guards."""
        if condition is false:
            self.exclude(true)
        elif condition is not true and not self.dead:
            self._learned.append(condition)
            self._note(condition)

    def _note(self, condition: Term) -> None:
        facts, ranges, trail = self._facts, self._ranges, self._trail
        for literal in condition.args if condition.op == "and" else (condition,):
            other = negate(literal)
            trail.append((facts, literal, facts.get(literal)))
            trail.append((facts, other, facts.get(other)))
            facts[literal] = True
            facts[other] = False
            limits = interval(literal) or self._but_an_end(literal)
            if limits is not None:
                x, low, high = limits
                old = ranges.get(x)
                trail.append((ranges, x, old))
                if old is not None:
                    low, high = max(low, old[0]), min(high, old[1])
                ranges[x] = (low, high)
        if not self._layers:
            trail.clear()

    def _but_an_end(self, literal: Term) -> tuple[Term, int, int] | None:
        """The range (x, low, high) that is left where x is not the first or last of its values:
        so a loop ends that leaves at one value after the other."""
        atom = literal.args[0] if literal.op == "not" else literal
        if atom is literal or atom.op != "eq" or atom.args[1].op != "const":
            return None
        x, key = atom.args[0], atom.args[1].value
        low, high = self._ranges.get(x, (0, x.hi))
        if low < high and key in (low, high):
            return x, low + (key == low), high - (key == high)
        return None

    def fold(self, condition: Term) -> Term:
        """The condition as far as the path does not decide it."""
        if condition.op == "const":
            return condition
        known = self._facts.get(condition)
        if known is not None:
            return true if known else false
        positive = condition.args[0] if condition.op == "not" else condition
        if positive.op != "and":
            return self._fold_literal(condition)
        parts = [self._fold_literal(part) for part in positive.args]
        if all(new is old for new, old in zip(parts, positive.args, strict=True)):
            return condition
        folded = conj(parts) if positive is condition else negate(conj(parts))
        known = self._facts.get(folded)
        if known is not None:
            return true if known else false
        return folded

    def _fold_literal(self, literal: Term) -> Term:
        known = self._facts.get(literal)
        if known is not None:
            return true if known else false
        atom = literal.args[0] if literal.op == "not" else literal
        holds: bool | None = None
        if atom.op == "ult":
            (low, high), (other_low, other_high) = map(self.limits, atom.args)
            if high < other_low:
                holds = True
            elif low >= other_high:
                holds = False
        elif atom.op == "eq" and atom.args[1].op == "const":
            low, high = self.limits(atom.args[0])
            key = atom.args[1].value
            if not low <= key <= high:
                holds = False
            elif low == high:
                holds = True
        if holds is None:
            return literal
        return true if holds == (atom is literal) else false

    def limits(self, value: Term, depth: int = 6) -> tuple[int, int]:
        """Bounds of the unsigned value, from the path and a look at how it is made."""
        op, args = value.op, value.args
        if op == "const":
            return value.value, value.value
        low, high = 0, value.hi
        known = self._ranges.get(value)
        if known is not None:
            low, high = known[0], min(high, known[1])
        if not depth or not args:
            return low, high
        depth -= 1
        if op == "zext":
            below, above = self.limits(args[0], depth)
        elif op == "ite" and value.width:
            below, above = self._limits_of_arms(value, depth)
        elif op == "and" and value.width:
            below, above = 0, min(self.limits(arg, depth)[1] for arg in args)
        elif op == "lshr" and args[1].op == "const":
            below, above = (bound >> args[1].value for bound in self.limits(args[0], depth))
        elif op == "extract" and not value.value[1]:
            below, above = self.limits(args[0], depth)
            if above >> value.width:
                return low, high
        elif op == "add":
            (a, b), (c, d) = (self.limits(arg, depth) for arg in args)
            below, above = a + c, b + d
            if above >> value.width:
                return low, high
        else:
            return low, high
        return max(low, below), min(high, above)

    def _limits_of_arms(self, value: Term, depth: int) -> tuple[int, int]:
        condition, then, orelse = value.args
        known = self._facts.get(condition)
        if known is not None:
            return self.limits(then if known else orelse, depth)
        (a, b), (c, d) = self.limits(then, depth), self.limits(orelse, depth)
        if condition.op == "ult":
            # The smaller of two values: its bound is the smaller bound.
            small, great = condition.args
            if small is then:
                b = min(b, d if great is orelse else self.limits(great, depth)[1])
            if great is orelse:
                d = min(d, b if small is then else self.limits(small, depth)[1])
        return min(a, c), max(b, d)

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
        scope = Scope(
            len(self._layers), len(self.path), len(self._learned), len(self._trail), self.dead
        )
        self._layers.append({})
        self._scopes.append(scope)
        return scope

    def outcome(self, scope: Scope, condition: Term = true) -> Outcome:
        """The current state where also `condition` holds, relative to the scope's start."""
        cells = self.cells
        delta: Delta = {}
        for layer in self._layers[scope.depth :]:
            for path in layer:
                delta[path] = cells.get(path)
        conditions = tuple(self.path[scope.path_length :])
        if condition is not true:
            conditions = (*conditions, condition)
        return Outcome(conditions, delta, tuple(self._learned[scope.learned_length :]))

    def park(self, scope: Scope) -> None:
        """This path goes to the end of the scope, and nothing happens on it before."""
        if self.dead:
            return
        inner = self._scopes[scope.depth + 1 :]
        if inner:
            scope.outcomes.append(self.outcome(scope))
            for left in inner:
                left.lossy = True
        else:
            scope.waiting = True
        self.dead = True

    def park_where(self, scope: Scope, condition: Term) -> None:
        """Where `condition` is true this path goes to the end of the scope; else it goes on."""
        scope.outcomes.append(self.outcome(scope, condition))
        for left in self._scopes[scope.depth + 1 :]:
            left.lossy = True
        self.push(negate(condition))

    def reset(self, scope: Scope) -> None:
        """Go back to the scope's start; only scopes inside it may have been opened, and closed."""
        self._settle(scope)
        layer = self._layers[scope.depth]
        cells = self.cells
        for path, value in layer.items():
            if value is None:
                cells.pop(path, None)
            else:
                cells[path] = value
        layer.clear()
        self._undo(scope)

    def _settle(self, scope: Scope) -> None:
        if scope.waiting:
            scope.waiting = False
            scope.outcomes.append(self.outcome(scope))

    def _undo(self, scope: Scope) -> None:
        """Forget the conditions since the scope's start."""
        del self.path[scope.path_length :]
        del self._learned[scope.learned_length :]
        trail = self._trail
        while len(trail) > scope.trail_length:
            where, term, old = trail.pop()
            if old is None:
                del where[term]
            else:
                where[term] = old  # type: ignore[assignment]
        self.dead = scope.dead

    def quiet(self, scope: Scope) -> bool:
        """Nothing has happened since the scope's start but that one condition was pushed."""
        return not (
            self.dead
            or self._layers[scope.depth]
            or scope.outcomes
            or scope.lossy
            or len(self.path) > scope.path_length + 1
            or len(self._learned) > scope.learned_length
        )

    def cancel(self, scope: Scope) -> None:
        """End a scope as if it had never been opened."""
        self.reset(scope)
        self._pop()

    def close(self, scope: Scope, keep: bool = False) -> None:
        """Merge the outcomes, this path the last of them; locals of the scope end unless kept."""
        depth = None if keep else scope.depth
        if scope.waiting or not self.dead:
            if not scope.outcomes:
                self._commit(depth)
                self.dead = scope.dead
                return
            scope.waiting = True
        self.reset(scope)
        self._pop()
        self.enter(scope.outcomes, depth, not scope.lossy)
        self.dead = self.dead or scope.dead

    def rejoin(self, scope: Scope, condition: Term) -> None:
        """Close a scope that `condition` was pushed in; where it is false nothing happens.
        Locals are kept."""
        quick = (
            not self.dead
            and not scope.outcomes
            and not scope.lossy
            and len(self.path) == scope.path_length + 1
            and len(self._learned) == scope.learned_length
        )
        if not quick:
            self.park(scope)
            self.reset(scope)
            self.push(negate(condition))
            self.close(scope, keep=True)
            return
        layer = self._pop()
        self._undo(scope)
        cells, initial = self.cells, self.initial
        outer = self._layers[-1] if self._layers else None
        for path, old in layer.items():
            value = cells.get(path)
            if outer is not None and path not in outer:
                outer[path] = old
            if value is old:
                continue
            cells[path] = merge(
                condition,
                initial(path) if value is None else value,
                initial(path) if old is None else old,
            )

    def _commit(self, depth: int | None) -> None:
        """End the innermost scope, whose only way is the current state."""
        layer = self._pop()
        outer = self._layers[-1] if self._layers else None
        for path, old in layer.items():
            if path[0] == "%" and depth is not None and self.ends(path, depth):
                self.cells.pop(path, None)
            elif outer is not None and path not in outer:
                outer[path] = old
        if outer is None:
            self._trail.clear()

    def _pop(self) -> dict[str, Cell | None]:
        self._scopes.pop()
        return self._layers.pop()

    def enter(
        self, outcomes: Sequence[Outcome], depth: int | None = None, complete: bool = False
    ) -> None:
        """Go on from the start of a scope as one state for all outcomes (none: no path).
        `complete`: the outcomes are all the ways that there are from the start."""
        if not outcomes:
            self.dead = True
            return
        for path, value in merged(outcomes, self, depth).items():
            if value is None:
                self.forget(path)
            else:
                self.write(path, value)
        first = outcomes[0]
        if len(outcomes) == 1:
            for condition in first.path:
                self.push(condition)
        elif not complete:
            self.push(_cover([o.path for o in outcomes]))
        for fact in first.learned:
            if all(fact in o.learned for o in outcomes):
                self.learn(fact)

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


def _cover(paths: Sequence[tuple[Term, ...]], start: int = 0) -> Term:
    """The disjunction of paths from a position on, by their common beginnings."""
    if any(len(path) == start for path in paths):
        return true
    parts: list[Term] = []
    begin = 0
    while begin < len(paths):
        first = paths[begin][start]
        end = begin
        while end < len(paths) and paths[end][start] is first:
            end += 1
        parts.append(conj((first, _cover(paths[begin:end], start + 1))))
        begin = end
    return disj(parts)
