"""What is declared at file scope, lowered when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from tree_sitter import Node

from verify.ir.nodes import Const, Expr, Function, Global, Loc
from verify.ir.types import S32, S64, U32, U64, Array, Int, Pointer, Record, Type, Void
from verify.source.build import Unsupported
from verify.source.c_lex import Token, closing, lex, split
from verify.source.c_type import NAMED, Signature, fits, literal
from verify.source.clean import cleaned
from verify.source.declare import is_variadic, parameters_of
from verify.source.index import PRELUDE, Index, is_extern, is_static
from verify.source.layout import Layout
from verify.source.source_file import Item
from verify.source.statement import Statements
from verify.source.syntax import Syntax


class Globals:
    """Types, objects, functions and constants of a tree, by name."""

    def __init__(self, index: Index, tables: Mapping[str, str]) -> None:
        self.index = index
        self.layouts: dict[str, Layout] = {}
        self.implicit: set[str] = set()
        self._table_objects = tables
        self._tables: dict[str, str] | None = None
        self._missing: set[str] = set()
        self._lowered: dict[tuple[int, str], tuple[Item, Statements]] = {}
        self._typedefs: dict[str, Type | None] = {}
        self._constants: dict[str, int | None] = {}
        self._enumerators: dict[str, Const | None] = {}
        self._evaluated: set[int] = set()
        self._enumerations: dict[str, Type] = {}
        self._objects: dict[str, Type | None] = {}
        self._signatures: dict[str, Signature | None] = {}
        self._initials: dict[str, dict[str, Expr | None] | None] = {}
        self._consts: dict[str, bool] = {}
        self._functions: dict[str, Function | None] = {}
        self._meanings: dict[tuple[str, str, str], str] = {}
        self._files = {_place(file.path): file.path for file in index.files}
        self._sizes: dict[Type, tuple[int, int] | None] = {}

    # Items ------------------------------------------------------------------------------------

    def _lower(self, item: Item, name: str) -> Statements:
        """The parsed text of a declaration, without its body when it is a function's."""
        known = self._lowered.get((id(item), name))
        if known is None:
            self.index.used.add((item.file, item.first, item.last))
            tokens = item.tokens
            if item.function:
                tokens = [*tokens[: item.brace], (";", tokens[item.brace][1], frozenset())]
            tokens = self.index.expander(item.file).expand(tokens)
            if name:
                tokens = cleaned(tokens, name, self.is_type)
            lowering = Statements(self, Syntax(tokens, self.is_type), item.file, "")
            self._lowered[id(item), name] = known = (item, lowering)
        return known[1]

    # Types ------------------------------------------------------------------------------------

    def is_type(self, name: str) -> bool:
        return name in NAMED or self.index.is_typedef(name)

    def typedef(self, name: str) -> Type | None:
        if name not in self._typedefs:
            self._typedefs[name] = None
            item = self.index.typedef(name)
            if item is not None:
                self._typedefs[name] = self._find_typedef(item, name)
        return self._typedefs[name]

    def _find_typedef(self, item: Item, name: str) -> Type | None:
        lowering = self._lower(item, "")
        for node in lowering.syntax.root.named_children:
            if node.type != "type_definition" or _misread(node):
                continue
            for declarator in node.children_by_field_name("declarator"):
                try:
                    found, kind = lowering.declared(declarator, lowering.specified(node, name))
                except Unsupported:
                    continue
                if found == name:
                    return kind
        return None

    def layout(self, tag: str) -> Layout | None:
        found = self.layouts.get(tag)
        if found is None and tag not in self._missing:
            self._missing.add(tag)
            self._find_record(tag)
            found = self.layouts.get(tag)
            if found is not None:
                self._missing.discard(tag)
        return found

    def _find_record(self, tag: str) -> None:
        if "." in tag:
            # A record without a tag, in another one.
            outer, _, name = tag.rpartition(".")
            layout = self.layout(outer)
            kind = layout.members.get(name) if layout else None
            if kind is not None:
                kind()
            return
        item = self.index.record(tag)
        if item is None:
            self.typedef(tag)
            return
        lowering = self._lower(item, "")
        node = _specifier(lowering.syntax.root, lowering.syntax, tag)
        if node is not None:
            self.layouts.setdefault(tag, lowering.layout_of(node, tag))

    def size_of(self, kind: Type) -> tuple[int, int] | None:
        if isinstance(kind, Int):
            size = max(1, kind.width // 8)
            return size, size
        if isinstance(kind, Pointer):
            return 8, 8
        if kind not in self._sizes:
            self._sizes[kind] = self._size_of(kind)
        return self._sizes[kind]

    def _size_of(self, kind: Type) -> tuple[int, int] | None:
        if isinstance(kind, Array):
            found = self.size_of(kind.of)
            return None if found is None else (found[0] * kind.length, found[1])
        if isinstance(kind, Record):
            layout = self.layout(kind.tag)
            measure = layout.measure() if layout else None
            return None if measure is None else (measure.size // 8, measure.align // 8)
        return (1, 1) if isinstance(kind, Void) else None

    def enumeration(self, tag: str) -> Type:
        if tag not in self._enumerations:
            self._enumerations[tag] = self._find_enumeration(tag)
        return self._enumerations[tag]

    def _find_enumeration(self, tag: str) -> Type:
        item = self.index.record(tag)
        words = [] if item is None else [token[0] for token in item.tokens]
        if item is None or "{" not in words:
            return Record(f"?enum {tag}")
        start = words.index("{")
        end = closing(item.tokens, start)
        if ":" in words[:start] or "__packed" in words[end:] or "__attribute__" in words[end:]:
            # Its type is not the one that gcc would choose.
            return Record(f"?enum {tag}")
        parts = split(item.tokens[start + 1 : end], ",")
        return self.enumeration_of([part[0][0] for part in parts if part])

    def enumeration_of(self, names: list[str]) -> Type:
        known = [value for name in names if (value := self.enumerator(name)) is not None]
        if len(known) < len(names):
            return Record("?enum")
        return _enumeration_type([value.value for value in known])

    # Constants --------------------------------------------------------------------------------

    def enumerator(self, name: str) -> Const | None:
        if name in self._enumerators:
            return self._enumerators[name]
        for item in self.index.enumerators(name):
            if id(item) not in self._evaluated:
                self._evaluated.add(id(item))
                self._evaluate(item)
            if name in self._enumerators:
                break
        return self._enumerators.setdefault(name, None)

    def _evaluate(self, item: Item) -> None:
        """All constants of an enumeration; those that are not understood are left out."""
        self.index.used.add((item.file, item.first, item.last))
        tokens = self.index.expander(item.file).expand(item.tokens)
        following: int | None = 0
        values: dict[str, int] = {}
        for part in split(tokens, ","):
            if not part:
                continue
            if len(part) > 2 and part[1][0] == "=":
                following = self._constant(part[2:], item.file)
            if following is None:
                continue
            name = part[0][0]
            # gcc: `int` where that is enough, else the type of the enumeration.
            kind = S32 if fits(following, S32) else _enumeration_type([following])
            self._enumerators[name] = Const(following, kind)
            values[name] = following
            following += 1
        whole = _enumeration_type(list(values.values()))
        for name, value in values.items():
            if not fits(value, S32):
                self._enumerators[name] = Const(value, whole)

    def _constant(self, tokens: list[Token], file: str) -> int | None:
        if len(tokens) == 1 and tokens[0][0][0].isdigit():
            try:
                return literal(tokens[0][0]).value
            except ValueError:
                return None
        try:
            value = self.expression(tokens, file)
        except (Unsupported, RecursionError):
            return None
        return value.value if isinstance(value, Const) else None

    def expression(self, tokens: list[Token], file: str) -> Expr:
        """The value of an expression of expanded tokens; Unsupported when it has none."""
        syntax = Syntax(tokens, self.is_type, "int _ = ", ";")
        node = syntax.root.named_children[0] if syntax.root.named_children else None
        declarator = None if node is None else node.child_by_field_name("declarator")
        value = None if declarator is None else declarator.child_by_field_name("value")
        if value is None or syntax.root.has_error:
            raise Unsupported("no expression")
        return Statements(self, syntax, file, "").value(value)

    def constant(self, text: str) -> int | None:
        """The value of a constant expression that names macros and constants of any file."""
        if text not in self._constants:
            tokens = self.index.expander("").expand(lex(text, 1))
            self._constants[text] = self._constant(tokens, "")
        return self._constants[text]

    def type_named(self, text: str) -> Type:
        """The type that a C type name stands for; Unsupported when it is none."""
        tokens = self.index.expander("").expand(lex(text, 1))
        return Statements(self, Syntax([], self.is_type), "", "").typeof(tokens)

    # Names of more than one thing --------------------------------------------------------------
    #
    # A plain name is the first definition's. Another file's own static function or object of that
    # name is `name@file`.

    def function_name(self, name: str, file: str) -> str:
        """The name for what a function's name means in a file."""
        key = ("function", name, file)
        if key not in self._meanings:
            self._meanings[key] = self._meaning(name, file)
        return self._meanings[key]

    def _meaning(self, name: str, file: str) -> str:
        first = self.index.function(name)
        if first is None or first.file in (file, PRELUDE) or self.index.in_prelude(name):
            return name
        own = self.index.function_in(name, file)
        if own is not None:
            return f"{name}@{_place(own.file)}"
        if is_static(first) and self.index.is_shared(name):
            # A function that none of the files defines.
            return f"{name}@elsewhere"
        return name

    def object_name(self, name: str, file: str) -> str:
        """The name for what an object's name means in a file."""
        key = ("object", name, file)
        if key not in self._meanings:
            self._meanings[key] = name
            first = self.index.object(name)
            if first is not None and first.file not in (file, PRELUDE):
                own = self.index.object_in(name, file)
                if own is not None and is_static(own):
                    self._meanings[key] = f"{name}@{_place(own.file)}"
        return self._meanings[key]

    def _function(self, name: str) -> Item | None:
        """The definition of a function by its name of those above."""
        plain, at, place = name.partition("@")
        if not at:
            return self.index.function(name)
        return self.index.function_in(plain, self._files.get(place, ""))

    def _object(self, name: str) -> Item | None:
        """The declaration of an object by its name of those above."""
        plain, at, place = name.partition("@")
        if not at:
            return self.index.object(name)
        return self.index.object_in(plain, self._files.get(place, ""))

    def function_text(self, name: str) -> Item | None:
        """The definition of a function, else a prototype."""
        return self._function(name) or self.index.prototype(_plain(name))

    def object_text(self, name: str) -> Item | None:
        """The declaration of an object."""
        return self._object(name)

    # Objects ----------------------------------------------------------------------------------

    def object(self, name: str) -> Type | None:
        if name not in self._objects:
            self._objects[name] = None
            item = self._object(name)
            if item is not None:
                self._objects[name] = self._object_type(item, _plain(name))
        return self._objects[name]

    def _object_type(self, item: Item, name: str) -> Type | None:
        lowering = self._lower(item, name)
        found = _declarator(lowering, name)
        if found is None:
            return None
        node, declarator, value = found
        if _misread(node):
            return Record("?")
        try:
            kind = lowering.declared(declarator, lowering.specified(node, name))[1]
            return kind if value is None else lowering.sized(kind, value)
        except Unsupported:
            return Record("?")

    def define(self, name: str, kind: Type, initial: dict[str, Const] | None, const: bool) -> None:
        self._objects[name] = kind
        self._consts[name] = const
        self._initials[name] = {"": None} if initial is None else dict(initial)

    def is_const(self, name: str) -> bool:
        """Whether nothing can change an object."""
        if name not in self._consts:
            item = self._object(name)
            lowering = None if item is None else self._lower(item, _plain(name))
            found = None if lowering is None else _declarator(lowering, _plain(name))
            self._consts[name] = (
                lowering is not None and found is not None and lowering.is_const(*found[:2])
            )
        return self._consts[name]

    def initial(self, name: str) -> dict[str, Expr | None] | None:
        """What an object's initialiser gives, by path; None when the tree does not define it."""
        if name not in self._initials:
            self._initials[name] = self._find_initial(name)
        return self._initials[name]

    def _find_initial(self, name: str) -> dict[str, Expr | None] | None:
        kind = self.object(name)
        item = self._object(name)
        if kind is None or item is None or is_extern(item):
            return None
        lowering = self._lower(item, _plain(name))
        found = _declarator(lowering, _plain(name))
        if found is None or found[2] is None:
            return {}
        try:
            return lowering.initial(Global(name, kind), found[2])
        except Unsupported:
            return {"": None}

    def table(self, tag: str) -> str | None:
        if self._tables is None:
            self._tables = {}
            for name, variable in self._table_objects.items():
                kind = self.object(name) or self.object(variable)
                if isinstance(kind, Record):
                    self._tables[kind.tag] = variable
        return self._tables.get(tag)

    def entry(self, variable: str, member: str) -> Expr | None:
        found = self.initial(variable)
        if found is None:
            raise Unsupported(f"the table {variable} is not there")
        path = f".{member}"
        if "" in found or (path in found and found[path] is None):
            raise Unsupported(f"the table {variable} is not understood")
        return found.get(path)

    # Functions --------------------------------------------------------------------------------

    def signature(self, name: str) -> Signature | None:
        if name not in self._signatures:
            self._signatures[name] = None
            item = self._function(name) if "@" in name else None
            item = item or self.index.prototype(_plain(name))
            if item is not None:
                self._signatures[name] = self._find_signature(item, _plain(name))
        return self._signatures[name]

    def _find_signature(self, item: Item, name: str) -> Signature | None:
        lowering = self._lower(item, name)
        found = _declarator(lowering, name)
        if found is None:
            return None
        node, outer, _ = found
        if _misread(node):
            return None
        declarator: Node | None = outer
        while declarator is not None and declarator.type != "function_declarator":
            declarator = declarator.child_by_field_name("declarator")
        if declarator is None:
            return None
        try:
            result = lowering.returned(outer, declarator, lowering.specified(node, ""))
            kinds = tuple(lowering.parameter(p)[1] for p in parameters_of(declarator))
        except Unsupported:
            return None
        return Signature(result, kinds, is_variadic(declarator))

    def note_implicit(self, name: str) -> None:
        self.implicit.add(name)

    def function(self, name: str) -> Function | None:
        """The function with its body, None when the tree does not define it."""
        if name not in self._functions:
            self._functions[name] = self._find_function(name)
        return self._functions[name]

    def _find_function(self, name: str) -> Function | None:
        item = self._function(name)
        if item is None:
            return None
        self.index.used.add((item.file, item.first, item.last))
        plain = _plain(name)
        tokens = cleaned(self.index.expander(item.file).expand(item.tokens), plain, self.is_type)
        line = next((token[1] for token in item.tokens if token[0] == plain), item.first)
        lowering = Statements(self, Syntax(tokens, self.is_type), item.file, name)
        loc = Loc(item.file, line)
        signature = self.signature(name)
        node = next(
            (n for n in lowering.syntax.root.named_children if n.type == "function_definition"),
            None,
        )
        return lowering.function(node, name, signature, loc, item.last)


def _place(path: str) -> str:
    """A file's path as part of a name."""
    return path.removesuffix(".c").replace("/", "_")


def _plain(name: str) -> str:
    """The name that C knows."""
    return name.partition("@")[0]


def _enumeration_type(values: list[int]) -> Int:
    """The type that gcc gives to an enumeration."""
    low, high = min(values, default=0), max(values, default=0)
    if low < 0:
        return S32 if fits(low, S32) and fits(high, S32) else S64
    return U32 if fits(high, U32) else U64


def _declarator(lowering: Statements, name: str) -> tuple[Node, Node, Node | None] | None:
    """The declaration of a name in a parsed text, its declarator, and its initialiser."""
    for node in lowering.syntax.root.named_children:
        if node.type not in ("declaration", "function_definition"):
            continue
        for child in node.children_by_field_name("declarator"):
            inner: Node | None = child
            value: Node | None = None
            if child.type == "init_declarator":
                inner = child.child_by_field_name("declarator")
                value = child.child_by_field_name("value")
            if inner is not None and lowering.name_of(inner) == name:
                return node, inner, value
    return None


def _misread(node: Node) -> bool:
    """Whether the parser skipped something between specifiers and declarators, or in them."""
    for child in node.children:
        inner: Node | None = child
        if child.type == "init_declarator":
            inner = child.child_by_field_name("declarator")
        elif child.child_by_field_name("body") is not None:
            continue  # errors within a record are its members'
        if inner is None or inner.has_error:
            return True
    return False


def _specifier(node: Node, syntax: Syntax, tag: str) -> Node | None:
    """The struct or union with this tag and a body."""
    if node.type in ("struct_specifier", "union_specifier"):
        name = node.child_by_field_name("name")
        if name is not None and syntax.of(name) == tag:
            if node.child_by_field_name("body") is not None:
                return node
    for child in node.named_children:
        if (found := _specifier(child, syntax, tag)) is not None:
            return found
    return None
