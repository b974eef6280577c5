"""The symbolic executor: runs IR and models on terms, all paths at once.

It is `verify.ir.interp.Interpreter` on terms: the same inputs have the same names, and where the
interpreter is stuck it has recorded why: a fault, an assumption or code that is not understood.
What it computes is meant for runs that satisfy `assumptions` and meet none of `faults`; there it
equals the interpreter's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from verify.encode.access import NOWHERE, Access, Place, as_pointer
from verify.encode.names import Places, through_havoc, value_of
from verify.encode.objects import Objects
from verify.encode.statements import Statements, as_term
from verify.encode.store import Cell, Pointer, Store, merge
from verify.encode.term import Term, conj, const, equal, false, ite, negate, true, var
from verify.encode.unknown import Unknown
from verify.errors import InternalError, no_cell
from verify.ir.contract import Contract
from verify.ir.machine import Machine
from verify.ir.nodes import Loc
from verify.ir.program import Program
from verify.ir.types import Int, Record
from verify.ir.types import Pointer as PointerType

__all__ = ["Executor", "Fault", "NotUnderstood", "Observer", "Pointer", "through_havoc"]

DEFINED = "config/"
"""Variables of this prefix are no inputs: an assumption defines each."""

# Nesting in the tree is nesting in Python, several levels for one.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))

Observer = Callable[[Machine, str, str, Any, Any], None]
"""Told of each `emit`: machine, operation, register, value before and after. It may set cells, and
must not ask for inputs."""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A place that is not understood ("" and 0 outside the tree), and the paths that pass it."""

    file: str
    line: int
    text: str
    reason: str
    guard: Term


@dataclass(frozen=True, slots=True)
class Fault:
    """What C gives no meaning, or the paths cannot express: where `guard` holds, nothing that the
    executor computed afterwards means anything."""

    file: str
    line: int
    reason: str
    guard: Term


class Executor:
    """`verify.ir.machine.Machine` on `Term`s.

    `objects` gives kernel objects that exist from the start, as root name -> C type; `cells` the
    models' own cells, as path -> width. A value that was computed under a condition means nothing
    where it does not hold.
    """

    def __init__(
        self,
        program: Program,
        contracts: Mapping[str, Contract],
        objects: Mapping[str, str],
        cells: Mapping[str, int] | None = None,
    ) -> None:
        self._program = program
        self._contracts = contracts
        known = Objects(program, objects, cells or {})
        self._start(known, Store(known.initial))

    def _start(self, objects: Objects, store: Store) -> None:
        self.assumptions: list[Term] = []
        self.not_understood_places: list[NotUnderstood] = []
        self.faults: list[Fault] = []
        self.observers: list[Observer] = []
        self._defined: dict[str, int] = {}
        self._phase = ""
        self._objects = objects
        self._store = store
        self._names = Places(store.fold)
        self._access = Access(store, objects, self._fault)
        self._unknown = Unknown(store, objects, self._names, self._record)
        self._statements = Statements(
            self._program,
            self._contracts,
            store,
            objects,
            self._access,
            self._names,
            self,
            self._fault,
            self._unknown,
        )

    def fork(self) -> Executor:
        """A machine in this state that goes its own way; its lists are empty. No function and no
        `when` may be running."""
        copy = Executor.__new__(Executor)
        copy._program = self._program
        copy._contracts = self._contracts
        objects = self._objects.fork()
        copy._start(objects, self._store.fork(objects.initial))
        copy._phase = self._phase
        return copy

    # What models ask for ----------------------------------------------------------------------

    def begin_phase(self, name: str) -> None:
        """Start a phase: `name` begins the names of its inputs."""
        self._phase = name
        self._names.begin(name)
        self._unknown.begin()

    @property
    def phase(self) -> str:
        """The name of the phase that runs."""
        return self._phase

    @property
    def cells(self) -> dict[str, Cell]:
        """What the cells hold, by path; only those that were ever used. It may be changed while
        no function and no `when` is running."""
        return self._store.cells

    @property
    def functions(self) -> set[str]:
        """The functions of the tree that ran."""
        return self._statements.functions

    @property
    def current_loc(self) -> Loc | None:
        """The statement being executed in the innermost function of the tree."""
        return self._statements.loc

    @property
    def condition(self) -> Term:
        """Where the current path goes."""
        return self._store.condition()

    def settle(self) -> None:
        """Go on with a name for each value that was computed so far (its definition is one of
        the assumptions): what comes later is then about small terms. No function and no `when`
        may be running."""
        cells = self._store.cells
        for cell, value in list(cells.items()):
            if isinstance(value, Term) and value.args and not cell.startswith("%"):
                name = f"{DEFINED}{cell}"
                again = self._defined.get(name, 0)
                self._defined[name] = again + 1
                constant = var(f"{name}~{again}" if again else name, value.width, self.upper(value))
                self.assumptions.append(equal(constant, value))
                cells[cell] = constant

    def initial_value(self, cell: str) -> Cell:
        """What a cell holds that was never assigned."""
        return self._objects.initial(cell)

    def upper(self, value: Term) -> int:
        """An upper bound of the unsigned value, from what is known on this path."""
        return self._store.limits(value)[1]

    def const(self, value: int, width: int) -> Term:
        """A bit vector constant."""
        return const(value, width)

    def flag(self, value: bool) -> Term:
        """A truth value constant."""
        return true if value else false

    def get(self, cell: str) -> Any:
        """The value of a cell; BadInput when an object of the tree has no such member."""
        self._declared(cell)
        return self._store.read(cell)

    def set(self, cell: str, value: Any) -> None:
        """Assign a cell; BadInput when an object of the tree has no such member, InternalError when
        the width is not its own."""
        kind = self._declared(cell)
        if isinstance(kind, Int):
            self._store.write(cell, as_term(value, kind.width))
        else:
            self._store.write(cell, as_pointer(value))

    def ite(self, condition: Any, then: Any, orelse: Any) -> Any:
        """`then` where the condition is true, else `orelse`; one of them may be an int."""
        condition = _truth(condition)
        if isinstance(then, Term) or isinstance(orelse, Term):
            width = then.width if isinstance(then, Term) else orelse.width
            return ite(condition, as_term(then, width), as_term(orelse, width))
        if isinstance(then, int) or isinstance(orelse, int):
            raise InternalError("ite of two ints")
        return merge(condition, as_pointer(then), as_pointer(orelse))

    def when(self, condition: Any) -> AbstractContextManager[None]:
        """Effects of the body happen only where `condition` is true; the body always runs."""
        return self._when(self._store.fold(_truth(condition)))

    @contextmanager
    def _when(self, condition: Term) -> Iterator[None]:
        store = self._store
        if condition is true:
            yield
        elif condition is false or store.dead:
            outer, store.dead = store.dead, True
            yield
            store.dead = outer
        else:
            scope = store.open()
            store.push(condition)
            yield
            store.rejoin(scope, condition)

    def fresh(self, label: str, width: int) -> Term:
        """An input, named by its place and `label`."""
        return value_of(self._names.label(label), width)

    def assume(self, condition: Any) -> None:
        """Paths where the condition is false are none at all."""
        store = self._store
        if store.dead:
            return
        condition = store.fold(_truth(condition))
        if condition is not true:
            self.assumptions.append(negate(conj((store.condition(), negate(condition)))))
            store.learn(condition)

    def emit(self, op: str, register: str, before: Any, after: Any, note: str = "") -> None:
        """Tell the observers."""
        if not self._store.dead:
            for observer in self.observers:
                observer(self, op, register, before, after)

    def call(self, function: str, *args: Any) -> Any:
        """Run a function of the tree, also one that has a contract. Arguments are terms of the
        parameters' widths, ints, or addresses. InternalError when the tree has no such function.
        """
        body = self._program.function(function)
        if body is None:
            raise InternalError(f"a model calls {function}, which the tree does not define")
        loc = self.current_loc
        self._names.enter(f"{function}:{loc.line if loc else 0}")
        try:
            if self._store.dead:
                return const(0, body.result.width) if isinstance(body.result, Int) else None
            return self._statements.run(function, body, args, body.result, loc)
        finally:
            self._names.leave()

    def address(self, path: str) -> Pointer:
        """A pointer to the object at `path`; InternalError when there is none."""
        if self._objects.type_of(path) is None:
            raise InternalError(f"no object {path}")
        return Pointer.to(path)

    def read(self, pointer: Any, member: str, width: int) -> Any:
        """Load the integer at `pointer`."""
        if self._store.dead:
            return const(0, width)
        return self._access.load(self._member(pointer, member), Int(width, False))

    def write(self, pointer: Any, member: str, value: Any) -> None:
        """Store an integer at `pointer`."""
        if self._store.dead:
            return
        place = self._member(pointer, member)
        if isinstance(value, int):
            width = self._width_at(place)
            if width is None:
                return
            value = const(value, width)
        self._access.store(place, value)

    def width_of(self, pointer: Any) -> int:
        """Width in bits of the integer that `pointer` points to."""
        place = NOWHERE if self._store.dead else self._member(pointer, "")
        return self._width_at(place) or 64

    def not_understood(self, text: str, reason: str) -> None:
        """Record the current place in `not_understood_places`."""
        if not self._store.dead:
            self._record(text, reason, self.current_loc)

    # Cells ------------------------------------------------------------------------------------

    def _declared(self, path: str) -> Int | PointerType:
        kind = self._objects.type_of(path)
        if not isinstance(kind, Int | PointerType):
            of_tree = isinstance(self._objects.type_of(path.partition(".")[0]), Record)
            raise no_cell(path, of_tree and kind is None)
        return kind

    def _member(self, pointer: Any, member: str) -> Place:
        """The place of the scalar at a part of what a model's pointer points to."""
        access = self._access
        place = access.pointed(as_pointer(pointer))
        if member.startswith("["):
            end = member.index("]")
            index = const(int(member[1:end]), 64)
            place, member = access.element(place, index, True), member[end + 1 :]
        return access.scalar(access.field(place, member) if member else place)

    def _width_at(self, place: Place) -> int | None:
        """The width of the integers at a place; None where there is none."""
        paths = [place] if isinstance(place, str) else [path for _, path in place]
        kinds = [self._objects.type_of(path) for path in paths]
        widths = {kind.width if isinstance(kind, Int) else None for kind in kinds}
        width = widths.pop()
        if width is None or widths:
            self._fault(true, None, f"{paths[0]} is not known to be an integer")
            return None
        return width

    # Records ----------------------------------------------------------------------------------

    def _fault(self, condition: Term, path: str | None, reason: str) -> None:
        """Paths where the condition is true end here; a FAULT event where `path` is given."""
        store = self._store
        if store.dead or condition is false:
            return
        condition = store.fold(condition)
        if condition is false:
            return
        loc = self.current_loc or Loc("", 0)
        guard = conj((store.condition(), condition))
        self.faults.append(Fault(loc.file, loc.line, reason, guard))
        if path is not None and self.observers:
            with self._when(condition):
                self.emit("FAULT", path, const(0, 1), const(0, 1), reason)
        store.exclude(condition)

    def _record(self, text: str, reason: str, loc: Loc | None) -> None:
        place = loc or Loc("", 0)
        self.not_understood_places.append(
            NotUnderstood(place.file, place.line, text, reason, self._store.condition())
        )


def _truth(condition: Any) -> Term:
    """A model's truth value."""
    if isinstance(condition, bool):
        return true if condition else false
    if not isinstance(condition, Term) or condition.width:
        raise InternalError(f"{condition!r} is not a truth value")
    return condition
