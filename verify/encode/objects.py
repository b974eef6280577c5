"""What is at a path: types of cells, their initial values, and what unknown code has done to them.

Paths and the names of inputs are those of `verify.ir.contract`, so that a run on numbers finds the
same cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from verify.encode.names import Input, below, value_of
from verify.encode.store import UNSET, Cell, Pointer, local_root, merge
from verify.encode.term import Term, const, ite, true
from verify.ir.nodes import Const
from verify.ir.program import Program
from verify.ir.types import Array, Int, Record, Type
from verify.ir.types import Pointer as PointerType

# Model cells that unknown code cannot touch: expected values and constants of the configuration.
FROZEN = ("ghost.", "config.", "param.")


@dataclass(frozen=True, slots=True)
class Havoc:
    """Unknown code ran where `guard` holds and may have written every cell under `roots`."""

    guard: Term
    roots: frozenset[str]
    name: Input

    def value(self, path: str, kind: Int) -> Term:
        """What a cell holds afterwards."""
        return read_input(below(self.name, f"/{path}"), kind)


def read_input(name: Input, kind: Int) -> Term:
    """An input as a value of a type: for `_Bool` it is read as `!= 0`."""
    value = value_of(name, kind.width)
    if kind.boolean:
        return ite(value.nonzero(), const(1, kind.width), const(0, kind.width))
    return value


@lru_cache(maxsize=1 << 16)
def root(path: str) -> str:
    """The object that a path starts at; for a local the whole local."""
    if path.startswith("%"):
        return local_root(path)
    ends = [end for end in (path.find(c) for c in (".", "[", "->")) if end >= 0]
    return path[: min(ends)] if ends else path


class Objects:
    """Types and initial values of cells.

    `objects` are the kernel objects that exist from the start (root name -> C type), `cells` the
    models' own cells (path -> width).
    """

    def __init__(
        self, program: Program, objects: Mapping[str, str], cells: Mapping[str, int]
    ) -> None:
        self._program = program
        self._objects = objects
        self._cells = cells
        self._model_roots = {root(cell) for cell in cells}
        self._types: dict[str, Type | None] = {}
        self._fixed: dict[str, Mapping[str, Const] | None] = {}
        self.locals: dict[str, Type] = {}
        # The input that unassigned parts of a local are, or None where they are zero.
        self.undefined: dict[str, Input | None] = {}
        self.havocs: list[Havoc] = []

    def fork(self) -> Objects:
        """A copy that goes its own way; no function may be running."""
        copy = Objects(self._program, self._objects, self._cells)
        copy._types, copy._fixed = self._types, self._fixed
        copy.havocs = list(self.havocs)
        return copy

    # Types ------------------------------------------------------------------------------------

    def type_of(self, path: str) -> Type | None:
        """The type of what is at `path`, None when that is not known."""
        types = self.locals if path.startswith("%") else self._types
        if path in types:
            return types[path]
        kind = self._find(path)
        if path.startswith("%"):
            if kind is not None:
                self.locals[path] = kind
        else:
            self._types[path] = kind
        return kind

    def _find(self, path: str) -> Type | None:
        width = self._cells.get(path)
        if width is not None:
            return Int(width, False)
        if path.endswith("->"):
            pointer = self.type_of(path[:-2])
            return pointer.to if isinstance(pointer, PointerType) else None
        if path.endswith("]"):
            array = self.type_of(path[: path.rindex("[")])
            return array.of if isinstance(array, Array) else None
        base, dot, name = path.rpartition(".")
        if not dot:
            text = self._objects.get(path)
            return self._program.object_type(path) if text is None else self._program.type_of(text)
        if base.startswith("%") and base[1:].isdigit():
            return None
        record = self.type_of(base)
        if not isinstance(record, Record):
            return None
        try:
            member = self._program.record(record.tag).members.get(name)
        except KeyError:
            return None
        return member.type if member else None

    def set_type(self, path: str, kind: Type) -> None:
        """What is at `path` is used as `kind`, which counts where nothing else tells."""
        if self.type_of(path) is None:
            (self.locals if path[0] == "%" else self._types)[path] = kind

    def foreign(self, path: str) -> bool:
        """A member or element of what is known to have none: memory seen as another type."""
        if self.type_of(path) is not None or path.endswith("->"):
            return False
        base = path[: path.rindex("[")] if path.endswith("]") else path.rpartition(".")[0]
        return isinstance(self.type_of(base), Int | PointerType) if base else False

    def scalar(self, path: str) -> str:
        """The path of the first integer or pointer: an array's address is its first element's."""
        while isinstance(self.type_of(path), Array):
            path += "[0]"
        return path

    def scalars(self, kind: Type) -> Iterator[tuple[str, Int | PointerType]]:
        """The integers and pointers in a type, by the path from its start. A member whose type
        the program does not know has none."""
        if isinstance(kind, Int | PointerType):
            yield "", kind
        elif isinstance(kind, Array):
            for index in range(kind.length):
                for part, scalar in self.scalars(kind.of):
                    yield f"[{index}]{part}", scalar
        elif isinstance(kind, Record):
            try:
                members = self._program.record(kind.tag).members
            except KeyError:
                return
            for member in members.values():
                for part, scalar in self.scalars(member.type):
                    yield f".{member.name}{part}", scalar

    def array_at(self, path: str) -> tuple[str, int, int] | None:
        """The array that a path indexes into: its path, the element that the path is, the length.
        None when the path is in no array."""
        kind = self.type_of(path)
        offset = 0
        if not isinstance(kind, Array) and path.endswith("]"):
            start = path.rindex("[")
            path, offset = path[:start], int(path[start + 1 : -1])
            kind = self.type_of(path)
        return (path, offset, kind.length) if isinstance(kind, Array) else None

    # Initial values ---------------------------------------------------------------------------

    def initial(self, path: str) -> Cell:
        """What a never assigned cell holds."""
        kind = self.type_of(path)
        local = path.startswith("%")
        name: Input | None
        if local:
            whole = local_root(path)
            name = self.undefined.get(whole)
            name = None if name is None else below(name, path[len(whole) :])
        else:
            name = ((true, f"init/{path}"),)
        if isinstance(kind, Int):
            if not local and (fixed := self._values(root(path))) is not None:
                found = fixed.get(path[len(root(path)) :])
                return const(found.value if found is not None else 0, kind.width)
            value = const(0, kind.width) if name is None else read_input(name, kind)
            return value if local else self._after_havocs(path, kind, value)
        if local:
            return Pointer.to(None if name is None else UNSET)
        return Pointer.to(path + "->")

    def _values(self, name: str) -> Mapping[str, Const] | None:
        """What a `const` object holds."""
        if name not in self._fixed:
            own = name in self._model_roots or name in self._objects
            self._fixed[name] = None if own else self._program.initialiser(name)
        return self._fixed[name]

    def _after_havocs(self, path: str, kind: Int, value: Term) -> Term:
        if self.havocs and self.is_state(path):
            for havoc in self.havocs:
                if self._touches(path, havoc.roots):
                    changed = merge(havoc.guard, havoc.value(path, kind), value)
                    assert isinstance(changed, Term)
                    value = changed
        return value

    # Unknown code -----------------------------------------------------------------------------

    def is_state(self, path: str) -> bool:
        """Not a local, not frozen, and no constant."""
        return not path.startswith(("%", *FROZEN)) and self._values(root(path)) is None

    def roots(self) -> set[str]:
        """Every object that is declared."""
        return self._model_roots | set(self._objects)

    def is_global(self, name: str) -> bool:
        """A root that any function can name: a file-scope object, or a model's cell (hardware)."""
        if name.startswith("%"):
            return False
        if name in self._model_roots or name not in self._objects:
            return True
        return self._program.object_type(name) is not None

    def _touches(self, path: str, roots: frozenset[str]) -> bool:
        start = root(path)
        return start in roots or self.is_global(start)

    def touched(
        self, cells: Mapping[str, Cell], start: set[str]
    ) -> tuple[frozenset[str], list[str]]:
        """The roots that code holding pointers into `start` can reach, and their cells.

        Pointers are followed by what they may point to now.
        """
        reached = set(start)
        pointers = [(root(p), v) for p, v in cells.items() if isinstance(v, Pointer)]
        grown = True
        while grown:
            grown = False
            for name, pointer in pointers:
                if name in reached or self.is_global(name):
                    for _, path in pointer.targets:
                        if path is not None and path[:1] != "?" and root(path) not in reached:
                            reached.add(root(path))
                            grown = True
        roots = frozenset(reached)

        found = [
            path
            for path in cells
            if (root(path) in roots if path.startswith("%") else self.is_state(path))
            and self._touches(path, roots)
        ]
        return roots, found
