"""Changes of C text that know tokens and lines but no grammar: most of what they make is broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

_TOKEN = re.compile(
    r"""[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
    r"""|\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\#\#|[^\s\w]"""
)
_OPERATORS = (
    *("+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "&&", "||", "==", "!=", "<", ">"),
    *("<=", ">=", "=", "+=", "-=", "|=", "&=", "^=", "<<=", ">>=", ",", "?", ":", "->", "."),
)
_ASSIGNING = ("=", "+=", "-=", "*=", "|=", "&=", "^=", "<<=", ">>=", "/=", "%=")
_BINARY = ("+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "&&", "||")
_COMPARING = ("==", "!=", "<", ">", "<=", ">=")
_NUMBERS = (
    *("0", "1", "2", "-1", "31", "32", "33", "63", "64", "0x7fffffff", "0x80000000", "0xffffffff"),
    *("0xffffffffu", "0x8000000000000000ull", "~0ull", "1ull", "0x1p3", "1.5", "08", "0x", "1e9"),
    *("'a'", "'\\xff'", "99999999999999999999999", "1 << 31", "1u << 31", "-2147483648"),
)
_TYPES = (
    *("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "int", "bool", "long", "char"),
    *("unsigned int", "unsigned long", "void", "__uint128_t", "const u64", "struct kvm_pmu"),
)
_ODD = (
    *("{", "}", "(", ")", "[", "]", ";", "\\", "#", "##", "/*", "*/", "//", '"', "'", "\\\n"),
    *("\x00", "\x07", "\x1b[31m", "\x7f", "\ufeff", "\u00e9", "\u2028", "\U0001f600", "\r", "\f"),
    *("#if 0\n", "#endif\n", "#else\n", "#define x x\n", "#define f(a, ...) a __VA_ARGS__\n"),
    *("goto ", "return ", "break;", "continue;", "switch (1) case 0:", "for (;;) ", "do ", "else "),
    *("do { } while (1);", "while (1) ;", "asm(\"\");", "__builtin_trap();", "({ 1; })", "(void)"),
    *("(" * 300, "{" * 300, "-" * 301, "if (1) " * 200, "x = " * 200, "a ? " * 100),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a text, by offsets: where a change is made."""

    start: int
    end: int


def lines(text: str, first: int, last: int) -> Range:
    """Some lines, from 1, the last one included."""
    starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text)]
    return Range(starts[min(first - 1, len(starts) - 1)], starts[min(last, len(starts) - 1)])


class _Part:
    """A part of a text and its tokens. The kinds of change are its methods; each gives the new
    text of the part, or None where there is nothing to change."""

    def __init__(self, text: str, chance: Random) -> None:
        self.text = text
        self.chance = chance
        self.spans = [match.span() for match in _TOKEN.finditer(text)]
        self.words = [text[start:end] for start, end in self.spans]

    def _with(self, at: int, new: str, upto: int | None = None) -> str:
        last = self.spans[at if upto is None else upto][1]
        return self.text[: self.spans[at][0]] + new + self.text[last:]

    def _pick(self, fits: Callable[[str], object]) -> int | None:
        found = [i for i, word in enumerate(self.words) if fits(word)]
        return self.chance.choice(found) if found else None

    def _replaced(self, fits: Callable[[str], object], by: tuple[str, ...]) -> str | None:
        at = self._pick(fits)
        return None if at is None else self._with(at, self.chance.choice(by))

    # Tokens -----------------------------------------------------------------------------------

    def drop(self) -> str | None:
        at = self._pick(bool)
        return None if at is None else self._with(at, "")

    def double(self) -> str | None:
        at = self._pick(bool)
        return None if at is None else self._with(at, f"{self.words[at]} {self.words[at]}")

    def swap(self) -> str | None:
        if len(self.words) < 2:
            return None
        at = self.chance.randrange(len(self.words) - 1)
        return self._with(at, f"{self.words[at + 1]} {self.words[at]}", at + 1)

    def name(self) -> str | None:
        names = tuple(word for word in self.words if word.isidentifier())
        return self._replaced(str.isidentifier, names) if names else None

    def number(self) -> str | None:
        return self._replaced(lambda word: word[0].isdigit(), _NUMBERS)

    def number_for_name(self) -> str | None:
        return self._replaced(str.isidentifier, _NUMBERS)

    def operator(self) -> str | None:
        return self._replaced(_OPERATORS.__contains__, _OPERATORS)

    def like_operator(self) -> str | None:
        kind = self.chance.choice((_ASSIGNING, _BINARY, _COMPARING))
        return self._replaced(kind.__contains__, kind)

    def type(self) -> str | None:
        return self._replaced(_TYPES.__contains__, _TYPES)

    def negated(self) -> str | None:
        sign = self.chance.choice(("!", "~", "-", "!!", "*", "&", "(u8)", "(s32)", "++", "sizeof "))
        at = self._pick(lambda word: word.isidentifier() or word[0].isdigit())
        return None if at is None else self._with(at, sign + self.words[at])

    def longer(self) -> str | None:
        """More arithmetic around what is there."""
        at = self._pick(lambda word: word.isidentifier() or word[0].isdigit())
        if at is None:
            return None
        op, number = self.chance.choice(_BINARY), self.chance.choice(_NUMBERS)
        return self._with(at, f"({self.words[at]} {op} {number})")

    def odd(self) -> str | None:
        at = self.chance.randrange(len(self.text) + 1)
        return self.text[:at] + self.chance.choice(_ODD) + self.text[at:]

    def bracket(self) -> str | None:
        return self._replaced(lambda word: word in "()[]{};", ("(", ")", "[", "]", "{", "}", ";"))

    # Lines and more ---------------------------------------------------------------------------

    def _lines(self, change: Callable[[list[str], int], None]) -> str | None:
        rows = self.text.splitlines(keepends=True)
        if len(rows) < 2:
            return None
        change(rows, self.chance.randrange(len(rows) - 1))
        return "".join(rows)

    def drop_line(self) -> str | None:
        return self._lines(lambda rows, at: rows.__delitem__(at))

    def double_line(self) -> str | None:
        return self._lines(lambda rows, at: rows.insert(at, rows[at]))

    def swap_lines(self) -> str | None:
        return self._lines(lambda rows, at: rows.insert(at, rows.pop(at + 1)))

    def move_line(self) -> str | None:
        return self._lines(
            lambda rows, at: rows.insert(self.chance.randrange(len(rows)), rows.pop(at))
        )

    def drop_characters(self) -> str | None:
        if not self.text:
            return None
        at = self.chance.randrange(len(self.text))
        return self.text[:at] + self.text[at + self.chance.choice((1, 1, 2, 9, 80)) :]

    def double_part(self) -> str | None:
        return self.text + self.text


# How often each kind is taken; more often what leaves C that gcc compiles.
KINDS: Mapping[str, int] = {
    "drop": 4, "double": 2, "swap": 3, "name": 12, "number": 8, "number_for_name": 4,
    "operator": 4, "like_operator": 14, "type": 8, "negated": 8, "longer": 8, "odd": 5,
    "bracket": 3, "drop_line": 10, "double_line": 4, "swap_lines": 8, "move_line": 4,
    "drop_characters": 2, "double_part": 1,
}  # fmt: skip


def mutate(text: str, where: Range, chance: Random) -> tuple[str, str]:
    """The text with one change in this part of it, and the kind of change."""
    part = _Part(text[where.start : where.end], chance)
    while True:
        (kind,) = chance.choices(list(KINDS), list(KINDS.values()))
        new: str | None = getattr(part, kind)()
        if new is not None:
            return text[: where.start] + new + text[where.end :], kind


def truncate(text: str, chance: Random) -> str:
    """The text up to some place."""
    return text[: chance.randrange(len(text) + 1)]
