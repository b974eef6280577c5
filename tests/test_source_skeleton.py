"""verify.source.skeleton: the paths of a function are those that C gives it."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flow_programs import Program, Statement, statements
from verify.source.build import Unsupported
from verify.source.index import Index
from verify.source.skeleton import ENTRY, EXIT, RETURN, skeleton

FILE = "f.c"
LONGEST = 4


def steps(body: str, name: str = "f", text: str = "") -> Any:
    text = f"{text}\nstatic int f(int x)\n{{\n{body}\n}}\n"
    return skeleton(Index(lambda _: text, (FILE,), {}, "", {}), name, FILE)


def words(body: str, text: str = "") -> set[str]:
    """The calls of whole paths, as far as they are few, each by the last letter of its name."""
    by_start: dict[int, list[Any]] = {}
    for step in steps(body, text=text):
        by_start.setdefault(step.start, []).append(step)
    seen = {(ENTRY, "")}
    ahead = deque(seen)
    while ahead:
        place, word = ahead.popleft()
        for step in by_start.get(place, ()):
            name = step.names[-1] if step.names else ""
            more = word if name == RETURN or name.startswith("if(") else word + name[-1:]
            if len(more) <= LONGEST and (step.end, more) not in seen:
                seen.add((step.end, more))
                ahead.append((step.end, more))
    return {word for place, word in seen if place == EXIT}


@given(st.lists(statements(), max_size=5))
def test_the_paths_are_those_of_the_program(body: list[Statement]) -> None:
    program = Program(body)
    assert words(program.text) == program.words(LONGEST), program.text


# What is left to be on the safe side --------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "some"),
    [
        ("b(a());", {"b", "ab", "aab"}),  # b may be a macro
        ("x = a() + b();", {"ab", "ba"}),  # in any order
        ("op(run)(a());", {")", "a)"}),
        ("x = ({ a(); if (x) return 1; b(); });", {"a", "ab"}),
        ("int y = a(), z;", {"a"}),
        ("switch (x) { case 1: if (x) { case 2: a(); } b(); }", {"", "b", "ab"}),
        ("x = sizeof(a());", {""}),
        ("if (0) a();", {"", "a"}),
        ("TWICE(a);", {"aa"}),
    ],
)
def test_paths(body: str, some: set[str]) -> None:
    assert words(body, "#define TWICE(f) do { f(); f(); } while (0)") >= some


def test_names_and_lines() -> None:
    found = [
        (step.names, step.line)
        for step in steps("if (likely(x))\n\twrite( A , 1);\nop(run)(x, 2);")
        if step.names
    ]
    assert found == [
        (("likely(x)", "likely"), 4),
        (("if(likely(x))",), 4),
        (("write(A)", "write"), 5),
        (("if(!(likely(x)))",), 4),
        (("op(run)(x)", "op(run)"), 6),
        ((RETURN,), 7),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("goto nowhere;", "no label nowhere"),
        ("goto *x;", "C that the parser does not know"),
        ('asm volatile("sti");', "inline assembly"),
        ("for_each(x) { a(); }", "a function definition"),
        ("break;", "a jump out of nothing"),
        ("case 1: a();", "a case of nothing"),
        ("if (x) {", "no such function"),
    ],
)
def test_what_is_not_understood(body: str, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        steps(body)


def test_a_function_that_is_not_there() -> None:
    with pytest.raises(Unsupported, match="no such function"):
        steps("", "g")
