"""What the files of a tree define, found without building it.

A file is scanned once for directives; what a name stands for is looked up when it is asked for.
Definitions are recognised where kernel style has them: at the start of a line. The files' includes
are not followed: the dialect lists the headers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from verify.source.c_lex import Token, lex, strip_comments
from verify.source.preprocess import COMPILER, Expander, Macro, condition_holds, parse_macro

PRELUDE = "<prelude>"

_DIRECTIVE = re.compile(r"\n[ \t]*#[ \t]*([a-z]+)((?:[^\n\\]|\\(?:.|\n))*)")
_TOP = re.compile(r"\n[A-Za-z_][^\n]*")
_BRACKET = re.compile(r"""[(){};=]|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""")
_ENUM = re.compile(r"\benum\b[^{};()=,]*\{([^}]*)\}")
_WORD = re.compile(r"[A-Za-z_]\w*")
_INTERESTING = ("if", "ifdef", "ifndef", "elif", "else", "endif", "define", "undef")


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


class SourceFile:
    """The active text of one file, and where its lines and top-level lines start."""

    def __init__(self, path: str, text: str, first: int) -> None:
        self.path = path
        self.text = text
        self.macros: dict[str, list[tuple[int, int, str | None]]] = {}
        self._first = first
        self._lines: list[int] = []
        self._items: dict[int, Item | None] = {}
        tops = [(match.start() + 1, match.group()) for match in _TOP.finditer(text)]
        self._starts = [start for start, _ in tops]
        self.tops = "".join(line for _, line in tops) + "\n"
        self._at: list[int] = []

    def line_of(self, offset: int) -> int:
        """Line of an offset in the text."""
        if not self._lines:
            self._lines = [match.start() for match in re.finditer("\n", self.text)]
        # The text starts with an added newline, which is before line 1.
        return bisect_right(self._lines, offset) - 1 + self._first

    def occurrences(self, name: str) -> Iterator[int]:
        """Offsets of a word in lines that start at the margin."""
        tops = self.tops
        at = tops.find(name)
        while at >= 0:
            end = at + len(name)
            before, after = tops[at - 1], tops[end]
            if not (before.isalnum() or before == "_" or after.isalnum() or after == "_"):
                if not self._at:
                    self._at = [match.start() + 1 for match in _TOP.finditer(tops)]
                index = bisect_right(self._at, at) - 1
                yield self._starts[index] + at - self._at[index]
            at = tops.find(name, end)

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
                    return self._make(start, match.end(), brace, True)
            elif found == "=" and not depth:
                initialised = True
            elif found == ";" and not depth:
                return self._make(start, match.end(), brace, False)
        return None

    def _make(self, start: int, end: int, brace: int, function: bool) -> Item:
        tokens = lex(self.text[start:end], self.line_of(start))
        at = -1
        if brace >= 0:
            at = next(i for i, token in enumerate(tokens) if token[0] == "{")
            if not function:
                depth = 0
                for at, token in enumerate(tokens):
                    depth += (token[0] == "(") - (token[0] == ")")
                    if token[0] == "{" and not depth:
                        break
        return Item(self.path, tokens, at, function)


class Index:
    """Look-ups of macros, functions, objects and types over all files of a dialect.

    `files` pairs a path with its text, in order; the first definition wins, except that a macro of
    the file where it is used comes first, and that macros of a `.c` file are not seen elsewhere.
    """

    def __init__(
        self,
        read: Callable[[str], str | None],
        files: tuple[str, ...],
        config: Mapping[str, str],
        prelude: str,
        defines: Mapping[str, str],
    ) -> None:
        self._config = config
        self._fixed: dict[str, Macro] = {}
        self._shared: dict[str, tuple[int, int, str | None, str]] = {}
        self._parsed: dict[tuple[str, int, str], Macro | None] = {}
        self._enumerators: dict[str, Item] | None = None
        self._items: list[Item] | None = None
        self._seen: dict[str, str] = {}
        self.used: set[tuple[str, int, int]] = set()
        for name, value in COMPILER.items():
            self._fix(name, value)
        for option, value in config.items():
            self._fix(
                option + "_MODULE" if value == "m" else option, "1" if value in "ym" else value
            )
        for name, value in defines.items():
            self._fix(name, value)
        self._overrides = set(defines)
        self.prelude = self._scan(PRELUDE, prelude)
        found = {path: text for path in files if (text := read(path)) is not None}
        # Headers first: conditions in them and in the .c files ask for their macros.
        ordered = sorted(found, key=lambda path: path.endswith(".c"))
        by_path = {path: self._scan(path, found[path]) for path in ordered}
        self.files = [self.prelude, *(by_path[path] for path in found)]
        self._by_path = {file.path: file for file in self.files}

    def _fix(self, name: str, value: str) -> None:
        macro = parse_macro(f"{name} {value}", "", 0, 0)
        if macro is not None:
            self._fixed[name] = macro

    # Directives -------------------------------------------------------------------------------

    def _scan(self, path: str, text: str) -> SourceFile:
        """Drop inactive text and directives, line by line kept, and note the definitions."""
        text = "\n" + strip_comments(text)
        macros: dict[str, list[tuple[int, int, str | None]]] = {}
        pieces: list[str] = []
        # For each open #if: whether the outside is active, and whether a branch was taken.
        stack: list[tuple[bool, bool]] = []
        active, at, line, counted = True, 0, 0, 0
        for match in _DIRECTIVE.finditer(text):
            word = match.group(1)
            start, end = match.start() + 1, match.end()
            if word == "define" or word == "undef":
                if active:
                    line += text.count("\n", counted, start)
                    counted = start
                    last = line + text.count("\n", start, end)
                    rest = match.group(2)
                    name = _WORD.search(rest)
                    if name:
                        value = (line, last, rest if word == "define" else None)
                        macros.setdefault(name.group(), []).append(value)
                        if word == "define" and not path.endswith(".c"):
                            self._shared.setdefault(name.group(), (*value, path))
            pieces.append(text[at:start] if active else "\n" * text.count("\n", at, start))
            pieces.append("\n" * text.count("\n", start, end))
            at = end
            if word not in _INTERESTING or word in ("define", "undef"):
                continue
            rest = match.group(2)
            if word in ("if", "ifdef", "ifndef"):
                taken = active and self._test(word, rest, macros)
                stack.append((active, taken))
                active = taken
            elif not stack:
                continue
            elif word == "endif":
                active = stack.pop()[0]
            else:
                outside, taken = stack[-1]
                active = (
                    outside and not taken and (word == "else" or self._test("if", rest, macros))
                )
                stack[-1] = (outside, taken or active)
        pieces.append(text[at:] if active else "\n" * text.count("\n", at))
        file = SourceFile(path, "".join(pieces), 1)
        file.macros = macros
        return file

    def _test(
        self, word: str, rest: str, macros: dict[str, list[tuple[int, int, str | None]]]
    ) -> bool:
        def defined(name: str) -> bool:
            if name in macros:
                return macros[name][-1][2] is not None
            return name in self._fixed or name in self._shared

        if word != "if":
            name = _WORD.search(rest)
            return name is not None and defined(name.group()) == (word == "ifdef")
        tokens: list[Token] = []
        source = lex(rest.replace("\\\n", " "), 1)
        i = 0
        while i < len(source):
            if source[i][0] == "defined":
                close = i + 1
                if close < len(source) and source[close][0] == "(":
                    close += 2
                    name_at = i + 2
                else:
                    name_at = i + 1
                known = name_at < len(source) and defined(source[name_at][0])
                tokens.append(("1" if known else "0", 1, frozenset()))
                i = close + 1
            else:
                tokens.append(source[i])
                i += 1

        def lookup(name: str, _line: int) -> Macro | None:
            if name in self._fixed:
                return self._fixed[name]
            if name in macros:
                line, last, body = macros[name][-1]
                return None if body is None else parse_macro(_joined(body), "", line, last)
            return self._parse(name)

        expanded = Expander(lookup, self._config).expand(tokens)
        return condition_holds([token[0] for token in expanded])

    # Macros -----------------------------------------------------------------------------------

    def _parse(self, name: str) -> Macro | None:
        found = self._shared.get(name)
        return None if found is None or found[2] is None else self._parsed_at(name, *found)

    def _parsed_at(
        self, name: str, line: int, last: int, body: str | None, file: str
    ) -> Macro | None:
        key = (file, line, name)
        if key not in self._parsed:
            self._parsed[key] = (
                None if body is None else parse_macro(_joined(body), file, line, last)
            )
        return self._parsed[key]

    def macro(self, name: str, file: str, line: int) -> Macro | None:
        """The definition in force for a name on a line of a file."""
        fixed = self._fixed.get(name)
        if fixed is not None:
            return fixed
        shared = self._shared.get(name)
        if shared is not None and shared[3] == PRELUDE:
            return self._parse(name)
        source = self._by_path.get(file)
        own = source.macros.get(name) if source else None
        if own:
            before = [value for value in own if value[0] <= line]
            return self._parsed_at(name, *(before[-1] if before else own[0]), file)
        return self._parse(name)

    def any_macro(self, name: str) -> Macro | None:
        """A macro of any file, also of a `.c` file."""
        found = self.macro(name, "", 0)
        if found is not None:
            return found
        for file in self.files:
            for line, last, body in file.macros.get(name, ()):
                if body is not None:
                    return self._parsed_at(name, line, last, body, file.path)
        return None

    def expander(self, file: str) -> Expander:
        """Macro expansion as in a file ("" for everywhere); what it uses is noted."""
        known: dict[str, Macro | None] = {}
        source = self._by_path.get(file)
        own = source.macros if source else {}

        def lookup(name: str, line: int) -> Macro | None:
            if name in known:
                return known[name]
            found = self.macro(name, file, line) if file else self.any_macro(name)
            if found is not None and found.file:
                self.used.add((found.file, found.line, found.last))
            if len(own.get(name, ())) < 2:
                known[name] = found
            return found

        return Expander(lookup, self._config)

    # Declarations -----------------------------------------------------------------------------

    def function(self, name: str) -> Item | None:
        """The first definition of a function."""
        for item in self._declaring(name):
            if item.function:
                return item
        return next((item for item in self._generated(name) if item.function), None)

    def prototype(self, name: str) -> Item | None:
        """The first definition or prototype of a function."""
        return next(self._declaring(name), None) or next(self._generated(name), None)

    def _declaring(self, name: str) -> Iterator[Item]:
        for file in self.files:
            for offset in file.occurrences(name):
                if file.text[offset + len(name) :].lstrip(" \t\n")[:1] != "(":
                    continue
                item = file.item(offset)
                if item is not None and declares_function(item.tokens, name):
                    yield item

    def _generated(self, name: str) -> Iterator[Item]:
        """Functions that a macro at file scope makes."""
        if self._items is None:
            self._items = [item for file in self.files for item in self._expansions(file)]
        for item in self._items:
            if declares_function(item.tokens, name):
                yield item

    def _expansions(self, file: SourceFile) -> Iterator[Item]:
        for match in re.finditer(r"\n([A-Za-z_]\w*)\(([^\n]*)", file.tops):
            name = match.group(1)
            macro = self.macro(name, file.path, 1 << 30)
            if macro is None or "{" not in macro.body or macro.params is None:
                continue
            for offset in file.occurrences(name):
                line = file.line_of(offset)
                key = f"{file.path}:{line}"
                if key in self._seen:
                    continue
                self._seen[key] = name
                end = file.text.find(")", offset)
                while file.text.count("(", offset, end) > file.text.count(")", offset, end + 1):
                    end = file.text.find(")", end + 1)
                tokens = self.expander(file.path).expand(lex(file.text[offset : end + 1], line))
                yield from _split_items(file.path, tokens)

    def object(self, name: str) -> Item | None:
        """The declaration of a file-scope object, one that is not extern when there is one."""
        found: Item | None = None
        for file in self.files:
            for offset in file.occurrences(name):
                item = file.item(offset)
                if item is None or item.function or item.tokens[0][0] == "typedef":
                    continue
                if not _declares_object(item, name):
                    continue
                if not any(token[0] == "extern" for token in item.tokens[:3]):
                    return item
                found = found or item
        return found

    def typedef(self, name: str) -> Item | None:
        """The declaration of a typedef."""
        for file in self.files:
            start = 0
            text = file.text
            while (start := text.find(name, start)) >= 0:
                end = start + len(name)
                tail = text[end : end + 2].lstrip(" \t")[:1]
                if tail in (";", ")", "[") and not (
                    text[start - 1].isalnum() or text[start - 1] == "_"
                ):
                    item = self._typedef_at(file, start)
                    if item is not None and name in _typedef_names(item):
                        return item
                start = end
        return None

    def _typedef_at(self, file: SourceFile, offset: int) -> Item | None:
        start = file.text.rfind("\ntypedef", 0, offset)
        if start < 0:
            return None
        item = file.item(start + 1)
        if item is None or item.last < file.line_of(offset):
            return None
        return item

    def record(self, tag: str) -> Item | None:
        """The declaration that has the body of a struct, union or enum."""
        for file in self.files:
            for word in ("struct", "union", "enum"):
                at = file.tops.find(f"{word} {tag} {{")
                if at < 0:
                    match = re.search(rf"\b{word}\s+{tag}\s*\{{", file.text)
                    if match is None:
                        continue
                    offset = match.start()
                else:
                    offset = file.text.find(f"{word} {tag} {{")
                item = file.item(offset)
                if item is not None:
                    return item
        return None

    def enumerators(self) -> Mapping[str, Item]:
        """For each enumeration constant the declaration that has it (its tokens are the braces
        and what is between)."""
        if self._enumerators is None:
            self._enumerators = {}
            for file in self.files:
                for match in _ENUM.finditer(file.text):
                    line = file.line_of(match.start(1))
                    tokens = lex(match.group(1), line)
                    if not tokens:
                        continue
                    item = Item(file.path, tokens, -1, False)
                    depth = 0
                    expect = True
                    for text, _, _ in tokens:
                        if expect:
                            self._enumerators.setdefault(text, item)
                            expect = False
                        depth += (text in "([") - (text in ")]")
                        if text == "," and not depth:
                            expect = True
        return self._enumerators


def _joined(body: str) -> str:
    return body.replace("\\\n", " ") if "\\" in body else body


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


def _declares_object(item: Item, name: str) -> bool:
    depth = 0
    for i, (text, _, _) in enumerate(item.tokens):
        if text in ("(", "[", "{"):
            depth += 1
        elif text in (")", "]", "}"):
            depth -= 1
        elif text == "=" and not depth:
            return False
        elif text == name and not depth and i:
            before = item.tokens[i - 1][0]
            after = item.tokens[i + 1][0] if i + 1 < len(item.tokens) else ""
            return before not in ("struct", "union", "enum", ".") and after != "("
    return False


def _typedef_names(item: Item) -> list[str]:
    """Names that a typedef may declare: the last word before each end or parameter list."""
    names: list[str] = []
    depth = 0
    for i, (text, _, _) in enumerate(item.tokens):
        if text == "{":
            depth += 1
        elif text == "}":
            depth -= 1
        elif not depth and _WORD.match(text) and item.tokens[i + 1][0] in (";", ")", "[", ","):
            names.append(text)
    return names


def _split_items(file: str, tokens: list[Token]) -> Iterator[Item]:
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
