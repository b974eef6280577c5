"""Cells of the concrete interpreter: where they are, what type they have and what they hold.

A cell is an integer or a pointer and has a path. Objects of the kernel and models start at a root
(`vmx.vcpu.arch.pmu.version`), locals at the number of their frame (`%3.i`), and what a never
assigned pointer `p` points to is `p->`. A pointer's value is the path of what it points to, or
None for NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from verify.ir.nodes import Local
from verify.ir.program import Program
from verify.ir.types import Array, Int, Pointer, Record, Type
from verify.ir.word import Word

Inputs = Callable[[str, int], int]
"""The value of an input, by name and width in bits (0: a truth value)."""

Address = str | None
"""A pointer's value."""

Cells = dict[str, Word | Address]

_UNSET = "?"
"""What a local's pointer holds that was never assigned: it may be copied, though not used."""


class Fault(Exception):
    """An access that C does not allow (`path` is where), or that the paths cannot express
    (`path` is None)."""

    def __init__(self, reason: str, path: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path


@dataclass(slots=True)
class Scope:
    """The locals of one activation of a function, by path; all paths start with `prefix`.

    `undefined` has for each local the name of the input that its never assigned parts are, or
    None when they are zero.
    """

    prefix: str
    cells: Cells = field(default_factory=dict)
    types: dict[str, Type] = field(default_factory=dict)
    undefined: dict[str, str | None] = field(default_factory=dict)

    def path(self, local: Local) -> str:
        """Where a local is; a dot in its name would look like a member."""
        return self.prefix + local.name.replace(".", "~")

    def declare(self, local: Local, undefined: str | None) -> str:
        """A new object for a local, in the place of the one of an earlier round; its path."""
        path = self.path(local)
        if path in self.types:
            parts = (path + ".", path + "[")
            for cell in [c for c in self.cells if c == path or c.startswith(parts)]:
                del self.cells[cell]
        self.types[path] = local.type
        self.undefined[path] = undefined
        return path


class Memory:
    """All cells. `objects`: root name -> C type; `cells`: path -> width of the models' cells.
    `types`: the types that are known by path; memories of one program may share them."""

    def __init__(
        self,
        program: Program,
        objects: Mapping[str, str],
        cells: Mapping[str, int],
        inputs: Inputs,
        types: dict[str, Type | None] | None = None,
    ) -> None:
        self.cells: Cells = {}
        # What cells held that were read before they were ever assigned.
        self.initial: Cells = {}
        self._program = program
        self._objects = objects
        self._widths = cells
        self._inputs = inputs
        self._types: dict[str, Type | None] = {} if types is None else types
        self._scopes: dict[str, Scope] = {}
        self._scopes_made = 0

    # Paths ------------------------------------------------------------------------------------

    def open_scope(self) -> Scope:
        """The scope of a function that starts."""
        self._scopes_made += 1
        scope = Scope(f"%{self._scopes_made}.")
        self._scopes[scope.prefix] = scope
        return scope

    def close_scope(self, scope: Scope) -> None:
        """The function returns: an access to its locals is a fault from now on."""
        del self._scopes[scope.prefix]

    def root(self, name: str, kind: Type) -> str:
        """The path of a file-scope object; `kind` is its type when nothing else tells."""
        if self.type_at(name) is None:
            self._types[name] = kind
        return name

    def type_at(self, path: str) -> Type | None:
        """The type of what is at `path`, None when that is not known."""
        if path.startswith("%"):
            return self._type(path)
        if path not in self._types:
            self._types[path] = self._type(path)
        return self._types[path]

    def _type(self, path: str) -> Type | None:
        width = self._widths.get(path)
        if width is not None:
            return Int(width, False)
        if path.endswith("->"):
            pointer = self.type_at(path[:-2])
            return pointer.to if isinstance(pointer, Pointer) else None
        if path.endswith("]"):
            array = self.type_at(path[: path.rindex("[")])
            return array.of if isinstance(array, Array) else None
        base, dot, name = path.rpartition(".")
        if not dot:
            text = self._objects.get(path)
            return self._program.object_type(path) if text is None else self._program.type_of(text)
        if base.startswith("%") and base[1:].isdigit():
            return self._scope(path).types.get(path)
        record = self.type_at(base)
        if not isinstance(record, Record):
            return None
        try:
            member = self._program.record(record.tag).members.get(name)
        except KeyError:
            return None
        return member.type if member else None

    def _scope(self, path: str) -> Scope:
        """The scope of a local's path."""
        scope = self._scopes.get(path[: path.index(".") + 1])
        if scope is None:
            raise Fault("a local of a function that has returned", path)
        return scope

    def scalar(self, path: str) -> str:
        """The path of the scalar that starts at `path`: an array's address is also that of its
        first element."""
        while isinstance(self.type_at(path), Array):
            path += "[0]"
        return path

    def element(self, path: str, index: int) -> str:
        """The path of an element of the array at `path`, or of the array that has `path` as an
        element, counted from there."""
        array = self.type_at(path)
        if not isinstance(array, Array) and path.endswith("]"):
            start = path.rindex("[")
            path, index = path[:start], int(path[start + 1 : -1]) + index
            array = self.type_at(path)
        if isinstance(array, Array):
            if not 0 <= index < array.length:
                raise Fault(f"index {index} out of bounds of {array.length}", path)
            return f"{path}[{index}]"
        if index:
            raise Fault(f"index {index} of what is no array", path)
        return path

    # Contents ---------------------------------------------------------------------------------

    def load(self, path: str, kind: Int | Pointer) -> Word | Address:
        """What a cell holds, read as `kind`."""
        value = self._peek(path, kind)
        if value == _UNSET:
            raise Fault("a pointer that was never assigned", path)
        return value

    def _peek(self, path: str, kind: Int | Pointer) -> Word | Address:
        """What a cell holds, `_UNSET` included."""
        value = self.cells.get(path)
        if value is None:
            path = self.scalar(path)
            value = self._cell(path, kind)
        if isinstance(kind, Pointer) == isinstance(value, Word):
            raise Fault(f"{path} is read as something else than it is")
        if isinstance(value, Word) and isinstance(kind, Int) and value.width != kind.width:
            raise Fault(f"{path} has {value.width} bits and is read as {kind.width}")
        return value

    def _cell(self, path: str, kind: Int | Pointer) -> Word | Address:
        """What is at a scalar's path; when that was never assigned, what it holds at first."""
        self._check(path)
        local = path.startswith("%")
        cells = self._scope(path).cells if local else self.cells
        if path not in cells:
            cells[path] = self._initial(path, kind)
            if not local:
                self.initial[path] = cells[path]
        return cells[path]

    def _check(self, path: str) -> None:
        """A Fault for a member or element of what is known to have none."""
        if self.type_at(path) is None and not path.endswith("->"):
            base = path[: path.rindex("[")] if path.endswith("]") else path.rpartition(".")[0]
            if base and isinstance(self.type_at(base), Int | Pointer):
                raise Fault(f"{path} is no part of what is there")

    def _initial(self, path: str, kind: Int | Pointer) -> Word | Address:
        """What a cell holds that was never assigned."""
        actual = self.type_at(path) or kind
        name: str | None = f"init/{path}"
        if path.startswith("%"):
            name = self._undefined(path)
        if isinstance(actual, Pointer):
            if name is None:
                return None
            return _UNSET if path.startswith("%") else path + "->"
        if not isinstance(actual, Int):
            raise Fault(f"{path} is not a scalar")
        if name is None:
            return Word(0, actual.width)
        if not path.startswith("%") and (fixed := self._fixed(path)) is not None:
            return Word(fixed & (1 << actual.width) - 1, actual.width)
        value = self._inputs(name, actual.width)
        return Word(value != 0 if actual.boolean else value, actual.width)

    def _fixed(self, path: str) -> int | None:
        """What a part of a `const` object holds."""
        name = path[: min((at for c in ".[-" if (at := path.find(c)) >= 0), default=len(path))]
        if name in self._objects or path in self._widths:
            return None
        values = self._program.initialiser(name)
        if values is None:
            return None
        found = values.get(path[len(name) :])
        return 0 if found is None else found.value

    def _undefined(self, path: str) -> str | None:
        """The name of the input that a never assigned part of a local is, or None for zero."""
        scope = self._scope(path)
        start = len(scope.prefix)
        end = min((at for c in ".[" if (at := path.find(c, start)) >= 0), default=len(path))
        name = scope.undefined.get(path[:end])
        return None if name is None else name + path[end:]

    def store(self, path: str, value: Word | Address) -> None:
        """Assign a cell."""
        path = self.scalar(path)
        self._check(path)
        kind = self.type_at(path)
        if isinstance(kind, Int) and (not isinstance(value, Word) or value.width != kind.width):
            raise Fault(f"{path} has {kind.width} bits and is written as something else")
        if isinstance(kind, Pointer) and isinstance(value, Word):
            raise Fault(f"{path} is a pointer and is written as an integer")
        cells = self._scope(path).cells if path.startswith("%") else self.cells
        cells[path] = value

    def copy(self, source: str, target: str, kind: Type) -> None:
        """Copy a record, all of whose members are read before one is written."""
        found = {part: self._peek(source + part, scalar) for part, scalar in self._scalars(kind)}
        for part, value in found.items():
            self.store(target + part, value)

    def _scalars(self, kind: Type) -> Iterator[tuple[str, Int | Pointer]]:
        """The integers and pointers in a type, by the path from its start. A member whose type
        the program does not know has none."""
        if isinstance(kind, Int | Pointer):
            yield "", kind
        elif isinstance(kind, Array):
            for index in range(kind.length):
                for part, scalar in self._scalars(kind.of):
                    yield f"[{index}]{part}", scalar
        elif isinstance(kind, Record):
            try:
                members = self._program.record(kind.tag).members
            except KeyError:
                return
            for member in members.values():
                for part, scalar in self._scalars(member.type):
                    yield f".{member.name}{part}", scalar
