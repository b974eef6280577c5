"""Scripts as the 64-bit words that `runtime.c` reads."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from verify.crosscheck.record import (
    OPAQUE,
    Answer,
    Begin,
    Enter,
    Event,
    Read,
    Request,
    Result,
    Script,
    Show,
    Value,
    Write,
)
from verify.errors import InternalError
from verify.ir.memory import Cells
from verify.ir.word import Word

# As in runtime.c.
BEGIN, WRITE, READ, ENTER, RESULT, REQUEST, ANSWER, SHOW, END = range(1, 10)
NUMBER, ADDRESS, ANY = range(3)


@dataclass(slots=True)
class Vocabulary:
    """What scripts name, each with its number: cells, addresses, functions that models call,
    contracts that the tree calls, lines to show. Number 0 of the addresses is NULL."""

    cells: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=lambda: {"": 0})
    functions: dict[str, int] = field(default_factory=dict)
    contracts: dict[str, int] = field(default_factory=dict)
    run: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)

    def size(self) -> tuple[int, ...]:
        """Grows when anything is added that a unit must know."""
        numbered = (self.cells, self.addresses, self.functions, self.contracts)
        return (len(self.run), *(len(numbers) for numbers in numbered))


def _number(numbers: dict[str, int], name: str) -> int:
    return numbers.setdefault(name, len(numbers))


class Encoder:
    """Words for scripts, over one vocabulary."""

    def __init__(self, words: Vocabulary) -> None:
        self.words = words

    def encode(self, script: Script) -> bytes:
        """One run, in the machine's byte order, after the number of its words."""
        words = self.words_of(script)
        return array("Q", [len(words), *words]).tobytes()

    def words_of(self, script: Script) -> list[int]:
        """One run."""
        self.words.run |= script.run
        return [word for _, words in self._pieces(script) for word in words]

    def event_at(self, script: Script, position: int) -> Event | None:
        """What the script has where a unit has read this many words of a run; None for the cells
        at its end."""
        for event, words in self._pieces(script):
            position -= len(words)
            if position <= 0:
                return event
        return None

    def _pieces(self, script: Script) -> Iterator[tuple[Event | None, list[int]]]:
        begun = iter(script.initial)
        for event in script.events:
            yield event, self._words(event, begun)
        for cell, value in script.final.items():
            yield None, [READ, self._cell(cell), *self._value(value)]
        yield None, [END]

    def _words(self, event: Event, begun: Iterator[Cells]) -> list[int]:
        match event:
            case Read(cell, value):
                return [READ, self._cell(cell), *self._value(value)]
            case Request(name, args):
                return [REQUEST, _number(self.words.contracts, name), *self._values(args)]
            case Answer(value):
                return [ANSWER, *self._value(value)]
            case Write(cell, value):
                return [WRITE, self._cell(cell), *self._value(value)]
            case Enter(function, args):
                return [ENTER, _number(self.words.functions, function), *self._values(args)]
            case Result(value):
                return [RESULT, *self._value(value)]
            case Show(text):
                self.words.lines.append(text)
                return [SHOW, len(self.words.lines) - 1]
            case Begin():
                out = [BEGIN]
                for cell, value in self._sorted(next(begun)):
                    out += [WRITE, self._cell(cell), *self._value(value)]
                return out

    def _values(self, values: tuple[Any, ...]) -> list[int]:
        return [len(values), *(word for value in values for word in self._value(value))]

    def _sorted(self, cells: Cells) -> Iterator[tuple[str, Value]]:
        """The cells, and the pointers that lead to some of them: what never assigned pointers
        point to are objects of the unit."""
        led: dict[str, Value] = {}
        for path in (*cells, *(v for v in cells.values() if isinstance(v, str))):
            at = path.find("->")
            while at >= 0:
                led[path[:at]] = path[: at + 2]
                at = path.find("->", at + 2)
        for path, value in led.items():
            if path not in cells:
                yield path, value
        yield from cells.items()

    def _cell(self, path: str) -> int:
        return _number(self.words.cells, path)

    def _value(self, value: Any) -> tuple[int, int]:
        if isinstance(value, Word):
            return NUMBER, value.value
        if value is None:
            return ADDRESS, 0
        if isinstance(value, str) and (value.startswith("%") or "$" in value):
            return ANY, 0
        if isinstance(value, str):
            return ADDRESS, _number(self.words.addresses, value)
        if value is OPAQUE:
            return ANY, 0
        raise InternalError(f"{value!r} in a script")
