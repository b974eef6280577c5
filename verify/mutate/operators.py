"""Mutants of a function: each a small change of its text that leaves every line where it is.

So the names of inputs, which have the lines of calls, mean the same before and after; only swapped
statements have others (`Mutant.before`).

delete     the statement goes
swap       the statement and the next one change places
negate     the condition of an `if` or of `?:` is negated
always     an `if`, or one operand of `&&`, takes no notice of its condition (`true`)
never      an `if` with an `else` never takes the first way; one operand of `||` is `false`
replace    a name gives way to another of its kind (see `siblings`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from verify.source.edit_function import Function, Path, Statement
from verify.source.overlay import Overlay
from verify.source.tree import Tree

Splice = tuple[int, int, str]
Move = tuple[int, int, int]
_Tokens = Sequence[tuple[str, int, int]]

_JUMPS = {"return", "goto", "break", "continue"}
_ENDS = {",", ";", "?", ":", "return", "case", "="}
_ASSIGNS = {"+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. `function`: its name in the IR. `id` stays the same as long as the function's
    statements do: FILE:FUNCTION:STATEMENT:OPERATOR, the statement by number from 1, and for more of
    a kind in one statement `#2` and so on. `splices`: offsets in the file's text, and what comes
    there instead. `moves`: first and last line of what stands elsewhere now, and how much further
    down."""

    id: str
    file: str
    function: str
    line: int
    operator: str
    splices: tuple[Splice, ...]
    moves: tuple[Move, ...] = ()

    def text(self, old: str) -> str:
        """The file's text with the change."""
        parts, at = [], 0
        for first, last, new in sorted(self.splices):
            parts += [old[at:first], new]
            at = last
        return "".join([*parts, old[at:]])

    def apply(self, tree: Tree) -> Overlay:
        """The tree with the change."""
        overlay = tree.copy() if isinstance(tree, Overlay) else Overlay(tree)
        overlay.rewrite(self.file, self.text(tree.read(self.file) or ""))
        return overlay

    def difference(self, tree: Tree) -> tuple[str, str]:
        """The changed lines, before and after, each as one line."""
        old = tree.read(self.file) or ""
        new = self.text(old)
        lines = zip(old.split("\n"), new.split("\n"), strict=True)
        changed = [(a.strip(), b.strip()) for a, b in lines if a != b]
        before, after = (" ".join(filter(None, side)) for side in zip(*changed, strict=True))
        return before, after

    def before(self, name: str) -> str:
        """The name that an input of the mutant had before."""
        if not self.moves:
            return name
        parts = name.split("/")
        inside = ""
        for k, part in enumerate(parts[1:-1], 1):
            callee, colon, number = part.rpartition(":")
            line, rest = _number(number if colon else part.removeprefix("@"))
            if line and (colon or part.startswith("@")):
                if inside == self.function:
                    parts[k] = f"{callee}:" if colon else "@"
                    parts[k] += f"{self._line(line)}{rest}"
            if colon:
                inside = callee.partition(".")[0]
        return "/".join(parts)

    def _line(self, line: int) -> int:
        return next((line - by for first, last, by in self.moves if first <= line <= last), line)


def _number(text: str) -> tuple[int, str]:
    """The number that a text begins with (0 for none), and the rest."""
    digits = len(text) - len(text.lstrip("0123456789"))
    return int(text[:digits] or 0), text[digits:]


@dataclass(frozen=True, slots=True)
class _Change:
    operator: str
    splices: tuple[Splice, ...]
    moves: tuple[Move, ...] = ()


def mutants(
    function: Function, file: str, name: str, siblings: Mapping[tuple[str, str], str]
) -> Iterator[Mutant]:
    """All mutants of a function in a fixed order, no two of the same text. `name`: as in the IR.
    `siblings`: by kind of use and name, what may stand there instead."""
    plain = name.partition("@")[0]
    known: set[str] = {function.text}
    for number, path in enumerate(function.statements(), 1):
        count: dict[str, int] = {}
        start, _ = function.span(path[-1])
        line = function.text.count("\n", 0, start) + 1
        for change in _changes(function, path, siblings):
            operator = change.operator
            mutant = Mutant("", file, name, line, operator, change.splices, change.moves)
            text = mutant.text(function.text)
            if text in known:
                continue
            known.add(text)
            again = count[operator] = count.get(operator, 0) + 1
            which = f"{number}:{operator}" + (f"#{again}" if again > 1 else "")
            id_ = f"{file}:{plain}:{which}"
            yield Mutant(id_, file, name, line, operator, change.splices, change.moves)


def _changes(
    function: Function, path: Path, siblings: Mapping[tuple[str, str], str]
) -> Iterator[_Change]:
    statement = path[-1]
    if statement.kind in ("block", "label"):
        return
    tokens = function.own(statement)
    if statement.kind != "declaration" and not _is_result(function, path):
        start, end = function.span(statement)
        gone = ";" + "\n" * function.text.count("\n", start, end)
        yield _Change("delete", ((start, end, gone),))
        yield from _swapped(function, path)
    if statement.kind == "if":
        yield from _guards(function.text, tokens, len(statement.inner) > 1)
    yield from _conditions(function.text, tokens)
    for kind, at in _uses(tokens):
        word, start, end = tokens[at]
        if (kind, word) in siblings:
            yield _Change("replace", ((start, end, siblings[kind, word]),))


def _is_result(function: Function, path: Path) -> bool:
    """The `return` of a value without which the function's end would give none."""
    is_last = path[-2] is function.body and path[-1] is function.body.inner[-1]
    return is_last and function.words(path[-1])[0] == "return"


def _swapped(function: Function, path: Path) -> Iterator[_Change]:
    """The statement and the next one; what a jump does not let run is deleted, not swapped."""
    siblings = path[-2].inner
    at = siblings.index(path[-1]) + 1
    if path[-2].kind != "block" or at == len(siblings):
        return
    pair = (path[-1], siblings[at])
    if any(s.kind in ("declaration", "label", "block") for s in pair):
        return
    if any(function.words(s)[0] in _JUMPS for s in pair):
        return
    (a, a_end), (b, b_end) = (function.span(s) for s in pair)
    text = function.text
    lines = [text.count("\n", 0, offset) + 1 for offset in (a, a_end, b, b_end)]
    down = lines[3] - lines[1]  # so far goes the end of the first one
    moves: tuple[Move, ...] = ()
    if lines[1] < lines[2]:
        first = (lines[0], lines[0] + lines[3] - lines[2], lines[0] - lines[2])
        moves = (first, (lines[0] + down, lines[3], down))
    yield _Change("swap", ((a, a_end, text[b:b_end]), (b, b_end, text[a:a_end])), moves)


def _guards(text: str, tokens: _Tokens, has_else: bool) -> Iterator[_Change]:
    """The condition of an `if`."""
    first, last = 2, _closing(tokens, 1) - 1
    start, end = tokens[first][1], tokens[last][2]
    yield _Change("negate", ((start, start, "!("), (end, end, ")")))
    yield _Change("always", _instead(text, tokens, first, last, "1"))
    if has_else:
        yield _Change("never", _instead(text, tokens, first, last, "0"))


def _conditions(text: str, tokens: _Tokens) -> Iterator[_Change]:
    """Operands of `&&` and `||`, and conditions of `?:`."""
    for at, (word, _, _) in enumerate(tokens):
        if word in ("&&", "||"):
            operator, neutral = ("always", "1") if word == "&&" else ("never", "0")
            if not _is_later(tokens, at, word):
                yield _Change(
                    operator, _instead(text, tokens, _first(tokens, at, word), at - 1, neutral)
                )
            yield _Change(
                operator, _instead(text, tokens, at + 1, _last(tokens, at, word), neutral)
            )
        elif word == "?":
            start, end = tokens[_first(tokens, at, word)][1], tokens[at - 1][2]
            yield _Change("negate", ((start, start, "!("), (end, end, ")")))


def _instead(text: str, tokens: _Tokens, first: int, last: int, word: str) -> tuple[Splice, ...]:
    """A word in the place of tokens; lines, comments and directives between them stay."""
    splices = [(*tokens[first][1:], word)]
    for i in range(first + 1, last + 1):
        (_, _, before), (_, start, end) = tokens[i - 1], tokens[i]
        splices.append((start if text[before:start].strip(" ") else before, end, ""))
    return tuple(splices)


def _is_later(tokens: _Tokens, at: int, word: str) -> bool:
    """The operand before this operator is the one after another of the same kind."""
    before = _first(tokens, at, word) - 1
    return before >= 0 and tokens[before][0] == word


def _first(tokens: _Tokens, at: int, operator: str) -> int:
    """The first token of the operand before an operator."""
    depth = 0
    for i in range(at - 1, -1, -1):
        word = tokens[i][0]
        depth += (word in (")", "]", "}")) - (word in ("(", "[", "{"))
        if depth < 0 or (not depth and _divides(word, operator)):
            return i + 1
    return 0


def _last(tokens: _Tokens, at: int, operator: str) -> int:
    """The last token of the operand after an operator."""
    depth = 0
    for i in range(at + 1, len(tokens)):
        word = tokens[i][0]
        depth += (word in ("(", "[", "{")) - (word in (")", "]", "}"))
        if depth < 0 or (not depth and _divides(word, operator)):
            return i - 1
    return len(tokens) - 1


def _divides(word: str, operator: str) -> bool:
    """The word ends an operand of the operator: it binds less, or alike."""
    if word in _ENDS or word in _ASSIGNS or word == operator:
        return True
    return word == "||" and operator == "&&"


def _closing(tokens: _Tokens, at: int) -> int:
    depth = 0
    for i in range(at, len(tokens)):
        depth += (tokens[i][0] == "(") - (tokens[i][0] == ")")
        if not depth:
            return i
    return len(tokens)


CALL, MEMBER, NAME = "call", "member", "name"
"""How a name is used."""


def _uses(tokens: _Tokens) -> Iterator[tuple[str, int]]:
    """The kind of use of each name, and where it is."""
    for at, (word, _, _) in enumerate(tokens):
        if not (word[0].isalpha() or word[0] == "_"):
            continue
        if at and tokens[at - 1][0] in (".", "->"):
            yield MEMBER, at
        elif at + 1 < len(tokens) and tokens[at + 1][0] == "(":
            yield CALL, at
        else:
            yield NAME, at


def uses(function: Function, statement: Statement) -> list[tuple[str, str]]:
    """The names in a statement, but for those in others within it, by kind of use."""
    tokens = function.own(statement)
    return [(kind, tokens[at][0]) for kind, at in _uses(tokens)]
