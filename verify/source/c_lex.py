"""C tokens. Comments and line continuations are gone before text comes here."""

from __future__ import annotations

import re
from itertools import pairwise

NOTHING: frozenset[str] = frozenset()

# Text, line from 1, and the macros that must not be expanded in it any more.
Token = tuple[str, int, frozenset[str]]

_TOKEN = re.compile(
    r"""\n|[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
    r"""|\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\#\#|[^\s\\]"""
)

_COMMENT = re.compile(
    r"""/\*.*?(?:\*/|\Z)|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)


def lex(text: str, line: int) -> list[Token]:
    """Tokens of a text whose first line has this number."""
    tokens: list[Token] = []
    for word in _TOKEN.findall(text):
        if word == "\n":
            line += 1
        else:
            tokens.append((word, line, NOTHING))
    return tokens


def strip_comments(text: str) -> str:
    """The text with each comment replaced by as many newlines as it has, or a space."""
    pieces = text.split("/*")
    out = [pieces[0]]
    for before, piece in pairwise(pieces):
        line = before[before.rfind("\n") + 1 :]
        comment, end, rest = piece.partition("*/")
        if '"' in line or "'" in line or "//" in line or not end:
            # The comment may begin or end within a string or another comment.
            return _COMMENT.sub(_blank, text)
        out.append("\n" * comment.count("\n") or " ")
        out.append(rest)
    stripped = "".join(out)
    return _COMMENT.sub(_blank, stripped) if "//" in stripped else stripped


def is_name(text: str) -> bool:
    """Whether a token is an identifier or keyword; "" is none."""
    first = text[:1]
    return first.isalpha() or first == "_"


def closing(tokens: list[Token], start: int) -> int:
    """Index of the bracket that closes the one at `start`; the end when none does."""
    depth = 0
    for i in range(start, len(tokens)):
        text = tokens[i][0]
        if text in "([{":
            depth += 1
        elif text in ")]}":
            depth -= 1
            if not depth:
                return i
    return len(tokens)


def split(tokens: list[Token], separator: str) -> list[list[Token]]:
    """Parts between separators that are not within brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        text = token[0]
        if text == separator and not depth:
            parts.append([])
            continue
        if text in "([{":
            depth += 1
        elif text in ")]}":
            depth -= 1
        parts[-1].append(token)
    return parts


def _blank(match: re.Match[str]) -> str:
    found = match.group()
    if found[0] != "/":
        return found
    return "\n" * found.count("\n") or " "
