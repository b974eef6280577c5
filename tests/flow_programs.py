"""Programs of nothing but control flow: as C, and as instructions that tell its paths.

A program is a list of statements, which are tuples: what it is, then its parts.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import strategies as st

CALLS = "abc"

Statement = tuple[Any, ...]


def conditions() -> st.SearchStrategy[Statement]:
    call = st.tuples(st.just("call"), st.sampled_from(CALLS))
    plain = st.just(("plain",))
    both = st.tuples(st.sampled_from(("and", "or", "comma")), call | plain, call | plain)
    return st.one_of(plain, call, both, st.tuples(st.just("choice"), plain | call, call, call))


def statements() -> st.SearchStrategy[Statement]:
    leaf = st.one_of(
        conditions().map(lambda value: ("expression", value)),
        st.sampled_from([(word,) for word in ("break", "continue", "return", "label")]),
        st.tuples(st.just("goto"), st.integers(0, 3)),
    )

    def nest(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[Statement]:
        block = st.lists(inner, max_size=3)
        arms = st.lists(st.tuples(st.booleans(), block), max_size=3)
        return st.one_of(
            st.tuples(st.just("if"), conditions(), block, st.none() | block),
            st.tuples(st.sampled_from(("while", "do", "for")), conditions(), block),
            st.tuples(st.sampled_from(("forever", "once", "inner")), block),
            st.tuples(st.just("switch"), conditions(), arms),
        )

    return st.recursive(leaf, nest, max_leaves=10)


class Program:
    """Both forms of a program. Jumps that C would refuse become calls."""

    def __init__(self, body: list[Statement]) -> None:
        self.labels = 0
        self.count = _count_labels(body)
        self.code: list[tuple[Any, ...]] = []  # (call x) (fork place) (jump place) (return)
        self.at: dict[str, int] = {}
        self.fresh = 0
        self.text = self.block(body, None, None)
        self.code.append(("return",))

    def name(self) -> str:
        self.fresh += 1
        return f"place{self.fresh}"

    def here(self, name: str) -> None:
        self.at[name] = len(self.code)

    def value(self, value: Statement) -> str:
        kind, *parts = value
        if kind == "plain":
            return "x"
        if kind == "call":
            self.code.append(("call", parts[0]))
            return f"{parts[0]}()"
        if kind == "comma":
            return f"({self.value(parts[0])}, {self.value(parts[1])})"
        if kind == "choice":
            test = self.value(parts[0])
            other, end = self.name(), self.name()
            self.code.append(("fork", other))
            first = self.value(parts[1])
            self.code.append(("jump", end))
            self.here(other)
            second = self.value(parts[2])
            self.here(end)
            return f"({test} ? {first} : {second})"
        first, end = self.value(parts[0]), self.name()
        self.code.append(("fork", end))
        second = self.value(parts[1])
        self.here(end)
        return f"({first} {'&&' if kind == 'and' else '||'} {second})"

    def block(self, body: list[Statement], out: str | None, again: str | None) -> str:
        return "".join(self.statement(part, out, again) + "\n" for part in body)

    def statement(self, part: Statement, out: str | None, again: str | None) -> str:
        kind, *parts = part
        target = {"break": out, "continue": again}.get(kind)
        if kind == "expression":
            return f"{self.value(parts[0])};"
        if kind == "label":
            self.here(f"label{self.labels}")
            self.labels += 1
            return f"label{self.labels - 1}: ;"
        if kind == "goto" and self.count:
            self.code.append(("jump", f"label{parts[0] % self.count}"))
            return f"goto label{parts[0] % self.count};"
        if kind == "return":
            self.code.append(("return",))
            return "return 0;"
        if target is not None:
            self.code.append(("jump", target))
            return f"{kind};"
        if kind in ("goto", "break", "continue"):
            self.code.append(("call", "a"))
            return "a();"
        if kind == "inner":
            return f"{{\n{self.block(parts[0], out, again)}}}"
        if kind == "if":
            return self.choice(parts[0], parts[1], parts[2], out, again)
        if kind == "switch":
            return self.switch(parts[0], parts[1], again)
        return self.loop(kind, parts)

    def choice(self, test: Any, then: Any, other: Any, out: Any, again: Any) -> str:
        text = f"if ({self.value(test)}) {{\n"
        otherwise, end = self.name(), self.name()
        self.code.append(("fork", otherwise))
        text += self.block(then, out, again) + "}"
        self.code.append(("jump", end))
        self.here(otherwise)
        if other is not None:
            text += f" else {{\n{self.block(other, out, again)}}}"
        self.here(end)
        return text

    def switch(self, test: Any, arms: Any, again: Any) -> str:
        text, end = f"switch ({self.value(test)}) {{\n", self.name()
        names = [self.name() for _ in arms]
        self.code += [("fork", name) for name in names]
        defaults = [k for k, (default, _) in enumerate(arms) if default][:1]
        self.code.append(("jump", names[defaults[0]] if defaults else end))
        for k, (_, body) in enumerate(arms):
            self.here(names[k])
            text += "default:\n" if k in defaults else f"case {k}:\n"
            text += self.block(body, end, again) or ";\n"
        self.here(end)
        return text + "}"

    def loop(self, kind: str, parts: list[Any]) -> str:
        head, again, end = self.name(), self.name(), self.name()
        body = parts[-1]
        if kind in ("while", "for"):
            self.here(head)
            test = self.value(parts[0])
            self.code.append(("fork", end))
            text = self.block(body, end, again)
            self.here(again)
            if kind == "for":
                self.code.append(("call", "b"))
            self.code.append(("jump", head))
            start = f"while ({test})" if kind == "while" else f"for (x = 0; {test}; x = b())"
            text = f"{start} {{\n{text}}}"
        else:
            self.here(head)
            text = self.block(body, end, again)
            self.here(again)
            if kind == "do":
                test = self.value(parts[0])
                self.code.append(("fork", head))
                text = f"do {{\n{text}}} while ({test});"
            elif kind == "once":
                text = f"do {{\n{text}}} while (0);"
            else:
                self.code.append(("jump", head))
                text = f"for (;;) {{\n{text}}}"
        self.here(end)
        return text

    def words(self, longest: int) -> set[str]:
        """The calls of all whole paths that have no more."""
        found, seen = set(), {(0, "")}
        ahead = deque(seen)

        def go(place: int, word: str) -> None:
            if len(word) <= longest and (place, word) not in seen:
                seen.add((place, word))
                ahead.append((place, word))

        while ahead:
            place, word = ahead.popleft()
            match self.code[place]:
                case ("call", name):
                    go(place + 1, word + name)
                case ("fork", name):
                    go(place + 1, word)
                    go(self.at[name], word)
                case ("jump", name):
                    go(self.at[name], word)
                case _:
                    found.add(word)
        return found


def _count_labels(part: Any) -> int:
    if isinstance(part, tuple) and part[:1] == ("label",):
        return 1
    return sum(map(_count_labels, part)) if isinstance(part, list | tuple) else 0
