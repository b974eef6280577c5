"""What stands for code that is not understood: it may have done anything that it could reach.

It may write every integer of every object that its pointers and the globals lead to, hardware
included. Pointers from object to object stay as they are (`POINTERS`): without them nothing could
be said of any object. Pointers in locals that it reaches become unknown ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from verify.encode.names import HAVOC, Input, Places, below, value_of
from verify.encode.objects import Havoc, Objects, read_input, root
from verify.encode.store import UNDEFINED, Cell, Pointer, Store
from verify.encode.term import Term, negate
from verify.ir.nodes import Loc
from verify.ir.types import Int, Type
from verify.ir.types import Pointer as PointerType
from verify.target import Assumption

POINTERS = Assumption(
    "unknown.pointers",
    "code that is not understood leaves the pointers from object to object as they are",
)
"""Printed where there is such code."""

Record = Callable[[str, str, Loc | None], None]
"""Notes a text that was not understood, why, and where."""


class Unknown:
    """Lets unknown code run on the current path."""

    def __init__(self, store: Store, objects: Objects, names: Places, record: Record) -> None:
        self._store = store
        self._objects = objects
        self._names = names
        self._record = record
        # How often unknown code ran in this phase.
        self.count = 0

    def begin(self) -> None:
        """A phase starts."""
        self.count = 0

    def code(
        self,
        text: str,
        reason: str,
        loc: Loc | None,
        pointers: Iterable[Pointer],
        roots: Iterable[str] = (),
    ) -> Input:
        """Unknown code runs that holds these pointers and locals; the input that it is."""
        self.count += 1
        name = self._names.here(f"{HAVOC}~{self.count}")
        store, objects = self._store, self._objects
        if store.dead:
            return name
        self._record(text, reason, loc)
        start = set(roots)
        for pointer in pointers:
            for _, path in pointer.targets:
                if path == UNDEFINED:
                    start |= objects.roots()
                elif path is not None:
                    start.add(root(path))
        reached, cells = objects.touched(store.cells, start)
        havoc = Havoc(store.condition(), reached, name)
        objects.havocs.append(havoc)
        for path in dict.fromkeys([*cells, *self._locals(reached)]):
            value = store.cells.get(path)
            kind = objects.type_of(path)
            if isinstance(value, Term):
                kind = kind if isinstance(kind, Int) else Int(value.width, False)
            if isinstance(kind, Int):
                store.write(path, havoc.value(path, kind))
            elif path[0] == "%":
                store.write(path, self._pointer(below(name, f"/{path}")))
        return name

    def _locals(self, reached: Iterable[str]) -> Iterable[str]:
        for start in reached:
            kind = self._objects.locals.get(start) if start[0] == "%" else None
            if kind is not None:
                for part, _ in self._objects.scalars(kind):
                    yield start + part

    def result(self, name: Input, kind: Type) -> Cell | None:
        """What unknown code returns; nothing for what is neither an integer nor a pointer."""
        if isinstance(kind, Int):
            return read_input(below(name, "/return"), kind)
        if isinstance(kind, PointerType):
            return self._pointer(below(name, "/return"))
        return None

    def flag(self, name: Input, label: str) -> Term:
        """Something that unknown code may do or not."""
        return value_of(below(name, f"/{label}"), 0)

    def _pointer(self, name: Input) -> Pointer:
        """A pointer that may be NULL and of which nothing else is known."""
        null = value_of(below(name, "/null"), 0)
        return Pointer(((null, None), (negate(null), UNDEFINED)))
