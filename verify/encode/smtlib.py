"""Terms as SMT-LIB 2 text, logic QF_BV.

A bit vector of width w is a (_ BitVec w), a truth value a Bool; division by zero and shifts by the
width or more are those of SMT-LIB, as in `term.evaluate`. What is long gets a name when it is first
spelled, so that the text grows with the number of terms, and the same term has the same name in
every script of one speller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from verify.encode.term import Term, free_vars
from verify.errors import InternalError

# A term whose text is longer than this is defined once and then named.
_LONG = 56

SECOND_RUN = "'2"
"""What the name of a variable ends with in the second of two runs."""

_OPERATORS = {
    "not": ("not", "bvnot"),
    "and": ("and", "bvand"),
    "or": ("", "bvor"),
    "xor": ("", "bvxor"),
    "add": ("", "bvadd"),
    "sub": ("", "bvsub"),
    "mul": ("", "bvmul"),
    "shl": ("", "bvshl"),
    "lshr": ("", "bvlshr"),
    "ashr": ("", "bvashr"),
    "udiv": ("", "bvudiv"),
    "urem": ("", "bvurem"),
    "sdiv": ("", "bvsdiv"),
    "srem": ("", "bvsrem"),
    "concat": ("", "concat"),
    "eq": ("=", ""),
    "ult": ("bvult", ""),
    "slt": ("bvslt", ""),
    "ite": ("ite", "ite"),
}


@dataclass(frozen=True, slots=True)
class Text:
    """An expression, and the symbols that must be declared or defined before it."""

    text: str
    names: frozenset[str]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Copy:
    """The second of two runs: it does not share the variables that `secret` selects by name.

    `name` is a short mark for the symbols of what depends on those.
    """

    name: str
    secret: Callable[[str], bool]


def symbol(name: str) -> str:
    """The name as SMT-LIB quotes it; ValueError when it cannot."""
    if not name or "|" in name or "\\" in name:
        raise ValueError(f"SMT-LIB cannot name {name!r}")
    return f"|{name}|"


def sort(width: int) -> str:
    """The sort of bit vectors of a width, or of truth values (0)."""
    return f"(_ BitVec {width})" if width else "Bool"


def constant(value: int, width: int) -> str:
    """A number, or a truth value (width 0)."""
    return f"(_ bv{value} {width})" if width else ("true" if value else "false")


def _applied(term: Term, args: Sequence[Text]) -> str:
    op, width = term.op, term.width
    if op == "const":
        return constant(term.value, width)
    if op == "extract":
        high, low = term.value
        head = f"(_ extract {high} {low})"
    elif op in ("zext", "sext"):
        kind = "zero_extend" if op == "zext" else "sign_extend"
        head = f"(_ {kind} {width - term.args[0].width})"
    else:
        head = _OPERATORS[op][bool(width)]
    return f"({head} {' '.join(arg.text for arg in args)})"


@dataclass(frozen=True, slots=True)
class _Definition:
    parameters: tuple[tuple[str, int], ...]
    width: int
    body: Text

    def command(self, name: str) -> str:
        parameters = " ".join(f"({symbol(n)} {sort(width)})" for n, width in self.parameters)
        return f"(define-fun {name} ({parameters}) {sort(self.width)} {self.body})"


class Speller:
    """Spells terms and keeps what it has defined and declared on the way.

    Raises ValueError for a variable that SMT-LIB cannot name, and for two variables of one name
    with different widths.
    """

    def __init__(self, prefix: str = "t") -> None:
        self._prefix = prefix
        self._plain: dict[Term, Text] = {}
        self._copies: dict[str, dict[Term, Text]] = {}
        # By symbol: widths of variables, and definitions in an order that is possible.
        self._variables: dict[str, int] = {}
        self._definitions: dict[str, _Definition] = {}
        # What variables are known not to exceed, by symbol in the first run.
        self._bounds: dict[str, set[int]] = {}
        self._count = 0

    def spell(self, term: Term, copy: Copy | None = None) -> Text:
        """The term in the first run, or in a second one."""
        if copy is not None:
            self.spell(term)
        known = self._plain if copy is None else self._copies.setdefault(copy.name, {})
        stack = [term]
        while stack:
            top = stack[-1]
            missing = [] if top in known else [arg for arg in top.args if arg not in known]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            if top not in known:
                known[top] = self._first(top) if copy is None else self._second(top, copy, known)
        return known[term]

    def named(self, name: str, term: Term, copy: Copy | None = None) -> Text:
        """The same by a name of its own; in a second run the first one's when nothing differs."""
        text = self.spell(term)
        plain = self._define(symbol(name), _Definition((), term.width, text))
        if copy is None or (other := self.spell(term, copy)) is text:
            return plain
        return self._define(symbol(f"{name}@{copy.name}"), _Definition((), term.width, other))

    def function(self, name: str, term: Term) -> str:
        """Define a truth value as a function of all its variables; the symbol."""
        inner = Speller("x")
        text = inner.spell(term)
        body = inner.closed([text], text.text)
        for variable in free_vars([term]):
            self.spell(variable)
        parameters = {str(v.name): v.width for v in free_vars([term])}
        definition = _Definition(tuple(parameters.items()), 0, Text(body, frozenset()))
        return self._define(symbol(name), definition).text

    def call(
        self, function: str, values: Mapping[str, Text] | None = None, copy: Copy | None = None
    ) -> Text:
        """A function applied to the variables that it is of, or to other `values` by their name."""
        texts = []
        for name, width in self._definitions[function].parameters:
            value = values.get(name) if values is not None else None
            texts.append(value or self._variable(name, width, copy))
        text = f"({function} {' '.join(t.text for t in texts)})" if texts else function
        return Text(text, _union(texts) | {function})

    def closed(self, texts: Iterable[Text], body: str) -> str:
        """`body`, in which the expressions occur, with `let` for each definition that they need."""
        needed = self._needed(texts)
        for name, definition in reversed(self._definitions.items()):
            if name in needed:
                body = f"(let (({name} {definition.body})) {body})"
        return body

    def bounds(self, texts: Iterable[Text]) -> list[Text]:
        """What limits the variables that the expressions look at."""
        found = []
        for name in sorted(self._needed(texts) & self._variables.keys()):
            width = self._variables[name]
            first = symbol(name.strip("|").removesuffix(SECOND_RUN))
            for bound in sorted(self._bounds.get(first, ())):
                text = f"(bvule {name} {constant(bound, width)})"
                found.append(Text(text, frozenset((name,))))
        return found

    def commands(self, texts: Iterable[Text]) -> list[str]:
        """Declarations and definitions of everything in the expressions, in a possible order."""
        needed = self._needed(texts)
        declared = sorted(needed & self._variables.keys())
        return [f"(declare-const {name} {sort(self._variables[name])})" for name in declared] + [
            d.command(name) for name, d in self._definitions.items() if name in needed
        ]

    def _first(self, term: Term) -> Text:
        if term.op == "var":
            text = self._variable(str(term.name), term.width, None)
            if term.width and term.hi < (1 << term.width) - 1:
                first = str(term.name).removesuffix(SECOND_RUN)
                self._bounds.setdefault(symbol(first), set()).add(term.hi)
            return text
        args = [self._plain[arg] for arg in term.args]
        text = Text(_applied(term, args), _union(args))
        if len(text.text) <= _LONG or term.op == "const":
            return text
        self._count += 1
        name = f"{self._prefix}{self._count}"
        return self._define(name, _Definition((), term.width, text))

    def _second(self, term: Term, copy: Copy, known: Mapping[Term, Text]) -> Text:
        plain = self._plain[term]
        if term.op == "var":
            differs = copy.secret(str(term.name))
            return self._variable(str(term.name), term.width, copy) if differs else plain
        args = [known[arg] for arg in term.args]
        if all(a is self._plain[arg] for a, arg in zip(args, term.args, strict=True)):
            return plain
        text = Text(_applied(term, args), _union(args))
        if plain.text not in self._definitions:
            return text
        return self._define(f"{plain}@{copy.name}", _Definition((), term.width, text))

    def _variable(self, name: str, width: int, copy: Copy | None) -> Text:
        text = symbol(name + SECOND_RUN if copy is not None and copy.secret(name) else name)
        if self._variables.setdefault(text, width) != width:
            raise ValueError(f"variable {name!r} has two widths")
        return Text(text, frozenset((text,)))

    def _define(self, name: str, definition: _Definition) -> Text:
        if self._definitions.setdefault(name, definition) != definition:
            raise InternalError(f"two definitions of {name}")
        return Text(name, frozenset((name,)))

    def _needed(self, texts: Iterable[Text]) -> set[str]:
        needed: set[str] = set()
        stack = [name for text in texts for name in text.names]
        while stack:
            name = stack.pop()
            if name not in needed:
                needed.add(name)
                if name in self._definitions:
                    stack.extend(self._definitions[name].body.names)
        return needed


def _union(texts: Iterable[Text]) -> frozenset[str]:
    return frozenset().union(*(text.names for text in texts))


def to_smtlib(assertions: Sequence[Term], comments: Iterable[str] = ()) -> str:
    """A complete script: is the conjunction satisfiable?

    The bounds of variables that the terms were simplified by are asserted as well. Comment lines
    go on top. The text depends on the structure and names of the terms only.
    """
    speller = Speller()
    texts = [speller.spell(term) for term in assertions]
    return script(speller, comments, [("", [*speller.bounds(texts), *texts])])


def script(
    speller: Speller, comments: Iterable[str], parts: Iterable[tuple[str, Sequence[Text]]]
) -> str:
    """A complete script that asserts all parts, each with a comment (or none) before it."""
    lines = [f"; {comment}" for comment in comments] + ["(set-logic QF_BV)"]
    parts = list(parts)
    lines += speller.commands(text for _, texts in parts for text in texts)
    for comment, texts in parts:
        lines += [f"; {comment}"] if comment and texts else []
        lines += [f"(assert {text})" for text in texts]
    return "\n".join((*lines, "(check-sat)\n"))
