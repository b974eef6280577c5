"""What the files of a tree define, found without building it.

A file is scanned once for directives; what a name stands for is looked up when it is asked for.
Definitions are recognised where kernel style has them: at the start of a line. The files' includes
are not followed: the dialect lists the headers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping

from verify.source.c_lex import NOTHING, Token, lex, strip_comments
from verify.source.preprocess import (
    COMPILER,
    DEFINITIONS,
    Expander,
    Macro,
    condition_holds,
    parse_macro,
)
from verify.source.source_file import (
    Definition,
    Item,
    SourceFile,
    declares_function,
    declares_object,
    split_items,
    words,
)

PRELUDE = "<prelude>"

_DIRECTIVE = re.compile(
    r"\n[ \t]*#[ \t]*(?:(define|undef)[ \t]+(\w+)|([a-z]+))([^\n\\]*(?:\\(?:.|\n)[^\n\\]*)*)"
)
_DECLARED = re.compile(r"\n\w[\w *]*?\b(\w+)[ \t]*\(")
_ENUM = re.compile(r"enum\b[^{};()=,]*\{([^}]*)\}")
_ENUMERATOR = re.compile(r"(?:^|,)\s*([A-Za-z_]\w*)")
_TYPEDEF = re.compile(
    r"\ntypedef\b(?:[^;{}]*?\(\s*\*\s*(\w+)\s*\)\s*\([^;]*;"
    r"|[^;{}()]*?\b(\w+)\s*(?:\[[^\];]*\]|\([^;{}]*\))?\s*;"
    r"|[^;{}]*\{(?:[^{}]*|.*?\n)\}[^;\n]*?\b(\w+)\s*;)",
    re.DOTALL,
)
_GENERATOR = re.compile(r"\n([A-Za-z_]\w*)\(")
_WORD = re.compile(r"[A-Za-z_]\w*")


class Index:
    """Look-ups of macros, functions, objects and types over all files of a dialect.

    The first definition in the order of the files wins, the prelude's before all, except that a
    macro of the file where it is used comes first, and that macros of a `.c` file are not seen
    elsewhere. What the prelude declares as a function is no macro of the tree.
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
        # Macros of headers: the file, and where in it.
        self._shared: dict[str, tuple[str, Definition]] = {}
        self._parsed: dict[tuple[str, int], Macro | None] = {}
        self._enumerations: dict[str, list[tuple[SourceFile, int]]] | None = None
        self._enum_items: dict[tuple[str, int], Item] = {}
        self._generated_by: dict[str, list[Item]] | None = None
        self._typedef_places: dict[str, tuple[SourceFile, int]] | None = None
        self._declaring: dict[str, list[Item]] = {}
        self._expanders: dict[str, Expander] = {}
        self.used: set[tuple[str, int, int]] = set()
        for name, value in COMPILER.items():
            self._define(f"{name} {value}")
        for definition in DEFINITIONS:
            self._define(definition)
        for option, value in config.items():
            name = option + "_MODULE" if value == "m" else option
            self._define(f"{name} {'1' if value in ('y', 'm') else value}")
        for name, value in defines.items():
            self._define(f"{name} {value}")
        self._by_path: dict[str, SourceFile] = {}
        self.prelude = self._scan(PRELUDE, prelude)
        self._functions = frozenset(_DECLARED.findall(self.prelude.tops))
        found = {path: text for path in files if (text := read(path)) is not None}
        # Headers first: conditions in them and in the .c files ask for their macros.
        for path in sorted(found, key=lambda path: path.endswith(".c")):
            self._scan(path, found[path])
        self.files = [self.prelude, *(self._by_path[path] for path in found)]
        self._tops = "".join(file.tops for file in self.files)
        ends = [0]
        for file in self.files:
            ends.append(ends[-1] + len(file.tops))
        self._bounds = ends

    def _define(self, text: str) -> None:
        macro = parse_macro(text, "", 0, 0)
        if macro is not None:
            self._fixed[macro.name] = macro

    # Directives -------------------------------------------------------------------------------

    def _scan(self, path: str, text: str) -> SourceFile:
        """Drop inactive text and directives, line by line kept, and note the definitions."""
        text = "\n" + strip_comments(text)
        macros: dict[str, list[Definition]] = {}
        pieces: list[str] = []
        # For each open #if: whether the outside is active, and whether a branch was taken.
        stack: list[tuple[bool, bool]] = []
        active, at = True, 0
        shared = self._shared
        header = not path.endswith(".c")
        for match in _DIRECTIVE.finditer(text):
            define, name, word, rest = match.groups()
            start, end = match.span()
            pieces.append(
                text[at : start + 1] if active else "\n" * text.count("\n", at, start + 1)
            )
            if "\n" in rest:
                pieces.append("\n" * rest.count("\n"))
            at = end
            if name:
                if active:
                    value = (start, end, rest if define == "define" else None)
                    if name in macros:
                        macros[name].append(value)
                    else:
                        macros[name] = [value]
                    if header and define == "define" and name not in shared:
                        shared[name] = (path, value)
            elif word in ("if", "ifdef", "ifndef"):
                taken = active and self._test(word, rest, macros)
                stack.append((active, taken))
                active = taken
            elif not stack:
                continue
            elif word == "endif":
                active = stack.pop()[0]
            elif word in ("elif", "else"):
                outside, taken = stack[-1]
                active = (
                    outside and not taken and (word == "else" or self._test("if", rest, macros))
                )
                stack[-1] = (outside, taken or active)
        pieces.append(text[at:] if active else "\n" * text.count("\n", at))
        file = SourceFile(path, text, "".join(pieces), macros)
        self._by_path[path] = file
        return file

    def _test(self, word: str, rest: str, macros: dict[str, list[Definition]]) -> bool:
        def defined(name: str) -> bool:
            if name in macros:
                return macros[name][-1][2] is not None
            return name in self._fixed or name in self._shared

        if word != "if":
            name = _WORD.search(rest)
            return name is not None and defined(name.group()) == (word == "ifdef")
        tokens: list[Token] = []
        source = lex(_joined(rest), 1)
        i = 0
        while i < len(source):
            if source[i][0] == "defined":
                i += 1
                bracket = i < len(source) and source[i][0] == "("
                i += bracket
                known = i < len(source) and defined(source[i][0])
                tokens.append(("1" if known else "0", 1, NOTHING))
                i += 1 + bracket
            else:
                tokens.append(source[i])
                i += 1

        def lookup(name: str, _line: int) -> Macro | None:
            if name in self._fixed:
                return self._fixed[name]
            if name in macros:
                body = macros[name][-1][2]
                return None if body is None else parse_macro(name + _joined(body), "", 0, 0)
            return self._of_headers(name)

        expanded = Expander(lookup, self._config).expand(tokens)
        return condition_holds([token[0] for token in expanded])

    # Macros -----------------------------------------------------------------------------------

    def _of_headers(self, name: str) -> Macro | None:
        found = self._shared.get(name)
        return None if found is None else self._parse(name, *found)

    def _parse(self, name: str, path: str, definition: Definition) -> Macro | None:
        start, end, body = definition
        if body is None:
            return None
        key = (path, start)
        if key not in self._parsed:
            file = self._by_path.get(path)
            # A header that is still being scanned has no lines yet; only conditions ask then.
            first = file.raw_line(start + 1) if file else 0
            last = file.raw_line(end) if file else 0
            macro = parse_macro(name + _joined(body), path, first, last)
            if file is None:
                return macro
            self._parsed[key] = macro
        return self._parsed[key]

    def macro(self, name: str, file: str, line: int) -> Macro | None:
        """The definition in force for a name on a line of a file."""
        fixed = self._fixed.get(name)
        if fixed is not None:
            return fixed
        shared = self._shared.get(name)
        if shared is not None and shared[0] == PRELUDE:
            return self._parse(name, *shared)
        if name in self._functions:
            return None
        source = self._by_path.get(file)
        own = source.macros.get(name) if source else None
        if own and source:
            chosen = own[0]
            if len(own) > 1:
                before = [value for value in own if source.raw_line(value[0] + 1) <= line]
                chosen = before[-1] if before else chosen
            return self._parse(name, file, chosen)
        return None if shared is None else self._parse(name, *shared)

    def any_macro(self, name: str) -> Macro | None:
        """A macro of any file, also of a `.c` file."""
        found = self.macro(name, "", 0)
        if found is not None or name in self._functions:
            return found
        for file in self.files:
            for definition in file.macros.get(name, ()):
                if definition[2] is not None:
                    return self._parse(name, file.path, definition)
        return None

    def expander(self, file: str) -> Expander:
        """Macro expansion as in a file ("" for everywhere); what it uses is noted."""
        if file in self._expanders:
            return self._expanders[file]
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

        self._expanders[file] = Expander(lookup, self._config)
        return self._expanders[file]

    # Declarations -----------------------------------------------------------------------------

    def _occurrences(self, name: str) -> Iterator[tuple[SourceFile, int]]:
        """Where a word is in lines that start at the margin, file by file."""
        for at in words(self._tops, name):
            which = bisect_right(self._bounds, at) - 1
            yield self.files[which], self.files[which].offset(at - self._bounds[which])

    def function(self, name: str) -> Item | None:
        """The first definition of a function."""
        for item in self._declarations(name):
            if item.function:
                return item
        return next((item for item in self._generated(name) if item.function), None)

    def prototype(self, name: str) -> Item | None:
        """The first definition or prototype of a function."""
        return next(iter(self._declarations(name) or self._generated(name)), None)

    def _declarations(self, name: str) -> list[Item]:
        known = self._declaring.get(name)
        if known is None:
            known = self._declaring[name] = []
            for file, offset in self._occurrences(name):
                if file.text[offset + len(name) :][:2].lstrip(" \t\n")[:1] != "(":
                    continue
                item = file.item(offset)
                if item is not None and declares_function(item.tokens, name):
                    known.append(item)
                    if item.function:
                        break
        return known

    def _generated(self, name: str) -> list[Item]:
        """Functions that a macro at file scope makes."""
        if self._generated_by is None:
            self._generated_by = {}
            for file in self.files:
                for item in self._expansions(file):
                    for i, (word, _, _) in enumerate(item.tokens[:-1]):
                        if item.tokens[i + 1][0] == "(" and declares_function(item.tokens, word):
                            self._generated_by.setdefault(word, []).append(item)
                            break
        return self._generated_by.get(name, [])

    def _expansions(self, file: SourceFile) -> Iterator[Item]:
        for match in _GENERATOR.finditer(file.tops):
            macro = self.macro(match.group(1), file.path, 1 << 30)
            if macro is None or "{" not in macro.body or macro.params is None:
                continue
            offset = file.offset(match.start(1))
            end = file.text.find(")", offset)
            while file.text.count("(", offset, end) > file.text.count(")", offset, end + 1):
                end = file.text.find(")", end + 1)
            tokens = lex(file.text[offset : end + 1], file.line_of(offset))
            yield from split_items(file.path, self.expander(file.path).expand(tokens))

    def object(self, name: str) -> Item | None:
        """The declaration of a file-scope object, one that is not extern when there is one."""
        found: Item | None = None
        for file, offset in self._occurrences(name):
            item = file.item(offset)
            if item is None or item.function or item.tokens[0][0] == "typedef":
                continue
            if not declares_object(item.tokens, name):
                item = self._made_object(item, name)
                if item is None:
                    continue
            if not any(token[0] == "extern" for token in item.tokens[:3]):
                return item
            found = found or item
        return found

    def _made_object(self, item: Item, name: str) -> Item | None:
        """The object that a macro at file scope makes, such as a per-CPU variable."""
        at = next((i for i, token in enumerate(item.tokens) if token[0] == "("), 0)
        if not at or self.macro(item.tokens[at - 1][0], item.file, item.first) is None:
            return None
        tokens = self.expander(item.file).expand(item.tokens)
        for made in split_items(item.file, tokens):
            if declares_object(made.tokens, name):
                return made
        return None

    def is_typedef(self, name: str) -> bool:
        """Whether a name is declared as a typedef."""
        return name in (self._typedef_places or self._find_typedefs())

    def typedef(self, name: str) -> Item | None:
        """The declaration of a typedef."""
        found = (self._typedef_places or self._find_typedefs()).get(name)
        return None if found is None else found[0].item(found[1])

    def _find_typedefs(self) -> dict[str, tuple[SourceFile, int]]:
        places: dict[str, tuple[SourceFile, int]] = {}
        for file in self.files:
            for match in _TYPEDEF.finditer(file.text):
                name = match.group(1) or match.group(2) or match.group(3)
                places.setdefault(name, (file, match.start() + 1))
        self._typedef_places = places
        return places

    def record(self, tag: str) -> Item | None:
        """The declaration that has the body of a struct, union or enum."""
        heads = [
            f"{word} {tag}{brace}"
            for word in ("struct", "union", "enum")
            for brace in (" {", "\n{")
        ]
        for head in heads:
            at = self._tops.find(head)
            if at >= 0:
                which = bisect_right(self._bounds, at) - 1
                file = self.files[which]
                return file.item(file.offset(at - self._bounds[which]))
        for file in self.files:
            for head in heads:
                at = file.text.find(head)
                if at >= 0 and (item := file.item(at)) is not None:
                    return item
        return None

    def enumerators(self, name: str) -> Iterator[Item]:
        """The enumerations that may have a constant, the first one first; their tokens are what
        is between the braces."""
        if self._enumerations is None:
            self._enumerations = {}
            for file in self.files:
                for match in _ENUM.finditer(file.text):
                    for word in _ENUMERATOR.findall(match.group(1)):
                        self._enumerations.setdefault(word, []).append((file, match.start(1)))
        for file, start in self._enumerations.get(name, ()):
            key = (file.path, start)
            if key not in self._enum_items:
                tokens = lex(file.text[start : file.text.index("}", start)], file.line_of(start))
                self._enum_items[key] = Item(file.path, tokens, -1, False)
            yield self._enum_items[key]


def _joined(body: str) -> str:
    return body.replace("\\\n", " ") if "\\" in body else body
