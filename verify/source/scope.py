"""Which C definitions a hunk is about, told from its text alone."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from verify.source.patch import Hunk, LineKind

# The patterns below take more than linear time on a line without end.
MAX_LINE = 400

_KEYWORDS = {"if", "for", "while", "switch", "return", "else", "do", "case", "goto", "sizeof"}
_DEFINITIONS = {
    "macro": re.compile(r"\s*#\s*(?:define|undef)\s+(\w+)"),
    "enum": re.compile(r"\s*(?:typedef\s+)?enum\s+(\w+)\s*(?:\{|$)"),
    "struct": re.compile(r"\s*(?:typedef\s+)?(?:struct|union)\s+(\w+)\s*(?:\{|$)"),
    "array": re.compile(r"[^=(]*?\b(\w+)\s*(?:\[[^\]]*\]\s*)+[^=;]*=\s*\{"),
    "assembly": re.compile(r"\s*SYM_\w*START\w*\(\s*(\w+)"),
    "function": re.compile(r"\s*(?:[A-Za-z_]\w*[\s*]+)+?(\w+)\s*\([^;=]*$"),
}
_MACRO = re.compile(r"\s*#\s*define\s+(\w+)")
_TYPE_ALONE = re.compile(r"[A-Za-z_][\w \t*]*$")
_PROTOTYPE = re.compile(r"\s*(?:[A-Za-z_]\w*[\s*]+)+?(\w+)\s*\([^()]*\)\s*;")
_VARIABLE = re.compile(
    r"\s*(?!(?:return|goto|case|else)\b)(?:[A-Za-z_]\w*[\s*]+)+(\w+)\s*"
    r"(?:\[[^\]]*\]\s*)*(?::\s*\w+\s*)?(?:=[^=].*|;.*)$"
)
_ENUMERATOR = re.compile(r"\s*([A-Z_][A-Z0-9_]*)\s*(?:=[^,;]*)?,\s*(?:/\*.*)?$")


def hunk_scope(hunk: Hunk) -> tuple[str, ...]:
    """Names of the definitions that a hunk touches or may touch, without repeats.

    The function, array or aggregate of its @@ line, those that begin between its lines, and what
    its changed lines define: macros, variables, members, enumerators; not a function's own
    variables. None means that it may be about anything in its file.
    """
    names: list[str] = []
    inside = ""  # the kind of definition that the line at hand stands in, as far as can be told
    header: list[tuple[LineKind, str]] = [(" ", hunk.header_context)]
    for kind, text in header + hunk.lines:
        if found := _definition(text):
            names.append(found[1])
            inside = inside if found[0] == "macro" else found[0]
        elif text.strip() == "};":
            inside = ""
        elif kind != " " and (name := _declaration(text, inside)):
            names.append(name)
    return tuple(dict.fromkeys(names))


def defined_name(text: str) -> str | None:
    """Name of the function, array, macro or aggregate whose definition starts on this line."""
    found = _definition(text)
    return found[1] if found else None


def definitions(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Line, from 1, and name of what is begun at the margin; indented lines and labels stand in
    what was last begun there."""
    return [(number, name) for number, line in enumerate(lines, 1) if (name := _begun(line))]


Ranges = Sequence[tuple[int, int, str]]
"""First and last line, from 1, and name of what a text defines, in order."""


def functions(lines: Sequence[str]) -> Ranges:
    """Each function that is begun at the margin; its last line is the first with a brace at the
    margin, or that of the file."""
    closed = [number for number, line in enumerate(lines, 1) if line[:1] == "}"]
    found: list[tuple[int, int, str]] = []
    for number, line in enumerate(lines, 1):
        definition = None if line[:1] in ("", " ", "\t", "#") else _definition(line)
        if definition is None and number > 1 and _TYPE_ALONE.match(lines[number - 2]):
            # The name is on a line of its own, as some like it.
            definition = _definition(f"int {line}")
        if definition and definition[0] == "function":
            after = bisect_right(closed, number)
            ends = closed[after] if after < len(closed) else len(lines)
            found.append((number, ends, definition[1]))
    return found


def _macros(lines: Sequence[str]) -> Ranges:
    found: list[tuple[int, int, str]] = []
    for number, line in enumerate(lines, 1):
        if match := _MACRO.match(line):
            last = number
            while last < len(lines) and lines[last - 1].endswith("\\"):
                last += 1
            found.append((number, last, match[1]))
    return found


@dataclass(frozen=True, slots=True)
class Outline:
    """The lines of a text without comments, and what is defined on which of them."""

    lines: Sequence[str]
    functions: Ranges
    macros: Ranges

    def at(self, line: int) -> tuple[int, int, str] | None:
        """The macro, or else the function, that has a line."""
        return _last(self.macros, line) or _last(self.functions, line)


@lru_cache(maxsize=1024)
def outline(text: str) -> Outline:
    """Of a text without comments."""
    lines = text.split("\n")
    return Outline(lines, functions(lines), _macros(lines))


def _last(ranges: Ranges, line: int) -> tuple[int, int, str] | None:
    k = bisect_right(ranges, line, key=lambda found: found[0]) - 1
    return ranges[k] if k >= 0 and line <= ranges[k][1] else None


def is_macro(text: str, name: str) -> bool:
    """Whether a text without comments defines a macro of this name."""
    return any(who == name for _, _, who in outline(text).macros)


def is_private(text: str, name: str) -> bool | None:
    """Whether a function is static, as a macro always is; None where neither is defined."""
    found = outline(text)
    heads = [found.lines[max(n - 2, 0) : n] for n, _, who in found.functions if who == name]
    if not heads and not is_macro(text, name):
        return None
    return all("static" in " ".join(head).split() for head in heads)


def speakers(text: str, call: str) -> Iterator[tuple[str, int]]:
    """The functions and macros of a text without comments that speak of another one (or of a macro
    with its arguments), each with the line; "" where something at file scope does, but to declare
    it or export it."""
    spoken = re.compile(rf"(?<!\w){re.escape(call)}(?!\w)")
    if call not in text or not spoken.search(text):
        return
    found = outline(text)
    for number, line in enumerate(found.lines, 1):
        if call not in line or not spoken.search(line):
            continue
        place = found.at(number)
        inside = place[2] if place else ""
        if inside != call and (inside or not declares(line, call)):
            yield inside, number


def declares(line: str, name: str) -> bool:
    """A line is the start of a definition or declaration of a function, or exports it."""
    if line.startswith("EXPORT_SYMBOL"):
        return True
    return line[:1].isalpha() and defined_name(line.rstrip().removesuffix(";")) == name


def _begun(line: str) -> str | None:
    """What is begun at the margin of a line."""
    return None if line[:1] in ("", " ", "\t", "#") else defined_name(line)


def _definition(text: str) -> tuple[str, str] | None:
    """(kind, name) of the definition that starts on this line."""
    text = text[:MAX_LINE]
    for kind, pattern in _DEFINITIONS.items():
        found = pattern.match(text)
        if found and text.split()[0] not in _KEYWORDS and found.group(1) not in _KEYWORDS:
            return kind, found.group(1)
    return None


def _declaration(text: str, inside: str) -> str | None:
    if inside == "array" or not text.strip() or text.split()[0] in _KEYWORDS:
        return None
    text = text[:MAX_LINE]
    patterns = [_PROTOTYPE, _VARIABLE, _ENUMERATOR]
    if inside == "function" and not text.strip().startswith(("static ", "extern ")):
        patterns = []
    elif inside == "struct":
        patterns = [_VARIABLE]
    elif inside == "enum":
        patterns = [_ENUMERATOR]
    return next((found.group(1) for p in patterns if (found := p.match(text))), None)
