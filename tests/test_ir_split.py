"""A function cut in two at a call (verify.ir.split)."""

from __future__ import annotations

import pytest

from tests.source_text import program
from verify.ir.nodes import Call, Function, Return, Unmodelled
from verify.ir.split import AFTER, BEFORE, nodes, part

RUN = """
struct v { int a; };
struct w { int x; struct v v; };
int enter(struct v *v);
int now(void);
void note(int a);
static struct w *outer(struct v *v) { return container_of(v, struct w, v); }
int run(struct v *v, int flags)
{
	struct w *w = outer(v);
	int again = flags & 1;
%s
	return w->x + again;
}
"""


OUTER = "return container_of(v, struct w, v);"


def cut(body: str, which: str, outer: str = OUTER) -> Function:
    found = program((RUN % body).replace(OUTER, outer))
    function = found.function("run")
    assert function is not None
    return part(function, "enter", which, found.function)


def calls(function: Function) -> list[str]:
    return [node.name for node in nodes(function.body) if isinstance(node, Call)]


def test_each_side_has_its_calls() -> None:
    body = "\tnote(1);\n\tenter(v);\n\tnote(again);"
    before, after = cut(body, BEFORE), cut(body, AFTER)
    assert calls(before) == ["outer", "note", "enter"]
    assert isinstance(before.body[-1], Return)
    assert calls(after) == ["outer", "note"]


def test_what_is_needed_only_before_is_left_out() -> None:
    assert calls(cut("\tint t = now();\n\tnote(t);\n\tenter(v);", AFTER)) == ["outer"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("\tnote(1);", "enter is not called once"),
        ("\tenter(v);\n\tenter(v);", "enter is not called once"),
        ("\tif (flags)\n\t\tenter(v);", "enter is not called once"),
        ("\tagain = enter(v);", "enter is not called once"),
        ("\tagain = 2;\n\tenter(v);", "again is set before enter and used after it"),
        ("\tflags = 2;\n\tenter(v);\n\tnote(flags);", "flags is set before enter"),
        ("\tint t = now();\n\tenter(v);\n\tnote(t);", "t may have another value after enter"),
        ("\tint t = v->a;\n\tenter(v);\n\tnote(t);", "t may have another value after enter"),
        ("\tif (flags)\n\t\tgoto out;\n\tenter(v);\nout:", "a jump over the call of enter"),
    ],
)
def test_what_cannot_be_cut_is_not_modelled(body: str, reason: str) -> None:
    [stmt] = cut(body, AFTER).body
    assert isinstance(stmt, Unmodelled) and stmt.reason.startswith(reason)


@pytest.mark.parametrize(
    ("outer", "taken"),
    [
        ("struct w *w = container_of(v, struct w, v); return w;", True),
        ("if (!v) return 0; { return container_of(v, struct w, v); }", True),
        ("struct w *w = container_of(v, struct w, v); w->x = 1; return w;", False),
        ("struct w *w = container_of(v, struct w, v); return w->x ? w : 0;", False),
        ("struct w *w; return w;", False),
        ("return now() ? container_of(v, struct w, v) : 0;", False),
    ],
)
def test_a_pointer_that_is_the_same_after_the_call(outer: str, taken: bool) -> None:
    after = cut("\tenter(v);", AFTER, outer)
    assert isinstance(after.body[0], Unmodelled) != taken
