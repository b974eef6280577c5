"""The tree's own text of types, objects and functions, in an order that gcc can read.

The front-end only says what is needed. What gcc compiles is the tree's text, with the members of
records left out that no function names: their types may come from files that are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from verify.crosscheck.macros import OWN_NAMES, Defines, joined
from verify.source.c_lex import NOTHING, Token, closing, is_name, lex, split
from verify.source.c_type import NAMED
from verify.source.program import CProgram
from verify.source.source_file import Item

_ENUM = re.compile(r"\benum\b([^{};()=,]*)\{([^}]*)\}")
_NOT_CALLED = ("__builtin_", "__attribute", "cross_")
_TAGS = ("struct", "union", "enum")
_ATTRIBUTES = ("__packed", "__attribute__")
_KEYWORDS = (
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register return short signed sizeof static struct switch typedef union "
    "unsigned void volatile while _Bool __int128 typeof __typeof__ __typeof"
)
KEYWORDS = frozenset(_KEYWORDS.split())


class Extract:
    """Pieces of a unit: `add_*` puts a declaration and all that it needs behind the others."""

    def __init__(self, program: CProgram, config: Mapping[str, str]) -> None:
        self._program = program
        self._index = program.index
        self.defines = Defines(program.index, config, self._renamed)
        self.lines: list[str] = []
        # All that was written, as it is after expansion.
        self.expanded: list[str] = []
        # Words that functions and objects use: a member of another name is not needed.
        self.used: set[str] = set()
        self._done: set[tuple[str, str]] = set()
        self._enums: dict[str, tuple[str, list[Token]]] | None = None
        self._enum_of: dict[str, str] = {}

    # Names ------------------------------------------------------------------------------------

    def _renamed(self, name: str, file: str) -> str | None:
        if name in KEYWORDS or self._index.is_typedef(name):
            return None
        for meaning in (
            self._program.function_name(name, file),
            self._program.object_name(name, file),
        ):
            if meaning != name:
                return c_name(meaning)
        return None

    # Output -----------------------------------------------------------------------------------

    def write(self, tokens: list[Token], file: str) -> None:
        """A declaration, with the macros of its place."""
        self.lines += self.defines.directives(tokens, file)
        self.lines.append(joined(tokens))
        self.expanded += [word for word, _, _ in self.defines.expand(tokens, file)]

    def use(self, tokens: list[Token], file: str) -> None:
        """Note the words of a function or object, for the members of records."""
        self.used.update(word for word, _, _ in self.defines.expand(tokens, file))

    def words(self, tokens: list[Token], file: str) -> Iterator[tuple[str, str]]:
        """The names in a declaration after expansion, each with the token before it."""
        before = ""
        for word, _, _ in self.defines.expand(tokens, file):
            if is_name(word) and word not in KEYWORDS and before not in (".", "->"):
                yield word, before
            before = word

    # Types ------------------------------------------------------------------------------------

    def called(self, tokens: list[Token], file: str) -> Iterator[str]:
        """The names before a parenthesis in a declaration: of functions, for the most part."""
        expanded = self.defines.expand(tokens, file)
        for i, (word, _, _) in enumerate(expanded[:-1]):
            if is_name(word) and expanded[i + 1][0] == "(" and word not in KEYWORDS:
                if i and expanded[i - 1][0] in (".", "->"):
                    continue
                if not word.startswith(("__builtin_", "cross_")) and word not in (
                    "__attribute__",
                    *OWN_NAMES,
                ):
                    yield word

    def add_types(self, tokens: list[Token], file: str) -> None:
        """What a declaration needs to be read: enumerations, typedefs and records."""
        for word, before in self.words(tokens, file):
            if before in ("struct", "union"):
                self.add_record(before, word)
            elif before == "enum":
                self._add_enum(f"enum {word}")
            else:
                self._add_constant(word)
                self._add_typedef(word)

    def _add_constant(self, word: str) -> None:
        self._find_enums()
        if word in self._enum_of:
            self._add_enum(self._enum_of[word])

    def _find_enums(self) -> dict[str, tuple[str, list[Token]]]:
        """Enumerations by tag, or by place when they have none; the first one of a name wins."""
        if self._enums is None:
            self._enums = {}
            for file in self._index.files:
                for match in _ENUM.finditer(file.text):
                    tag = match.group(1).split(":")[0].strip()
                    key = f"enum {tag}" if tag else f"enum {file.path} {match.start()}"
                    if key in self._enums:
                        continue
                    packed = file.text[match.end() :].split(None, 1)[:1] == ["__packed"]
                    text = match.group() + (" __packed" if packed else "")
                    tokens = lex(text, file.line_of(match.start()))
                    self._enums[key] = (file.path, tokens)
                    body = tokens[_brace(tokens) + 1 : closing(tokens, _brace(tokens))]
                    for part in split(body, ","):
                        if part:
                            self._enum_of.setdefault(part[0][0], key)
        return self._enums

    def _add_enum(self, key: str) -> None:
        if not self._first("enum", key):
            return
        found = self._find_enums().get(key)
        if found is None:
            self.lines.append(f"{key} {{ __cross_none_{key.split()[1]} }};")
            return
        file, tokens = found
        body = tokens[_brace(tokens) + 1 : closing(tokens, _brace(tokens))]
        own = {part[0][0] for part in split(body, ",") if part}
        self.add_types([t for t in body if t[0] not in own], file)
        self.write([*tokens, (";", tokens[-1][1], NOTHING)], file)

    def _add_typedef(self, name: str) -> None:
        item = self._index.typedef(name) if self._index.is_typedef(name) else None
        if item is None:
            if name in NAMED and name not in KEYWORDS and self._first("typedef", name):
                self.lines.append(f"typedef {_SPELLED[name]} {name};")
            return
        if not self._first("typedef", name):
            return
        rest = [token for token in item.tokens if token[0] != name]
        tokens = item.tokens
        if item.brace >= 0 and "enum" not in [t[0] for t in tokens[: item.brace]]:
            end = closing(tokens, item.brace)
            body = self._members(tokens[item.brace + 1 : end], item.file, True)
            tokens = [*tokens[: item.brace + 1], *body, *tokens[end:]]
        else:
            self.add_types(rest, item.file)
        self.write(tokens, item.file)

    def add_record(self, kind: str, tag: str) -> None:
        """A struct or union, without the members that nothing names."""
        if not self._first("record", tag):
            return
        self.lines.append(f"{kind} {tag};")
        item = self._index.record(tag)
        if item is None:
            return
        tokens = item.tokens
        start = _brace(tokens, tag)
        if start < 0:
            return
        end = closing(tokens, start)
        inside = tokens[start + 1 : end]
        body = self._members(inside, item.file, kind == "union")
        if [t[0] for t in body if t[0] in "[];"] == ["[", "]", ";"] and body[-3][0] == "[":
            # C has no struct with nothing but a flexible array.
            body = self._members(inside, item.file, True)
        at = max(i for i in range(start) if tokens[i][0] in _TAGS)
        tail = self._attributes(tokens[end + 1 :], item.file)
        line = tokens[end][1]
        self.write(
            [*tokens[at : start + 1], *body, *tokens[end : end + 1], *tail, (";", line, NOTHING)],
            item.file,
        )

    def _attributes(self, tokens: list[Token], file: str) -> list[Token]:
        """What is said of a record behind its brace, such as __packed, as far as it is known. An
        object's name may follow."""
        kept: list[Token] = []
        i = 0
        while tokens[i][0].startswith("_"):
            word, line, _ = tokens[i]
            end = (closing(tokens, i + 1) if tokens[i + 1][0] == "(" else i) + 1
            if word in _ATTRIBUTES or self.defines.lookup(word, file, line) is not None:
                kept += tokens[i:end]
            i = end
        return kept

    def _members(self, body: list[Token], file: str, all_of_it: bool) -> list[Token]:
        """The members that are needed and whose types are known. Of a union, and of what is in
        one, none is left out: they share their places."""
        kept: list[Token] = []
        for member in _members(body):
            kept += self._member(member, file, all_of_it)
        return kept

    def _member(self, member: list[Token], file: str, all_of_it: bool) -> list[Token]:
        brace = _brace(member)
        if brace > 0 and member[0][0] in ("struct", "union"):
            end = closing(member, brace)
            names = [t[0] for t in member[end + 1 :] if is_name(t[0]) and not t[0].startswith("__")]
            body = member[brace + 1 : end]
            if not all_of_it and not self.used.intersection(names or (t[0] for t in body)):
                return []
            inner = self._members(body, file, all_of_it or member[0][0] == "union")
            return [*member[: brace + 1], *inner, *member[end:]] if inner else []
        while (macro := self.defines.lookup(member[0][0], file, member[0][1])) and not macro.body:
            member = member[1:]
        words, kind = _declares(member)
        if not all_of_it and not self.used.intersection(words):
            return []
        if not self._is_known(kind, member, file):
            return []
        self.add_types(member, file)
        return member

    def _is_known(self, kind: list[str], member: list[Token], file: str) -> bool:
        """Whether a member's type can be declared."""
        words = [token[0] for token in member]
        if not self._has_sizes(member, file):
            return False
        if kind[0] in ("struct", "union"):
            pointer = "*" in words
            return pointer or (len(kind) > 1 and self._index.record(kind[1]) is not None)
        if kind[0] == "enum" or kind[0] in KEYWORDS or kind[0] in NAMED:
            return True
        if self._index.is_typedef(kind[0]):
            return True
        return self.defines.lookup(kind[0], file, member[0][1]) is not None

    def _has_sizes(self, member: list[Token], file: str) -> bool:
        """Whether all constants in the sizes of a member's arrays are known."""
        self._find_enums()
        depth, before = 0, ""
        for word, _, _ in self.defines.expand(member, file):
            depth += (word == "[") - (word == "]")
            if depth and is_name(word) and word not in KEYWORDS and word not in self._enum_of:
                if before not in _TAGS and not self._index.is_typedef(word):
                    return False
            before = word
        return True

    # Objects and functions --------------------------------------------------------------------

    def add_object(self, item: Item) -> None:
        """A file-scope object, known to this unit only. Not even a constant one is constant: the
        interpreter may start with any value in it."""
        end = item.brace if item.brace >= 0 else len(item.tokens)
        tokens = [t for t in item.tokens[:end] if t[0] not in ("extern", "static", "const")]
        static = ("static", item.first, NOTHING)
        self.write([static, *tokens, *item.tokens[end:]], item.file)

    def head(self, item: Item) -> list[Token]:
        """What declares a function, without its body and linkage."""
        end = item.brace if item.function else len(item.tokens) - 1
        linkage = ("static", "extern", "inline", "__inline", "__inline__", "__always_inline")
        tokens = [t for t in item.tokens[:end] if t[0] not in linkage]
        opened = next(i for i, token in enumerate(tokens) if token[0] == "(")
        kept = []
        for i, token in enumerate(tokens):
            # Annotations before the name are no C.
            if i >= opened - 1 or not is_name(token[0]) or self._declares(tokens, i, item.file):
                kept.append(token)
        return kept

    def _declares(self, tokens: list[Token], i: int, file: str) -> bool:
        """Whether a word before a function's name is a part of its type."""
        word, line, _ = tokens[i]
        if word in KEYWORDS or word in NAMED or self._index.is_typedef(word):
            return True
        tag = i > 0 and tokens[i - 1][0] in _TAGS
        return tag or self.defines.lookup(word, file, line) is not None

    def add_prototype(self, item: Item) -> None:
        """A function is declared, known to this unit only."""
        tokens = self.head(item)
        line = tokens[0][1]
        self.write([("static", line, NOTHING), *tokens, (";", tokens[-1][1], NOTHING)], item.file)

    def add_function(self, item: Item) -> None:
        """A function's definition."""
        line = item.tokens[0][1]
        body = item.tokens[item.brace :]
        self.write([("static", line, NOTHING), *self.head(item), *body], item.file)

    def _first(self, kind: str, name: str) -> bool:
        if (kind, name) in self._done:
            return False
        self._done.add((kind, name))
        return True


_SPELLED = {
    "bool": "_Bool",
    "size_t": "unsigned long",
    "ssize_t": "long",
    "intptr_t": "long",
    "uintptr_t": "unsigned long",
    "ptrdiff_t": "long",
    **{f"int{w}_t": t for w, t in ((8, "signed char"), (16, "short"), (32, "int"), (64, "long"))},
    **{f"uint{w}_t": f"unsigned {t}" for w, t in ((8, "char"), (16, "short"), (32, "int"))},
    "uint64_t": "unsigned long",
}


def c_name(name: str) -> str:
    """The name in the unit of what the front-end calls `name@place`, or `name.before`."""
    return name.replace("@", "__at__").replace(".", "__")


def _brace(tokens: list[Token], tag: str = "") -> int:
    """Index of the first opening brace, or of the one of a record's body; -1 without one."""
    for i, (word, _, _) in enumerate(tokens):
        if word == "{" and (not tag or tokens[i - 1][0] == tag):
            return i
    return -1


def _members(body: list[Token]) -> Iterator[list[Token]]:
    """The declarations in a record's body, each with its semicolon."""
    member: list[Token] = []
    depth = 0
    for token in body:
        member.append(token)
        if token[0] in "([{":
            depth += 1
        elif token[0] in ")]}":
            depth -= 1
        elif token[0] == ";" and not depth:
            yield member
            member = []


def _declares(member: list[Token]) -> tuple[set[str], list[str]]:
    """The words of a member that may be its names, and those that begin its type."""
    words = [token[0] for token in member]
    i = 0
    while i < len(words) - 1 and words[i] in ("const", "volatile"):
        i += 1
    if words[i] in _TAGS:
        kind, i = words[i : i + 2], i + 2
    else:
        start = i
        while i < len(words) - 1 and words[i] in KEYWORDS:
            i += 1
        if i == start:
            i += 1
        kind = words[start:i]
    names: set[str] = set()
    depth = 0
    for word in words[i:]:
        depth += (word == "[") - (word == "]")
        if is_name(word) and not depth:
            names.add(word)
    return names, kind
