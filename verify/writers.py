"""Whether something else in the tree writes what the switch reads.

Relations change memory as the functions do that the model runs. What another function writes at any
time, or userspace by a parameter of the module, they know nothing of, so nothing is proved then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import fields, is_dataclass
from functools import lru_cache

from verify import replaced
from verify.encode import term as t
from verify.encode.objects import Objects, root
from verify.encode.switch import STATE, Read, Relation, Switch
from verify.encode.term import Term
from verify.ir.nodes import Call, Field, Function, FunctionName, Local
from verify.ir.types import Array, Int, Pointer, Record, Type
from verify.source.build import Unsupported
from verify.source.c_lex import strip_comments
from verify.source.macros import PRELUDE
from verify.source.program import CProgram
from verify.source.scope import is_macro, is_private, speakers
from verify.source.tree import Tree
from verify.source.writes import Asked, Write, asked_about, first_arguments, writes
from verify.target import Idioms, Writers

_INPUTS = (STATE, "init/", "config/", "setup/")
Name = tuple[str, str]
"""A member with the tag of its record, or an object with ""."""


# A tree is searched for two switches.
_stripped = lru_cache(maxsize=512)(strip_comments)


def elsewhere(tree: Tree, program: CProgram, switch: Switch) -> str:
    """Who does, in words, or nothing."""
    rule = switch.target.writers
    return _Search(tree, program, switch, rule).found() if rule else ""


class _Search:
    """Through the files of a tree."""

    def __init__(self, tree: Tree, program: CProgram, switch: Switch, rule: Writers) -> None:
        self._program, self._switch, self._rule = program, switch, rule
        self._runs = {name.partition("@")[0].partition(".")[0] for name in switch.functions}
        self._stands = replaced.names(switch.target, program)
        paths = {path for path, _, _ in tree.touched()}.union(tree.paths(rule.folder))
        paths.update(file.path for file in program.index.files)
        found = (path for path in paths if path.endswith((".c", ".h")) and path != PRELUDE)
        paths = {path for path in found if not path.startswith(rule.beside)}
        self._texts = {path: _stripped(tree.read(path) or "") for path in sorted(paths)}

    def found(self) -> str:
        """Who writes, or has it written by a function of the switch."""
        own: set[str] = set()
        for path, write in self._writes():
            if self._is_run(path, write.function):
                own.add(write.function)
                continue
            if told := self._told(path, write, "written"):
                return told
            own |= self._by_macro(write.function)
        for path, call in self._calls(self._leading_to(own)):
            if not self._is_run(path, call.function) and (told := self._told(path, call, "called")):
                return told
        return ""

    def _is_run(self, path: str, function: str) -> bool:
        """The model runs the function that has this name in a file: another may have it, too."""
        if not function or path not in self._program.index.by_path:
            return False
        return self._program.function_name(function, path) in self._runs

    def _by_macro(self, name: str) -> set[str]:
        """The functions that the model runs and that use a macro, through others perhaps."""
        ahead, seen = [name], {name}
        found: set[str] = set()
        while ahead:
            name = ahead.pop()
            spoken = [text for text in self._texts.values() if name in text]
            if any(is_macro(text, name) for text in spoken):
                who = {speaker for text in spoken for speaker, _ in speakers(text, name)}
                found |= who & self._runs
                ahead += who - self._runs - seen
                seen |= who
        return found

    def _told(self, path: str, use: Write, done: str) -> str:
        who, target = use.function, self._switch.target
        if who in self._stands or use.name in self._rule.known.get(who, ()):
            return ""
        if any(who == frame.function and use.name in frame.calls for frame in target.frames):
            return ""
        if any(who in rule.functions and use.name in rule.calls for rule in target.callers):
            return ""
        if not who:
            by = "userspace, by a parameter of the module"
        elif self._may_run(who):
            by = f"{who}(), which the model does not run"
        else:
            return ""
        return f"{use.name} is also {done} by {by} ({path}:{use.line})"

    def _writes(self) -> Iterator[tuple[str, Write]]:
        """Of what the switch reads, by the file."""
        asked = _asked(self._program, self._switch, self._rule.idioms)
        pattern = asked.pattern()
        for path, text in self._texts.items():
            for write in writes(path, text, asked, pattern, self._program):
                yield path, write
            if path.startswith(f"{self._rule.folder}/"):
                for instruction, numbers in self._rule.instructions.items():
                    for call in first_arguments(text, instruction):
                        if self._is_one(call.name, numbers):
                            yield path, call

    def _is_one(self, text: str, numbers: Set[int]) -> bool:
        """An expression is one of the numbers: a constant, or by a function of the switch."""
        if "(" in text and text.partition(" (")[0] in self._runs:
            return True
        try:
            return self._program.constant(text) in numbers
        except Unsupported:
            return False

    def _leading_to(self, functions: Set[str]) -> set[str]:
        """These functions, and those of the switch that call them, if by others."""
        calls = {name: set(_called(self._program.function(name))) for name in self._runs}
        found = set(functions)
        while more := {name for name in self._runs - found if calls[name] & found}:
            found |= more
        return found

    def _calls(self, functions: Set[str]) -> Iterator[tuple[str, Write]]:
        """Who speaks of these functions in the folder, by name or as a member of a table."""
        names = set(functions)
        for table in self._tables():
            members = (member for member, name in table.items() if name in functions)
            names.update(way.format(m) for m in members for way in self._rule.through)
        for path, text in self._texts.items():
            for name in sorted(name for name in names if name in text):
                for who, line in speakers(text, name) if path.startswith(self._rule.folder) else ():
                    if who:
                        yield path, Write(who, line, name)

    def _is_idle(self, function: str) -> bool:
        """All that speaks of it at file scope is a table, and nobody calls that member."""
        members = {m for table in self._tables() for m, name in table.items() if name == function}
        calls = [way.format(member) for member in members for way in self._rule.through]
        spoken = re.compile(rf"\s*\.\w+\s*=\s*{function}\s*,?\s*$")
        lines = [
            text.split("\n")[line - 1]
            for text in self._texts.values()
            if function in text
            for speaker, line in speakers(text, function)
            if not speaker
        ]
        if len(lines) != len(members) or not all(spoken.match(line) for line in lines):
            return False
        return not any(call in text for call in calls for text in self._texts.values())

    def _tables(self) -> list[dict[str, str]]:
        """The functions that members of tables of operations are."""
        tables = self._switch.target.dialect({}).tables.values()
        return [self._program.table(table) for table in tables]

    def _may_run(self, function: str) -> bool:
        """Whether anyone may call it but the functions that the model runs, in which it never
        was."""
        ahead, seen = [function], {function}
        while ahead:
            name = ahead.pop()
            spoken = [text for text in self._texts.values() if name in text]
            kinds = [known for text in spoken if (known := is_private(text, name)) is not None]
            if not kinds or not all(kinds):
                return True
            who = {speaker for text in spoken for speaker, _ in speakers(text, name)}
            if "" in who and not self._is_idle(name):
                return True
            who.discard("")
            ahead += who - self._runs - seen
            seen |= who
        return False


def _asked(program: CProgram, switch: Switch, idioms: Idioms) -> Asked:
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
    return asked_about(idioms, sorted(found), arrays, sorted(leading))


def _mentioned(program: CProgram, switch: Switch) -> Iterator[Field | Local]:
    """The variables and members in the functions that run, but for those that only setup does."""
    made: list[Relation | Read] = [*switch.relations(), *switch.reads.values()]
    for name in {name for each in made for name in each.functions}:
        function = program.function(name.partition("@")[0])
        for node in _nodes(function.body if function else ()):
            if isinstance(node, Field | Local):
                yield node


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


def _called(function: Function | None) -> Iterator[str]:
    for node in _nodes(function.body if function else ()):
        if isinstance(node, Call | FunctionName):
            yield node.name


def _nodes(node: object) -> Iterator[object]:
    """A part of a function, and all in it."""
    if isinstance(node, tuple):
        for part in node:
            yield from _nodes(part)
    elif is_dataclass(node) and not isinstance(node, Int | Pointer | Array | Record):
        yield node
        for part in fields(node):
            yield from _nodes(getattr(node, part.name))


def _reached(kind: Type) -> tuple[str, bool]:
    """The tag of the record that a type is or leads to; and whether it is made of integers."""
    array = kind
    while isinstance(array, Array):
        array = array.of
    while isinstance(kind, Pointer | Array):
        kind = kind.to if isinstance(kind, Pointer) else kind.of
    return (kind.tag if isinstance(kind, Record) else ""), isinstance(array, Int)
