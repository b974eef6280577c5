"""Loads and stores: what a pointer or an index leads to, and what is wrong with it.

A place is a path, or several paths each under a guard (a `Pointer` without NULL). What C gives no
meaning is a fault: its condition is handed to `fault`, which ends the paths where it holds; when
that is all of them, the place is `NOWHERE`.
"""

from __future__ import annotations

from collections.abc import Callable

from verify.encode.names import Input
from verify.encode.objects import Objects
from verify.encode.store import UNDEFINED, UNSET, Cell, Pointer, Store, merge
from verify.encode.term import Term, conj, const, disj, false, negate, true
from verify.ir.types import Int, Type
from verify.ir.types import Pointer as PointerType

Targets = tuple[tuple[Term, str], ...]
Place = str | Targets

NOWHERE = UNDEFINED

NULL = Pointer.to(None)

Fault = Callable[[Term, str | None, str], None]
"""Told of a condition under which there is no next state, where (None: the paths cannot express
what happens, which is no event) and why."""


def nothing(kind: Type) -> Cell:
    """A value for paths that have ended."""
    return const(0, kind.width) if isinstance(kind, Int) else NULL


def targets_of(place: Place) -> Targets:
    """All paths of a place."""
    return ((true, place),) if isinstance(place, str) else place


def as_pointer(value: Pointer | str | None) -> Pointer:
    """A pointer from what models and string literals use as one."""
    return value if isinstance(value, Pointer) else Pointer.to(value)


def pointer_to(place: Place) -> Pointer:
    """The address of a place."""
    return Pointer(((true, place),)) if isinstance(place, str) else Pointer(place)


class Access:
    """Reads and writes cells by place. `live` has the prefixes of the functions that run."""

    def __init__(self, store: Store, objects: Objects, fault: Fault) -> None:
        self.live: set[str] = set()
        self._store = store
        self._objects = objects
        self._fault = fault

    def use(self, name: str, kind: Type) -> None:
        """A file-scope object is used; `kind` is its type when nothing else tells."""
        self._objects.set_type(name, kind)

    # Places -----------------------------------------------------------------------------------

    def pointed(self, pointer: Pointer) -> Place:
        """What a pointer points to."""
        targets = self._store.narrow_pointer(pointer).targets
        if len(targets) == 1:
            path = targets[0][1]
            if path is not None and path[:1] != "?":
                return path
        good: list[tuple[Term, str]] = []
        for guard, path in targets:
            if path is None:
                self._fault(guard, "NULL", "null pointer")
            elif path == UNDEFINED:
                self._fault(guard, None, "a pointer that unknown code has made")
            elif path == UNSET:
                self._fault(guard, None, "a pointer that was never assigned")
            else:
                good.append((guard, path))
        if self._store.dead:
            return NOWHERE
        return good[0][1] if len(good) == 1 else tuple(good)

    def field(self, place: Place, tail: str) -> Place:
        """A member of each record."""
        if isinstance(place, str):
            return place + tail
        return tuple((guard, path + tail) for guard, path in place)

    def element(self, place: Place, index: Term, signed: bool) -> Place:
        """An element of the array at a place, or of the array that has the place as an element,
        counted from there."""
        found: list[tuple[Term, str]] = []
        for guard, path in targets_of(place):
            found += self._elements(guard, path, index, signed)
        if self._store.dead:
            return NOWHERE
        return found[0][1] if len(found) == 1 else tuple(found)

    def _elements(
        self, guard: Term, path: str, index: Term, signed: bool
    ) -> list[tuple[Term, str]]:
        if not self._alive(guard, path):
            return []
        array = self._objects.array_at(path)
        if array is None:
            self._fault(conj((guard, index.nonzero())), path, "index of what is no array")
            return [(guard, path)]
        base, offset, length = array
        half = 1 << (index.width - 1)
        if index.op == "const":
            number = index.value - 2 * half if signed and index.value >= half else index.value
            number += offset
            if not 0 <= number < length:
                reason = f"index {number} out of bounds of {length}"
                self._fault(guard, base, reason)
                return []
            return [(guard, f"{base}[{number}]")]
        if offset or length > half:
            # Wide enough for the sum, and for the length.
            width = max(index.width, length.bit_length()) + 2
            index = (index.sext(width) if signed else index.zext(width)) + offset
        store = self._store
        inside = store.fold(index.ult(length))
        self._fault(conj((guard, negate(inside))), base, f"index out of bounds of {length}")
        if store.dead:
            return []
        low, high = store.limits(index)
        found: list[tuple[Term, str]] = []
        for number in range(low, min(high, length - 1) + 1):
            here = conj((guard, store.fold(index.eq(number))))
            if here is not false:
                found.append((here, f"{base}[{number}]"))
        return found

    def _alive(self, guard: Term, path: str) -> bool:
        """Not a local of a function that has returned."""
        if path[0] != "%" or path[: path.index(".") + 1] in self.live:
            return True
        self._fault(guard, path, "a local of a function that has returned")
        return False

    def scalar(self, place: Place) -> Place:
        """The place of the scalar that starts at each path."""
        if isinstance(place, str):
            return self._objects.scalar(place)
        return tuple((guard, self._objects.scalar(path)) for guard, path in place)

    # Contents ---------------------------------------------------------------------------------

    def load(self, place: Place, kind: Int | PointerType) -> Cell:
        """The value at a place, read as `kind`."""
        value = self.peek(place, kind)
        if isinstance(value, Pointer):
            for guard, path in value.targets:
                if path == UNSET:
                    where = place if isinstance(place, str) else place[0][1]
                    self._fault(guard, where, "a pointer that was never assigned")
            return self._store.narrow_pointer(value) if len(value.targets) > 1 else value
        return value

    def peek(self, place: Place, kind: Int | PointerType) -> Cell:
        """The same, but a pointer that was never assigned may be read."""
        if self._store.dead:
            return nothing(kind)
        if isinstance(place, str):
            found = self._read(true, place, kind)
            return nothing(kind) if found is None else found
        value: Cell | None = None
        for guard, path in reversed(place):
            found = self._read(guard, path, kind)
            if found is not None:
                value = found if value is None else merge(guard, found, value)
        return nothing(kind) if value is None else value

    def _read(self, guard: Term, path: str, kind: Int | PointerType) -> Cell | None:
        """The value at one path, None when it cannot be read."""
        if path[0] == "%" and not self._alive(guard, path):
            return None
        path = self._objects.scalar(path)
        if self._objects.foreign(path):
            self._fault(guard, None, f"{path} is no part of what is there")
            return None
        value = self._store.cells.get(path)
        if value is None:
            actual = self._objects.type_of(path)
            if actual is None:
                self._objects.set_type(path, kind)
            elif not isinstance(actual, Int | PointerType):
                self._fault(guard, None, f"{path} is not a scalar")
                return None
        value = self._store.read(path)
        if isinstance(value, Term):
            if not isinstance(kind, Int):
                self._fault(guard, None, f"{path} is read as something else than it is")
                return None
            if value.width != kind.width:
                reason = f"{path} has {value.width} bits and is read as {kind.width}"
                self._fault(guard, None, reason)
                return None
        elif isinstance(kind, Int):
            self._fault(guard, None, f"{path} is read as something else than it is")
            return None
        return value

    def store(self, place: Place, value: Cell) -> None:
        """Assign the cell at a place."""
        if isinstance(place, str):
            self._write(true, place, value)
        else:
            for guard, path in place:
                self._write(guard, path, value)

    def _write(self, guard: Term, path: str, value: Cell) -> None:
        store = self._store
        if store.dead or (path[0] == "%" and not self._alive(guard, path)):
            return
        path = self._objects.scalar(path)
        if self._objects.foreign(path):
            self._fault(guard, None, f"{path} is no part of what is there")
            return
        kind = self._objects.type_of(path)
        if isinstance(kind, Int):
            if not isinstance(value, Term) or value.width != kind.width:
                reason = f"{path} has {kind.width} bits and is written as something else"
                self._fault(guard, None, reason)
                return
        elif isinstance(kind, PointerType) and isinstance(value, Term):
            self._fault(guard, None, f"{path} is a pointer and is written as an integer")
            return
        elif kind is None and isinstance(value, Term):
            self._objects.set_type(path, Int(value.width, False))
        if guard is not true:
            guard = store.fold(guard)
            if guard is false:
                return
            if guard is not true:
                value = merge(guard, value, store.read(path))
        store.write(path, value)

    def copy(self, source: Place, target: Place, kind: Type) -> None:
        """Copy a record, all of whose members are read before one is written."""
        found = [
            (part, self.peek(self.field(source, part), scalar))
            for part, scalar in self._objects.scalars(kind)
        ]
        for part, value in found:
            self.store(self.field(target, part), value)

    # Locals -----------------------------------------------------------------------------------

    def declare(self, path: str, kind: Type, undefined: Input | None) -> None:
        """A new object for a local, in the place of the one of an earlier round."""
        store, objects = self._store, self._objects
        if path in store.declared:
            if isinstance(kind, Int | PointerType):
                store.forget(path)
            else:
                parts = (path + ".", path + "[")
                for cell in [c for c in store.cells if c.startswith(parts)]:
                    store.forget(cell)
        objects.locals[path] = kind
        objects.undefined[path] = undefined
        store.declared[path] = store.depth

    # Comparison -------------------------------------------------------------------------------

    def same(self, left: Pointer, right: Pointer, unknown: Callable[[], Term]) -> Term:
        """Both point to one object; `unknown` is the answer where one of them is unknown."""
        parts: list[Term] = []
        for guard, path in (*left.targets, *right.targets):
            if path is not None:
                self._alive(guard, path)
        for guard, path in left.targets:
            for other_guard, other in right.targets:
                both = conj((guard, other_guard))
                if both is false:
                    continue
                if UNDEFINED in (path, other) and None not in (path, other):
                    parts.append(conj((both, unknown())))
                elif self._start(path) == self._start(other):
                    parts.append(both)
        return self._store.fold(disj(parts))

    def _start(self, path: str | None) -> str | None:
        return None if path is None else self._objects.scalar(path)


def not_null(pointer: Pointer) -> Term:
    """The pointer is not NULL."""
    return negate(disj([guard for guard, path in pointer.targets if path is None]))
