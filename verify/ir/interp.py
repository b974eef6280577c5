"""The concrete interpreter: runs IR and models on numbers.

Counterexamples are replayed with it before they are shown, so it has nothing in common with the
encoder but the IR and the names of inputs (`verify.ir.contract`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from verify.errors import InternalError, no_cell
from verify.ir.contract import Contract, Names
from verify.ir.evaluate import Evaluator, Stuck, as_word, pointed
from verify.ir.machine import Machine
from verify.ir.memory import Address, Cells, Fault, Inputs, Memory
from verify.ir.nodes import Loc
from verify.ir.program import Program
from verify.ir.types import Int, Pointer, Record, Type
from verify.ir.word import Word

__all__ = ["Inputs", "Interpreter", "NotUnderstood", "Observer", "Step", "Stuck"]

SKIP = "not taken"
"""The operation of a step that tells of a branch which was not taken."""

Observer = Callable[[Machine, str, str, Any, Any], None]
"""Told of each `emit`: machine, operation, register, value before and after."""


@dataclass(frozen=True, slots=True)
class Step:
    """One hardware access or event, or a branch not taken (SKIP). `loc` and `function` are those
    of the innermost function of the tree (None and "" when a model acts of itself); `before` and
    `after` have `width` bits."""

    phase: str
    loc: Loc | None
    function: str
    op: str
    register: str
    before: int
    after: int
    width: int
    note: str


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A place that a contract said it could not understand."""

    loc: Loc | None
    text: str
    reason: str


class Interpreter:
    """`verify.ir.machine.Machine` on `Word`s.

    `objects` gives kernel objects that exist from the start, as root name -> C type; `cells` the
    models' own cells, as path -> width; interpreters of one program may share `types`. Effects
    under a `when` that does not hold are dropped; `call` gives zero or None there and `read` zero
    where it could not load.
    """

    def __init__(
        self,
        program: Program,
        contracts: Mapping[str, Contract],
        objects: Mapping[str, str],
        inputs: Inputs = lambda name, width: 0,
        cells: Mapping[str, int] | None = None,
        types: dict[str, Type | None] | None = None,
    ) -> None:
        self.trace: list[Step] = []
        self.observers: list[Observer] = []
        self.not_understood_places: list[NotUnderstood] = []
        self._program = program
        self._inputs = inputs
        self._memory = Memory(program, objects, cells or {}, inputs, types)
        self._names = Names()
        self._phase = ""
        self._live = True
        self._evaluator = Evaluator(program, contracts, self._memory, self._names, self, self._skip)

    # What models ask for ----------------------------------------------------------------------

    def begin_phase(self, name: str) -> None:
        """Start a phase: `name` begins the names of its inputs and marks its steps."""
        self._phase = name
        self._names.begin(name)

    @property
    def phase(self) -> str:
        """The name of the phase that runs."""
        return self._phase

    @property
    def cells(self) -> Cells:
        """What the cells outside of functions hold, by path; only those that were ever used."""
        return self._memory.cells

    @property
    def initial(self) -> Cells:
        """What cells outside of functions held that were read before they were ever assigned."""
        return self._memory.initial

    @property
    def current_loc(self) -> Loc | None:
        """The statement being executed in the innermost function of the tree."""
        return self._evaluator.loc

    def const(self, value: int, width: int) -> Word:
        """A bit vector constant."""
        return Word(value, width)

    def flag(self, value: bool) -> Word:
        """A truth value constant."""
        return Word(value, 0)

    def get(self, cell: str) -> Any:
        """The value of a cell; BadInput when an object of the tree has no such member."""
        try:
            return self._memory.load(cell, self._declared(cell))
        except Fault as fault:
            raise self._evaluator.fault(fault) from None

    def set(self, cell: str, value: Any) -> None:
        """Assign a cell; BadInput when an object of the tree has no such member, InternalError when
        the width is not its own."""
        kind = self._declared(cell)
        if isinstance(kind, Int):
            value = as_word(value, kind.width)
        if self._live:
            try:
                self._memory.store(cell, value)
            except Fault as fault:
                raise self._evaluator.fault(fault) from None

    def ite(self, condition: Any, then: Any, orelse: Any) -> Any:
        """`then` where the condition is true, else `orelse`; one of them may be an int."""
        if isinstance(then, Word) or isinstance(orelse, Word):
            width = then.width if isinstance(then, Word) else orelse.width
            then, orelse = as_word(then, width), as_word(orelse, width)
        return then if _holds(condition) else orelse

    @contextmanager
    def when(self, condition: Any) -> Iterator[None]:
        """Effects of the body happen only where `condition` is true; the body always runs."""
        outer = self._live
        self._live = outer and _holds(condition)
        try:
            yield
        finally:
            self._live = outer

    def fresh(self, label: str, width: int) -> Word:
        """An input, named by its place and `label`."""
        return Word(self._inputs(self._names.label(label), width), width)

    def assume(self, condition: Any) -> None:
        """Stuck when the condition is false: these inputs are no run at all."""
        if self._live and not _holds(condition):
            raise self._evaluator.stuck("an assumption does not hold")

    def settle(self) -> None:
        """Nothing: numbers need no names."""

    def emit(self, op: str, register: str, before: Any, after: Any, note: str = "") -> None:
        """Record a step and tell the observers."""
        if not self._live:
            return
        place = (self._phase, self.current_loc, self._evaluator.function)
        values = (before.value, after.value, after.width)
        self.trace.append(Step(*place, op, register, *values, note))
        for observer in self.observers:
            observer(self, op, register, before, after)

    def call(self, function: str, *args: Any) -> Any:
        """Run a function of the tree, also one that has a contract. Arguments are Words of the
        parameters' widths, ints, or addresses. InternalError when the tree has no such function.
        """
        body = self._program.function(function)
        if body is None:
            raise InternalError(f"a model calls {function}, which the tree does not define")
        loc = self.current_loc
        self._names.enter(f"{function}:{loc.line if loc else 0}")
        try:
            if self._live:
                return self._evaluator.run(body, args)
            return Word(0, body.result.width) if isinstance(body.result, Int) else None
        except RecursionError:
            raise self._evaluator.stuck("calls nest too deep") from None
        finally:
            self._names.leave()

    def address(self, path: str) -> Address:
        """A pointer to the object at `path`; InternalError when there is none."""
        if self._memory.type_at(path) is None:
            raise InternalError(f"no object {path}")
        return path

    def read(self, pointer: Any, member: str, width: int) -> Any:
        """Load the integer at `pointer`; Stuck for a null pointer and for another width."""
        try:
            return self._memory.load(self._member(pointer, member), Int(width, False))
        except Fault as fault:
            stuck = self._evaluator.fault(fault)
            if self._live:
                raise stuck from None
            return Word(0, width)

    def write(self, pointer: Any, member: str, value: Any) -> None:
        """Store an integer at `pointer`; Stuck for a null pointer and for another width."""
        if self._live:
            try:
                path = self._member(pointer, member)
                kind = self._memory.type_at(path)
                width = kind.width if isinstance(kind, Int) else getattr(value, "width", 0)
                self._memory.store(path, as_word(value, width))
            except Fault as fault:
                raise self._evaluator.fault(fault) from None

    def width_of(self, pointer: Any) -> int:
        """Width in bits of the integer that `pointer` points to; Stuck when it does not."""
        try:
            kind = self._memory.type_at(self._member(pointer, ""))
        except Fault as fault:
            raise self._evaluator.fault(fault) from None
        if not isinstance(kind, Int):
            raise self._evaluator.stuck(f"{pointer} is not known to be an integer")
        return kind.width

    def not_understood(self, text: str, reason: str) -> None:
        """Record the current place in `not_understood_places`."""
        if self._live:
            self.not_understood_places.append(NotUnderstood(self.current_loc, text, reason))

    def _skip(self, reason: str) -> None:
        place = (self._phase, self.current_loc, self._evaluator.function)
        self.trace.append(Step(*place, SKIP, "", 0, 0, 0, reason))

    # Cells ------------------------------------------------------------------------------------

    def _member(self, pointer: Address, member: str) -> str:
        """The path of the scalar at a part of what a model's pointer points to."""
        path = pointed(pointer)
        if member.startswith("["):
            end = member.index("]")
            path, member = self._memory.element(path, int(member[1:end])), member[end + 1 :]
        return self._memory.scalar(path + member)

    def _declared(self, path: str) -> Int | Pointer:
        """The type of a cell that a model names."""
        kind = self._memory.type_at(path)
        if not isinstance(kind, Int | Pointer):
            of_tree = isinstance(self._memory.type_at(path.partition(".")[0]), Record)
            raise no_cell(path, of_tree and kind is None)
        return kind


def _holds(condition: Any) -> bool:
    """A model's truth value as Python's."""
    if isinstance(condition, bool):
        return condition
    if not isinstance(condition, Word) or condition.width:
        raise InternalError(f"{condition!r} is not a truth value")
    return condition.value == 1
