"""C rewritten into C of the same meaning, a statement of a function at a time.

Each rewriting is what a programmer could do without changing anything: what is proved and refuted
of the result must be what is proved and refuted of the text as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from verify.errors import BadInput
from verify.source.c_lex import lex
from verify.source.edit_function import Function, Path, Statement

_NOTHING = (
    ";", "{ }", "if (0) { }", "do { } while (0);", "(void)0;", "{ { ; } }",
    "if (1) { } else { }", "/* } { ) ( */", "// } { /* \" '\n", "for (; 0; ) { }",
    "while (0) ;", "do ; while (0);", "{ u64 fuzz = 1; fuzz += 0; (void)fuzz; }",
    "switch (0) { default: break; }", "if (0) ; else ;",
    "{ int fuzz; for (fuzz = 0; fuzz < 3; fuzz++) ; }", "({ 0; });", "0;", "1 ? 0 : 1;",
    '"}{";', "{ u32 fuzz; (void)sizeof(fuzz); }", "switch (3) { case 1: break; case 3: ; }",
    "{ ; ; /**/ }", "\n#if 0\n}}} ' \"\n#endif\n",
    "\n#ifdef FUZZ_NOT_THERE\nx\n#else\n;\n#endif\n", "{ extern int f; }",
    "{ struct fuzz { u64 a; } b = { 1 }; b.a = b.a; }", "{ u64 a[2] = { 0 }; a[0] = a[1]; }",
    "{ typeof(1) fuzz = 1; fuzz = fuzz; }", "{ enum { FUZZ = 3 }; (void)FUZZ; }",
    "(void)(1, 2);",
)  # fmt: skip
_JUMPS = {"break", "continue", "goto", "case", "default"}
# Of types only __u64 and its like begin so.
_QUALIFIERS = re.compile(r"\b(?:static|inline|noinline|noinstr|extern|__(?!u\d|s\d|le|be)\w+)\b")
_DECLARED = re.compile(r"((?:const |struct |union |enum |unsigned )*\w+)([ *]+)(\w+)")


@dataclass(frozen=True, slots=True)
class Variable:
    """A local or parameter: how it is declared, with what comes before and after the name."""

    kind: str
    name: str
    set: bool  # has a value from its declaration on


class Rewriter:
    """One function of a text. The kinds of rewriting are its methods; each gives the new text of
    the file, or None where it fits nothing."""

    def __init__(self, text: str, name: str, chance: Random) -> None:
        """BadInput when the function cannot be taken apart."""
        self.text = text
        self.name = name
        self.chance = chance
        self.function = Function(text, name, name)

    # Where ------------------------------------------------------------------------------------

    def _pick(self, fits: Callable[[Path], object]) -> Path | None:
        found = [path for path in self.function.statements() if fits(path)]
        return self.chance.choice(found) if found else None

    def _code(self, statement: Statement) -> str:
        start, end = self.function.span(statement)
        return self.text[start:end]

    def _new_name(self) -> str:
        """A name that nothing has."""
        while True:
            name = f"fuzz_{self.chance.randrange(1000)}"
            if name not in self.text:
                return name

    def _put(self, statement: Statement, new: str) -> str:
        start, end = self.function.span(statement)
        return self.text[:start] + new + self.text[end:]

    def _words(self, statement: Statement) -> list[str]:
        return self.function.words(statement)

    def _condition(self, statement: Statement) -> tuple[int, int] | None:
        """Offsets of what is in the parentheses of an `if`."""
        start = self.function.span(statement)[0] + 2
        end = self.function.end_before(statement.inner[0])
        text = self.text[start:end]
        if text.strip()[:1] != "(" or text[-1] != ")" or "#" in text:
            return None
        return start + text.index("(") + 1, end - 1

    def _variables(self) -> Iterator[Variable]:
        """Parameters and the locals of the function's own block that have a plain type."""
        head = self._head()
        if head is not None:
            for part in head[1].split(","):
                match = _DECLARED.fullmatch(" ".join(part.split()))
                if match:
                    yield Variable(match[1] + match[2], match[3], True)
        for statement in self.function.body.inner:
            if statement.kind == "declaration":
                yield from self._declared(statement)

    def _declared(self, statement: Statement) -> Iterator[Variable]:
        code = " ".join(self._code(statement).split())
        match = _DECLARED.match(code)
        if not match or "[" in code or "{" in code or code.startswith("static"):
            return
        if "," in re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", code)):
            names = re.sub(r"[ *]+$", "", match[1])
            plain = re.fullmatch(rf"{re.escape(names)} (\w+(?:, \w+)*);", code)
            for name in plain[1].split(", ") if plain else ():
                yield Variable(f"{names} ", name, False)
            return
        yield Variable(match[1] + match[2], match[3], "=" in code)

    def _head(self) -> tuple[str, str, int] | None:
        """Result, parameters, and the offset where the definition starts."""
        end = self.function.span(self.function.body)[0]
        match = re.search(
            rf"(?:\A|[;}}/\n])\s*^([\w \t*]+?\b|[\w \t*]+\*){self.name}\(([^()]*)\)\s*\Z",
            self.text[:end],
            re.MULTILINE,
        )
        if match is None or "\\\n" in self.text[match.start() : end]:
            return None
        result = " ".join(_QUALIFIERS.sub("", match[1]).split())
        return result, match[2], match.start(1)

    # Nothing more -----------------------------------------------------------------------------

    def nothing(self) -> str | None:
        """Code that does nothing, before a statement."""
        path = self._pick(lambda p: p[-2].kind == "block" and self._after_declarations(p))
        if path is None:
            return None
        start, _ = self.function.span(path[-1])
        return f"{self.text[:start]}{self.chance.choice(_NOTHING)} {self.text[start:]}"

    def _after_declarations(self, path: Path) -> bool:
        return path[-1].kind != "declaration"

    def same_value(self) -> str | None:
        """`x += 0` and the like, for a variable that has a value."""
        numbers = ("u64 ", "u32 ", "int ", "bool ", "u8 ", "unsigned int ")
        names = [v.name for v in self._variables() if v.set and v.kind in numbers]
        path = self._pick(
            lambda p: len(p) == 2 and p[-2].kind == "block" and self._after_declarations(p)
        )
        if path is None or not names:
            return None
        name, start = self.chance.choice(names), self.function.span(path[-1])[0]
        ways = ("{} += 0;", "{} |= 0;", "{} = {};", "{} ^= 0;", "(void){};", "{} = ({});",
                "{} <<= 0;", "{} = {} ? {} : 0;", "{} *= 1;")  # fmt: skip
        more = self.chance.choice(ways).replace("{}", name)
        return f"{self.text[:start]}{more} {self.text[start:]}"

    # Around a statement -----------------------------------------------------------------------

    def around(self) -> str | None:
        """A statement in a block, or behind a condition that holds."""

        def fits(path: Path) -> bool:
            words = self._words(path[-1])
            plain = path[-1].kind in ("simple", "if", "loop")
            # A macro in capitals may declare something.
            plain = plain and not (words[0].isupper() and words[1:2] == ["("])
            return plain and not _JUMPS & set(words) and "asm" not in words

        path = self._pick(fits)
        if path is None:
            return None
        code = self._code(path[-1])
        ways = (
            "{{ {} }}", "if (1) {{ {} }}", "do {{ {} }} while (0);", "switch (0) {{ default: {} }}",
            "if (!0) {{ {} }} else {{ }}", "if (0) {{ }} else {{ {} }}", "{{ ; {} ; }}",
            "switch (1) {{ case 1: {} break; case 2: break; }}", "do {{ {} break; }} while (1);",
        )  # fmt: skip
        way = self.chance.choice(ways)
        if "break" in way and path[-1].kind == "simple" and self._words(path[-1])[0] == "return":
            way = ways[0]
        return self._put(path[-1], way.format(code))

    # Conditions and loops -----------------------------------------------------------------------

    def turned(self) -> str | None:
        """`if (a) b; else c;` the other way round."""
        path = self._pick(lambda p: p[-1].kind == "if")
        place = self._condition(path[-1]) if path else None
        if path is None or place is None:
            return None
        condition = self.text[place[0] : place[1]]
        then = self._code(path[-1].inner[0])
        other = self._code(path[-1].inner[1]) if len(path[-1].inner) > 1 else ";"
        return self._put(path[-1], f"{{ if (!({condition})) {{ {other} }} else {{ {then} }} }}")

    def condition(self) -> str | None:
        """A condition in other words."""
        path = self._pick(lambda p: p[-1].kind == "if")
        place = self._condition(path[-1]) if path else None
        if path is None or place is None:
            return None
        old = self.text[place[0] : place[1]]
        ways = (
            "!!({})", "({}) && 1", "0 || ({})", "({}) ? 1 : 0", "!(!({}))", "({}) != 0", "(({}))",
            "({}) ? true : false", "(bool)({})", "1 && ({})", "!({}) == 0", "!!({}) == true",
            "(0, ({}))", 
        )  # fmt: skip
        new = self.chance.choice(ways).format(old)
        return self.text[: place[0]] + new + self.text[place[1] :]

    def named_condition(self) -> str | None:
        """A condition in a variable of its own."""
        path = self._pick(lambda p: p[-1].kind == "if")
        place = self._condition(path[-1]) if path else None
        if path is None or place is None:
            return None
        start, end = self.function.span(path[-1])
        name = self._new_name()
        named = f"bool {name} = ({self.text[place[0] : place[1]]});"
        rest = self.text[place[1] : end]
        return f"{self.text[:start]}{{ {named} if ({name}{rest} }}{self.text[end:]}"

    def loop(self) -> str | None:
        """`for` as `while`."""
        path = self._pick(
            lambda p: (
                p[-1].kind == "loop"
                and self._words(p[-1])[0] == "for"
                and not {"continue", "#"} & set(self._words(p[-1]))
            )
        )
        if path is None:
            return None
        start = self.function.span(path[-1])[0] + 3
        head = self.text[start : self.function.end_before(path[-1].inner[0])].strip()
        parts = head[1:-1].split(";")
        if len(parts) != 3:
            return None
        first, condition, step = parts
        body = self._code(path[-1].inner[0])
        condition = condition.strip() or "1"
        return self._put(path[-1], f"{{ {first}; while ({condition}) {{ {body} {step}; }} }}")

    # Names, expressions -------------------------------------------------------------------------

    def _is_free(self, name: str) -> bool:
        """No macro gets it that calls a member like its argument, as pmu_to_vcpu() does, and none
        of this file speaks of it."""
        captured = rf"\w_to_\w+\(\s*{name}\s*\)|(?:container_of|offsetof)\([^;]*\b{name}\b"
        macro = rf"^[ \t]*#[ \t]*define\b(?:[^\n]*\\\n)*[^\n]*\b{name}\b"
        return not re.search(captured, self.text) and not re.search(macro, self.text, re.M)

    def renamed(self) -> str | None:
        """Another name for a local."""
        names = [
            v.name
            for s in self.function.body.inner
            if s.kind == "declaration"
            for v in self._declared(s)
        ]
        if not names:
            return None
        name = self.chance.choice(names)
        new = self.chance.choice(
            (f"fuzz_{name}", f"{name}_", f"__{name}__", f"{name.upper()}_x", "pmu_x")
        )
        start, end = self.function.span(self.function.body)
        body = self.text[start:end]
        if re.search(rf"\b{new}\b", body):
            return None
        if not self._is_free(name):
            return None
        # A label, or a member that an initialiser names.
        if re.search(rf"[;{{}},]\s*{name}\s*:(?!:)", body):
            return None
        body = _uses(name).sub(new, body)
        return self.text[:start] + body + self.text[end:]

    def parenthesised(self) -> str | None:
        """`(x)` for a variable, wherever it is used."""
        names = [v.name for v in self._variables() if self._is_free(v.name)]
        path = self._pick(lambda p: p[-1].kind == "simple" and self._words(p[-1])[0] != "goto")
        if path is None or not names:
            return None
        name = self.chance.choice(names)
        code = _uses(name).sub(f"({name})", self._code(path[-1]))
        return self._put(path[-1], code)

    def apart(self) -> str | None:
        """A declaration and its value in two statements."""
        path = self._pick(
            lambda p: (
                p[-1].kind == "declaration"
                and p[-2].kind == "block"
                and sum(v.set for v in self._declared(p[-1])) == 1
                and "const" not in self._words(p[-1])
            )
        )
        if path is None:
            return None
        code = self._code(path[-1])
        (variable,) = self._declared(path[-1])
        value = code[code.index("=") + 1 :].rstrip("; \n\t")
        new = f"{variable.kind}{variable.name}; {variable.name} = {value};"
        return self._put(path[-1], new)

    def result(self) -> str | None:
        """What is returned in a variable of its own."""
        head = self._head()
        path = self._pick(
            lambda p: (
                p[-1].kind == "simple"
                and self._words(p[-1])[0] == "return"
                and p[-1].last > p[-1].first + 1
            )
        )
        if path is None or head is None or head[0] == "void":
            return None
        value = self._code(path[-1]).removeprefix("return").rstrip("; ")
        name = self._new_name()
        return self._put(path[-1], f"{{ {head[0]} {name} = {value}; return {name}; }}")

    # Order, and functions -----------------------------------------------------------------------

    def swapped(self) -> str | None:
        """Two assignments that have nothing to do with each other."""
        pairs = [
            (a, b)
            for path in [(self.function.body,), *self.function.statements()]
            if path[-1].kind == "block"
            for a, b in zip(path[-1].inner, path[-1].inner[1:], strict=False)
            if self._independent(a, b)
        ]
        if not pairs:
            return None
        one, two = self.chance.choice(pairs)
        start, end = self.function.span(one)[0], self.function.span(two)[1]
        between = self.text[self.function.span(one)[1] : self.function.span(two)[0]]
        return self.text[:start] + self._code(two) + between + self._code(one) + self.text[end:]

    def _independent(self, one: Statement, two: Statement) -> bool:
        kinds = {one.kind, two.kind}
        if kinds == {"declaration"}:
            a, b = ([v.name for v in self._declared(s)] for s in (one, two))
            if not a or not b or "(" in self._words(one) or "(" in self._words(two):
                return False
            return not set(a) & set(self._words(two)) and not set(b) & set(self._words(one))
        if kinds != {"simple"}:
            return False
        targets = []
        for statement in (one, two):
            match = re.match(
                r"(?:\w+(?:->|\.))*(\w+) [-|&^+]?= [^=]", " ".join(self._code(statement).split())
            )
            if match is None or set(self._words(statement)) & {"(", "[", "*", "++", "--"}:
                return False
            targets.append(match[1])
        first, second = self._words(one), self._words(two)
        return targets[0] not in second and targets[1] not in first

    def split(self) -> str | None:
        """The last statements of a function as a function of their own."""
        body, head = self.function.body, self._head()
        first = next(
            (i for i, s in enumerate(body.inner) if s.kind != "declaration"), len(body.inner)
        )
        if head is None or first >= len(body.inner):
            return None
        at = self.chance.randrange(first, len(body.inner))
        tail = body.inner[at:]
        words = {word for statement in tail for word in self._words(statement)}
        if {"goto", "__func__"} & set(self._words(body)) or any(
            s.kind in ("label", "declaration") for s in tail
        ):
            return None
        start, end = self.function.span(tail[0])[0], self.function.span(tail[-1])[1]
        used = [v for v in self._variables() if v.name in words]
        declared = sum(s.kind == "declaration" for s in body.inner)
        plain = {v.name for v in self._variables()}
        names = {w for s in body.inner if s.kind == "declaration" for w in self._locals(s)}
        names |= self._parameters(head[1])
        hidden = names - plain
        if hidden & words or declared != sum(s.kind == "declaration" for s in body.inner[:first]):
            return None
        macros = set(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", self.text, re.M))
        if macros & words and not all(self._is_free(name) for name in names - words):
            return None  # one of them may need a local that the last statements do not name
        if "#" in self.text[start:end] or "\n#" in self.text[start:end]:
            return None
        before = {w for s in body.inner[first:at] for w in self._words(s)}
        given = [v for v in used if v.set]
        own = [v for v in used if not v.set]
        if any(v.name in before for v in own):
            return None  # it may have no value yet, which must not be read
        helper = self._new_name()
        parameters = ", ".join(v.kind + v.name for v in given) or "void"
        call = f"{helper}({', '.join(v.name for v in given)});"
        if head[0] != "void":
            call = f"return {call}"
        declarations = "".join(f"\t{v.kind}{v.name};\n" for v in own)
        code = f"{declarations}\t{self.text[start:end]}"
        definition = f"static {head[0]} {helper}({parameters})\n{{\n{code}\n}}\n\n"
        parts = (self.text[: head[2]], definition, self.text[head[2] : start], call)
        return "".join(parts) + self.text[end:]

    def _locals(self, statement: Statement) -> set[str]:
        """All that a declaration may declare."""
        return {word for word, _, _ in lex(self._code(statement), 1) if word.isidentifier()}

    def _parameters(self, text: str) -> set[str]:
        found = (re.search(r"(\w+)\W*$", part) for part in text.split(","))
        return {match[1] for match in found if match} - {"void"}


def _uses(name: str) -> re.Pattern[str]:
    """Finds a variable, not a member or a tag that is called the same."""
    return re.compile(rf"(?<![\w.>])(?<!struct )(?<!union )(?<!enum ){name}\b")


KINDS: Sequence[str] = (
    "nothing", "same_value", "around", "turned", "condition", "named_condition", "loop", "renamed",
    "parenthesised", "apart", "result", "swapped", "split",
)  # fmt: skip


def rewrite(text: str, name: str, kind: str, chance: Random) -> str | None:
    """The text with one rewriting of this kind in a function; None where none fits."""
    try:
        new: str | None = getattr(Rewriter(text, name, chance), kind)()
    except BadInput:
        return None
    return new if new != text else None
