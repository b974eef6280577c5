"""What the files of a tree define, found without building it.

A file is scanned once for directives; what a name stands for is looked up when it is asked for.
Definitions are recognised where kernel style has them: at the start of a line. The files' includes
are not followed: the dialect lists the headers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping

from verify.source.c_lex import lex
from verify.source.macros import PRELUDE, Macros
from verify.source.source_file import (
    Item,
    SourceFile,
    declares_function,
    declares_object,
    split_items,
    words,
)

__all__ = ["PRELUDE", "Index", "is_extern", "is_static"]

_ENUM = re.compile(r"enum\b[^{};()=,]*\{([^}]*)\}")
_ENUMERATOR = re.compile(r"(?:^|,)\s*([A-Za-z_]\w*)")
_TYPEDEF = re.compile(
    r"\ntypedef\b(?:[^;{}]*?\(\s*\*\s*(\w+)\s*\)\s*\([^;]*;"
    r"|[^;{}()]*?\b(\w+)\s*(?:\[[^\];]*\]|\([^;{}]*\))?\s*;"
    r"|[^;{}]*\{(?:[^{}]*|.*?\n)\}[^;\n]*?\b(\w+)\s*;)",
    re.DOTALL,
)
_GENERATOR = re.compile(r"\n([A-Za-z_]\w*)\(")


class Index(Macros):
    """Look-ups of functions, objects and types; the first definition in the order of files wins."""

    def __init__(
        self,
        read: Callable[[str], str | None],
        files: tuple[str, ...],
        config: Mapping[str, str],
        prelude: str,
        defines: Mapping[str, str],
    ) -> None:
        super().__init__(read, files, config, prelude, defines)
        self._enumerations: dict[str, list[tuple[SourceFile, int]]] | None = None
        self._enum_items: dict[tuple[str, int], Item] = {}
        self._generated_by: dict[str, list[Item]] | None = None
        self._typedef_places: dict[str, tuple[SourceFile, int]] | None = None
        self._declaring: dict[str, list[Item]] = {}
        self._tops = "".join(file.tops for file in self.files)
        ends = [0]
        for file in self.files:
            ends.append(ends[-1] + len(file.tops))
        self._bounds = ends

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
        """The prototypes of a function up to its first definition."""
        known = self._declaring.get(name)
        if known is None:
            known = self._declaring[name] = []
            for file, offset in self._occurrences(name):
                item = _function_at(file, offset, name)
                if item is not None:
                    known.append(item)
                    if item.function:
                        break
        return known

    def function_in(self, name: str, path: str) -> Item | None:
        """The definition of a function in one file."""
        file = self.by_path.get(path)
        found = file.occurrences(name) if file else ()
        items = (_function_at(file, offset, name) for offset in found if file)
        return next((item for item in items if item is not None and item.function), None)

    def object_in(self, name: str, path: str) -> Item | None:
        """The definition of an object in one file."""
        file = self.by_path.get(path)
        for offset in file.occurrences(name) if file else ():
            item = self._object_at(file, offset, name) if file else None
            if item is not None and not is_extern(item):
                return item
        return None

    def is_shared(self, name: str) -> bool:
        """Whether a function that is not static has a prototype or definition."""
        return any(
            item is not None and not is_static(item)
            for file, offset in self._occurrences(name)
            for item in (_function_at(file, offset, name),)
        )

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
            item = self._object_at(file, offset, name)
            if item is not None and not is_extern(item):
                return item
            found = found or item
        return found

    def _object_at(self, file: SourceFile, offset: int, name: str) -> Item | None:
        item = file.item(offset)
        if item is None or item.function or item.tokens[0][0] == "typedef":
            return None
        return item if declares_object(item.tokens, name) else self._made_object(item, name)

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
        # The tag comes after the keyword or an attribute.
        heads = [
            f"{word} {tag}{brace}"
            for word in ("struct", "union", "enum", "__packed", "))")
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


def _function_at(file: SourceFile, offset: int, name: str) -> Item | None:
    """The declaration of a function whose name is at this offset."""
    end = offset + len(name)
    if file.text[end : end + 2].lstrip(" \t\n")[:1] != "(":
        return None
    item = file.item(offset)
    return item if item is not None and declares_function(item.tokens, name) else None


def is_extern(item: Item) -> bool:
    """Whether it declares what is defined elsewhere."""
    return any(token[0] == "extern" for token in item.tokens[:3])


def is_static(item: Item) -> bool:
    """Whether only its own file sees it (a header's is as good as everyone's)."""
    return item.file.endswith(".c") and any(token[0] == "static" for token in item.tokens[:3])
