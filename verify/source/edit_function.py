"""A C function as text that edits look at: its statements, with their places in the file.

Kernel C is taken as it is written: macros are not expanded, so a call with a body is a loop, and
directives are passed over, so both sides of an `#if` are there.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verify.errors import BadInput
from verify.source.c_lex import closing, is_name, lex

_HIDDEN = re.compile(
    r"""/\*.*?(?:\*/|\Z)|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
    r"""|^[ \t]*\#(?:/\*.*?\*/|\\\n|[^\n])*""",
    re.DOTALL | re.MULTILINE,
)
_BRACKET = re.compile(r"""[][(){}]|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""")
_BODY = re.compile(r"\s*(?:\w+\s*(?:\([^()]*\)\s*)?)*\{")  # attributes may come before it
_LOOPS = {"for", "while", "switch"}
_JUMPS = {"return", "goto", "break", "continue", "case", "default", "else", "do"}
_OPERATORS = {"sizeof", "typeof", "__typeof__", "asm", "__asm__", "_Alignof"}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement: its first and last token, and the statements in it, in order.

    kind: block, if, loop (also one that a macro makes), switch, do, label, declaration or simple.
    A label (`case` as well) is a statement of its own here, before the one that it marks.
    """

    kind: str
    first: int
    last: int
    inner: tuple[Statement, ...] = ()


Path = tuple[Statement, ...]  # those around a statement, from the function's block on, and itself


class Function:
    """One function of a C file, taken apart. `body` is its block, `where` its name in messages.

    BadInput when the file does not define the function exactly once, or its text is no C.
    """

    def __init__(self, text: str, name: str, where: str) -> None:
        """text: the whole file."""
        self.text = text
        self.where = where
        # As long as the text, and with the same lines, but without comments and directives.
        self._plain = _HIDDEN.sub(_blank, text)
        start, end = self._extent(name)
        self._tokens = lex(self._plain[start:end], 1)
        self._spans: list[tuple[int, int]] = []
        for word, _, _ in self._tokens:
            start = self._plain.index(word, start)
            self._spans.append((start, start + len(word)))
            start += len(word)
        self.body = self._block(0)

    def statements(self) -> Iterator[Path]:
        """Every statement but the function's own block, from the first to the last."""
        stack: list[Path] = [(self.body, inner) for inner in reversed(self.body.inner)]
        while stack:
            path = stack.pop()
            yield path
            stack += [(*path, inner) for inner in reversed(path[-1].inner)]

    def words(self, statement: Statement) -> list[str]:
        """The tokens of a statement."""
        return [word for word, _, _ in self._tokens[statement.first : statement.last + 1]]

    def span(self, statement: Statement) -> tuple[int, int]:
        """Offsets of a statement in the file's text."""
        return self._spans[statement.first][0], self._spans[statement.last][1]

    def own(self, statement: Statement) -> list[tuple[str, int, int]]:
        """The tokens of a statement with their offsets, but for those of the statements in it."""
        inner = {i for part in statement.inner for i in range(part.first, part.last + 1)}
        own = (i for i in range(statement.first, statement.last + 1) if i not in inner)
        return [(self._tokens[i][0], *self._spans[i]) for i in own]

    def end_before(self, statement: Statement) -> int:
        """Offset of the end of the token before a statement."""
        return self._spans[statement.first - 1][1]

    def whole_lines(self, statement: Statement) -> tuple[int | None, int | None]:
        """Offsets of where the statement's first line starts and its last one ends; None where
        something else stands on that line, before or after it."""
        start, end = self.span(statement)
        first = self._plain.rfind("\n", 0, start) + 1
        last = self._plain.find("\n", end) + 1 or len(self._plain)
        return (
            None if self._plain[first:start].strip() else first,
            None if self._plain[end:last].strip() else last,
        )

    def indent(self, offset: int) -> str:
        """The white space that the line of an offset starts with."""
        line = self.text[self.text.rfind("\n", 0, offset) + 1 : offset]
        return line[: len(line) - len(line.lstrip())]

    def code(self, statement: Statement) -> str:
        """The text of a statement, without the indentation of where it stands."""
        start, end = self.span(statement)
        return shifted(self.text[start:end], self.indent(start), "")

    def brief(self, statement: Statement) -> str:
        """The start of a statement's text, for messages."""
        return textwrap.shorten(" ".join(self.code(statement).split()), 60, placeholder=" ...")

    def find(self, key: str, nth: int = 0) -> Path:
        """The smallest statement around the tokens of the key, which nothing else may fit.

        Each `^` that the key starts with goes one statement further out, blocks not counted. nth:
        which one, from 1, when the key fits several; 0 when it must not. BadInput without one.
        """
        tokens = key.lstrip("^ \t")
        found: list[Path] = []
        for first, last in self._occurrences(tokens):
            path = self._around(first, last, key)
            for _ in range(key[: len(key) - len(tokens)].count("^")):
                path = outer(path)
            if not path:
                raise BadInput(f"{self.where}: `{key}` is in no such statement")
            if path not in found:
                found.append(path)
        return found[self._choice(key, nth, [self.span(path[-1])[0] for path in found])]

    def find_tokens(self, key: str, nth: int = 0) -> tuple[int, int]:
        """Offsets of the tokens of the key, wherever they are in the body; else as find."""
        found = [(self._spans[i][0], self._spans[k][1]) for i, k in self._occurrences(key)]
        return found[self._choice(key, nth, [start for start, _ in found])]

    # Where things are -----------------------------------------------------------------------

    def _extent(self, name: str) -> tuple[int, int]:
        """Offsets of the brace that the definition's body starts with, and of its end."""
        found: list[tuple[int, int]] = []
        for match in re.finditer(rf"\b{name}\s*\(", self._plain):
            before = re.search(r"(\w+|\*)\s*\Z", self._plain[: match.start()][-200:])
            if before is None or before.group(1) in _JUMPS:
                continue
            body = _BODY.match(self._plain, self._close(match.end() - 1))
            if body is not None:
                found.append((body.end() - 1, self._close(body.end() - 1)))
        if len(found) != 1:
            many = f"is defined {len(found)} times" if found else "is not defined there"
            raise BadInput(f"{self.where}: the function {many}")
        return found[0]

    def _close(self, start: int) -> int:
        """The offset after the bracket that closes the one at `start`; the end without one."""
        depth = 0
        for match in _BRACKET.finditer(self._plain, start):
            depth += (match.group() in "([{") - (match.group() in ")]}")
            if not depth:
                return match.end()
        return len(self._plain)

    def _occurrences(self, key: str) -> list[tuple[int, int]]:
        wanted = [word for word, _, _ in lex(_HIDDEN.sub(_blank, key), 1)]
        if not wanted:
            raise BadInput(f"{self.where}: an empty key; give a few tokens of the statement")
        words = self.words(self.body)
        last = len(wanted) - 1
        return [
            (at, at + last)
            for at in range(len(words) - last)
            if words[at] == wanted[0] and words[at : at + last + 1] == wanted
        ]

    def _choice(self, key: str, nth: int, offsets: Sequence[int]) -> int:
        if not offsets:
            raise BadInput(f"{self.where}: nothing fits `{key}`")
        if nth > len(offsets):
            raise BadInput(f"{self.where}: `{key}` fits {len(offsets)} times only, not {nth}")
        if not nth and len(offsets) > 1:
            lines = ", ".join(str(self._line(offset)) for offset in offsets)
            raise BadInput(f"{self.where}: `{key}` fits on lines {lines}; say which with nth")
        return max(nth, 1) - 1

    def _around(self, first: int, last: int, key: str) -> Path:
        path: Path = (self.body,)
        while True:
            inner = [s for s in path[-1].inner if s.first <= first and last <= s.last]
            if not inner:
                break
            path = (*path, inner[0])
        if path[-1].kind == "block":
            raise BadInput(f"{self.where}: `{key}` is not within one statement")
        return path

    def _line(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1

    # Statements -----------------------------------------------------------------------------

    def _word(self, at: int) -> str:
        """A token; beyond the last one `;`, which ends whatever is left open."""
        return self._tokens[at][0] if at < len(self._tokens) else ";"

    def _wrong(self, at: int) -> BadInput:
        line = self._line(self._spans[min(at, len(self._spans) - 1)][0])
        return BadInput(f"{self.where}: cannot be taken apart into statements at line {line}")

    def _block(self, at: int) -> Statement:
        inner: list[Statement] = []
        end = at + 1
        while self._word(end) != "}":
            inner.append(self._statement(end))
            end = inner[-1].last + 1
        return Statement("block", at, end, tuple(inner))

    def _statement(self, at: int) -> Statement:
        word = self._word(at)
        if word == "{":
            return self._block(at)
        if word == "if":
            then = self._statement(self._head(at))
            if self._word(then.last + 1) != "else":
                return Statement("if", at, then.last, (then,))
            other = self._statement(then.last + 2)
            return Statement("if", at, other.last, (then, other))
        if word == "do":
            body = self._statement(at + 1)
            if self._word(body.last + 1) != "while":
                raise self._wrong(body.last + 1)
            return Statement("do", at, self._head(body.last + 1), (body,))
        if word in _LOOPS or self._is_macro_loop(at):
            body = self._statement(self._head(at))
            return Statement("switch" if word == "switch" else "loop", at, body.last, (body,))
        if word in ("case", "default") or (is_name(word) and self._word(at + 1) == ":"):
            return Statement("label", at, self._up_to(at, ":"))
        kind = "declaration" if self._declares(at) else "simple"
        return Statement(kind, at, self._up_to(at, ";"))

    def _head(self, at: int) -> int:
        """The token after the parentheses that follow a keyword."""
        if self._word(at + 1) != "(":
            raise self._wrong(at)
        return closing(self._tokens, at + 1) + 1

    def _is_macro_loop(self, at: int) -> bool:
        """`for_each_...(...)` and a body."""
        word = self._word(at)
        if not is_name(word) or word in _JUMPS | _OPERATORS or self._word(at + 1) != "(":
            return False
        after = self._word(closing(self._tokens, at + 1) + 1)
        return after == "{" or is_name(after)

    def _declares(self, at: int) -> bool:
        """`type name` or `type *name`: nobody would use the value of that product."""
        word = self._word(at)
        if not is_name(word) or word in _JUMPS | _OPERATORS:
            return False
        if word in ("struct", "union", "enum"):
            return True
        at += 1
        while self._word(at) == "*":
            at += 1
        return is_name(self._word(at))

    def _up_to(self, at: int, end: str) -> int:
        """The next token that is `end` and in no brackets."""
        depth = 0
        for i in range(at, len(self._tokens)):
            text = self._tokens[i][0]
            if text == end and not depth:
                return i
            depth += (text in "([{") - (text in ")]}")
            if depth < 0:
                break
        raise self._wrong(at)


def outer(path: Path) -> Path:
    """The next statement further out that is no block; nothing beyond the function's own."""
    path = path[:-1]
    while path and path[-1].kind == "block":
        path = path[:-1]
    return path


def shifted(code: str, old: str, new: str) -> str:
    """Code with another indentation; its first line has none of the old one any more."""
    first, *rest = code.split("\n")
    lines = [first, *(line.removeprefix(old) for line in rest)]
    return "\n".join(new + line if line.strip() else line for line in lines)


def _blank(match: re.Match[str]) -> str:
    found = match.group()
    return found if found[0] in "\"'" else " " * len(found)
