"""`#define` and `#undef` lines between the declarations of a unit, so that gcc expands each
declaration with the macros of the file it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from verify.source.c_lex import Token
from verify.source.index import Index
from verify.source.preprocess import COMPILER, Expander, Macro, parse_macro

# What the compiler, or C's library, has itself; no macro of the tree or of a prelude replaces it.
OWN_NAMES = frozenset(
    (*COMPILER, "__builtin_offsetof", "__builtin_types_compatible_p", "memset", "memcpy")
) - {"__KERNEL__"}


def _support() -> dict[str, Macro]:
    text = (Path(__file__).parent / "support.h").read_text(encoding="utf-8")
    lines = text.replace("\\\n", " ").split("\n")
    found = (parse_macro(line[8:], "", 0, 0) for line in lines if line.startswith("#define "))
    return {macro.name: macro for macro in found if macro is not None}


class Defines:
    """The macros in force while a unit is written. `renamed(name, file)` gives another name for
    a function or object of a file, None when it keeps its own."""

    def __init__(
        self,
        index: Index,
        config: Mapping[str, str],
        renamed: Callable[[str, str], str | None],
    ) -> None:
        self._index = index
        self._config = config
        self._renamed = renamed
        self._support = _support()
        self._active: dict[str, str] = {}

    def lookup(self, name: str, file: str, line: int) -> Macro | None:
        """The macro that a name is on a line of a file."""
        if name in OWN_NAMES:
            return None
        found = self._support.get(name)
        if found is None:
            found = self._index.macro(name, file, line) if file else self._index.any_macro(name)
        if found is not None and found.body == (name,):
            return None
        return found

    def expand(self, tokens: list[Token], file: str) -> list[Token]:
        """The tokens as they are after expansion."""
        return self._expand(tokens, file)[0]

    def _expand(self, tokens: list[Token], file: str) -> tuple[list[Token], dict[str, str | None]]:
        """The tokens after expansion, and all names that were looked up for it, with the text of
        the macro that each is."""
        texts: dict[str, str | None] = {}

        def lookup(name: str, line: int) -> Macro | None:
            macro = self.lookup(name, file, line)
            texts[name] = None if macro is None else _text(macro)
            return macro

        return Expander(lookup, self._config).expand(tokens), texts

    def directives(self, tokens: list[Token], file: str) -> list[str]:
        """The lines that bring the macros in force that these tokens need."""
        lines: list[str] = []
        for word, text in self._expand(tokens, file)[1].items():
            if text is None and (other := self._renamed(word, file)) is not None:
                text = f"{word} {other}"
            lines += self._change(word, text)
        return lines

    def _change(self, name: str, text: str | None) -> list[str]:
        before = self._active.get(name)
        if before == text:
            return []
        lines = [] if before is None else [f"#undef {name}"]
        if text is None:
            del self._active[name]
            return lines
        self._active[name] = text
        return [*lines, f"#define {text}"]

    def end(self) -> list[str]:
        """The lines that leave no macro in force."""
        lines = [f"#undef {name}" for name in self._active]
        self._active.clear()
        return lines


def _text(macro: Macro) -> str:
    head = macro.name
    if macro.params is not None:
        params = list(macro.params)
        if macro.variadic:
            params.append("..." if macro.variadic == "__VA_ARGS__" else f"{macro.variadic}...")
        head += f"({', '.join(params)})"
    return f"{head} {' '.join(macro.body)}".rstrip()


def joined(tokens: list[Token]) -> str:
    """The text of tokens, on as many lines as they came from."""
    out: list[str] = []
    last = tokens[0][1] if tokens else 0
    for word, line, _ in tokens:
        out.append("\n" if line != last else " ")
        out.append(word)
        last = line
    return "".join(out).strip()
