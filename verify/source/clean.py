"""Declarations without what is neither C nor a type, such as `__init` or `__acquires(x)`."""

from __future__ import annotations

from collections.abc import Callable

from verify.source.c_lex import NOTHING, Token, closing, is_name
from verify.source.c_type import NAMED

_WORDS = (
    "static extern inline typedef const volatile unsigned signed int long short char void struct "
    "union enum float double _Bool bool register auto"
)
_KEYWORDS = frozenset(_WORDS.split())
_TAGGED = ("struct", "union", "enum")
_TYPEOF = ("typeof", "__typeof__", "__typeof")

IsType = Callable[[str], bool]


def cleaned(tokens: list[Token], name: str, is_type: IsType) -> list[Token]:
    """The tokens that declare a name: specifiers, its declarator, and what follows."""
    at = next((i for i, token in enumerate(tokens) if token[0] == name), 0)
    return _head(tokens, at, is_type) + _tail(tokens, at)


def _head(tokens: list[Token], at: int, is_type: IsType) -> list[Token]:
    """Specifiers and the start of the declarator of the name at an index."""
    kept: list[Token] = []
    typed = 0  # how many of the kept tokens are specifiers, once a type is among them
    i = 0
    while i < at:
        word, after = tokens[i][0], tokens[i + 1][0]
        if word in _TAGGED:
            end = i + (after != "{")
            if tokens[end + 1][0] == "{":
                end = closing(tokens, end + 1)
            kept += tokens[i : end + 1]
            typed, i = len(kept), end
        elif word in _KEYWORDS:
            kept.append(tokens[i])
            typed = len(kept) if typed or word in NAMED else 0
        elif word in _TYPEOF:
            end = closing(tokens, i + 1)
            kept += tokens[i : end + 1]
            typed, i = len(kept), end
        elif word == "(":
            if closing(tokens, i) > at:
                return kept + tokens[i:at]
            i = closing(tokens, i)
        elif word == ",":
            # What came before declares another name.
            del kept[typed:]
        elif word in ("=", "["):
            i = _behind(tokens, i, at) - 1
        elif not is_name(word):
            kept.append(tokens[i])
        elif after == "(" and closing(tokens, i + 1) < at:
            i = closing(tokens, i + 1)
        elif not typed and (is_type(word) or not _type_ahead(tokens, i + 1, at, is_type)):
            kept.append(tokens[i])
            typed = len(kept)
        i += 1
    return kept


def _behind(tokens: list[Token], start: int, end: int) -> int:
    """Where the next declarator's comma is."""
    i = start
    while i < end and tokens[i][0] != ",":
        i = closing(tokens, i) if tokens[i][0] in ("(", "[", "{") else i
        i += 1
    return min(i, end)


def _type_ahead(tokens: list[Token], start: int, end: int, is_type: IsType) -> bool:
    """Whether a type is named in a part of a declaration."""
    return any(
        word in _TAGGED or (word in _KEYWORDS and word in NAMED) or is_type(word)
        for word, _, _ in tokens[start:end]
    )


def _tail(tokens: list[Token], at: int) -> list[Token]:
    """The name and what follows it."""
    i = at + 1
    if i < len(tokens) and tokens[i][0] == "(":
        end = closing(tokens, i)
        kept = tokens[at : end + 1]
        i = end + 1
        while i < len(tokens) and tokens[i][0] not in ("{", ";"):
            i += 1
        return kept + tokens[i:]
    kept = [tokens[at]]
    while i < len(tokens) and tokens[i][0] not in ("=", ";", ",", ")"):
        if tokens[i][0] == "[":
            end = closing(tokens, i)
            kept += tokens[i : end + 1]
            i = end
        i += 1
    end = _behind(tokens, i, len(tokens))
    if end == len(tokens):
        return kept + tokens[i:]
    # Other names that are declared along with it are left out.
    return [*kept, *tokens[i:end], (";", tokens[end][1], NOTHING)]
