"""What is not compiled: text that acts while it is compiled or loaded, or beyond its functions.

A patch is not trusted. Inline assembly, attributes that place or run code, and compiler built-ins
that are not plain computations have no part in the functions that are compared.
"""

from __future__ import annotations

import re

from verify.errors import BadInput

_WORDS = re.compile(r'"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|[(),]|\n\s*#[^\n]*')
_HARMLESS = (
    "packed aligned unused used noinline always_inline pure const cold noreturn format printf "
    "warn_unused_result fallthrough"
)
_ATTRIBUTES = frozenset(_HARMLESS.split())
_PURE = (
    "memcpy offsetof types_compatible_p constant_p expect choose_expr ffs ctz ctzl ctzll clz clzl "
    "clzll popcount popcountl popcountll bswap16 bswap32 bswap64 add_overflow sub_overflow "
    "mul_overflow unreachable"
)
_BUILTINS = frozenset(_PURE.split())
_ATTRIBUTE = ("__attribute__", "__attribute")
_FORBIDDEN = frozenset(("asm", "__asm", "__asm__", "_Pragma", "__thread", "_Thread_local"))


def refuse(text: str) -> None:
    """BadInput for preprocessed C that could act while it is compiled or loaded."""
    words = _WORDS.findall(text)
    for i, word in enumerate(words):
        found = ""
        if word in _FORBIDDEN or word.strip().startswith("#"):
            found = word.strip()
        elif word in _ATTRIBUTE:
            depth, j = 0, i + 1
            while j < len(words):
                depth += (words[j] == "(") - (words[j] == ")")
                if not depth:
                    break
                name = words[j].strip("_")
                if depth == 2 and name not in ("(", ")", ",", *_ATTRIBUTES):
                    found = f"__attribute__(({words[j]}))"
                j += 1
        elif word.startswith(("__builtin_", "__sync_", "__atomic_")):
            if word.removeprefix("__builtin_") not in _BUILTINS:
                found = word
        if found:
            raise BadInput(
                f"crosscheck: the tree's C has {found[:60]}, which is not compiled here:"
                " it could act outside of the functions that are compared"
            )
