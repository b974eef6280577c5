"""Edits of C by rule: a function, a statement in it by a few of its tokens, and what to do there.

An edit holds no text of the tree but such a key, so it can be kept where the tree's text must not
be, and it fits every tree that has the statement. Mutations are edits whose key is all of a
statement.

A key is a run of C tokens, white space and comments ignored; it names the smallest statement
around them. Each `^` in front goes one statement further out, blocks not counted:
`^disarm(alarm)` is the `if` whose body that call is.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from verify.errors import BadInput
from verify.source.c_lex import lex, strip_comments
from verify.source.edit_function import Function, Path, Statement, outer, shifted
from verify.source.overlay import Overlay
from verify.source.tree import Tree

# What each action needs, and what it may have.
ACTIONS: dict[str, tuple[set[str], set[str]]] = {
    "delete": ({"key"}, {"nth"}),
    "guard": ({"key", "text"}, {"nth"}),
    "unguard": ({"key"}, {"nth"}),
    "replace": ({"key", "text"}, {"nth"}),
    "insert-before": ({"key", "text"}, {"nth"}),
    "insert-after": ({"key", "text"}, {"nth"}),
    "insert-first": ({"text"}, set()),
    "insert-last": ({"text"}, set()),
    "move-before": ({"key", "mark"}, {"nth", "to"}),
    "move-after": ({"key", "mark"}, {"nth", "to"}),
    "move-first": ({"key"}, {"nth", "to"}),
    "move-last": ({"key"}, {"nth", "to"}),
}

Splice = tuple[int, int, str]  # offsets in a file's text, and what comes there instead


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one function.

    at: "path:function". do: one of ACTIONS. key: the statement (for "replace" only the tokens).
    nth: which of several that the key fits, from 1; 0: it must fit one only. text: the condition
    of a "guard", the tokens instead of the key, or the C to insert. mark: the statement that a
    moved one goes before or after. to: "path:function" of the mark, if that is another function.

    "delete" leaves `;` where C needs a statement. "unguard" drops the `if (...)` in front of the
    statement (or, when the key names an `if`, its own). "first" is after the declarations that a
    function starts with, "last" before the `return` that it ends with.
    """

    at: str
    do: str
    key: str = ""
    nth: int = 0
    text: str = ""
    mark: str = ""
    to: str = ""

    def __post_init__(self) -> None:
        """BadInput for an unknown action, and for parts that it lacks or does not have."""
        if self.do not in ACTIONS:
            raise BadInput(f"{self.at}: no such edit: {self.do}; use one of: {', '.join(ACTIONS)}")
        needs, may = ACTIONS[self.do]
        given = {name for name in ("key", "nth", "text", "mark", "to") if getattr(self, name)}
        if lacking := needs - given:
            raise BadInput(f"{self.at}: {self.do} lacks {', '.join(sorted(lacking))}")
        if extra := given - needs - may:
            raise BadInput(f"{self.at}: {self.do} has no {', '.join(sorted(extra))}")
        if self.nth < 0:
            raise BadInput(f"{self.at}: nth counts from 1")
        opened = _open_brackets(self.key if self.do == "replace" else "")
        if self.text and _open_brackets(self.text) != opened:
            raise BadInput(f"{self.at}: the brackets of the text do not match")
        if self.do.startswith("insert"):
            try:
                Function(f"int text(void) {{{self.text}\n}}", "text", "")
            except BadInput:
                raise BadInput(f"{self.at}: the text is no statement of C") from None


def apply(tree: Tree, edits: Sequence[Edit]) -> Overlay:
    """The tree with the edits made one after another, each on the result of those before.

    Lines are marked as by a patch. BadInput for an edit that fits nothing, or more than one
    place, that changes nothing, or that leaves what is no C.
    """
    overlay = tree.copy() if isinstance(tree, Overlay) else Overlay(tree)
    for edit in edits:
        _apply(overlay, edit)
    return overlay


def open_function(tree: Tree, at: str) -> Function:
    """The function at "path:function". BadInput when the tree has no such thing."""
    path, _, name = at.rpartition(":")
    if not path or not re.fullmatch(r"\w+", name):
        raise BadInput(f"{at or 'an edit'}: name the place as path:function")
    text = tree.read(path)
    if text is None:
        raise BadInput(f"{at}: the tree {tree.root} has no such file")
    return Function(text, name, at)


def _apply(overlay: Overlay, edit: Edit) -> None:
    there = edit.to or edit.at
    source, target = open_function(overlay, edit.at), open_function(overlay, there)
    splices = [(edit.at, splice) for splice in _here(source, edit)]
    if edit.do.startswith("move"):
        moved = source.code(source.find(edit.key, edit.nth)[-1])
        splices.append((there, _insertion(target, edit.mark, 0, edit.do, moved)))
    changed = False
    files = [(_path(at), splice) for at, splice in splices]
    for path in dict.fromkeys(path for path, _ in files):
        old = overlay.read(path) or ""
        new = _spliced(old, [splice for of, splice in files if of == path], edit.at)
        changed |= new != old
        overlay.rewrite(path, new)
    if not changed:
        raise BadInput(f"{edit.at}: {edit.do} `{edit.key}` changes nothing")
    for at in {edit.at, there}:
        open_function(overlay, at)


def _open_brackets(code: str) -> list[int]:
    words = Counter(word for word, _, _ in lex(strip_comments(code), 1))
    return [words[left] - words[right] for left, right in ("()", "[]", "{}")]


def _path(at: str) -> str:
    return at.rpartition(":")[0]


def _here(function: Function, edit: Edit) -> list[Splice]:
    """What an edit changes where its key is."""
    if edit.do == "replace":
        return [(*function.find_tokens(edit.key, edit.nth), edit.text)]
    if edit.do.startswith("insert"):
        return [_insertion(function, edit.key, edit.nth, edit.do, edit.text)]
    path = function.find(edit.key, edit.nth)
    if edit.do == "guard":
        return [_guarded(function, path, edit.text)]
    if edit.do == "unguard":
        return [_unguarded(function, path)]
    return [_removal(function, path)]


def _spliced(text: str, splices: Sequence[Splice], where: str) -> str:
    parts: list[str] = []
    at = 0
    for first, last, new in sorted(splices, key=lambda splice: splice[:2]):
        if first < at:
            raise BadInput(f"{where}: the two statements of a move overlap")
        parts += [text[at:first], new]
        at = last
    return "".join([*parts, text[at:]])


def _removal(function: Function, path: Path) -> Splice:
    """The statement goes, with its lines where nothing else is on them."""
    start, end = function.span(path[-1])
    siblings = path[-2].inner
    at = siblings.index(path[-1])
    labelled = at == len(siblings) - 1 and at > 0 and siblings[at - 1].kind == "label"
    if path[-2].kind != "block" or labelled:
        return start, end, ";"
    first, last = function.whole_lines(path[-1])
    return (start, end, "") if first is None or last is None else (first, last, "")


def _insertion(function: Function, key: str, nth: int, do: str, text: str) -> Splice:
    """Text before or after a statement; without a key, first or last in the function."""
    code = textwrap.dedent(text).strip()
    side = do.partition("-")[2]
    path = function.find(key, nth) if key else None
    if path is None and function.body.inner:
        path, side = _edge(function, side)
    if path is None:
        start = function.span(function.body)[0] + 1
        return start, start, "\n" + shifted(code, "", "\t")
    if path[-2].kind != "block":
        own = function.code(path[-1])
        return _braced(function, path[-1], [code, own] if side == "before" else [own, code])
    start, end = function.span(path[-1])
    first, last = function.whole_lines(path[-1])
    lines = shifted(code, "", function.indent(start)) + "\n"
    if side == "before":
        return (start, start, code + " ") if first is None else (first, first, lines)
    return (end, end, " " + code) if last is None else (last, last, lines)


def _edge(function: Function, side: str) -> tuple[Path, str]:
    """The statement that is first or last in a function, and the side of it that is meant."""
    body = function.body
    if side == "last":
        returns = function.words(body.inner[-1])[0] == "return"
        return (body, body.inner[-1]), "before" if returns else "after"
    for statement in body.inner:
        if statement.kind != "declaration":
            return (body, statement), "before"
    return (body, body.inner[-1]), "after"


def _guarded(function: Function, path: Path, condition: str) -> Splice:
    """`if (condition)` around the statement."""
    if path[-1].kind in ("declaration", "label"):
        raise BadInput(f"{function.where}: a {path[-1].kind} cannot stand behind an `if`")
    inner = shifted(function.code(path[-1]), "", "\t")
    code = f"if ({condition}) {{\n{inner}\n}}"
    if path[-2].kind != "block":
        return _braced(function, path[-1], [code])  # else an `else` could change hands
    start, end = function.span(path[-1])
    return start, end, _placed(function, start, code)


def _unguarded(function: Function, path: Path) -> Splice:
    """The `if (...)` in front of the statement goes."""
    chosen = path if path[-1].kind == "if" else outer(path)
    if not chosen or chosen[-1].kind != "if":
        brief = function.brief(path[-1])
        raise BadInput(f"{function.where}: `{brief}` has no `if` in front of it")
    if len(chosen[-1].inner) > 1:
        raise BadInput(f"{function.where}: `{function.brief(chosen[-1])}` has an `else`")
    start, end = function.span(chosen[-1])
    return start, end, _placed(function, start, function.code(chosen[-1].inner[0]))


def _placed(function: Function, start: int, code: str) -> str:
    """Code with the indentation of the line of an offset, but for its first line."""
    indent = function.indent(start)
    return shifted(code, "", indent).removeprefix(indent)


def _braced(function: Function, body: Statement, codes: Sequence[str]) -> Splice:
    """Braces around what takes the place of the body of an `if` or a loop."""
    start, end = function.span(body)
    before = function.end_before(body)
    if function.text[before:start].isspace():
        start = before
    indent = function.indent(before)
    lines = "\n".join(shifted(code, "", indent + "\t") for code in codes)
    return start, end, f" {{\n{lines}\n{indent}}}"
