"""One file of a tree: its active text, the macros it defines, and its top-level declarations."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from verify.source.c_lex import Token, lex

_TOP = re.compile(r"\n[A-Za-z_][^\n]*")
_BRACKET = re.compile(r"""[(){};=]|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""")


@dataclass(frozen=True, slots=True)
class Item:
    """A file-scope declaration: its tokens before macro expansion; `brace` is the index of the
    opening brace of a body or initialiser, -1 without one."""

    file: str
    tokens: list[Token]
    brace: int
    function: bool

    @property
    def first(self) -> int:
        """Its first line."""
        return self.tokens[0][1]

    @property
    def last(self) -> int:
        """Its last line."""
        return self.tokens[-1][1]


# Where a directive is in the text without comments, and its replacement list (None: `#undef`).
Definition = tuple[int, int, str | None]


class SourceFile:
    """`raw` is the text without comments and `text` also without directives and inactive parts.

    Both start with a newline that is added, and have the lines of the file.
    """

    def __init__(self, path: str, raw: str, text: str, macros: dict[str, list[Definition]]) -> None:
        self.path = path
        self.text = text
        self.macros = macros
        # The lines that start at the margin, where kernel style has declarations.
        self.tops = "".join(_TOP.findall(text)) + "\n"
        self._lines = _Lines(text)
        self._raw_lines = _Lines(raw)
        self._items: dict[int, Item | None] = {}
        # Where the lines of `tops` start in the text, and end in `tops`.
        self._starts: list[int] = []
        self._ends: list[int] = []

    def line_of(self, offset: int) -> int:
        """Line of an offset in the text."""
        return self._lines.at(offset)

    def raw_line(self, offset: int) -> int:
        """Line of an offset in the text with directives."""
        return self._raw_lines.at(offset)

    def offset(self, top: int) -> int:
        """The offset in the text of one in `tops`."""
        if not self._ends:
            self._starts = [match.start() for match in _TOP.finditer(self.text)]
            self._ends = list(accumulate(map(len, _TOP.findall(self.text))))
        line = bisect_right(self._ends, top)
        return self._starts[line] + top - (self._ends[line - 1] if line else 0)

    def occurrences(self, name: str) -> Iterator[int]:
        """Offsets of a word in lines that start at the margin."""
        for at in words(self.tops, name):
            yield self.offset(at)

    def item(self, offset: int) -> Item | None:
        """The declaration around an offset of a top-level line."""
        start = self._item_start(offset)
        if start not in self._items:
            self._items[start] = self._scan(start)
        return self._items[start]

    def _item_start(self, offset: int) -> int:
        text = self.text
        start = text.rfind("\n", 0, offset) + 1
        while start > 1:
            previous = text.rfind("\n", 0, start - 1) + 1
            line = text[previous : start - 1].rstrip()
            if not line or line[-1] in ");}{:,\\" or not (line[0].isalpha() or line[0] == "_"):
                break
            start = previous
        return start

    def _scan(self, start: int) -> Item | None:
        depth, brace, function, initialised = 0, -1, False, False
        for match in _BRACKET.finditer(self.text, start):
            found = match.group()
            if found in "([{":
                if found == "{" and not depth and brace < 0:
                    brace = match.start()
                    head = self.text[start:brace].rstrip()
                    function = head.endswith(")") and not initialised
                depth += 1
            elif found in ")}":
                depth -= 1
                if depth < 0:
                    return None
                if not depth and found == "}" and function:
                    return self._make(start, match.end(), True)
            elif found == "=" and not depth:
                initialised = True
            elif found == ";" and not depth:
                return self._make(start, match.end(), False)
        return None

    def _make(self, start: int, end: int, function: bool) -> Item:
        tokens = lex(self.text[start:end], self.line_of(start))
        depth = 0
        for at, (word, _, _) in enumerate(tokens):
            if word == "(":
                depth += 1
            elif word == ")":
                depth -= 1
            elif word == "{" and not depth:
                return Item(self.path, tokens, at, function)
        return Item(self.path, tokens, -1, function)


class _Lines:
    """Line numbers by offset, each counted from the one asked for before."""

    __slots__ = ("_line", "_offset", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = self._line = 0

    def at(self, offset: int) -> int:
        if offset < self._offset:
            self._offset = self._line = 0
        self._line += self._text.count("\n", self._offset, offset)
        self._offset = offset
        return self._line


def words(text: str, name: str) -> Iterator[int]:
    """Offsets of a word in a text that does not start or end with it."""
    at = text.find(name) if name else -1
    while at >= 0:
        end = at + len(name)
        before, after = text[at - 1], text[end]
        if not (before.isalnum() or before == "_" or after.isalnum() or after == "_"):
            yield at
        at = text.find(name, end)


def declares_function(tokens: list[Token], name: str) -> bool:
    """Whether a declaration is of a function of this name."""
    depth = 0
    for i, (text, _, _) in enumerate(tokens):
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif not depth:
            if text in ("=", "{", "typedef"):
                return False
            # Something before the name: else it is the use of a macro at file scope.
            if text == name and i and i + 1 < len(tokens) and tokens[i + 1][0] == "(":
                return True
    return False


def declares_object(tokens: list[Token], name: str) -> bool:
    """Whether a declaration is of an object of this name."""
    depth, value = 0, False
    for i, (text, _, _) in enumerate(tokens):
        if text in ("(", "[", "{"):
            depth += 1
        elif text in (")", "]", "}"):
            depth -= 1
        elif text in ("=", ",") and not depth:
            value = text == "="
        elif text == name and not depth and i and not value:
            before = tokens[i - 1][0]
            after = tokens[i + 1][0] if i + 1 < len(tokens) else ""
            if before in ("struct", "union", "enum", "."):
                continue
            return after != "("
    return False


def split_items(file: str, tokens: list[Token]) -> Iterator[Item]:
    """The declarations that the expansion of a macro at file scope makes."""
    start, depth, brace = 0, 0, -1
    for i, (text, _, _) in enumerate(tokens):
        if text in ("(", "{"):
            if text == "{" and not depth:
                brace = i
            depth += 1
        elif text in (")", "}"):
            depth -= 1
            if text == "}" and not depth and tokens[brace - 1][0] == ")":
                yield Item(file, tokens[start : i + 1], brace - start, True)
                start, brace = i + 1, -1
        elif text == ";" and not depth:
            if i > start:
                yield Item(file, tokens[start : i + 1], -1 if brace < 0 else brace - start, False)
            start, brace = i + 1, -1
