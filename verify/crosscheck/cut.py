"""The text of a part of a function, up to a call or from there on.

Models may call `NAME.before` and `NAME.after` of a function in the middle of which the guest runs.
The text is cut at the same call, which is a statement of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from verify.source.c_lex import NOTHING, Token, closing, is_name
from verify.source.source_file import Item

BEFORE, AFTER = ".before", ".after"


def whole(name: str) -> tuple[str, str]:
    """A function's name, and which part of it is meant; "" for all of it."""
    for which in (BEFORE, AFTER):
        if name.endswith(which):
            return name.removesuffix(which), which
    return name, ""


def cut(item: Item, which: str, callee: str, void: bool, kept: set[str]) -> Item | None:
    """The part of a function's text. The one AFTER the call has the declarations of the names in
    `kept` again. None when the call is no statement of the function's own."""
    body = item.tokens[item.brace + 1 : -1]
    statements = list(_statements(body))
    at = [i for i, s in enumerate(statements) if s[0][0] == callee and s[1][0] == "("]
    if len(at) != 1:
        return None
    before, after = statements[: at[0] + 1], statements[at[0] + 1 :]
    line = before[-1][-1][1]
    if which == BEFORE:
        chosen = before if void else [*before, [(w, line, NOTHING) for w in ("return", "0", ";")]]
    else:
        declared = [s for s in before[:-1] if kept.intersection(_declared(s))]
        chosen = [*declared, *after]
    tokens = [token for statement in chosen for token in statement]
    return replace(item, tokens=[*item.tokens[: item.brace + 1], *tokens, item.tokens[-1]])


def without(item: Item, line: int, instead: list[Token]) -> Item:
    """The function with an expression in the place of the statement that starts on a line; of one
    with a condition, in the place of the condition."""
    tokens = item.tokens
    at = next((i for i in range(item.brace + 1, len(tokens)) if tokens[i][1] == line), 0)
    while at and tokens[at][0] in ("}", "else"):
        at += 1
    if not at:
        return item
    if tokens[at][0] in ("if", "while", "switch"):
        start, end = at + 2, closing(tokens, at + 1)
    elif tokens[at][0] in ("for", "do", "case", "default", "return", "goto"):
        return item
    else:
        start, end, depth = at, at, 0
        while end < len(tokens) - 1 and (depth or tokens[end][0] not in (";", "}")):
            depth += (tokens[end][0] in "([{") - (tokens[end][0] in ")]}")
            end += 1
        if tokens[end][0] != ";":
            return item
    return replace(item, tokens=[*tokens[:start], *instead, *tokens[end:]])


def _statements(body: list[Token]) -> Iterator[list[Token]]:
    """What ends with a semicolon or closing brace at the top; an `else` starts one of its own."""
    statement: list[Token] = []
    depth = 0
    for token in body:
        statement.append(token)
        depth += (token[0] in "([{") - (token[0] in ")]}")
        if not depth and token[0] in (";", "}"):
            yield statement
            statement = []


def _declared(statement: list[Token]) -> Iterator[str]:
    """The names that a declaration declares; none for another statement."""
    if len(statement) < 3 or not (is_name(statement[1][0]) or statement[1][0] == "*"):
        return
    depth = 0
    for (word, _, _), (after, _, _) in pairwise(statement):
        depth += (word in "([{") - (word in ")]}")
        if not depth and after in ("=", ",", ";", "["):
            yield word
