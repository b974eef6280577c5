"""The front-end: C text to the IR."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.source_text import program
from verify.ir.contract import CallSite
from verify.ir.interp import Interpreter, Stuck
from verify.ir.machine import Machine
from verify.ir.nodes import Call, Const, Function, Loc, Unmodelled
from verify.ir.pretty import function_text
from verify.ir.types import BOOL, S8, S32, U8, U16, U32, U64, VOID, Array, Int, Pointer, Record
from verify.source.c_lex import lex
from verify.source.program import CProgram

PRELUDE = """
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef long long s64;
"""


def at_margin(text: str) -> str:
    """The text with each declaration at the start of a line, where the front-end looks for it."""
    out: list[str] = []
    depth, function = 0, False
    for char in textwrap.dedent(text):
        if char == "{" and not depth:
            function = "".join(out).rstrip().endswith(")")
        depth += (char in "({") - (char in ")}")
        if char == " " and not depth and out and out[-1] in (";", "}"):
            char = "\n" if out[-1] == ";" or function else char
        out.append(char)
    return "".join(out)


def built(text: str, **more: Any) -> CProgram:
    return program(at_margin(text), PRELUDE + at_margin(more.pop("prelude", "")), **more)


def function(text: str, name: str = "f", **more: Any) -> Function:
    found = built(text, **more).function(name)
    assert found is not None
    return found


def body(text: str, **more: Any) -> str:
    """The lowered statements of `f`, one line each, without its head and last brace."""
    lines = function_text(function(text, **more)).splitlines()[1:-1]
    return "\n".join(line[4:] for line in lines)


def parts(value: Any, kind: type) -> Iterator[Any]:
    """All nodes of a kind."""
    if isinstance(value, kind):
        yield value
    if isinstance(value, tuple):
        for part in value:
            yield from parts(part, kind)
    elif is_dataclass(value):
        for field in fields(value):
            yield from parts(getattr(value, field.name), kind)


def run(text: str, *args: int, contracts: Any = None, **more: Any) -> int:
    found = Interpreter(built(text, **more), contracts or {}, {}).call("f", *args)
    return int(found.value)


def test_nothing_has_no_name() -> None:
    assert built("int f(void) { return 1; }").function("") is None


# Expressions ----------------------------------------------------------------------------------


def test_conversions_are_explicit() -> None:
    assert body("u64 f(u8 a, int b) { return a + b; }") == "return (u64)((s32)a + b);"
    assert body("u32 f(u32 a, s8 b) { return a < b; }") == "return (u32)(a < (u32)b);"
    assert body("int f(u8 a) { return ~a << 1; }") == "return ~(s32)a << 1;"
    assert body("_Bool f(u64 a) { return a & 4; }") == "return (bool)(a & 4u_64);"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("2147483647", S32, 2**31 - 1),
        ("2147483648", Int(64, True), 2**31),
        ("0x80000000", U32, 2**31),
        ("0xffffffffffffffff", U64, 2**64 - 1),
        ("1UL << 63", U64, 1 << 63),
        ("-1", S32, -1),
        ("~0u", U32, 2**32 - 1),
        ("'a'", S32, 97),
        ("'\\n'", S32, 10),
        ("017", S32, 15),
        ("sizeof(int) * 2", U64, 8),
        ("(u8)300", U8, 44),
        ("1 ? 2 : 3u", U32, 2),
        # The kernel is built with -funsigned-char.
        ("(char)-1", U8, 255),
        ("(signed char)-1", S8, -1),
        ("'\\xff'", S32, 255),
    ],
)
def test_constants_have_cs_types(text: str, kind: Int, value: int) -> None:
    # An initialiser of `__auto_type` shows the type of the expression.
    (declare,) = function(f"void f(void) {{ __auto_type x = {text}; }}").body
    assert declare.init == Const(value, kind)  # type: ignore[union-attr]
    assert built("int x;").constant(text) == value


def test_casts_before_signs_and_parentheses() -> None:
    text = """
    u64 f(u32 a) {
        u32 *p = &a;
        return (u64)-a * 2 + (u64)(a) + (u64)*p + (s64)(s8)-a + (u64)(a) / 2;
    }
    """
    # -a is unsigned; the last cast binds before the division.
    assert run(text, 3) == 2 * (2**32 - 3) + 3 + 3 - 3 + 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(a * (b)) & 7", 42 & 7),
        ("(a * (u64)(b)) - 1", 41),
        ("(none()) * 3", 15),
        ("(none()) - (a)", -1),
        ("(none(), none()) - (a)", -1),
        ("(int)(none()) & 4", 4),
        ("(a)(b)", None),
        ("(mystery *)(a) == (mystery *)b", None),
    ],
)
def test_what_could_be_a_type_is_none(text: str, value: int | None) -> None:
    source = f"static int none(void) {{ return 5; }}\ns64 f(int a, int b) {{ return {text}; }}"
    if value is None:
        assert list(parts(function(source), Unmodelled))
    else:
        assert run(source, 6, 7) == value % 2**64


def test_sizeof_is_not_of_what_follows() -> None:
    assert run("u64 f(void) { return sizeof(u32) - 1 + sizeof (u16) * 8; }") == 19


def test_short_circuits_and_conditionals() -> None:
    text = "int f(int a, int b) { int n = 0; (a && (n = 1)) || (n += 2); return a ?: n + b; }"
    assert [run(text, a, 5) for a in (0, 7)] == [7, 7]
    assert body("int f(int a) { return 0 && unknown.x; }") == "return 0;"


def test_elvis_evaluates_its_operand_once() -> None:
    text = (
        "static int g(int *p) { return ++*p; } int f(int a) { int b = (g(&a) ?: 9); return a + b; }"
    )
    assert [run(text, 4), run(text, -1)] == [10, 9]


def test_increments_and_compound_assignments() -> None:
    text = """
    u64 f(u8 a) {
        u8 list[3] = { 1, 2 }, i = 0, *p = list;
        list[i++] += a;
        u64 old = a--, same = --a;
        *p <<= 1;
        p++;
        *p -= 3;
        return old + same * 256 + list[0] * 65536 + ((u64)list[1] << 24) + ((u64)i << 32);
    }
    """
    assert run(text, 10) == 10 + 8 * 256 + 22 * 65536 + (255 << 24) + (1 << 32)


@pytest.mark.parametrize("text", ["i = i++;", "a[i] = i++;", "i = (i = 1) + i;", "g(i, i++);"])
def test_doubtful_order_is_unmodelled(text: str) -> None:
    source = f"void g(int a, int b); void f(int i) {{ int a[2]; {text} }}"
    (found,) = parts(function(source), Unmodelled)
    assert "in one expression" in found.reason


def test_statement_expressions_typeof_and_auto() -> None:
    text = """
    #define max(a, b) ({ typeof(a) _a = (a); typeof(b) _b = (b); _a > _b ? _a : _b; })
    u64 f(u32 a, u8 b) { __auto_type c = max(a, b); return max(c + 1, max(a, 3)) + sizeof(c); }
    """
    assert [run(text, 5, 9), run(text, 0, 0)] == [14, 7]


def test_pointers() -> None:
    text = """
    struct point { u32 x, y[3]; };
    static u32 *second(struct point *p) { return &p->y[1]; }
    u32 f(u32 a) {
        struct point p = { .x = a, .y = { 1, 2, 3 } }, *q = &p;
        u32 *r = q->y, *s = second(q);
        u64 all = 0;
        *s += *(r + 2) + 1[r];
        all = r == &p.y[0] && s && !(s == 0) && s != r;
        return p.y[1] + (u32)all * 100 + *&q->x;
    }
    """
    assert run(text, 1000) == 2 + 3 + 2 + 100 + 1000


def test_a_pointer_cast_keeps_the_address() -> None:
    text = """
    struct s { u64 word; };
    static int test(int nr, unsigned long *map) { return map[0] >> nr & 1; }
    int f(u64 a) { struct s s = { a }, *p = &s; return test(3, (unsigned long *)&p->word); }
    """
    assert [run(text, 8), run(text, 7)] == [1, 0]


def test_container_of_goes_back_to_the_record() -> None:
    text = """
    struct inner { u32 a; };
    struct outer { u32 n; struct { struct inner in; } deep; };
    static u32 n_of(struct inner *p) { return container_of(p, struct outer, deep.in)->n; }
    u32 f(void) { struct outer o = { .n = 7 }; return n_of(&o.deep.in); }
    """
    assert run(text) == 7
    assert "container_of(p, deep.in)" in function_text(function(text, "n_of"))


def test_offsets_and_sizes_of_records() -> None:
    found = built(
        """
        struct a { u8 x; u32 y; u8 z:3, w:6; u16 v; } __attribute__((packed)) ;
        struct b { u8 x; u32 y; u8 z:3; u8 w:6; u16 v; struct { u64 q; u8 r; }; u8 last; };
        """
    )
    assert found.constant("sizeof(struct b)") == 40
    assert found.constant("offsetof(struct b, r)") == 24
    assert found.constant("offsetof(struct b, v)") == 10
    # Packed bit-fields are not laid out.
    assert found.constant("sizeof(struct a)") is None


def test_array_size_needs_no_element_size() -> None:
    text = """
    struct odd { unknown_t x; };
    struct odd odds[5];
    int f(void) { return sizeof(odds) / sizeof((odds)[0]); }
    """
    assert run(text) == 5


def test_builtins_and_generic() -> None:
    text = """
    u32 f(u8 a) {
        u32 n = __builtin_expect(a, 1) + __builtin_constant_p(a) * 100;
        n += __builtin_choose_expr(sizeof(a) == 1, 10, a.none);
        n += __builtin_types_compatible_p(typeof(a), u8) * 20;
        n += __builtin_types_compatible_p(u8, int) * 1000;
        _Static_assert(sizeof(u8) == 1, "no");
        return n + _Generic(a, int: 500, u8: 40, default: 600);
    }
    """
    assert run(text, 3) == 73


def test_compound_literals() -> None:
    text = """
    struct pair { u32 a, b; };
    static u32 sum(struct pair *p) { return p->a + p->b; }
    u32 f(u32 x) {
        struct pair p = (struct pair){ .b = x };
        return p.b + sum(&(struct pair){ 1, x });
    }
    """
    assert run(text, 5) == 11


# Statements -----------------------------------------------------------------------------------


def test_switch_with_ranges_and_fallthrough() -> None:
    text = """
    int f(u32 a) {
        int n = 0;
        switch (a) {
            int i;
            n = 1000;
            ({ 0; });
            { i = 7; n += i; return n; }
            switch (3) { case 1: break; case 3: n = 1000; }
        case 1:
        case 3 ... 5:
            n += 1;
            fallthrough;
        case -1:
            i = 10;
            n += i;
            break;
        default:
            switch (a) { case 7: n = 70; break; case 8: n = 80; }
            n++;
        case 9:
            n += 100;
        }
        return n;
    }
    """
    assert [run(text, a) for a in (1, 4, 2**32 - 1, 7, 2, 9)] == [11, 11, 10, 171, 101, 100]


@pytest.mark.parametrize(
    "first",
    [
        "back: n = 1;",
        "{ case 2: n = 1; }",
        "switch (3) { back: case 3: n = 1; }",
        "n = = 1;",
        "int i = n;",
        "typedef u8 narrow;",
        "struct later { int a; };",
        "(void)sizeof(struct later { int a; });",
    ],
)
def test_what_counts_before_the_first_case_is_not_skipped(first: str) -> None:
    text = "int f(int n) { switch (n) { %s case 1: n = 5; } if (n == 9) goto back; return n; }"
    if "back" not in first:
        text = text.replace("if (n == 9) goto back;", "")
    assert list(parts(function(text % first), Unmodelled))


def test_loops_with_break_continue_and_comma() -> None:
    text = """
    int f(int n) {
        int sum = 0, i, j;
        for (i = 0, j = 10; i = i + 1, i < n; i++, j--) { if (i == 3) continue; sum += j; }
        while (1) { if (sum++ > 50) break; }
        do sum += 1000; while (0);
        do { if (n) break; sum += 5000; } while (0);
        return sum;
    }
    """
    assert run(text, 6) == 1052
    assert run(text, 0) == 6052


def test_goto_forward() -> None:
    text = """
    int f(int a) {
        int n = 1;
        if (a == 1) goto one;
        for (;;) { if (a == 2) goto two; n += 5; break; }
        n += 10;
    one:
        n += 100;
    two:
        return n;
    }
    """
    assert [run(text, a) for a in (0, 1, 2)] == [116, 101, 1]


def test_goto_into_the_last_arm_of_a_switch() -> None:
    text = """
    int f(int a) {
        int n = 0;
        switch (a) {
        case 1:
            n = 1;
            goto found;
        case 2:
            n = 2;
            break;
        case 3:
            n = 3;
        default:
            n += 10;
        found:
            if (n == 10)
                break;
            n += 100;
            break;
        }
        return n;
    }
    """
    assert [run(text, a) for a in (0, 1, 2, 3)] == [10, 101, 2, 113]


def test_a_jump_backward_makes_the_whole_body_unmodelled() -> None:
    found = function("int f(int a) { again: a--; if (a) goto again; return a; }")
    assert [type(stmt).__name__ for stmt in found.body] == ["Declare", "Unmodelled", "Return"]
    assert "backward" in next(parts(found, Unmodelled)).reason


def test_shadowed_names_are_unique() -> None:
    text = """
    int f(int a) {
        int b = a;
        { int a = b + 1, b = 7; a += b; }
        for (int b = 0; b < 2; b++)
            a++;
        return a + b;
    }
    """
    assert run(text, 10) == 22
    names = re.findall(r"s32 (\S+)", body(text))
    assert names == ["b", "a.2", "b.2", "b.3"]


def test_constant_conditions_leave_one_branch() -> None:
    text = "#define ON 1\nint f(void) { if (!ON) { undefined.x = 1; } else return 3; return 4; }"
    assert "not modelled" not in body(text)
    assert run(text) == 3


def test_lines_are_those_of_the_file() -> None:
    text = """#define SET(x, y) \\
        do { x = 1; y = 2; } while (0)
    /* a
       comment */
    static int
    f(int a,
      int b)
    {
        SET(a,
            b);
        if (a)
            return g(a,
                     h(b));
        a = sizeof(int) +
            sizeof(long);
        switch (a) { case 1 ...
            5: break; }
        return 0;
    }
    """.replace("\n    ", "\n")
    found = function(text, prelude="int g(int a, int b); int h(int a);")
    assert (found.loc, found.last_line) == (Loc("f.c", 6), 19)
    assert [stmt.loc.line for stmt in found.body] == [9, 11, 14, 16, 18]
    assert [call.loc.line for call in parts(found, Call)] == [12, 13]
    assert built(text).line("f.c", 12) == "return g(a,"


# What is outside ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('asm volatile("wrmsr" : : "c"(a));', "assembly"),
        ("a = *(volatile float *)p;", "type float"),
        ("a = q->x;", "not known"),
        ("a = undeclared;", "undeclared is not declared"),
        ("a = p - p;", "no integer"),
        ("fn(a);", "through the pointer"),
        ("a = mystery(a);", "no prototype"),
        ("a = p > p;", "order of pointers"),
        ("s = a;", "conversion"),
    ],
)
def test_a_statement_outside_of_the_subset_is_unmodelled(text: str, reason: str) -> None:
    source = (
        "struct s { int x; };\n"
        "int f(int a, int *p, struct none *q, int (*fn)(int)) { struct s s; a = 1;\n"
        f"\t{text}\n\treturn a; }}"
    )
    found = function(source)
    (unknown,) = parts(found, Unmodelled)
    assert reason in unknown.reason
    assert unknown.loc == Loc("f.c", 3)
    assert len(found.body) == 4
    assert found.body[2] is unknown


def test_an_unmodelled_condition_keeps_both_branches() -> None:
    text = "int f(int a) { if (odd.x) a = 1; else a = 2; return a; }"
    lines = [line.strip() for line in body(text).splitlines()]
    assert lines[0] == "s32 unknown;"
    assert lines[1].startswith("/* not modelled")
    assert lines[2:] == ["if (unknown) {", "a = 1;", "} else {", "a = 2;", "}", "return a;"]


def test_an_unmodelled_statement_may_leave_as_it_says() -> None:
    # The parser knows no `do` without `while`; what is in the switch may return, break or go on.
    text = """
    int f(int a) {
        for (;;) {
            switch (a) { case 1: if (a) { case 2: return 3; } goto out; }
            a++;
        }
    out:
        return a;
    }
    """
    lines = [line.strip() for line in body(text).splitlines()]
    assert "return unknown;" in lines and "goto out;" in lines
    assert sum("not modelled" in line for line in lines) == 1
    assert "a = (a + 1);" in lines


def test_an_unmodelled_declaration_declares() -> None:
    text = "int f(int a) { int b = odd.x, c = 2; unknown_t d; d = a; return b + c; }"
    found = function(text)
    reasons = [unknown.reason for unknown in parts(found, Unmodelled)]
    assert len(reasons) == 3
    assert body(text).splitlines()[-1] == "return b.2 + c;"


def test_a_function_that_cannot_be_parsed() -> None:
    found = function("int f(int a) { return a; }\nint g(void) { if else ; }", "g")
    (unknown,) = parts(found, Unmodelled)
    assert unknown.loc == Loc("f.c", 2)


def test_a_run_stops_at_what_is_unmodelled() -> None:
    with pytest.raises(Stuck, match="not modelled"):
        run("int f(int a) { if (a) a = odd.x; return a; }", 1)
    assert run("int f(int a) { if (a) a = odd.x; return a; }", 0) == 0


def test_calls_without_prototype() -> None:
    found = built("int f(int a) { note(a); if (check(a) && !done()) return 1; return 0; }")
    lowered = found.function("f")
    assert lowered is not None and not list(parts(lowered, Unmodelled))
    assert found.implicit == {"note", "check", "done"}


def test_arguments_are_converted_to_the_prototype() -> None:
    text = """
    u8 g(u64 a, _Bool b, struct s *p);
    int f(int a) { return g(a, a, 0) + g(1, 2, (void *)0); }
    """
    assert "g((u64)a, (bool)a, NULL)" in body(text)
    assert "g(1u_64, 1u_8, NULL)" in body(text)
    (unknown,) = parts(function("int g(int a); int f(int a) { return g(a, a); }"), Unmodelled)
    assert "2 arguments" in unknown.reason


TOKENS = [
    token
    for token, _, _ in lex(
        """
        u64 f(struct s *p, u8 n, int *q) {
            struct s v = { .a = 1, .un.full = n, .list = { 1, 2 } }, *w = &v;
            u64 sum = sizeof(struct s) + (u64)-n, t[2];
            static int count = 3;
            if (p && (sum = g(n, p)) != B) goto out;
            for (int i = 0; i < 4; i++) {
                switch (p->list[i] & 3) {
                case A: continue;
                case 1 ... 2: w->b += i++; break;
                default: sum ^= ({ typeof(n) z = n; z ?: 3; });
                }
            }
            do { w->un.bits.x--; } while (w->un.bits.y);
            while (*q > 0 || !n) (*q)--;
            asm volatile("nop");
            count = container_of(q, struct s, q)->b, offsetof(struct s, list);
        out:
            return sum + t[n & 1] + v.list[1] + (p->a ? (s8)n << 3 : ~0ull);
        }
        """,
        1,
    )
]
AROUND = """
enum e { A, B = 3 };
struct s { u32 a:3, b; union { u32 full; struct { u32 x:8, y:8; } bits; } un; int q; u8 list[4]; };
int g(u32 a, struct s *p);
"""
POSITION = st.integers(0, len(TOKENS) - 1)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("-+="), POSITION, POSITION), min_size=1, max_size=4))
def test_no_text_breaks_the_front_end(edits: list[tuple[str, int, int]]) -> None:
    """Tokens are dropped, repeated and replaced; the rest of the function may be anything."""
    tokens = list(TOKENS)
    for edit, at, other in edits:
        at = min(at, len(tokens) - 1)
        tokens[at : at + (edit != "+")] = [TOKENS[other]] if edit != "-" else []
    found = built(AROUND + " ".join(tokens)).function("f")
    if found is not None:
        function_text(found)


def test_a_range_that_ends_in_parentheses_breaks_nothing() -> None:
    found = built("int f(int n) { switch (n) { case (1 ... 2): return 1; } return 0; }")
    function = found.function("f")
    assert function is not None
    assert "not modelled" in function_text(function)


# Records --------------------------------------------------------------------------------------


def members(found: CProgram, tag: str) -> dict[str, Any]:
    return {name: member.type for name, member in found.record(tag).members.items()}


def test_record_members_in_order() -> None:
    found = built(
        """
        enum kind { A, B }; enum sign { MINUS = -1 };
        struct node { struct node *next; enum kind kind; enum sign sign; u16 list[A + 3]; };
        struct all {
            struct node node, *p; void (*fn)(struct node *, int); struct { int in; } named;
            struct { u8 flat; }; opaque_t odd; struct fwd *fwd; u8 tail[];
        };
        """
    )
    assert members(found, "node") == {
        "next": Pointer(Record("node")),
        "kind": U32,
        "sign": S32,
        "list": Array(U16, 3),
    }
    everything = members(found, "all")
    assert " ".join(everything) == "node p fn named flat odd fwd tail"
    assert everything["fn"] == Pointer(VOID)
    assert everything["flat"] == U8
    assert members(found, everything["named"].tag) == {"in": S32}
    with pytest.raises(KeyError):
        found.record(everything["odd"].tag)
    with pytest.raises(KeyError):
        found.record("fwd")


def test_bit_fields_share_words() -> None:
    found = built("struct b { u32 a:3, :2, b:4; u8 c; u64 d:60; u64 e:8; _Bool f:1; u32 g:8; };")
    assert members(found, "b") == {
        "a_bits": U32,
        "c": U8,
        "d_bits": U64,
        "e_bits": Int(32, False),
    } or list(members(found, "b")) == ["a_bits", "c", "d_bits", "e_bits"]
    assert "a_bits<8:5>" in body(
        "struct b { u32 a:3, :2, b:4; }; void f(struct b *p) { p->b = 1; }"
    )


def test_union_of_an_integer_and_bits() -> None:
    text = """
    union reg { struct { u32 id:8; u32 n:8; } split; u32 full; };
    struct s { union { u64 a; u64 b; s64 c; }; union { struct { u16 lo; u16 hi; }; u32 all; }; };
    u32 f(u32 x) {
        union reg r = { .full = x };
        struct s s = { .c = -1, .hi = 3 };
        r.split.n++;
        s.lo = r.split.id;
        return r.full + (s.b == ~0ull) + s.all;
    }
    """
    assert members(built(text), "reg") == {"full": U32}
    assert members(built(text), "s") == {"a": U64, "all": U32}
    assert run(text, 0x12FF34) == 0x120034 + 1 + 0x30034


def test_a_union_with_a_one_word_aggregate() -> None:
    text = """
    typedef struct { s64 counter; } word_t;
    struct s { union { unsigned long map[1]; word_t word; }; };
    void set(word_t *w);
    u64 f(u64 x) { struct s s = { .map = { x } }; set(&s.word); return s.map[0]; }
    """

    def set_word(m: Machine, call: CallSite) -> None:
        m.write(call.args[0], "", m.read(call.args[0], "", 64) + 1)

    assert members(built(text), "s") == {"map": Array(U64, 1)}
    assert run(text, 5, contracts={"set": set_word}) == 6


def test_other_unions_have_their_first_view() -> None:
    text = """
    struct s { union { struct { u64 a; u8 b; }; struct { void *p; } q; }; };
    void f(struct s *s) { s->b = 1; s->q.p = 0; }
    """
    assert members(built(text), "s") == {"a": U64, "b": U8}
    (unknown,) = parts(function(text), Unmodelled)
    assert "union" in unknown.reason


def test_a_record_with_a_member_that_cannot_be_parsed() -> None:
    text = (
        "struct s { u32 a; u32 b MACRO(x) c; u32 d; }; u32 f(struct s *s) { return s->a + s->d; }"
    )
    assert not list(parts(function(text), Unmodelled))
    (unknown,) = parts(function(text.replace("s->d", "s->c")), Unmodelled)
    assert unknown.reason


def test_records_are_copied() -> None:
    text = """
    struct s { u32 a; u8 b[2]; };
    u32 f(u32 x) {
        struct s s = { x, { 1, 2 } }, t = s, *p = &t;
        s.a = 0;
        s = *p;
        return s.a + s.b[1];
    }
    """
    assert run(text, 5) == 7


# Op tables ------------------------------------------------------------------------------------

OPS = """
struct ops {
    int (*go)(int a);
    void (*stop)(void);
    u64 (*odd)(int a);
    const u32 BASE;
    const int STRIDE;
};
static int slow(int a) { return a + 1; }
static int fast(int a) { return a * 2; }
static void halt(void) { }
struct ops slow_ops = { .go = slow, .stop = halt, .BASE = 0xc1, .STRIDE = -1 };
struct ops fast_ops __initdata = { .go = &fast, .BASE = 1u << 4, };
static struct ops ops;
"""


def test_calls_through_a_table_are_direct() -> None:
    text = (
        OPS + "int f(struct ops *p) { ops.stop(); return ops.go(3) + p->go(ops.BASE) + p->STRIDE; }"
    )
    assert body(text, tables={"ops": "slow_ops"}) == ("halt();\nreturn (slow(3) + slow(193)) + -1;")
    assert run(text.replace("struct ops *p", "void").replace("p->", "ops."),
               tables={"ops": "slow_ops"}) == 4 + 194 - 1  # fmt: skip


def test_a_member_that_the_table_lacks() -> None:
    text = OPS + "u64 f(void) { if (!ops.stop) return ops.STRIDE; return ops.odd(1); }"
    assert body(text, tables={"ops": "fast_ops"}).endswith(
        "return 0u_64;\n}\nreturn fast_ops.odd(1);"
    )
    (call,) = parts(function(text, tables={"ops": "fast_ops"}), Call)
    assert call.type == U64


def test_a_static_call_of_a_member_that_the_table_lacks() -> None:
    """It does nothing where it gives nothing; its arguments are evaluated."""
    text = OPS.replace("(*stop)(void)", "(*stop)(int a)").replace("halt(void)", "halt(int a)") + (
        "#define call(name) __static_call(ops.name)\n"
        "int f(int a) { call(stop)(a++); (void)(call(stop))(a++); return call(go)(a); }"
    )
    assert body(text, tables={"ops": "slow_ops"}).count("halt(") == 2
    assert "stop" not in body(text, tables={"ops": "fast_ops"})
    assert run(text, 4, tables={"ops": "fast_ops"}) == 12
    odd = OPS + "u64 f(void) { return __static_call(ops.odd)(1); }"
    assert body(odd, tables={"ops": "fast_ops"}) == "return fast_ops.odd(1);"
    direct = OPS + "void f(void) { ops.stop(); }"
    assert body(direct, tables={"ops": "fast_ops"}) == "fast_ops.stop();"


def test_other_records_of_functions_are_not_called() -> None:
    (unknown,) = parts(function(OPS + "int f(void) { return ops.go(3); }"), Unmodelled)
    assert "through a pointer" in unknown.reason


def test_tables_and_initialisers() -> None:
    found = built(
        at_margin(OPS)
        + at_margin("""
        const int zero; extern const int elsewhere; const int three = 1 + 2;
        static const u8 list[] = { 1, [3] = 4, 5 };
        const struct { u8 a:3; u8 b:5; struct { u16 c; } in[2]; } deep = { 1, 2, .in[1].c = 9 };
        int other = 3; const int *pointer; const int *pointers[2]; const int dynamic = 0 + zero;
        """)
    )
    assert found.table("slow_ops") == {"go": "slow", "stop": "halt"}
    assert found.initialiser("zero") == {}
    assert found.initialiser("elsewhere") is None
    for name in ("nowhere", "slow_ops", "other", "pointer", "pointers", "dynamic"):
        assert found.initialiser(name) is None
    assert found.initialiser("three") == {"": Const(3, S32)}
    assert found.object_type("list") == Array(U8, 5)
    assert found.initialiser("list") == {
        f"[{i}]": Const(v, U8) for i, v in ((0, 1), (3, 4), (4, 5))
    }
    assert found.initialiser("deep") == {
        ".a_bits": Const(17, U8),
        ".in[1].c": Const(9, U16),
    }


def test_static_locals_are_objects() -> None:
    found = built(
        "int f(void) { static u8 n = 3; return n++; } int g(void) { static int n; return n; }"
        " u8 h(void) { static const u8 n[] = { 4, 3 }; return n[1]; }"
    )
    lowered = found.function("f")
    assert lowered is not None and "f$n" in function_text(lowered)
    assert found.object_type("f$n") == U8
    assert found.initialiser("f$n") is None and found.function("h") is not None
    assert found.initialiser("h$n") == {"[0]": Const(4, U8), "[1]": Const(3, U8)}


# Macros, files, configuration -----------------------------------------------------------------


def test_prelude_wins_and_files_come_in_order() -> None:
    text = """#include "a.h"
    #define LOCAL 5
    int which(void) { return 3; }
    int f(void) { return which() + LOCAL + HEADER + from_header() + OVERRIDE(4); }
    """.replace("\n    ", "\n")
    more = {
        "a_h": "#define HEADER 1000\n#define LOCAL 9\n#define OVERRIDE(x) none(x)\n"
        "static inline int from_header(void)\n{\n\treturn LOCAL * 100;\n}\n",
        "prelude": "#define OVERRIDE(x) (x * 10000)\nstatic int which(void) { return 7; }\n",
    }
    assert run(text, **more) == 7 + 5 + 1000 + 900 + 40000
    assert run(text, defines={"HEADER": "2000"}, **more) == 7 + 5 + 2000 + 900 + 40000


def test_a_function_of_the_prelude_is_no_macro_of_the_tree() -> None:
    text = "#define probe(x) none.x\nint f(int a) { return probe(a); }"
    assert body(text, prelude="int probe(int a);\n") == "return probe(a);"


def test_conditions_and_configuration() -> None:
    text = """
#ifdef CONFIG_A
#define N 1
#elif IS_ENABLED(CONFIG_B) && defined(X) || 0
#define N 2
#else
#define N 3
#endif
int f(void) { return N + (IS_ENABLED(CONFIG_B) ? 10 : 0); }
"""
    assert run(text) == 3
    assert run(text, config={"CONFIG_A": "y"}) == 1
    assert run(text, config={"CONFIG_B": "m"}, prelude="#define X\n") == 12


def test_macros_that_paste_and_take_any_arguments() -> None:
    text = """
    #define call(name) do_##name
    #define first(a, ...) a
    #define count(...) first(__VA_ARGS__, 0)
    #define text(x) #x
    int do_it(int a) { return a; }
    int show(const char *s);
    int f(int a) { show(text(a + "b")); return call(it)(count(a, 2)) + __LINE__; }
    """
    assert 'show("a + \\"b\\"");' in body(text)
    assert run(text, 5, contracts={"show": lambda m, c: 0}) == 13


def test_static_names_belong_to_their_file() -> None:
    text = """
    static const int count = 1;
    static int step(int a) { return a + count; }
    int f(int a) { return step(a) * 10 + other(a) + shared(a); }
    """
    other = """
    static int count;
    static int step(int a) { count = a; return count * 100; }
    static int outside(int a) { return 7; }
    int other(int a) { return step(a); }
    int shared(int a) { return a; }
    """
    header = "int other(int a);\nint shared(int a);\nint outside(int a);\n"
    more = {"a_h": header, "other_c": at_margin(other)}
    assert run(text, 3, **more) == (3 + 1) * 10 + 300 + 3
    found = built(text + "int h(int a) { return outside(a); }", **more)
    for name, call in (("f", "step@f"), ("other", "step"), ("h", "outside@elsewhere")):
        function = found.function(name)
        assert function is not None and f"{call}(" in function_text(function)
    assert found.function("outside@elsewhere") is None
    assert found.object_type("count@f") == S32
    assert found.initialiser("count@f") == {"": Const(1, S32)}
    assert found.initialiser("count") is None


def test_functions_that_macros_make() -> None:
    text = """
#define ACCESSOR(name, type) \\
static inline type get_##name(type x) \\
{ \\
	return x + 1; \\
} \\
static inline type put_##name(type x) { return x; }
#define DEFINE_PER_CPU(type, name) type name
ACCESSOR(it, u8)
static DEFINE_PER_CPU(u16, mine);
int f(int a) { mine = get_it(a); return put_it(3); }
"""
    found = built(text)
    lowered = found.function("f")
    assert lowered is not None and "put_it(3u_8)" in function_text(lowered)
    assert found.object_type("mine") == U16
    made = found.function("put_it")
    assert made is not None and made.loc == Loc("f.c", 9)


def test_annotations_do_not_hide_types() -> None:
    text = """
    static __always_inline notrace u32 __odd(3) f(u32 a) __releases(x) { return a + *shared; }
    static struct box __weird * __fancy boxes[2] __section(".data") = { 0 };
    u32 __read_mostly *shared;
    """
    found = built(text)
    assert found.function("f") is not None
    assert found.object_type("boxes") == Array(Pointer(Record("box")), 2)
    assert found.object_type("shared") == Pointer(U32)
    assert not list(parts(found.function("f"), Unmodelled))


def test_several_declarators() -> None:
    found = built(
        "static const int a = 1, __odd *b, list[2] = { 3, (4, 5) }, c = 4;\nu8 x = 1, *y, z;"
    )
    assert [found.object_type(name) for name in ("a", "b", "list", "c", "x", "y", "z")] == [
        S32,
        Pointer(S32),
        Array(S32, 2),
        S32,
        U8,
        Pointer(U8),
        U8,
    ]
    assert found.initialiser("c") == {"": Const(4, S32)}


def test_a_break_out_of_an_expression() -> None:
    text = "int f(int a) { for (;;) { a += ({ if (a) break; 1; }); } return a; }"
    assert "out of an expression" in next(parts(function(text), Unmodelled)).reason
    inside = "int f(int a) { return ({ while (1) { if (a++ > 3) break; } a; }); }"
    assert run(inside, 1) == 5


def test_enumerations() -> None:
    found = built(
        """
        enum { A, B = A + 3, C, D = 1 << 4, E = sizeof(u64), F = -1 };
        enum big { G = 1ULL << 40, H };
        enum small { LITTLE } __packed;
        struct s { enum big big; enum small small; enum elsewhere e; };
        int f(void) { enum here { X = -1 } x = 0; return C + (x > -1); }
        """
    )
    assert [found.constant(name) for name in "ABCDEFGH"] == [0, 3, 4, 16, 8, -1, 1 << 40, 2**40 + 1]
    kinds = members(found, "s")
    assert kinds["big"] == U64
    # Those that gcc would choose otherwise, or that are not there, are not known.
    assert isinstance(kinds["small"], Record) and isinstance(kinds["e"], Record)
    assert found.constant("I") is None
    assert found.constant("A +") is None


def test_types_by_name() -> None:
    found = built("struct s { u8 x; }; typedef int (*fn_t)(void); typedef u32 four_t[4];")
    assert found.type_of("struct s") == Record("s")
    assert found.type_of("const struct s *") == Pointer(Record("s"))
    assert found.type_of("unsigned long") == U64
    assert found.type_of("_Bool") == BOOL
    assert found.type_of("fn_t") == Pointer(VOID)
    assert found.type_of("four_t") == Array(U32, 4)


def test_arguments_are_converted_to_the_type_of_a_missing_member() -> None:
    text = """
    struct ops { void (*notify)(u8 how, s64 by); };
    static struct ops vendor = { };
    static struct ops table;
    void f(u32 a) { table.notify(a, a); }
    """
    assert body(text, tables={"table": "vendor"}) == "vendor.notify((u8)a, (s64)a);"


def test_what_is_not_there() -> None:
    found = program("int x;", prelude="", nothing_h="")
    assert found.function("f") is None
    assert found.object_type("y") is None
    assert found.line("g.c", 1) == found.line("f.c", 9) == ""


def test_sources_are_what_was_used() -> None:
    text = """#define ONE 1
#define TWO 2
struct s { int a; };
int g(void)
{
    return 0;
}
int f(struct s *p)
{
    return p->a + ONE;
}
"""
    found = built(text)
    assert found.sources() == []
    found.function("f")
    assert found.sources() == [("f.c", 1, 1), ("f.c", 3, 3), ("f.c", 8, 11)]
