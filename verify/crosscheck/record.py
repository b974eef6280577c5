"""Runs of the interpreter as scripts: all that passes between the tree's C and the models.

A script is what a compiled unit replays: it starts from the same cells, is called as the models
call it, and must make the same requests with the same arguments in the same order; each is
answered with what the model answered. So hardware and contracts need no second implementation,
and a run of the unit needs no Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from verify.errors import InternalError
from verify.ir.contract import CallSite, Contract
from verify.ir.interp import Inputs, Interpreter, Step
from verify.ir.memory import Address, Cells
from verify.ir.nodes import Function
from verify.ir.program import Program
from verify.ir.types import Int, Type
from verify.ir.word import Word
from verify.target import Target

Value = Word | Address


class Incomparable(Exception):
    """The models did something here that a script cannot say."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A vCPU of its own starts: no cell has a value yet."""


@dataclass(frozen=True, slots=True)
class Write:
    """A model assigns a cell of the kernel."""

    cell: str
    value: Value


@dataclass(frozen=True, slots=True)
class Read:
    """A model sees this in a cell of the kernel."""

    cell: str
    value: Value


@dataclass(frozen=True, slots=True)
class Enter:
    """A model calls a function of the tree."""

    function: str
    args: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What that function must return."""

    value: Value


@dataclass(frozen=True, slots=True)
class Request:
    """The tree must call what a contract answers. An argument that is OPAQUE is not compared."""

    name: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What it gets."""

    value: Value


@dataclass(frozen=True, slots=True)
class Show:
    """Something that happened in the models, for a reader."""

    text: str


Event = Begin | Write | Read | Enter | Result | Request | Answer | Show


class _Opaque:
    """A pointer or text that cannot be compared."""


OPAQUE = _Opaque()


class _Watched:
    """A program that notes which functions are run."""

    def __init__(self, program: Program, run: set[str]) -> None:
        self.record = program.record
        self.type_of = program.type_of
        self.object_type = program.object_type
        self.initialiser = program.initialiser
        self.constant = program.constant
        self.line = program.line
        self.sources = program.sources
        self._run = run
        self._function = program.function

    def function(self, name: str) -> Function | None:
        """As the program does."""
        self._run.add(name)
        return self._function(name)


class _Answered(Mapping[str, Contract]):
    """Contracts that write a script, made when they are asked for."""

    def __init__(
        self, contracts: Mapping[str, Contract], wrap: Callable[[str, Contract], Contract]
    ) -> None:
        self._contracts = contracts
        self._wrap = wrap

    def __getitem__(self, name: str) -> Contract:
        return self._wrap(name, self._contracts[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._contracts)

    def __len__(self) -> int:
        return len(self._contracts)


@dataclass(slots=True)
class Script:
    """The events of a run; `initial` is what the kernel's cells held at each `Begin`, `final` what
    they hold at the end; `run` are the functions that were run."""

    events: list[Event] = field(default_factory=list)
    initial: list[Cells] = field(default_factory=list)
    final: Cells = field(default_factory=dict)
    run: set[str] = field(default_factory=set)


class Recorder(Interpreter):
    """An interpreter that writes a script. An assumption is none of the C's business: runs that
    no environment allows are compared, too. `told` gives the line that is shown for a step."""

    def __init__(
        self,
        program: Program,
        contracts: Mapping[str, Contract],
        objects: Mapping[str, str],
        inputs: Inputs,
        cells: Mapping[str, int],
        script: Script,
        told: Callable[[Step], str | None] | None = None,
        types: dict[str, Type | None] | None = None,
    ) -> None:
        answered = _Answered(contracts, self._answered)
        super().__init__(_Watched(program, script.run), answered, objects, inputs, cells, types)
        self.script = script
        self._of_models = cells
        self._told = told
        self._begun = len(script.initial)
        script.events.append(Begin())
        script.initial.append({})

    def _answered(self, name: str, contract: Contract) -> Contract:
        def answer(m: Any, call: CallSite) -> Any:
            self._add(Request(name, tuple(self._argument(arg) for arg in call.args)))
            result = contract(m, call)
            value = Word(result, 64) if isinstance(result, int) else result
            self._comparable(value)
            self._add(Answer(value if isinstance(call.result, Int) or value else None))
            return result

        return answer

    def _add(self, event: Event) -> None:
        self.script.events.append(event)

    def _argument(self, value: Any) -> Any:
        if isinstance(value, str) and (value.startswith("%") or not self._is_object(value)):
            return OPAQUE
        return value

    def _is_object(self, path: str) -> bool:
        return self._memory.type_at(path) is not None

    def _comparable(self, value: Any) -> None:
        if isinstance(value, str) and (value.startswith("%") or "$" in value):
            raise Incomparable("an address of a local variable goes to a model")

    # What models do ---------------------------------------------------------------------------

    def assume(self, condition: Any) -> None:
        """Nothing."""

    def get(self, cell: str) -> Any:
        """As the interpreter does."""
        value = super().get(cell)
        if self._live and cell not in self._of_models:
            self._add(Read(cell, value))
        return value

    def set(self, cell: str, value: Any) -> None:
        """As the interpreter does."""
        super().set(cell, value)
        if self._live and cell not in self._of_models:
            self._comparable(value)
            self._add(Write(cell, value))

    def write(self, pointer: Any, member: str, value: Any) -> None:
        """As the interpreter does."""
        super().write(pointer, member, value)
        if self._live:
            cell = self._member(pointer, member)
            self._comparable(cell)
            self._add(Write(cell, self._memory.cells[cell]))

    def read(self, pointer: Any, member: str, width: int) -> Any:
        """As the interpreter does."""
        value = super().read(pointer, member, width)
        if self._live and pointer is not None:
            cell = self._member(pointer, member)
            self._comparable(cell)
            self._add(Read(cell, value))
        return value

    def emit(self, op: str, register: str, before: Any, after: Any, note: str = "") -> None:
        """As the interpreter does."""
        super().emit(op, register, before, after, note)
        if self._told and self._live and (text := self._told(self.trace[-1])) is not None:
            self._add(Show(text))

    def call(self, function: str, *args: Any) -> Any:
        """As the interpreter does."""
        if not self._live:
            return super().call(function, *args)
        body = self._program.function(function)
        if body is None:
            raise InternalError(f"a model calls {function}, which the tree does not define")
        given = tuple(
            Word(arg, p.type.width) if isinstance(arg, int) and isinstance(p.type, Int) else arg
            for arg, p in zip(args, body.parameters, strict=True)
        )
        for arg in given:
            self._comparable(arg)
        self._add(Enter(function, given))
        result = super().call(function, *args)
        self._add(Result(result))
        return result

    def finish(self) -> Script:
        """The script, with the cells as they are now."""
        script = self.script
        first = script.initial[self._begun]
        script.initial[self._begun] = {**self._kernel(self._memory.initial), **first}
        script.final = self._kernel(self._memory.cells)
        for cells in (*script.initial, script.final):
            if any("$" in cell for cell in cells):
                raise Incomparable("a variable of a function that lives on")
        return script

    def type_at(self, path: str) -> Type | None:
        """The type of what is at a path."""
        return self._memory.type_at(path)

    def start(self, cells: Cells) -> None:
        """Give cells their values, the models' and the kernel's."""
        self._memory.cells.update(cells)
        self.script.initial[self._begun] = self._kernel(cells)

    def _kernel(self, cells: Cells) -> Cells:
        return {path: value for path, value in cells.items() if path not in self._of_models}


class Recorders:
    """Recorders for one target and program, which share what does not change."""

    def __init__(self, target: Target, program: Program) -> None:
        self._program = program
        self._objects = target.objects
        self._contracts = dict(target.contracts(program))
        self._types: dict[str, Type | None] = {}
        self.cells = dict(target.cells(program))

    def make(self, inputs: Inputs) -> Recorder:
        """A machine with a script of its own."""
        return Recorder(
            self._program,
            self._contracts,
            self._objects,
            inputs,
            self.cells,
            Script(),
            types=self._types,
        )
