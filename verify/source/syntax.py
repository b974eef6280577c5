"""Expanded tokens to a syntax tree by tree-sitter, with lines kept.

tree-sitter's C knows no types by name and not all of GNU C. What it would misread is written in
another way first: attributes go, `typeof (x)` becomes a type name of its own, `case a ... b` a
call, a cast to a typedef name gets a qualifier, which only a type can have, and an operand in
parentheses that could be a type becomes the argument of a call.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import tree_sitter
import tree_sitter_c
from tree_sitter import Node

from verify.source.c_lex import Token, closing, is_name

TYPEOF = "__typeof_"
CASE_RANGE = "__case_range"
ASM = "__asm_statement"
VALUE = "__value"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DROPPED = _words(
    "const volatile __volatile__ __volatile __const inline __inline __inline__ __extension__ "
    "register __restrict __restrict__ restrict _Noreturn"
)
_TYPEOF = frozenset(("typeof", "__typeof__", "__typeof", "__typeof_unqual__", "typeof_unqual"))
_ASM = frozenset(("asm", "__asm__", "__asm"))
_ATTRIBUTE = frozenset(("__attribute__", "__attribute"))
_REWRITTEN = _DROPPED | _TYPEOF | _ASM | _ATTRIBUTE | {"case", "(", ":", "sizeof"}
_TYPE_WORDS = _words("int unsigned signed long short char bool void _Bool")
_TAGGED = frozenset(("struct", "union", "enum"))
_UNARY = ("-", "*", "&", "+", "&&")
_AFTER_CAST = ("(", *_UNARY)
_BEFORE_OPERAND = ("return", "case", "else", "do")
_POSTFIX = ("->", ".", "[", "(", "++", "--")

# Statements that have others within, and the rest.
NESTING = frozenset(
    (
        "compound_statement",
        "if_statement",
        "else_clause",
        "for_statement",
        "while_statement",
        "do_statement",
        "switch_statement",
        "case_statement",
        "labeled_statement",
    )
)
_SIMPLE = frozenset(
    (
        "expression_statement",
        "declaration",
        "return_statement",
        "break_statement",
        "continue_statement",
        "goto_statement",
        "type_definition",
        "struct_specifier",
        "union_specifier",
        "enum_specifier",
    )
)

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_c.language()))


class Syntax:
    """A parsed text. `typeofs` has the tokens within each `typeof`, by the name it got."""

    __slots__ = ("_row", "first", "root", "text", "typeofs")

    def __init__(
        self,
        tokens: list[Token],
        is_type: Callable[[str], bool],
        before: str = "",
        after: str = "",
    ) -> None:
        self.typeofs: dict[str, list[Token]] = {}
        self.first = self._row = tokens[0][1] if tokens else 1
        pieces = [before]
        self._join(tokens, is_type, pieces)
        pieces.append(after)
        encoded = "".join(pieces).encode("ascii", "replace")
        self.text = encoded.decode("ascii")
        self.root: Node = _PARSER.parse(encoded).root_node

    def of(self, node: Node) -> str:
        """The text of a node."""
        return self.text[node.start_byte : node.end_byte]

    def line(self, node: Node) -> int:
        """The line of a node's start."""
        return self.first + node.start_point[0]

    def _join(self, tokens: list[Token], is_type: Callable[[str], bool], out: list[str]) -> None:
        row = self._row
        count = len(tokens)
        i = 0
        while i < count:
            word, line, _ = tokens[i]
            if line > row:
                out.append("\n" * (line - row))
                row = self._row = line
            else:
                out.append(" ")
            if word not in _REWRITTEN:
                out.append(word)
                i += 1
            elif word == "(":
                if _is_cast(tokens, i, is_type):
                    out.append("(const ")
                elif _is_operand(tokens, i, is_type):
                    out.append(f"{VALUE}(")
                else:
                    out.append(word)
                i += 1
            elif word == ":":
                if i and _unnamed(tokens, i, is_type):
                    out.append("__unnamed ")
                out.append(word)
                i += 1
            elif word in _DROPPED:
                if word == "const" and (i == 0 or tokens[i - 1][0] == "static"):
                    out.append(word)  # of an object of its own, which keeps its value
                i += 1
            elif word == "sizeof":
                # Parentheses around it: tree-sitter takes `sizeof (T) - 1` for one of a cast.
                inner = tokens[i + 2][0] if i + 2 < count and tokens[i + 1][0] == "(" else ""
                if inner in _TYPE_WORDS or inner in _TAGGED or inner in _TYPEOF or is_type(inner):
                    end = closing(tokens, i + 1)
                    out.append("(sizeof(const ")
                    self._join(tokens[i + 2 : end], is_type, out)
                    row = self._row
                    out.append("))")
                    i = end + 1
                else:
                    out.append(word)
                    i += 1
            elif word == "case":
                i = self._case(tokens, i, is_type, out)
                row = self._row
            elif word in _TYPEOF:
                end = closing(tokens, i + 1)
                name = f"{TYPEOF}{len(self.typeofs)}"
                self.typeofs[name] = tokens[i + 2 : end]
                out.append(f"const {name}")
                i = end + 1
            elif word in _ASM:
                while i < count and tokens[i][0] != "(":
                    i += 1
                i = closing(tokens, i) + 1
                out.append(f"{ASM}()")
            else:
                end = closing(tokens, i + 1)
                if i and tokens[i - 1][0] in ("}", "struct", "union"):
                    out.append("".join(token[0] for token in tokens[i : end + 1]))
                i = end + 1

    def _case(
        self, tokens: list[Token], i: int, is_type: Callable[[str], bool], out: list[str]
    ) -> int:
        """`case a ... b:` as a call; the index of what is not written yet."""
        out.append("case")
        dots, end = -1, i + 1
        while end < len(tokens) and tokens[end][0] not in (":", "?", ";", "case"):
            if tokens[end][0] == "...":
                dots = end
            end += 1
        if dots < 0:
            return i + 1
        out.append(f" {CASE_RANGE}(")
        self._join(tokens[i + 1 : dots], is_type, out)
        out.append(",")
        self._join(tokens[dots + 1 : end], is_type, out)
        out.append(")")
        return end


def _is_cast(tokens: list[Token], i: int, is_type: Callable[[str], bool]) -> bool:
    """Whether a parenthesis begins a cast to a typedef name that would be read otherwise.

    `(T)(x)` alone is a call for the parser, which does no harm, while two types in parentheses
    could be those of a function's parameters.
    """
    if i + 3 >= len(tokens) or tokens[i + 2][0] != ")" or tokens[i + 3][0] not in _AFTER_CAST:
        return False
    if not is_type(tokens[i + 1][0]):
        return False
    if tokens[i + 3][0] != "(":
        return True
    after = closing(tokens, i + 3) + 1
    return after < len(tokens) and tokens[after][0] in _POSTFIX


def _is_operand(tokens: list[Token], i: int, is_type: Callable[[str], bool]) -> bool:
    """Whether what is in parentheses could be a type, `a * (b)` and `f(x)` for instance, and what
    follows the operand of a cast; but it begins with no type's name."""
    name = tokens[i + 1][0] if i + 2 < len(tokens) else ""
    if not is_name(name) or tokens[i + 2][0] not in ("(", "*", "[") or _names_type(name, is_type):
        return False
    before = tokens[i - 1][0] if i else ""
    if before == ")":
        # Behind a cast.
        if i < 3 or not (tokens[i - 2][0] == "*" or _names_type(tokens[i - 2][0], is_type)):
            return False
    elif before == "]" or (before and is_name(before) and before not in _BEFORE_OPERAND):
        return False
    after = closing(tokens, i) + 1
    return after < len(tokens) and tokens[after][0] in _UNARY


def _names_type(name: str, is_type: Callable[[str], bool]) -> bool:
    return name in _TYPE_WORDS or name in _TAGGED or name in _REWRITTEN or is_type(name)


def _unnamed(tokens: list[Token], colon: int, is_type: Callable[[str], bool]) -> bool:
    """Whether a colon follows a bit-field that has no name."""
    at = colon - 1
    if tokens[at][0] == ",":
        return True
    while at >= 0 and (tokens[at][0] in _TYPE_WORDS or is_type(tokens[at][0])):
        at -= 1
    return at < colon - 1 and at >= 0 and tokens[at][0] in (";", "{", "}")


def errors_contained(node: Node) -> bool:
    """Whether each error lies in one statement whose end is certain."""
    for child in node.children:
        if not child.has_error:
            continue
        if child.is_missing or child.type == "ERROR":
            return False
        if child.type in NESTING:
            if not errors_contained(child):
                return False
            continue
        text = (child.text or b"").decode("ascii")
        if child.type not in _SIMPLE or not _balanced(text) or text[-1:] not in (";", "}"):
            return False
    return True


def _balanced(text: str) -> bool:
    text = re.sub(r'"(?:\\.|[^"\\])*"', "", text)
    return all(text.count(a) == text.count(b) for a, b in ("()", "{}", "[]"))
