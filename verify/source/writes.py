"""Where the text of a tree writes certain members and objects, told from its tokens alone.

Whose member something is, is followed through the declarations of the function's variables, of
members and of results, as far as the program knows them; beyond that it goes by the names that the
record has elsewhere. A macro is looked at where it is defined, and may be given anything.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate

from verify.ir.types import Array, Pointer, Record, Type
from verify.source.build import Unsupported
from verify.source.c_lex import is_name, lex, split
from verify.source.program import CProgram
from verify.source.scope import outline
from verify.target import Idioms

_ASSIGN = re.compile(r"(?:[-+*/%&|^]|<<|>>)?=$|\+\+$|--$")
_MACRO = re.compile(r"[ \t]*#[ \t]*define[ \t]+\w+(?:\(([^)]*)\))?")
_STEPS = frozenset(("->", "."))
_KEYWORDS = frozenset(
    ("return", "if", "while", "for", "switch", "else", "do", "goto", "case", "sizeof", "typeof")
)
_TAGGED = frozenset(("struct", "union", "enum"))


@dataclass(frozen=True, slots=True)
class Write:
    """`function`, or a macro, writes the member or object `name`, or what an argument is called, at
    a line, from 1; without a function it is userspace, by a parameter of the module."""

    function: str
    line: int
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about: `members`, with the tags of the records that have them, and `objects`
    of file scope; which of them are `arrays`. `aliases`: how variables and members that lead to a
    record are called, by tag. `idioms`: how the tree speaks of memory."""

    idioms: Idioms
    members: Mapping[str, Set[str]]
    objects: Set[str]
    arrays: Set[str]
    aliases: Mapping[str, Set[str]]

    def pattern(self) -> re.Pattern[str]:
        """Finds each name, and what fills whole records."""
        names = "|".join(sorted({*self.members, *self.objects}))
        leading = "|".join(sorted({name for found in self.aliases.values() for name in found}))
        through = r"(?:[;{})]|\belse|\bdo)\s*\*[^;={}]*=(?!=)"
        assigned = rf"{through}|(?:->|\.)(?:{leading})(?:\[[^]]*\])?\s*=(?!=)"
        return re.compile(rf"\b(?:{names}|{self.idioms.fills})\b|{assigned}")


def writes(
    path: str, text: str, asked: Asked, pattern: re.Pattern[str], program: CProgram
) -> Iterator[Write]:
    """Who writes what is asked about, in a file without comments. Functions that run only when a
    module is loaded or unloaded are not looked at."""
    if not pattern.search(text):
        return
    yield from _parameters(text, asked)
    found = outline(text)
    starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text)]
    seen: set[int] = set()
    for match in pattern.finditer(text):
        place = found.at(bisect_right(starts, match.start()))
        if place is None or place[0] in seen:
            continue
        first, last, name = place
        seen.add(first)
        if macro := _MACRO.match(text, starts[first - 1], starts[last]):
            parameters = re.findall(r"\w+", macro[1] or "")
            head, start = text.count("\n", 0, macro.end()), macro.end()
        else:
            parameters, head = [], max(first - 2, 0)
            start = starts[head]
        body = text[start : starts[last]]
        if not macro and re.search(rf"\b(?:{asked.idioms.once})\b", body.partition("{")[0]):
            continue
        body = body.replace("\\\n", " \n")
        found_in = _Function(path, body, head + 1, program, asked, parameters)
        yield from (Write(name, at, what) for at, what in found_in.writes())


def first_arguments(text: str, callee: str) -> Iterator[Write]:
    """Calls of a function in the functions and macros of a file without comments: each with its
    first argument."""
    calls = re.compile(rf"\b{callee}\s*\(")
    if callee not in text or not calls.search(text):
        return
    found = outline(text)
    for call in calls.finditer(text):
        line = text.count("\n", 0, call.start()) + 1
        if place := found.at(line):
            first, *_ = split(lex(text[call.end() : call.end() + 400], 1)[:100], ",")
            depth = list(accumulate((word == "(") - (word == ")") for word, _, _ in first))
            end = next((i for i, level in enumerate(depth) if level < 0), len(first))
            yield Write(place[2], line, " ".join(word for word, _, _ in first[:end]))


def _parameters(text: str, asked: Asked) -> Iterator[Write]:
    made = rf"\n(?:{asked.idioms.parameter})\(([^;]{{1,400}})\)\s*;"
    for found in re.finditer(made, f"\n{text}"):
        *names, mode = (part.strip().lstrip("&") for part in found.group(1).split(","))
        writable = int(mode, 8) & 0o222 if re.fullmatch("0[0-7]*", mode) else "W" in mode
        if writable:
            line = text.count("\n", 0, found.start()) + 1
            yield from (Write("", line, name) for name in names if name in asked.objects)


class _Function:
    """The tokens of a function, or of what stands for a macro, from line `first` of a file.
    `given`: the macro's parameters."""

    def __init__(
        self,
        path: str,
        text: str,
        first: int,
        program: CProgram,
        asked: Asked,
        given: Sequence[str],
    ) -> None:
        tokens = lex(text, first)
        self._given = frozenset(given)
        self._path, self._first = path, first
        self._words = [word for word, _, _ in tokens]
        self._lines = [line for _, line, _ in tokens]
        self._program, self._asked = program, asked
        idioms = asked.idioms
        self._reads, self._fills, self._writes_first = (
            re.compile(names).fullmatch for names in (idioms.reads, idioms.fills, idioms.writes)
        )
        self._brace = next((i for i, word in enumerate(self._words) if word == "{"), 0)
        # The tag of each variable; "" for one that is or leads to no record.
        self._variables: dict[str, str] = {}
        # Of what is declared before a comma, by where that is.
        self._lists: dict[int, str] = {}
        for i in range(1, len(tokens)):
            self._declare(i)

    def writes(self) -> Iterator[tuple[int, str]]:
        """Line and name of each write."""
        for i, word in enumerate(self._words):
            tag: str | None = None
            if i and self._words[i - 1] in _STEPS:
                ours = word in self._asked.members and self._is_member(i) and self._is_asked(i)
            else:
                ours = word in self._asked.objects and word not in self._variables
            if ours and self._is_written(i):
                yield self._lines[i], word
            elif word == "=":
                tag = self._assigned(i)
            elif self._fills(word):
                tag = self._filled(i)
            if tag in self._asked.aliases:
                yield self._lines[i], f"struct {tag}"

    # Declarations -------------------------------------------------------------------------------

    def _declare(self, at: int) -> None:
        words, name = self._words, self._words[at]
        if not is_name(name) or name in _KEYWORDS or words[at + 1 : at + 2] == ["("]:
            return
        i = at - 1
        while i and words[i] == "*":
            i -= 1
        kind = words[i]
        if kind == ",":
            if (tag := self._declaration(i)) is not None:
                self._lists[i] = tag
                self._variables.setdefault(name, tag)
        elif is_name(kind) and kind not in _KEYWORDS and kind not in _TAGGED:
            record = i > 0 and words[i - 1] in _TAGGED
            # Else it may be a product.
            typed = i == at - 1 or at < self._brace or words[i - 1] in (";", "{", "}", "const")
            if record or typed:
                self._variables.setdefault(name, kind if record else "")

    def _declaration(self, comma: int) -> str | None:
        """The tag of what is declared before a comma, when that is in a declaration."""
        words, depth, i = self._words, 0, comma - 1
        while i > 0 and (depth or words[i] not in (";", "{", "}", "(", ")", ",")):
            depth += (words[i] == "]") - (words[i] == "[")
            i -= 1
        if words[i] == ",":
            return self._lists.get(i)
        if words[i] not in (";", "{", "}"):
            return None
        before = [word for word in words[i + 1 : comma] if word in self._variables]
        typed = is_name(words[i + 1]) and (is_name(words[i + 2]) or words[i + 2] == "*")
        return self._variables[before[0]] if typed and before else None

    # What an expression is ----------------------------------------------------------------------

    def _is_member(self, at: int) -> bool:
        """What comes after a step is of an expression, not of an initialiser."""
        return self._words[at - 1] == "->" or self._words[at - 2] not in ("{", ",", "(")

    def _is_asked(self, at: int) -> bool:
        """A member is one of a record that is asked about."""
        tags = self._asked.members[self._words[at]]
        start = self._start(at)
        tag = self._tag(start, at - 1)
        if tag is None:
            if not self._given.isdisjoint(self._words[start:at]):
                return True
            name = self._last_name(at - 2)
            return any(name in self._asked.aliases.get(tag, ()) for tag in tags)
        return tag in tags

    def _last_name(self, at: int) -> str:
        """How the last part of what ends at `at` is called; of a macro, of what it stands for."""
        words = self._words
        if words[at] == ")":
            at = self._opening(at) - 1
            macro = self._program.index.macro(words[at], self._path, self._first)
            names = [word for word in macro.body if is_name(word)] if macro else []
            return names[-1] if names else words[at]
        while words[at] == "]":
            at = self._opening(at) - 1
        return words[at]

    def _start(self, at: int) -> int:
        """Where the postfix expression begins that ends with the name at `at`."""
        words, i = self._words, at
        while i >= 2 and words[i - 1] in _STEPS:
            i -= 2
            while i > 0 and words[i] in (")", "]"):
                group = words[i]
                i = self._opening(i)
                if not is_name(words[i - 1]) and words[i - 1] not in (")", "]"):
                    break
                if words[i - 1] in _KEYWORDS or (group == ")" and words[i - 1] == ")"):
                    break
                i -= 1
        return i

    def _opening(self, at: int) -> int:
        depth = 0
        for i in range(at, -1, -1):
            depth += (self._words[i] in (")", "]")) - (self._words[i] in ("(", "["))
            if not depth:
                return i
        return 0

    def _after(self, at: int) -> int:
        """The token after the bracket that closes the one at `at`."""
        depth = 0
        for i in range(at, len(self._words)):
            depth += (self._words[i] in ("(", "[")) - (self._words[i] in (")", "]"))
            if not depth:
                return i + 1
        return len(self._words)

    def _tag(self, start: int, end: int) -> str | None:
        """The record that an expression is or leads to: "" for none, None where that is not
        known."""
        words, word, i = self._words, self._words[start], start + 1
        tag: str | None
        if word == "(":
            i = self._after(start)
            tag = self._of_group(start + 1, i - 1)
        elif i < end and words[i] == "(":
            i = self._after(i)
            tag = self._of_call(word)
        elif word in self._variables:
            tag = self._variables[word]
        else:
            tag = _record(self._program.object_type(word))
        while i < end and tag:
            if words[i] == "[":
                i = self._after(i)
            else:
                tag = self._of_member(tag, words[i + 1])
                i += 2
        return tag

    def _tag_or_guess(self, start: int, end: int) -> str | None:
        """One that is asked about, by how the last part is called, where it is not known."""
        tag = self._tag(start, end)
        if tag is None:
            name = self._last_name(end - 1)
            tag = next((tag for tag, names in self._asked.aliases.items() if name in names), None)
        return tag

    def _of_group(self, start: int, end: int) -> str | None:
        words = self._words[start:end]
        if "struct" in words[:-1]:
            return words[words.index("struct") + 1]
        while start < end and self._words[start] in ("&", "*", "("):
            start += 1
        return self._tag(start, end) if start < end else None

    def _of_call(self, name: str) -> str | None:
        try:
            function = self._program.function(name)
        except Unsupported:
            return None
        return _record(function.result) if function else None

    def _of_member(self, tag: str, name: str) -> str | None:
        return _record(self._type_of_member(tag, name))

    def _type_of_member(self, tag: str, name: str) -> Type | None:
        try:
            member = self._program.record(tag).members.get(name)
        except (KeyError, Unsupported):
            return None
        return member.type if member else None

    # What becomes of it -------------------------------------------------------------------------

    def _is_written(self, at: int) -> bool:
        """What is named at `at` is assigned to, or given to who may."""
        words, end = self._words, at + 1
        while words[end : end + 1] == ["["]:
            end = self._after(end)
        after = words[end] if end < len(words) else ""
        if after in _STEPS:
            return False
        start = self._start(at)
        before = words[start - 1] if start else ""
        if _ASSIGN.match(after) or before in ("++", "--"):
            return True
        callee, position = self._callee(start)
        if self._reads(callee):
            return False
        if before == "&" and self._is_unary(start - 1):
            return True
        if self._fills(callee) or self._writes_first(callee):
            return not position
        if callee and self._assigns(callee, position):
            return True
        return bool(callee) and words[at] in self._asked.arrays and end == at + 1

    def _filled(self, at: int) -> str | None:
        """The record that is the first argument of a call."""
        words, start = self._words, at + 2
        while start < len(words) and words[start] in ("&", "(", "*"):
            start += 1
        end, depth = start, 0
        while end < len(words) - 1 and (depth or words[end] not in (",", ")")):
            depth += (words[end] in ("(", "[")) - (words[end] in (")", "]"))
            end += 1
        return self._tag_or_guess(start, end) if start < end else None

    def _assigned(self, at: int) -> str | None:
        """The record that is assigned as a whole at a `=`."""
        words, end = self._words, at - 1
        while end > 0 and words[end] == "]":
            end = self._opening(end) - 1
        start = end
        if words[end] == ")":
            start = self._opening(end)
            start -= is_name(words[start - 1])
        start = self._start(start)
        tag = self._tag_or_guess(start, at)
        if start and words[start - 1] == ")":
            cast = self._opening(start - 1)
            tag, start = self._of_group(cast + 1, start - 1), cast
        if start > 1 and words[start - 1] == "*":
            # What is declared is not assigned to.
            before = words[start - 2]
            declared = is_name(before) and before not in _KEYWORDS
            return None if declared or start - 2 in self._lists else tag
        if end < 1 or words[end - 1] not in _STEPS or not is_name(words[end]):
            return None
        kind = self._type_of_member(self._tag_or_guess(start, end - 1) or "", words[end])
        while isinstance(kind, Array):
            kind = kind.of
        return kind.tag if isinstance(kind, Record) else None

    def _is_unary(self, at: int) -> bool:
        before = self._words[at - 1] if at else ""
        if before == ")":
            # A cast to a pointer ends so.
            return self._words[at - 2] == "*"
        return before == "return" or not (is_name(before) or before == "]" or before[:1].isdigit())

    def _assigns(self, macro: str, position: int) -> bool:
        """A macro assigns to one of its parameters, or takes its address."""
        found = self._program.index.macro(macro, self._path, self._first)
        if found is None or position >= len(found.params or ()):
            return False
        assert found.params is not None
        body = ("", *found.body, "")
        for i in (i for i, word in enumerate(body) if word == found.params[position]):
            after = next(word for word in body[i + 1 :] if word != ")")
            before = next(word for word in body[i - 1 :: -1] if word != "(")
            if _ASSIGN.match(after) or before in ("++", "--", "&"):
                return True
        return False

    def _callee(self, at: int) -> tuple[str, int]:
        """What an argument is given to ("" for nothing), and how many are before it."""
        words, position, i = self._words, 0, at - 1
        while i > 0 and words[i] not in (";", "{", "}"):
            if words[i] in (")", "]"):
                i = self._opening(i)
            elif words[i] == "(" and is_name(words[i - 1]) and words[i - 1] not in _KEYWORDS:
                return words[i - 1], position
            elif words[i] == ",":
                position += 1
            i -= 1
        return "", 0


def _record(kind: Type | None) -> str | None:
    while isinstance(kind, Pointer | Array):
        kind = kind.to if isinstance(kind, Pointer) else kind.of
    return kind.tag if isinstance(kind, Record) else None if kind is None else ""


def asked_about(
    idioms: Idioms,
    names: Sequence[tuple[str, str]],
    arrays: Set[str],
    leading: Sequence[tuple[str, str]],
) -> Asked:
    """`names`: of members, each with its record's tag, or of objects with "". `leading`: of what
    leads to a record, with its tag."""
    members: dict[str, set[str]] = {}
    aliases: dict[str, set[str]] = {}
    for tag, name in names:
        if tag:
            members.setdefault(name, set()).add(tag)
    for tag, name in leading:
        aliases.setdefault(tag, set()).add(name)
    return Asked(idioms, members, {name for tag, name in names if not tag}, arrays, aliases)
