"""Whether something else in the tree writes what the switch reads.

Relations change memory as the functions do that the model runs. What another function writes at any
time, or userspace by a parameter of the module, they know nothing of, so nothing is proved then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import fields, is_dataclass

from verify import replaced
from verify.encode import term as t
from verify.encode.objects import Objects, root
from verify.encode.switch import STATE, Read, Relation, Switch
from verify.encode.term import Term
from verify.ir.nodes import Field, Local
from verify.ir.types import Array, Int, Pointer, Record, Type
from verify.source.build import Unsupported
from verify.source.c_lex import strip_comments
from verify.source.macros import PRELUDE
from verify.source.program import CProgram
from verify.source.scope import is_private, speakers
from verify.source.tree import Tree
from verify.source.writes import Asked, Write, asked_about, first_arguments, writes
from verify.target import Writers

_INPUTS = (STATE, "init/", "config/", "setup/")
Name = tuple[str, str]
"""A member with the tag of its record, or an object with ""."""


def elsewhere(tree: Tree, program: CProgram, switch: Switch) -> str:
    """Who does, in words, or nothing."""
    rule = switch.target.writers
    if rule is None:
        return ""
    runs = {name.partition("@")[0].partition(".")[0] for name in switch.functions}
    stands = replaced.names(switch.target, program)
    paths = _paths(tree, rule, program)
    for path, write in _writes(tree, paths, rule, program, switch):
        who = write.function
        if who in runs or who in stands or write.name in rule.known.get(who, ()):
            continue
        if not who:
            told = "userspace, by a parameter of the module"
        elif _may_run(who, runs, tree, paths):
            told = f"{who}(), which the model does not run"
        else:
            continue
        return f"{write.name} is also written by {told} ({path}:{write.line})"
    return ""


def _writes(
    tree: Tree, paths: Sequence[str], rule: Writers, program: CProgram, switch: Switch
) -> Iterator[tuple[str, Write]]:
    """All of them, by the file."""
    asked = _asked(program, switch)
    pattern = asked.pattern()
    for path in paths:
        text = tree.read(path) or ""
        yield from ((path, write) for write in writes(path, text, asked, pattern, program))
        if path.startswith(f"{rule.folder}/"):
            for call in first_arguments(text, rule.instructions):
                if _names_one(call.name, rule, program, switch):
                    yield path, call


def _names_one(text: str, rule: Writers, program: CProgram, switch: Switch) -> bool:
    """An expression is the number of one of the registers: as a constant, or by a function of the
    switch."""
    if "(" in text and text.partition(" (")[0] in switch.functions:
        return True
    try:
        return program.constant(text) in rule.registers
    except Unsupported:
        return False


def _may_run(function: str, runs: Set[str], tree: Tree, paths: Sequence[str]) -> bool:
    """Whether anyone may call it but the functions that the model runs, in which it never did."""
    texts = [strip_comments(tree.read(path) or "") for path in paths]
    ahead, seen = [function], {function}
    while ahead:
        name = ahead.pop()
        spoken = [text for text in texts if name in text]
        if not any(is_private(text, name) for text in spoken):
            return True
        who = {speaker for text in spoken for speaker in speakers(text, name)}
        if "" in who:
            return True
        ahead += who - runs - seen
        seen |= who
    return False


def _paths(tree: Tree, rule: Writers, program: CProgram) -> list[str]:
    paths = {path for path, _, _ in tree.touched()}.union(tree.paths(rule.folder))
    paths.update(file.path for file in program.index.files)
    found = (path for path in paths if path.endswith((".c", ".h")) and path != PRELUDE)
    return sorted(path for path in found if not path.startswith(rule.beside))


def _asked(program: CProgram, switch: Switch) -> Asked:
    """What the relations depend on.

    What is a constant after setup is in no term: it counts when the functions mention it. So do all
    members of the records that the switch changes.
    """
    terms = [x for r in switch.relations() for x in (*r.post.values(), *r.assumes)]
    terms += [fault.guard for r in switch.relations() for fault in r.faults]
    terms += [x for r in switch.reads.values() for x in (r.accepted, r.value)]
    inputs = [str(v.name) for v in t.free_vars([*terms, *switch.config])]
    cells = {_cell(name) for name in inputs if name.startswith(_INPUTS)}
    changed = {cell for relation in switch.relations() for cell in relation.post}
    fixed = {c for c, v in switch.start.items() if isinstance(v, Term) and v.op == "const"}
    objects = Objects(program, switch.target.objects, switch.target.cells(program))
    named = {c: _name(c, program, switch, objects) for c in cells | changed | fixed}
    found = {name for c in cells | changed if (name := named[c]) is not None}
    arrays = {name[1] for c, name in named.items() if name is not None and c.endswith("]")}
    own = {name[0] for c in changed if (name := named[c]) is not None and name[0]}
    constant = {named[c] for c in fixed}
    leading: set[Name] = set()
    for place in _mentioned(program, switch):
        tag, scalar = _reached(place.type)
        if tag in own:
            # A later variable of the same name has a number behind it.
            leading.add((tag, place.name.partition(".")[0]))
        base = place.base.type if isinstance(place, Field) else None
        if isinstance(base, Record) and scalar:
            name = base.tag, place.name
            if base.tag in own or name in constant:
                found.add(name)
                arrays.update([place.name] if isinstance(place.type, Array) else [])
    return asked_about(sorted(found), arrays, sorted(leading))


def _mentioned(program: CProgram, switch: Switch) -> Iterator[Field | Local]:
    """The variables and members in the functions that run, but for those that only setup does."""
    made: list[Relation | Read] = [*switch.relations(), *switch.reads.values()]
    for name in {name for each in made for name in each.functions}:
        function = program.function(name.partition("@")[0])
        if function is not None:
            yield from _places(function.body)


def _cell(name: str) -> str:
    start = next(prefix for prefix in _INPUTS if name.startswith(prefix))
    return name.removeprefix(start).partition("~")[0]


def _name(cell: str, program: CProgram, switch: Switch, objects: Objects) -> Name | None:
    """How the kernel calls a cell; None for one of the models."""
    start = root(cell)
    if start in switch.target.transient or cell in switch.target.cells(program) or "/" in cell:
        return None
    if start not in switch.target.objects:
        item = program.object_text(start)
        if item is None or item.file == PRELUDE:
            return None
    while cell.endswith("]"):
        cell = cell[: cell.rindex("[")]
    base, _, name = cell.rpartition(".")
    if not base:
        return "", cell
    kind = objects.type_of(base)
    return (kind.tag, name) if isinstance(kind, Record) else None


def _places(node: object) -> Iterator[Field | Local]:
    """The variables and members in a part of a function."""
    if isinstance(node, tuple):
        for part in node:
            yield from _places(part)
    elif is_dataclass(node) and not isinstance(node, Int | Pointer | Array | Record):
        if isinstance(node, Field | Local):
            yield node
        for part in fields(node):
            yield from _places(getattr(node, part.name))


def _reached(kind: Type) -> tuple[str, bool]:
    """The tag of the record that a type is or leads to; and whether it is made of integers."""
    array = kind
    while isinstance(array, Array):
        array = array.of
    while isinstance(kind, Pointer | Array):
        kind = kind.to if isinstance(kind, Pointer) else kind.of
    return (kind.tag if isinstance(kind, Record) else ""), isinstance(array, Int)
