"""Lowered C, run by the concrete interpreter, does what gcc's does: on generated programs."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.source_text import TextTree
from verify.ir.interp import Interpreter, Stuck
from verify.ir.program import Dialect
from verify.source.program import CProgram

GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="no gcc to compare with")

PRELUDE = """
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
static s16 none(void)
{
    return -5;
}
static u8 byte(s64 x)
{
    return x + 1;
}
"""
TYPES = ("u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "_Bool")
PARAMETERS = ", ".join(f"{kind} v{i}" for i, kind in enumerate(TYPES))
WIDTHS = (8, 8, 16, 16, 32, 32, 64, 64, 8)


@st.composite
def numbers(draw: st.DrawFn) -> str:
    value = draw(
        st.one_of(
            st.integers(0, 3),
            st.sampled_from(
                [127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1]
            ),
        )
    )
    suffix = draw(st.sampled_from(["", "", "u", "l", "ul", "ll", "ULL"]))
    return f"{hex(value) if draw(st.booleans()) else value}{suffix}"


@st.composite
def expressions(draw: st.DrawFn, depth: int, atoms: tuple[str, ...] = ()) -> str:
    names = atoms or tuple(f"v{i}" for i in range(len(TYPES)))
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        if draw(st.integers(0, 2)) == 0:
            return draw(numbers())
        return draw(st.sampled_from((*names, "(none())")))

    def inner() -> str:
        return draw(expressions(depth - 1, atoms))

    match draw(st.integers(0, 10)):
        case 10:
            return f"(byte({inner()}))"
        case 0 | 1 | 2:
            op = draw(st.sampled_from(["+", "-", "*", "&", "|", "^"]))
            return f"({inner()} {op} {inner()})"
        case 3:
            op = draw(st.sampled_from(["<<", ">>"]))
            return f"({inner()} {op} ({inner()} & 7))"
        case 4:
            op = draw(st.sampled_from(["/", "%"]))
            return f"({inner()} {op} (({inner()} & 6) + 1))"
        case 5:
            op = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "&&", "||"]))
            return f"({inner()} {op} {inner()})"
        case 6:
            return f"{draw(st.sampled_from(['-', '~', '!', '+']))}({inner()})"
        case 7:
            return f"({draw(st.sampled_from(TYPES))})({inner()})"
        case 8:
            if draw(st.booleans()):
                return f"({inner()} ?: {inner()})"
            return f"({inner()} ? {inner()} : {inner()})"
        case _ if atoms:
            # Among them are bit-fields, whose size and type cannot be asked for.
            return f"({{ u32 t = {inner()}; t; }})"
        case _:
            return draw(
                st.sampled_from(
                    [
                        f"({{ __auto_type t = {inner()}; t + 1; }})",
                        f"({{ typeof({inner()}) t = {inner()}; t; }})",
                        f"(({inner()}), {inner()})",
                        f"__builtin_expect({inner()}, 1)",
                        f"sizeof({inner()})",
                        f"(({draw(st.sampled_from(TYPES))})-1 + {inner()})",
                    ]
                )
            )


VALUES = st.tuples(
    *(st.one_of(st.sampled_from([0, 1, (1 << w) - 1, 1 << (w - 1)]), st.integers(0, (1 << w) - 1))
      for w in WIDTHS[:-1]),
    st.integers(0, 1),
)  # fmt: skip


def lowered(text: str) -> CProgram:
    return CProgram(TextTree({"f.c": text}), Dialect(("f.c",), {}, PRELUDE, {}, {}))


def compare(functions: list[str], rows: list[tuple[int, ...]]) -> None:
    """Each function `f<i>` of the parameters above gives the same in gcc and here."""
    assert GCC is not None
    text = "\n".join(functions)
    arguments = [
        ", ".join(f"({kind}){value}ULL" for kind, value in zip(TYPES, row, strict=True))
        for row in rows
    ]
    calls = "".join(
        f'printf("%llu\\n", f{i}({values}));' for i in range(len(functions)) for values in arguments
    )
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "f.c"), Path(folder, "f")
        source.write_text(
            f"#include <stdio.h>\n{PRELUDE}{text}\nint main(void){{{calls}return 0;}}"
        )
        flags = ["-w", "-O0", "-std=gnu11", "-fwrapv", "-o", str(binary), str(source)]
        built = subprocess.run([GCC, *flags], capture_output=True, text=True)
        assert not built.returncode, built.stderr[:1000]
        done = subprocess.run([str(binary)], check=True, capture_output=True, text=True)
    expected = [int(line) for line in done.stdout.split()]
    program = lowered(text)
    for i, want in enumerate(expected):
        function, row = i // len(rows), rows[i % len(rows)]
        try:
            got = Interpreter(program, {}, {}).call(f"f{function}", *row).value
        except Stuck as stuck:
            got = stuck
        assert got == want, f"{got} {functions[function]} on {row}"


def of_expression(index: int, expression: str) -> str:
    """A function that also tells the size and sign of the expression's type."""
    return (
        f"u64 f{index}({PARAMETERS}) {{ return (u64)({expression}) * 131"
        f" + sizeof({expression}) * 2 + ((typeof({expression}))-1 < 0); }}"
    )


SLOW = settings(
    max_examples=6,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),  # each try is a run of gcc: too slow to shrink with
)


@needs_gcc
@SLOW
@given(st.lists(expressions(3), min_size=20, max_size=30), st.lists(VALUES, min_size=2, max_size=3))
def test_expressions_as_gcc(texts: list[str], rows: list[tuple[int, ...]]) -> None:
    compare([of_expression(i, text) for i, text in enumerate(texts)], rows)


RECORDS = """
struct bits {
    u32 a:3; u32 b:7; s32 c:5; u64 d:40; u8 e:1; _Bool f:1; u32 :0; u16 g:9; s64 h:33;
};
union word {
    struct { u32 low:8, mid:8, :4, high:12; } split;
    u32 full;
    struct { u8 b0; u8 b1; u16 h; } parts;
};
struct box {
    u8 kind;
    struct bits bits;
    union word word;
    union { u64 q; s64 s; u32 half; u8 bytes[8]; };
    s16 list[4];
};
"""
MEMBERS = (
    "box.kind", "box.bits.a", "box.bits.b", "box.bits.c", "box.bits.d", "box.bits.e", "box.bits.f",
    "box.bits.g", "box.bits.h", "box.word.split.low", "box.word.split.mid", "box.word.split.high",
    "box.word.full", "box.word.parts.b1", "box.word.parts.h", "box.q", "box.s", "box.half",
    "box.bytes[3]", "box.list[2]", "p->bits.b", "p->word.full", "p->list[v0 & 3]", "*(q + 1)",
    "q[3]",
)  # fmt: skip
PLACES = (*MEMBERS, "v0", "v1", "v3", "v4", "v5", "v6", "v7", "v8", "x", "y")


@st.composite
def statements(draw: st.DrawFn, depth: int, loop: bool = False) -> str:
    def value() -> str:
        return draw(expressions(2, PLACES))

    def body(inside: bool = loop) -> str:
        parts = draw(st.lists(statements(depth - 1, inside), min_size=1, max_size=3))
        return " ".join(parts)

    place = draw(st.sampled_from(PLACES))
    kind = draw(st.integers(0, 5 if depth == 0 else 13))
    match kind:
        case 0 | 1:
            return f"{place} = {value()};"
        case 2:
            op = draw(st.sampled_from(["+=", "-=", "*=", "&=", "|=", "^="]))
            return f"{place} {op} {value()};"
        case 3:
            return f"{place} {draw(st.sampled_from(['<<=', '>>=']))} ({value()} & 7);"
        case 4:
            op = draw(st.sampled_from(["++", "--"]))
            return f"{op}{place};" if draw(st.booleans()) else f"z = ({place}){op};"
        case 5:
            if loop and draw(st.booleans()):
                return f"if ({value()}) {draw(st.sampled_from(['break', 'continue']))};"
            return f"if ({value()}) goto out;"
        case 6 | 7:
            return f"if ({value()}) {{ {body()} }} else {{ {body()} }}"
        case 8:
            name = f"i{draw(st.integers(0, 10**6))}"
            rounds = draw(st.integers(0, 4))
            return f"for (int {name} = 0; {name} < {rounds}; {name}++) {{ {body(True)} }}"
        case 9:
            name = f"n{draw(st.integers(0, 10**6))}"
            return f"{{ u8 {name} = 3; do {{ {body(True)} }} while (--{name}); }}"
        case 10:
            name = f"n{draw(st.integers(0, 10**6))}"
            return f"{{ s8 {name} = 3; while ({name}-- > 0) {{ {body(True)} }} }}"
        case 11:
            arms = f"case 0: {body()} case 1 ... 3: {body()} break; default: {body()}"
            return f"switch ({value()}) {{ {arms} case 9: {body()} }}"
        case 12:
            return f"{{ u32 t = {value()}; u32 x = t; {body()} y ^= x; }}"
        case _:
            table = "const u16 table[] = { 1, [2] = 3, 500 };"
            return f"{{ {table} y += table[{value()} & 3]; }}"


@st.composite
def functions(draw: st.DrawFn, index: int) -> str:
    body = " ".join(draw(st.lists(statements(2), min_size=3, max_size=8)))
    total = " ".join(f"sum = sum * 31 + (u64){member};" for member in PLACES)
    return (
        f"u64 f{index}({PARAMETERS}) {{"
        " struct box box = { .kind = 7, .bits = { .b = 5, .d = 1 },"
        " .word.full = 0x12345678, .list = { 1, -2, 3 } };"
        " struct box *p = &box; s16 *q = box.list; u64 x = v6, sum = 0, z = 0; s32 y = v5;"
        f" {body} out: {total} return sum ^ z; }}"
    )


@needs_gcc
@SLOW
@given(st.tuples(*(functions(i) for i in range(8))), st.lists(VALUES, min_size=2, max_size=3))
def test_functions_as_gcc(bodies: tuple[str, ...], rows: list[tuple[int, ...]]) -> None:
    compare([RECORDS + bodies[0], *bodies[1:]], rows)
