"""The C that is compiled: the tree's text, what stands for contracts, and the tables that
`runtime.c` uses to find cells and functions."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from verify.crosscheck.cut import BEFORE, cut, whole, without
from verify.crosscheck.encode import Vocabulary
from verify.crosscheck.extract import Extract, c_name
from verify.errors import InternalError
from verify.ir.memory import Memory
from verify.ir.nodes import Call, Declare, Global, Unmodelled
from verify.ir.program import Dialect
from verify.ir.types import Int, Pointer, Record, Type
from verify.source.c_lex import NOTHING, Token, closing, is_name, split
from verify.source.program import CProgram
from verify.source.source_file import Item
from verify.target import Target

_HERE = Path(__file__).parent
_NAME = re.compile(r"[A-Za-z_]\w*")


class Unit:
    """One translation unit for a tree. `text` is all of it but the reader of scripts, which comes
    before `runtime.c`; `names` are the functions that nothing stands for, by number, and
    `undeclared` other names that the tree's functions use and none of the files declares."""

    def __init__(
        self,
        target: Target,
        program: CProgram,
        dialect: Dialect,
        words: Vocabulary,
        undeclared: Iterable[str] = (),
    ) -> None:
        self._target = target
        self._program = program
        self._tables = dialect.tables
        self._words = words
        self._undeclared = sorted(undeclared)
        self._memory = Memory(program, target.objects, {}, lambda name, width: 0)
        self._contracts = target.contracts(program)
        self._extract = Extract(program, dialect.config)
        self.names: list[str] = []
        self._objects: dict[str, str] = {}  # C expression -> size expression
        self._pointees: dict[str, str] = {}  # path up to `->` -> C expression
        self._reached: dict[str, Item | None] = {}
        self._calls: dict[str, Call] = {}
        self._globals: dict[str, Item | None] = {}
        self._reach()

    # What is needed ---------------------------------------------------------------------------

    def _reach(self) -> None:
        """The functions that were run, what they call, and the objects that they name."""
        for name in sorted(self._words.run):
            self._reached[name] = self._text_of(name)
            for node in _nodes(self._program.function(name)):
                if isinstance(node, Call):
                    self._calls[node.name] = node
                    self._reached.setdefault(node.name, self._text_of(node.name))
                elif isinstance(node, Global) and "$" not in node.name:
                    self._globals[node.name] = self._program.object_text(node.name)
        for name, variable in self._tables.items():
            self._globals[name] = self._program.object_text(name)
            self._globals[variable] = self._program.object_text(variable)
        for path in (*self._words.cells, *self._words.addresses):
            root = re.split(r"[.\[]|->", path)[0]
            if root and root not in self._target.objects:
                self._globals.setdefault(root, self._program.object_text(root))

    def _text_of(self, name: str) -> Item | None:
        """The text of a function, without what the front-end does not understand: no run that is
        compared comes there."""
        item = self._whole_text_of(name)
        if item is None or not item.function or name not in self._words.run:
            return item
        for node in _nodes(self._program.function(name)):
            if isinstance(node, Unmodelled):
                number = str(self._outside(f"{node.loc.file}:{node.loc.line}"))
                words = ("(", "cross_outside", "(", number, ")", ",", "0", ")")
                instead = [(word, node.loc.line, NOTHING) for word in words]
                item = without(item, node.loc.line, instead)
        return item

    def _whole_text_of(self, name: str) -> Item | None:
        """The text of a function, or of a part of one, which has another name in the unit."""
        plain, which = whole(name)
        item = self._program.function_text(plain)
        if not which or item is None or not item.function:
            return item
        first, part_of_it = (self._program.function(f"{plain}{w}") for w in (BEFORE, which))
        calls = [n.name for n in _nodes(first.body if first else ()) if isinstance(n, Call)]
        kept = {n.local.name for n in _nodes(part_of_it) if isinstance(n, Declare)}
        void = _is_void(self._extract.head(item), plain)
        found = cut(item, which, calls[-1] if calls else "", void, kept)
        if found is None:
            return None
        tokens = [(c_name(name), *t[1:]) if t[0] == plain else t for t in found.tokens]
        return replace(found, tokens=tokens)

    def _bodies(self) -> Iterator[tuple[str, Item]]:
        """The functions whose text is compiled."""
        for name in sorted(self._words.run):
            item = self._reached[name]
            if item is not None and item.function:
                yield name, item

    # Writing ----------------------------------------------------------------------------------

    def text(self) -> str:
        """The unit."""
        extract = self._extract
        bodies = list(self._bodies())
        objects = [(n, i) for n, i in self._globals.items() if i is not None]
        stubs = self._stubs([*(i for _, i in bodies), *(i for _, i in objects)])
        run = self._words.run
        answered = [n for n in self._reached if n in self._contracts and n not in run]
        shims = [(n, i) for n in answered if (i := self._reached[n]) is not None]
        for _, item in [*bodies, *objects]:
            extract.use(item.tokens, item.file)
        for path in (*self._words.cells, *self._words.addresses):
            extract.used.update(_NAME.findall(path))
            extract.used.update(name for name, _, _ in self._bits(path))
        for text in self._target.objects.values():
            kind, _, tag = text.partition(" ")
            extract.add_record(kind, tag)
        for _, item in [*bodies, *objects]:
            extract.add_types(item.tokens, item.file)
        for _, item in [*shims, *stubs.items()]:
            extract.add_types(extract.head(item), item.file)
        for _, item in [*bodies, *shims, *stubs.items()]:
            extract.add_prototype(item)
        self._implicit()
        nowhere = self._nowhere([i for _, i in bodies], stubs)
        for name in nowhere:
            extract.lines.append(f"static int {c_name(name)}();")
        for name, text in self._target.objects.items():
            self._object(name, f"static {text} {name};")
        for name, item in objects:
            extract.add_object(item)
            self._objects[c_name(name)] = f"sizeof({c_name(name)})"
        for name, variable in self._tables.items():
            if self._globals[name] is None:
                self._object(name, f"static __typeof__({variable}) {name};")
        for name, item in shims:
            self._shim(name, item)
        for name, item in stubs.items():
            self._stub(name, item)
        for name in nowhere:
            number = self._outside(name)
            extract.lines.append(f"static int {c_name(name)}() {{ cross_outside({number}); }}")
        for _, item in bodies:
            extract.add_function(item)
        extract.lines += extract.defines.end()
        self._tables_of_cells()
        # No run that is compared comes to where these are used: the front-end has no value either.
        none = [f"#define {n} (cross_outside({self._outside(n)}), 0)" for n in self._undeclared]
        over = [f"#undef {name}" for name in self._undeclared]
        return part("begin.c") + "\n".join([*none, *extract.lines, *over]) + "\n"

    def expanded(self) -> str:
        """The tree's part of the text, after macro expansion."""
        return " ".join(self._extract.expanded)

    def _object(self, name: str, text: str) -> None:
        self._extract.lines.append(text)
        self._objects[name] = f"sizeof({name})"

    def _stubs(self, items: Iterable[Item]) -> dict[str, Item]:
        """Functions that are named but not run: nothing stands for them."""
        found: dict[str, Item] = {}
        for name, item in self._reached.items():
            if item is not None and name not in self._contracts and name not in self._words.run:
                found[name] = item
        for item in items:
            for word, before in self._extract.words(item.tokens, item.file):
                name = self._program.function_name(word, item.file)
                if name in self._reached or name in found or before in ("struct", "union", "enum"):
                    continue
                prototype = self._program.function_text(name)
                if prototype is not None:
                    found[name] = prototype
        return found

    def _nowhere(self, bodies: Iterable[Item], stubs: Mapping[str, Item]) -> list[str]:
        """Functions that are called and that nothing declares."""
        # `table.member` is a member that the table does not set: C calls what is there, NULL.
        missing = {name for name, item in self._reached.items() if item is None}
        found = {name for name in missing - set(self._contracts) if "." not in name}
        written = {c_name(name) for name in self._reached}
        for item in bodies:
            for word in self._extract.called(item.tokens, item.file):
                name = self._program.function_name(word, item.file)
                if name not in self._reached and name not in stubs and name not in written:
                    found.add(name)
        return sorted(found)

    def _outside(self, name: str) -> int:
        self.names.append(name)
        return len(self.names) - 1

    # Functions that are not the tree's --------------------------------------------------------

    def _shim(self, name: str, item: Item) -> None:
        """What asks the script in place of a contract."""
        head, called = self._extract.head(item), c_name(name)
        params = _parameters(head, called)
        number = self._words.contracts.setdefault(name, len(self._words.contracts))
        words = ", ".join(f"CROSS_WORD({p})" for p in params)
        ask = f"cross_request({number}, {len(params)}, cross_args)"
        lines = [f"const cross_word cross_args[] = {{ {words or 0} }};"]
        if _is_void(head, called):
            lines.append(f"{ask};")
        else:
            lines.append(f"return (__typeof__({called}({', '.join(params)}))){ask};")
        self._define(head, lines, item.file)

    def _implicit(self) -> None:
        """What asks the script in place of contracts that none of the files declares."""
        for name, item in self._reached.items():
            if item is not None or name not in self._contracts:
                continue
            kinds = [arg.type for arg in self._calls[name].args]
            params = [f"p{i}" for i in range(len(kinds))]
            typed = ", ".join(f"{_type(k)} {p}" for k, p in zip(kinds, params, strict=True))
            number = self._words.contracts.setdefault(name, len(self._words.contracts))
            words = ", ".join(f"CROSS_WORD({p})" for p in params)
            self._extract.lines += [
                f"static int {c_name(name)}({typed or 'void'})",
                "{",
                f"\tconst cross_word cross_args[] = {{ {words or 0} }};",
                f"\treturn cross_request({number}, {len(params)}, cross_args);",
                "}",
            ]

    def _stub(self, name: str, item: Item) -> None:
        number = self._outside(name)
        self._define(self._extract.head(item), [f"cross_outside({number});"], item.file)

    def _define(self, head: list[Token], lines: list[str], file: str) -> None:
        line = head[0][1]
        static = ("static", line, head[0][2])
        self._extract.write([static, *head], file)
        self._extract.lines += ["{", *(f"\t{text}" for text in lines), "}"]

    # Tables -----------------------------------------------------------------------------------

    def _tables_of_cells(self) -> None:
        out = self._extract.lines
        pointed = self._pointed()
        out += pointed
        get, put, cells = [], [], []
        for path, number in self._words.cells.items():
            bits = self._bits(path)
            if bits:
                base = self._expression(path.rpartition(".")[0])
                parts = [
                    f"((cross_word){base}.{n} & {(1 << w) - 1:#x}UL) << {low}" for n, low, w in bits
                ]
                get.append(f"\tcase {number}: return {' | '.join(parts)};")
                sets = " ".join(f"{base}.{n} = value >> {low};" for n, low, _ in bits)
                put.append(f"\tcase {number}: {sets} break;")
                mask = sum(((1 << w) - 1) << low for _, low, w in bits)
                cells.append(f"\t{{ 0, {number}, {mask:#x}UL }},")
            else:
                expression = self._expression(path)
                cells.append(f"\t{{ (void *)&{expression}, sizeof({expression}), ~0UL }},")
        out += ["static const struct { void *at; cross_word size, mask; } cross_cells[] = {"]
        out += [*cells, "\t{ 0, 0, 0 }", "};"]
        out += ["static cross_word cross_bits_get(cross_word cell)", "{", "\tswitch (cell) {"]
        out += [*get, "\t}", "\treturn 0;", "}"]
        out += ["static void cross_bits_set(cross_word cell, cross_word value)", "{"]
        out += ["\tswitch (cell) {", *put, "\t}", "}"]
        out += ["static void *const cross_addresses[] = {", "\t0,"]
        out += [f"\t(void *)&{self._expression(p)}," for p in self._words.addresses if p]
        out += ["};", "static const struct { void *at; cross_word size; } cross_objects[] = {"]
        out += [f"\t{{ (void *)&{name}, {size} }}," for name, size in self._objects.items()]
        out += ["\t{ 0, 0 }", "};", "static void cross_setup(void)", "{"]
        for name, variable in self._tables.items():
            out.append(f"\t__builtin_memcpy((void *)&{name}, &{variable}, sizeof({name}));")
        out += ["}", "static cross_word cross_call(cross_word function, const cross_word *args)"]
        out += ["{", "\tswitch (function) {"]
        out += [self._dispatch(name, n) for name, n in self._words.functions.items()]
        out += ["\t}", "\treturn 0;", "}"]

    def _dispatch(self, name: str, number: int) -> str:
        item, body = self._reached[name], self._program.function(name)
        assert item is not None and body is not None
        args = ", ".join(
            f"(void *)args[{i}]" if isinstance(p.type, Pointer) else f"args[{i}]"
            for i, p in enumerate(body.parameters)
        )
        call = f"{c_name(name)}({args})"
        plain = c_name(name) if whole(name)[1] else name.partition("@")[0]
        if _is_void(self._extract.head(item), plain):
            return f"\tcase {number}: {call}; return 0;"
        return (
            f"\tcase {number}: {{ __typeof__({call}) result = {call}; return CROSS_WORD(result); }}"
        )

    def _pointed(self) -> list[str]:
        """Objects for what never assigned pointers point to."""
        paths = [*self._words.cells, *self._words.addresses]
        bases = {path[: m.end()] for path in paths for m in re.finditer("->", path)}
        lines: list[str] = []
        for base in sorted(bases, key=len):
            name = f"cross_pointed_{len(lines)}"
            whole = any(p.startswith(base) and p != base for p in self._words.cells)
            pointer = self._expression(base[:-2])
            if whole:
                lines.append(f"static union {{ __typeof__(*{pointer}) it; }} {name};")
                self._pointees[base] = f"{name}.it"
            else:
                lines.append(f"static char {name}[64];")
                self._pointees[base] = name
            self._objects[name] = f"sizeof({name})"
        return lines

    def _expression(self, path: str) -> str:
        """The C expression of what is at a path."""
        at = path.rfind("->")
        if at >= 0:
            rest = path[at + 2 :]
            base = self._pointees.get(path[: at + 2])
            if base is None:
                raise InternalError(f"no object for {path}")
            return base + (f".{rest}" if rest and rest[0] not in ".[" else rest)
        return path.replace("@", c_name("@"))

    def _bits(self, path: str) -> list[tuple[str, int, int]]:
        """The bit-fields of a cell that is a run of them."""
        base, dot, name = path.rpartition(".")
        if not dot or not name.endswith("_bits"):
            return []
        kind = self._memory.type_at(base)
        return self._program.bit_fields(kind.tag, name) if isinstance(kind, Record) else []


def part(name: str) -> str:
    """A part of each unit that is not the tree's."""
    return (_HERE / name).read_text(encoding="utf-8")


def _nodes(node: Any) -> Iterator[Any]:
    """A node of the IR and all nodes in it."""
    if dataclasses.is_dataclass(node):
        yield node
        for part in dataclasses.fields(node):
            yield from _nodes(getattr(node, part.name))
    elif isinstance(node, tuple | list):
        for part in node:
            yield from _nodes(part)


def _type(kind: Type) -> str:
    """A type in C for what a call without a prototype passes."""
    if not isinstance(kind, Int):
        return "const void *"
    return f"{'' if kind.signed else 'unsigned '}{'int' if kind.width <= 32 else 'long'}"


def _is_void(head: list[Token], name: str) -> bool:
    """Whether a function returns nothing."""
    words = [token[0] for token in head]
    before = words[: words.index(name)]
    return "void" in before and "*" not in before


def _parameters(head: list[Token], name: str) -> list[str]:
    """The names of a function's parameters."""
    words = [token[0] for token in head]
    start = words.index("(", words.index(name))
    inside = head[start + 1 : closing(head, start)]
    names = []
    for part in split(inside, ","):
        if [token[0] for token in part] in ([], ["void"]):
            continue
        texts = [token[0] for token in part]
        end = texts.index("[") if "[" in texts else len(texts)
        names.append([word for word in texts[:end] if is_name(word)][-1])
    return names
