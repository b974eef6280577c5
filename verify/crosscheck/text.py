"""What a comparison found, for a reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from verify.crosscheck import native
from verify.crosscheck.compare import Found, Outcome
from verify.crosscheck.native import LEVELS, Crash, Difference
from verify.crosscheck.record import OPAQUE, Answer, Enter, Event, Request, Result
from verify.crosscheck.sample import nonzero
from verify.ir.word import Word


def render(outcome: Outcome) -> str:
    """The whole report, lines with their ends."""
    lines = []
    if outcome.found is None:
        lines.append(f"{outcome.same} runs without a difference (gcc {' and '.join(LEVELS)})")
        lines.append(f"{outcome.functions} functions of the tree were run; runs by step:")
        lines += _counted(_by_kind(outcome))
        if outcome.left_out:
            lines.append("further runs were left out, as C or the front-end gives no meaning:")
            lines += _counted(outcome.left_out)
    else:
        lines.append(f"a difference, after {outcome.same} runs without one")
        lines += _found(outcome.found)
    return "".join(f"{line}\n" for line in lines)


def _by_kind(outcome: Outcome) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for step, count in outcome.steps.items():
        kind = re.split("[ /]", step)[0]
        kinds[kind] = kinds.get(kind, 0) + count
    return kinds


def _counted(counts: dict[str, int]) -> Iterator[str]:
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {count:>7}  {name}"


def _found(found: Found) -> Iterator[str]:
    yield f"step: {found.case.step}"
    yield "with (every other number is 0):"
    numbers = nonzero(found.case)
    for name, value in numbers.items():
        yield f"  {name} = {value:#x}"
    if not numbers:
        yield "  nothing"
    left = list(_interpreted(found))
    right = list(_compiled(found))
    width = max(len(line) for line in left) + 2
    yield f"{'the interpreter':<{width}}  the compiled C"
    for one, other in zip_longest(left, right, fillvalue=""):
        yield f"  {one:<{width}}{other}".rstrip()
    yield f"difference: {_told(found)}"


def _interpreted(found: Found) -> Iterator[str]:
    """What models call in the tree, and what the tree asks of them."""
    line = ""
    for event in found.script.events:
        match event:
            case Request():
                line = _event(event)
            case Answer(value):
                yield line + ("" if value is None else f" = {_value(value)}")
            case Enter():
                yield _event(event)
            case Result(value) if value is not None:
                yield f"returns {_value(value)}"


def _compiled(found: Found) -> Iterator[str]:
    if isinstance(found.what, Crash):
        return
    asked = iter(found.what.asked)
    names = {number: name for name, number in found.words.contracts.items()}
    for event in found.script.events:
        if isinstance(event, Enter):
            yield _event(event)
        elif isinstance(event, Result) and event.value is not None:
            yield "returns"
        elif isinstance(event, Request):
            request = next(asked, None)
            if request is None:
                return
            number, args = request
            shown = list(event.args) if len(event.args) == len(args) else [None] * len(args)
            texts = [
                f"{arg:#x}" if isinstance(as_is, Word | None) else _value(as_is)
                for arg, as_is in zip(args, shown, strict=True)
            ]
            yield f"{names[number]}({', '.join(texts)})"
    for number, args in asked:
        yield f"{names[number]}({', '.join(f'{arg:#x}' for arg in args)})"


def _event(event: Event | None) -> str:
    match event:
        case Request(name, args) | Enter(name, args):
            return f"{name}({', '.join(_value(arg) for arg in args)})"
        case Result(value):
            return "the end of the function" if value is None else f"the result {_value(value)}"
        case None:
            return "nothing more"
        case _:
            return type(event).__name__.lower()


def _value(value: Any) -> str:
    if value is OPAQUE:
        return "..."
    if isinstance(value, Word):
        return f"{value.value:#x}"
    return "NULL" if value is None else f"&{value}"


def _told(found: Found) -> str:
    what = found.what
    if isinstance(what, Crash):
        return f"the compiled C does not come to its end ({what.signal})"
    first, wanted, value = what.numbers
    event = found.encoder.event_at(found.script, what.position)
    named = _names(found, what)
    match what.kind:
        case native.CELL:
            return f"{named} holds {value:#x} in C, {wanted:#x} in the interpreter"
        case native.RESULT:
            return f"{named} returns {value:#x} in C, {wanted:#x} in the interpreter"
        case native.RETURN:
            return f"{named} returns in C, and goes on to {_event(event)} in the interpreter"
        case native.REQUEST:
            return f"C calls {named} where the interpreter has {_event(event)}"
        case native.OUTSIDE:
            return f"C calls {found.outside[first]}, which the interpreter does not"
        case _:
            return f"C has nothing more where the interpreter has {_event(event)}"


def _names(found: Found, what: Difference) -> str:
    words = found.words
    numbers = {
        native.CELL: words.cells,
        native.RESULT: words.functions,
        native.RETURN: words.functions,
    }
    table = numbers.get(what.kind, words.contracts)
    return next((name for name, number in table.items() if number == what.numbers[0]), "?")
