"""The unbuilt C of a kernel tree as a `verify.ir.program.Program`."""

from __future__ import annotations

from collections.abc import Sequence

from verify.ir.nodes import Const, Function, FunctionName
from verify.ir.program import Dialect
from verify.ir.split import AFTER, BEFORE, part
from verify.ir.types import Int, RecordDef, Type
from verify.source.index import PRELUDE, Index
from verify.source.layout import Members, Part
from verify.source.source_file import Item
from verify.source.tree import Tree
from verify.source.unit import Globals


class CProgram:
    """Functions, records and constants of a tree, lowered when they are asked for.

    A call through a member of an object in `dialect.tables`, or through a pointer to a record of
    that object's type, is a direct call of the function in the initialised variable; a load of
    another member is its constant. (One table of a type is in use at a time.) A call of a member
    that the variable does not give calls `variable.member`, which nothing defines.
    """

    def __init__(self, tree: Tree, dialect: Dialect) -> None:
        self._tree = tree
        self._prelude = dialect.prelude
        self._splits = dialect.splits
        self._parts: dict[tuple[str, str], Function] = {}
        index = Index(tree.read, dialect.files, dialect.config, dialect.prelude, dialect.defines)
        self._globals = Globals(index, dialect.tables)
        self._index = index
        self._lines: dict[str, list[str]] = {}

    def function(self, name: str) -> Function | None:
        """The function with its body, from the dialect's files or the prelude; or a part of one
        that the dialect splits, by its name with `.before` or `.after`."""
        for which in (BEFORE, AFTER):
            whole = name.removesuffix(which)
            if whole != name and whole in self._splits:
                return self._part(whole, which)
        return self._globals.function(name)

    def _part(self, name: str, which: str) -> Function | None:
        function = self._globals.function(name)
        if function is None:
            return None
        if (name, which) not in self._parts:
            self._parts[name, which] = part(function, self._splits[name], which, self.function)
        return self._parts[name, which]

    def record(self, tag: str) -> RecordDef:
        """The members of a struct; KeyError when the tree does not define it."""
        layout = self._globals.layout(tag)
        if layout is None:
            raise KeyError(tag)
        return RecordDef(tag, Members(layout.members))

    def type_of(self, text: str) -> Type:
        """The type that a C type name stands for, such as `struct kvm_vcpu`.

        Unsupported when the text is no type name.
        """
        return self._globals.type_named(text)

    def object_type(self, name: str) -> Type | None:
        """The type of a file-scope object."""
        return self._globals.object(name)

    def initialiser(self, name: str) -> dict[str, Const] | None:
        """The values of a `const` object by path from it (`""`, `.a.b`, `[0].c`); what it does not
        name is zero. None when the object is not defined, can change, or is not known.

        Pointers are left out: null ones are zero, and for functions there is `table`.
        """
        found = self._globals.initial(name) if self._globals.is_const(name) else None
        if found is None:
            return None
        for value in found.values():
            if value is None or (isinstance(value.type, Int) and not isinstance(value, Const)):
                return None
        return {path: value for path, value in found.items() if isinstance(value, Const)}

    def table(self, name: str) -> dict[str, str]:
        """The functions that an initialised variable names, by member."""
        found = self._globals.initial(name) or {}
        return {
            path[1:]: value.name for path, value in found.items() if isinstance(value, FunctionName)
        }

    def constant(self, text: str) -> int | None:
        """The value of a constant C expression, such as a macro of the tree's headers."""
        return self._globals.constant(text)

    # The text itself, for who compiles it -------------------------------------------------------

    @property
    def tree(self) -> Tree:
        """What it is read from."""
        return self._tree

    @property
    def index(self) -> Index:
        """Where the tree's declarations are."""
        return self._index

    def function_name(self, name: str, file: str) -> str:
        """The IR's name for the function that a name means in a file."""
        return self._globals.function_name(name, file)

    def object_name(self, name: str, file: str) -> str:
        """The IR's name for the object that a name means in a file."""
        return self._globals.object_name(name, file)

    def function_text(self, name: str) -> Item | None:
        """The definition, else a prototype, of a function by its name in the IR."""
        return self._globals.function_text(name)

    def object_text(self, name: str) -> Item | None:
        """The declaration of a file-scope object by its name in the IR."""
        return self._globals.object_text(name)

    def bit_fields(self, tag: str, word: str) -> list[tuple[str, int, int]]:
        """The bit-fields in a member of the IR's record that stands for a run of them: name,
        first bit, width. Empty for a member that the tree itself declares."""
        layout = self._globals.layout(tag)
        slots = layout.slots if layout else {}
        return [
            (name, part.low, part.width)
            for name, part in slots.items()
            if isinstance(part, Part) and part.word[0][0] == word and word not in slots
        ]

    def line(self, file: str, line: int) -> str:
        """The tree's own text of a line, without surrounding white space."""
        if file not in self._lines:
            text = self._prelude if file == PRELUDE else self._tree.read(file)
            self._lines[file] = (text or "").split("\n")
        lines = self._lines[file]
        return lines[line - 1].strip() if 0 < line <= len(lines) else ""

    def sources(self) -> Sequence[tuple[str, int, int]]:
        """File, first and last line of every function, record and macro used so far."""
        return sorted(place for place in self._index.used if place[0] != PRELUDE)

    @property
    def implicit(self) -> frozenset[str]:
        """Functions that were called without a prototype (so with `int` as result)."""
        return frozenset(self._globals.implicit)
