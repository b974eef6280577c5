"""verify.source.writes: where a text writes members and objects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.environment import mediated
from tests.source_text import TextTree
from verify.ir.program import Dialect
from verify.source.c_lex import strip_comments
from verify.source.program import CProgram
from verify.source.writes import asked_about, writes

HEADER = """
typedef unsigned long long u64;
struct lamp { u64 on; u64 map[2]; };
struct box { struct lamp lamp; struct lamp lamps[4]; struct lamp *first; u64 on; };
struct room { struct box box; };
struct room *the_room(void *key);
struct box all;
u64 power;
u64 limit;
#define room_to_lamp(room) (&(room)->box.lamp)
#define put(x, v) do { (x) = (v); } while (0)
#define take_it(f, x) f(&(x))
#define ask(x, v) ((x) == (v))
"""
ASKED = asked_about(
    mediated.writers({}, "", ()).idioms,
    [("lamp", "on"), ("lamp", "map"), ("", "power")],
    {"map"},
    [("lamp", "lamp"), ("lamp", "lamps"), ("lamp", "l")],
)


def found(body: str, head: str = "void f(struct room *room, struct lamp *l, u64 v)") -> list[str]:
    files = {"box.h": HEADER, "box.c": f"{head}\n{{\n\t{body}\n}}\n"}
    tree = TextTree(files)
    program = CProgram(tree, Dialect(("box.h",), {}, "", {}, {}))
    text = strip_comments(files["box.c"])
    return [w.name for w in writes("box.c", text, ASKED, ASKED.pattern(), program)]


@pytest.mark.parametrize(
    "body",
    [
        "l->on = v;",
        "l->on |= v;",
        "l->on <<= 1;",
        "l->on++;",
        "--l->on;",
        "(*l).on = v;",
        "room->box.lamp.on = v;",
        "room->box.lamps[v].on = v;",
        "room->box.lamps[v + room->box.on].on = v;",
        "room->box.first->on = v;",
        "the_room(l)->box.lamp.on = v;",
        "room_to_lamp(room)->on = v;",
        "((struct lamp *)v)->on = v;",
        "struct lamp *x = l, *y = l; y->on = v;",
        "struct lamp x; x.on = v;",
        "all.lamp.on = v;",
        "stranger->l->on = v;",
        "take(&l->on);",
        "take((void *)&l->on);",
        "take(1, &room->box.lamp.on);",
        "p = &l->on;",
        "WRITE_ONCE(l->on, v);",
        "memcpy(&l->on, &v, 8);",
        "put(l->on, v);",
        "put(room->box.lamp.on, 1);",
        "take_it(f, l->on);",
        "if (v) l->on = v; else v = 1;",
        "for (l->on = 0; v; v--) ;",
        "return l->on = v;",
    ],
)
def test_a_member_is_written(body: str) -> None:
    assert found(body) == ["on"]


@pytest.mark.parametrize(
    "body",
    [
        "v = l->on;",
        "if (l->on == v) return;",
        "while (l->on <= v) ;",
        "v = v & l->on;",
        "v = (v) & l->on;",
        "take(l->on, 1);",
        "put(v, l->on);",
        "v = ask(l->on, v);",
        "take_it(l->on, v);",
        "room->box.on = v;",
        "struct box *x; x->on = v;",
        "stranger->on = v;",
        "stranger->other->on = v;",
        "struct lamp x = { .on = v };",
        "v = test_bit(1, &l->on);",
        "kvm_for_each_pmc(a, b, c, &l->on) take(c);",
        "memcpy(&v, l->on, 8);",
        "u64 on = v; on = 1;",
        "/* l->on = v; */",
    ],
)
def test_a_member_is_not_written(body: str) -> None:
    assert found(body) == []


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("set_bit(1, l->map);", ["map"]),
        ("set_bit(1, (void *)l->map);", ["map"]),
        ("v = test_bit(1, l->map);", []),
        ("v = l->map[1] + take(l->map[0]);", []),
        ("set_bit(1, &l->map[0]);", ["map"]),
        ("bitmap_zero(l->map, 2);", ["map"]),
        ("l->map[v] = 1;", ["map"]),
        ("v = find_first_bit(&l->map[0], 2);", []),
        ("memset(l, 0, sizeof(*l));", ["struct lamp"]),
        ("memset(&room->box.lamps[1], 0, 4);", ["struct lamp"]),
        ("*l = all.lamp;", ["struct lamp"]),
        ("*room_to_lamp(room) = *l;", ["struct lamp"]),
        ("if (v) *(struct lamp *)v = *l;", ["struct lamp"]),
        ("if (v) v = 1; else *l = all.lamp;", ["struct lamp"]),
        ("*(l) = all.lamp;", ["struct lamp"]),
        ("memset(room_to_lamp(room), 0, 4);", ["struct lamp"]),
        ("memset(&stranger->lamps[1], 0, 4);", ["struct lamp"]),
        ("*stranger->first = *l;", []),
        ("room->box.lamp = *l;", ["struct lamp"]),
        ("room->box.lamps[v] = *l;", ["struct lamp"]),
        ("all.lamp = *l;", ["struct lamp"]),
        ("room->box.first = l;", []),
        ("struct lamp *x = l; x = room_to_lamp(room);", []),
        ("u64 *x = &v; *x = 1;", []),
        ("v = v * limit; v *= 2;", []),
        ("if (*l == all.lamp) v = 1;", []),
        ("memset(&v, 0, sizeof(v));", []),
        ("memset(&room->box, 0, 4);", []),
        ("power = v;", ["power"]),
        ("this_cpu_write(power, v);", ["power"]),
        ("v = this_cpu_read(power);", []),
        ("take(&power);", ["power"]),
        ("static_branch_enable(&power);", ["power"]),
        ("if (static_branch_unlikely(&power)) v = 1;", []),
        ("limit = v;", []),
        ("struct box x = { .power = v };", []),
        ("struct box x = { .first = l, .power = v };", []),
        ("u64 power; power = v;", []),
        ("struct lamp *x = (power * limit); power = v;", ["power"]),
    ],
)
def test_arrays_records_and_objects(body: str, names: list[str]) -> None:
    assert found(body) == names


WORDS = st.sampled_from(
    [
        *"(){}[];,.=&*+1",
        "->",
        "++",
        "struct",
        "lamp",
        "on",
        "l",
        "power",
        "map",
        "memset",
        "u64",
        "f",
    ]
)


@given(st.lists(WORDS, max_size=40))
def test_any_tokens_can_be_read(words: list[str]) -> None:
    assert set(found(" ".join(words))) <= {"on", "map", "power", "struct lamp"}


def test_long_lists_can_be_read() -> None:
    names = ", ".join(f"x{i}" for i in range(5000))
    assert found(f"u64 {names};\n\tu64 y[] = {{ {names} }};\n\tpower = v;") == ["power"]


@pytest.mark.parametrize("head", ["void __init f(struct lamp *l)", "static void __exit\nf(void)"])
def test_what_runs_when_a_module_is_loaded_is_left_out(head: str) -> None:
    assert found("power = 1;", head) == []
    assert found("power = 1;", head.replace("__init", "").replace("__exit", "")) == ["power"]


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("module_param(power, ullong, 0644);", [""]),
        ("module_param(power, ullong, S_IRUGO | S_IWUSR);", [""]),
        ("module_param_named(strength, power, ullong, 0600);", [""]),
        ("module_param(power, ullong, 0444);", []),
        ("module_param(power, ullong, S_IRUGO);", []),
        ("module_param(limit, ullong, 0644);", []),
    ],
)
def test_parameters_that_userspace_may_write(text: str, who: list[str]) -> None:
    program = CProgram(TextTree({"box.h": HEADER}), Dialect(("box.h",), {}, "", {}, {}))
    told = list(writes("box.c", f"\n{text}\n", ASKED, ASKED.pattern(), program))
    assert [w.function for w in told] == who
    assert all(w.line == 2 for w in told)


@pytest.mark.parametrize(
    ("macro", "told"),
    [
        ("#define off(l) ((l)->on = 0)", [("off", 2, "on")]),
        ("#define off(l, v) do { \\\n\tl->on = 0; \\\n} while (0)", [("off", 3, "on")]),
        ("#define off(room) (room_to_lamp(room)->on = 0)", [("off", 2, "on")]),
        ("#define off() (power = 0)", [("off", 2, "power")]),
        ("#  define off (all.lamp.on = 0)", [("off", 2, "on")]),
        ("#define off(l) (l)->on\nint x;", []),
        ("#define off(l) x->on = 0", []),
        ("#define off(l) on = 0", []),
        ("#define __init (power = 0)", [("__init", 2, "power")]),
        ("void f(void)\n{\n#define off (power = 0)\n\toff;\n}", [("off", 4, "power")]),
        ("void f(void)\n{\n#define off 0\n\tpower = off;\n}", [("f", 5, "power")]),
    ],
)
def test_macros(macro: str, told: list[tuple[str, int, str]]) -> None:
    files = {"box.h": HEADER, "box.c": f"\n{macro}\n"}
    program = CProgram(TextTree(files), Dialect(("box.h",), {}, "", {}, {}))
    written = writes("box.c", files["box.c"], ASKED, ASKED.pattern(), program)
    assert [(w.function, w.line, w.name) for w in written] == told
