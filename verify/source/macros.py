"""The macros of a tree's files, and which parts of the files are active."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from verify.source.c_lex import NOTHING, Token, lex, strip_comments
from verify.source.preprocess import (
    COMPILER,
    DEFINITIONS,
    Expander,
    Macro,
    condition_holds,
    parse_macro,
)
from verify.source.source_file import Definition, SourceFile

PRELUDE = "<prelude>"

_DIRECTIVE = re.compile(
    r"\n[ \t]*#[ \t]*(?:(define|undef)[ \t]+(\w+)|([a-z]+))([^\n\\]*(?:\\(?:.|\n)[^\n\\]*)*)"
)
_DECLARED = re.compile(r"\n\w[\w *]*?\b(\w+)[ \t]*\(")
_WORD = re.compile(r"[A-Za-z_]\w*")


class Macros:
    """Look-ups of macros over all files of a dialect.

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
        self._expanders: dict[str, Expander] = {}
        # File, first and last line of all that was used.
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
        self.by_path: dict[str, SourceFile] = {}
        self.prelude = self._scan(PRELUDE, prelude)
        self._functions = frozenset(_DECLARED.findall(self.prelude.tops))
        found = {path: text for path in files if (text := read(path)) is not None}
        # Headers first: conditions in them and in the .c files ask for their macros.
        for path in sorted(found, key=lambda path: path.endswith(".c")):
            self._scan(path, found[path])
        self.files = [self.prelude, *(self.by_path[path] for path in found)]

    def _define(self, text: str) -> None:
        macro = parse_macro(text, "", 0, 0)
        if macro is not None:
            self._fixed[macro.name] = macro

    def in_prelude(self, name: str) -> bool:
        """Whether the prelude declares a function."""
        return name in self._functions

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
        self.by_path[path] = file
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
            file = self.by_path.get(path)
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
        source = self.by_path.get(file)
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
        source = self.by_path.get(file)
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


def _joined(body: str) -> str:
    return body.replace("\\\n", " ") if "\\" in body else body
