"""Macro expansion and `#if` expressions on tokens.

Tokens that come from a macro have the line of the macro's use, so that what is parsed later still
has the kernel's lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from verify.source.c_lex import NOTHING, Token, is_name, lex

# Tests of a configuration option, known without the header that has them.
_OPTION_TESTS = ("IS_ENABLED", "IS_BUILTIN", "IS_REACHABLE", "IS_MODULE")
# What the compiler defines for the kernel's C on x86-64.
COMPILER = {"__KERNEL__": "1", "__x86_64__": "1", "__GNUC__": "13", "__CHAR_BIT__": "8"}
# What the front-end has for operators whose operands are types, and words that it does not need.
_OWN = """
container_of(p, type, member) __container_of(p, sizeof(type), member)
offsetof(type, member) __offsetof(sizeof(type), member)
__builtin_offsetof(type, member) __offsetof(sizeof(type), member)
__builtin_types_compatible_p(a, b) __same_type_p(sizeof(a), sizeof(b))
__packed __attribute__((packed))
__counted_by(x)
__counted_by_ptr(x)
__guarded_by(x)
__printf(a, b)
fallthrough
"""
_IGNORED = """
__always_inline noinline noinstr asmlinkage __init __exit __initdata __read_mostly __ro_after_init
__user __rcu __percpu __iomem __force __private __nocast __kernel __bitwise __must_check
__maybe_unused __always_unused __used __cold __hot ____cacheline_aligned
____cacheline_aligned_in_smp __no_randomize_layout __randomize_layout
"""
DEFINITIONS = (*_OWN.strip().split("\n"), *_IGNORED.split())


@dataclass(frozen=True, slots=True)
class Macro:
    """A definition: parameters (None when it is like an object), replacement and place."""

    name: str
    params: tuple[str, ...] | None
    variadic: str
    body: tuple[str, ...]
    file: str
    line: int
    last: int


def parse_macro(text: str, file: str, line: int, last: int) -> Macro | None:
    """The macro of a `#define` line (text after `define`), None when it is malformed."""
    tokens = [token[0] for token in lex(text, line)]
    if not tokens or not is_name(tokens[0]):
        return None
    name = tokens[0]
    if not text.lstrip().startswith(name + "("):
        return Macro(name, None, "", tuple(tokens[1:]), file, line, last)
    if ")" not in tokens:
        return None
    end = tokens.index(")")
    params = [word for word in tokens[2:end] if word != ","]
    variadic = ""
    if params and params[-1] == "...":
        params.pop()
        named = len(params) > 0 and tokens[end - 2] != ","
        variadic = params.pop() if named else "__VA_ARGS__"
    return Macro(name, tuple(params), variadic, tuple(tokens[end + 1 :]), file, line, last)


class Expander:
    """Expands macros; `lookup` gives the definition in force for a name used on a line."""

    def __init__(
        self, lookup: Callable[[str, int], Macro | None], config: Mapping[str, str]
    ) -> None:
        self._lookup = lookup
        self._config = config
        self._counter = 0

    def expand(self, tokens: list[Token]) -> list[Token]:
        """All macros of a token list, expanded until none is left."""
        out: list[Token] = []
        lookup = self._lookup
        stack = tokens[::-1]
        while stack:
            token = stack.pop()
            text, line, hide = token
            first = text[0]
            if not (first.isalpha() or first == "_") or text in hide:
                out.append(token)
                continue
            macro = lookup(text, line)
            if macro is None:
                special = self._special(text, line, stack)
                out.append(token if special is None else special)
                continue
            if macro.params is None:
                body = self._substitute(macro, {}, line, hide | {text})
                stack.extend(reversed(body))
                continue
            found = _arguments(stack)
            if found is None:
                out.append(token)
                continue
            arguments, close = found
            named = _bind(macro, arguments)
            body = self._substitute(macro, named, line, (hide & close) | {text})
            stack.extend(reversed(body))
        return out

    def _special(self, text: str, line: int, stack: list[Token]) -> Token | None:
        if text in _OPTION_TESTS:
            found = _arguments(stack)
            if found and found[0] and found[0][0]:
                value = self._config.get(found[0][0][0][0], "")
                accepted: tuple[str, ...] = ("y", "1", "m")
                if text == "IS_MODULE":
                    accepted = ("m",)
                elif text == "IS_BUILTIN":
                    accepted = ("y", "1")
                return ("1" if value in accepted else "0", line, NOTHING)
        elif text == "__LINE__":
            return (str(line), line, NOTHING)
        elif text == "__COUNTER__":
            self._counter += 1
            return (str(self._counter), line, NOTHING)
        return None

    def _substitute(
        self,
        macro: Macro,
        arguments: Mapping[str, list[Token]],
        line: int,
        hide: frozenset[str],
    ) -> list[Token]:
        body = macro.body
        out: list[Token] = []
        expanded: dict[str, list[Token]] = {}
        i = 0
        while i < len(body):
            word = body[i]
            after = body[i + 1] if i + 1 < len(body) else ""
            if word == "#" and after in arguments:
                text = " ".join(token[0] for token in arguments[after])
                escaped = text.replace("\\", "\\\\").replace('"', '\\"')
                out.append((f'"{escaped}"', line, NOTHING))
                i += 2
            elif word == "##" and out and after:
                right = arguments.get(after)
                if right is None:
                    right = [(after, line, hide)]
                elif after == macro.variadic and out[-1][0] == ",":
                    # GNU: the comma goes with empty variable arguments, else nothing is pasted.
                    if not right:
                        out.pop()
                    out.extend(right)
                    i += 2
                    continue
                if right:
                    left = out.pop()[0]
                    if left:
                        out.append((left + right[0][0], line, hide))
                    else:
                        out.append(right[0])
                    out.extend(right[1:])
                i += 2
            elif word in arguments:
                if after == "##":
                    # An empty left operand of ## is kept as an empty token until it is pasted.
                    out.extend(arguments[word] or [("", line, hide)])
                else:
                    if word not in expanded:
                        expanded[word] = self.expand(arguments[word])
                    out.extend(expanded[word])
                i += 1
            else:
                out.append((word, line, hide))
                i += 1
        return [(text, line, own | hide) for text, _, own in out if text]


def _arguments(stack: list[Token]) -> tuple[list[list[Token]], frozenset[str]] | None:
    """Take a parenthesised argument list off the stack; None (nothing taken) when none is there."""
    if not stack or stack[-1][0] != "(":
        return None
    depth = 0
    parts: list[list[Token]] = [[]]
    for i in range(len(stack) - 1, -1, -1):
        token = stack[i]
        text = token[0]
        if text == "(":
            depth += 1
            if depth == 1:
                continue
        elif text == ")":
            depth -= 1
            if not depth:
                del stack[i:]
                return parts, token[2]
        if text == "," and depth == 1:
            parts.append([])
        else:
            parts[-1].append(token)
    return None


def _bind(macro: Macro, arguments: list[list[Token]]) -> dict[str, list[Token]]:
    params = macro.params or ()
    named = {name: arguments[i] if i < len(arguments) else [] for i, name in enumerate(params)}
    if macro.variadic:
        rest: list[Token] = []
        for i, argument in enumerate(arguments[len(params) :]):
            if i:
                rest.append((",", argument[0][1] if argument else 0, NOTHING))
            rest.extend(argument)
        named[macro.variadic] = rest
    return named


_LEVELS = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", "<=", ">", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)


def condition_holds(words: list[str]) -> bool:
    """The value of an `#if` expression, macros expanded and `defined` replaced.

    Names that are left are 0, as C has it; what is no expression is false.
    """
    try:
        value, end = _ternary(words, 0)
    except (IndexError, ValueError, ZeroDivisionError):
        return False
    return end == len(words) and value != 0


def _ternary(words: list[str], at: int) -> tuple[int, int]:
    value, at = _binary(words, at, 0)
    if at < len(words) and words[at] == "?":
        then, at = _ternary(words, at + 1)
        if words[at] != ":":
            raise ValueError
        orelse, at = _ternary(words, at + 1)
        value = then if value else orelse
    return value, at


def _binary(words: list[str], at: int, level: int) -> tuple[int, int]:
    if level == len(_LEVELS):
        return _unary(words, at)
    left, at = _binary(words, at, level + 1)
    while at < len(words) and words[at] in _LEVELS[level]:
        op = words[at]
        right, at = _binary(words, at + 1, level + 1)
        left = _apply(op, left, right)
    return left, at


def _apply(op: str, a: int, b: int) -> int:
    match op:
        case "||":
            return int(bool(a or b))
        case "&&":
            return int(bool(a and b))
        case "|":
            return a | b
        case "^":
            return a ^ b
        case "&":
            return a & b
        case "==" | "!=":
            return int((a == b) == (op == "=="))
        case "<":
            return int(a < b)
        case "<=":
            return int(a <= b)
        case ">":
            return int(a > b)
        case ">=":
            return int(a >= b)
        case "<<":
            return a << (b & 63)
        case ">>":
            return a >> (b & 63)
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        case _:
            return abs(a) % abs(b) * (-1 if a < 0 else 1)


def _unary(words: list[str], at: int) -> tuple[int, int]:
    word = words[at]
    if word in ("!", "-", "+", "~"):
        value, at = _unary(words, at + 1)
        return {"!": int(not value), "-": -value, "+": value, "~": ~value}[word], at
    if word == "(":
        value, at = _ternary(words, at + 1)
        if words[at] != ")":
            raise ValueError
        return value, at + 1
    if word[0].isdigit():
        return integer(word)[0], at + 1
    if word[0] == "'":
        return character(word), at + 1
    if is_name(word):
        at += 1
        if at < len(words) and words[at] == "(":
            # A macro that is not there, such as __has_attribute(x).
            while words[at] != ")":
                at += 1
            at += 1
        return 0, at
    raise ValueError


def integer(text: str) -> tuple[int, str]:
    """Value and lower-case suffix of an integer literal; ValueError when it is none."""
    digits = text.rstrip("uUlL")
    suffix = text[len(digits) :].lower()
    lower = digits.lower()
    if lower.startswith(("0x", "0b")):
        return int(lower, 0), suffix
    if len(digits) > 1 and digits[0] == "0":
        return int(digits, 8), suffix
    return int(digits, 10), suffix


_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "a": 7, "b": 8, "f": 12, "v": 11, "e": 27}


def character(text: str) -> int:
    """Value of a character literal, as C's `int`; ValueError when it is not understood."""
    inner = text.strip("L")[1:-1]
    if len(inner) == 1:
        value = ord(inner)
    elif inner.startswith("\\x"):
        value = int(inner[2:], 16)
    elif inner[:1] == "\\" and inner[1:].isdigit():
        value = int(inner[1:], 8)
    elif inner[:1] == "\\" and len(inner) == 2:
        value = _ESCAPES.get(inner[1], ord(inner[1]))
    else:
        raise ValueError(text)
    return value
