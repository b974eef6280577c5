"""verify.source.edit: statements found by a few tokens, and what edits make of them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import pytest
import tree_sitter_c
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser

from verify.errors import BadInput
from verify.source.edit import ACTIONS, Edit, apply
from verify.source.edit_function import Function
from verify.source.overlay import Overlay
from verify.source.tree import text_digest

ALARM = """#include "alarm.h"

#define ring(x) set(x, LOUD)

struct alarm *find(int id);

/* Called with the lock held. */
static int arm(struct alarm *alarm, int level)
{
	struct siren *siren = alarm->siren;
	int i, tries = 0;

	/* set(alarm, 0) is not enough */
	if (alarm->broken)
		return -1;

	set(alarm, 0);
	for (i = 0; i < alarm->sirens; i++) {
		if (alarm->on[i])
			silence(alarm, i);
		else
			test(alarm, i);
	}

	do
		tries++;
	while (!ready(siren) && tries < 10);

	switch (level) {
	case LOUD:
	case 1 ... 3:
		set(alarm, level); /* as
					asked */
		break;
	default:
		warn(alarm);
	}
	for_each_siren(alarm, siren)
		start(siren);
	for_each_siren(alarm, siren) {
		check(siren);
		log(siren, "set(alarm, 0);");
	}
	return tries;
}

static void disarm(struct alarm *alarm)
{
}
"""
ARM = "alarm.c:arm"


class TextTree:
    """A tree in memory."""

    root, version = "mem", "1.0"

    def __init__(self, **files: str) -> None:
        self.files = {f"{name}.c": text for name, text in files.items()}

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def paths(self, folder: str) -> list[str]:
        return sorted(path for path in self.files if path.startswith(f"{folder}/"))

    def mark(self, path: str, line: int) -> str | None:
        return None

    def digest(self, path: str) -> str:
        return text_digest(self, path)

    def touched(self) -> list[tuple[str, int, int]]:
        return []


def edited(do: str, key: str = "", at: str = ARM, **parts: str | int) -> str:
    """The text of alarm.c after one edit."""
    text = apply(TextTree(alarm=ALARM), [Edit(at, do, key, **parts)]).read("alarm.c")  # type: ignore[arg-type]
    assert text is not None
    return text


def change(before: str, after: str) -> str:
    """ALARM with one of its pieces exchanged."""
    assert ALARM.count(before) == 1
    return ALARM.replace(before, after)


# Actions --------------------------------------------------------------------------------------


def test_delete_takes_the_whole_statement_and_its_lines() -> None:
    assert edited("delete", "set(alarm, 0)") == change("\tset(alarm, 0);\n", "")
    assert edited("delete", "struct siren") == change("\tstruct siren *siren = alarm->siren;\n", "")
    loop = ALARM[ALARM.index("\tfor (i") : ALARM.index("\n\tdo\n")]
    assert edited("delete", "i < alarm -> sirens") == change(loop, "")
    assert edited("delete", "^start(") == change(
        "\tfor_each_siren(alarm, siren)\n\t\tstart(siren);\n", ""
    )


def test_delete_leaves_an_empty_statement_where_c_needs_one() -> None:
    assert edited("delete", "silence(") == change("silence(alarm, i);", ";")
    assert edited("delete", "test(") == change("test(alarm, i);", ";")
    assert edited("delete", "tries++") == change("tries++;", ";")
    assert edited("delete", "start(") == change("start(siren);", ";")
    assert edited("delete", "warn(") == change("warn(alarm);", ";")


def test_delete_with_what_is_in_front_of_the_statement() -> None:
    assert edited("delete", "^return -1") == change("\tif (alarm->broken)\n\t\treturn -1;\n", "")
    branches = ALARM[ALARM.index("\t\tif (alarm->on") : ALARM.index("\t}\n\n\tdo")]
    assert edited("delete", "^silence(") == change(branches, "")
    whole = ALARM[ALARM.index("\tfor (i") : ALARM.index("\n\tdo\n")]
    assert edited("delete", "^^silence(") == change(whole, "")


def test_delete_keeps_what_else_is_on_the_line() -> None:
    text = "int f(void)\n{\n\ta(); b(); /* so */ c();\n}\n"
    overlay = apply(TextTree(f=text), [Edit("f.c:f", "delete", "b()")])
    assert overlay.read("f.c") == text.replace("b();", "")


def test_a_key_may_fit_one_statement_twice() -> None:
    text = "int f(void)\n{\n\ta(b, b);\n\tc();\n}\n"
    overlay = apply(TextTree(f=text), [Edit("f.c:f", "delete", "b")])
    assert overlay.read("f.c") == text.replace("\ta(b, b);\n", "")


def test_unguard() -> None:
    guarded = "\tif (alarm->broken)\n\t\treturn -1;\n"
    assert edited("unguard", "return -1") == change(guarded, "\treturn -1;\n")
    assert edited("unguard", "if (alarm->broken)") == change(guarded, "\treturn -1;\n")
    text = "void f(void)\n{\n\tif (x) {\n\t\ta();\n\t\tb();\n\t}\n}\n"
    overlay = apply(TextTree(f=text), [Edit("f.c:f", "unguard", "b()")])
    assert overlay.read("f.c") == "void f(void)\n{\n\t{\n\t\ta();\n\t\tb();\n\t}\n}\n"


def test_guard() -> None:
    assert edited("guard", "set(alarm, 0)", text="level") == change(
        "\tset(alarm, 0);\n", "\tif (level) {\n\t\tset(alarm, 0);\n\t}\n"
    )
    loop = ALARM[ALARM.index("\tfor (i") : ALARM.index("\n\tdo\n")]
    inner = "".join(f"\t{line}\n" for line in loop.splitlines())
    assert edited("guard", "i < alarm->sirens", text="level > 1") == change(
        loop, f"\tif (level > 1) {{\n{inner}\t}}\n"
    )


def test_guard_of_a_branch_leaves_the_else_to_its_if() -> None:
    assert edited("guard", "silence(", text="level") == change(
        "if (alarm->on[i])\n\t\t\tsilence(alarm, i);",
        "if (alarm->on[i]) {\n\t\t\tif (level) {\n\t\t\t\tsilence(alarm, i);\n\t\t\t}\n\t\t}",
    )


def test_replace_is_about_the_tokens_only() -> None:
    assert edited("replace", "i < alarm->sirens", text="i <= alarm->sirens") == change(
        "i < alarm->sirens", "i <= alarm->sirens"
    )
    assert edited("replace", "siren", nth=2, text="horn") == change(
        "*siren = alarm->siren", "*horn = alarm->siren"
    )


def test_insert_before_and_after() -> None:
    assert edited("insert-before", "set(alarm, 0)", text="a();\nb();") == change(
        "\tset(alarm, 0);\n", "\ta();\n\tb();\n\tset(alarm, 0);\n"
    )
    # The comment is left with its statement.
    assert edited("insert-after", "set(alarm, level)", text="\n\tif (x)\n\t\ta();\n") == change(
        "asked */\n", "asked */\n\t\tif (x)\n\t\t\ta();\n"
    )
    assert edited("insert-after", "silence(", text="a();") == change(
        "on[i])\n\t\t\tsilence(alarm, i);", "on[i]) {\n\t\t\tsilence(alarm, i);\n\t\t\ta();\n\t\t}"
    )
    assert edited("insert-before", "tries++", text="a();") == change(
        "do\n\t\ttries++;\n", "do {\n\t\ta();\n\t\ttries++;\n\t}\n"
    )


def test_insert_first_and_last() -> None:
    assert edited("insert-first", text="a();") == change(
        "\t/* set(alarm, 0) is not enough */\n\tif",
        "\t/* set(alarm, 0) is not enough */\n\ta();\n\tif",
    )
    assert edited("insert-last", text="a();") == change(
        "\treturn tries;", "\ta();\n\treturn tries;"
    )
    empty = change("struct alarm *alarm)\n{\n}", "struct alarm *alarm)\n{\n\ta();\n}")
    assert edited("insert-first", at="alarm.c:disarm", text="a();") == empty
    assert edited("insert-last", at="alarm.c:disarm", text="a();") == empty


def test_moves_within_a_function() -> None:
    without = change("\tset(alarm, 0);\n", "")
    assert edited("move-after", "set(alarm, 0)", mark="^start(") == without.replace(
        "start(siren);\n", "start(siren);\n\tset(alarm, 0);\n"
    )
    assert edited("move-before", "set(alarm, 0)", mark="silence(") == without.replace(
        "on[i])\n\t\t\tsilence(alarm, i);",
        "on[i]) {\n\t\t\tset(alarm, 0);\n\t\t\tsilence(alarm, i);\n\t\t}",
    )
    assert edited("move-last", "set(alarm, 0)") == without.replace(
        "\treturn tries;", "\tset(alarm, 0);\n\treturn tries;"
    )
    # Out of what it is moved after.
    assert edited("move-after", "silence(", mark="^^silence(") == change(
        "silence(alarm, i);", ";"
    ).replace("\t}\n\n\tdo", "\t}\n\tsilence(alarm, i);\n\n\tdo")


def test_a_move_across_functions_and_files() -> None:
    tree = TextTree(alarm=ALARM, horn="void horn(void)\n{\n\tblow();\n}\n")
    there = "alarm.c:disarm"
    overlay = apply(tree, [Edit(ARM, "move-last", "^return -1", to=there)])
    assert overlay.read("alarm.c") == change("\tif (alarm->broken)\n\t\treturn -1;\n", "").replace(
        "{\n}", "{\n\tif (alarm->broken)\n\t\treturn -1;\n}"
    )
    move = Edit("horn.c:horn", "move-after", "blow()", mark="set(alarm, 0)", to=ARM)
    overlay = apply(tree, [move])
    assert overlay.read("horn.c") == "void horn(void)\n{\n}\n"
    assert overlay.read("alarm.c") == change("\tset(alarm, 0);\n", "\tset(alarm, 0);\n\tblow();\n")


def test_edits_build_on_each_other_and_leave_the_tree_alone() -> None:
    tree = TextTree(alarm=ALARM)
    first = apply(tree, [Edit(ARM, "insert-last", text="a();")])
    second = apply(first, [Edit(ARM, "delete", "a()")])
    assert second.read("alarm.c") == ALARM == tree.read("alarm.c")
    assert "a();" in (first.read("alarm.c") or "")


# Marks ----------------------------------------------------------------------------------------


def marked(overlay: Overlay, path: str) -> list[str]:
    lines = (overlay.read(path) or "").splitlines()
    return [line.strip() for n, line in enumerate(lines, start=1) if overlay.mark(path, n)]


def test_lines_are_marked_as_by_a_patch() -> None:
    tree = TextTree(alarm=ALARM)
    overlay = apply(tree, [Edit(ARM, "guard", "set(alarm, 0)", text="level")])
    line = ALARM[: ALARM.index("\tset(alarm, 0);")].count("\n") + 1
    assert marked(overlay, "alarm.c") == ["if (level) {", "set(alarm, 0);", "}"]
    assert overlay.touched() == [("alarm.c", line, line + 2)]
    overlay = apply(tree, [Edit(ARM, "delete", "set(alarm, 0)")])
    assert (marked(overlay, "alarm.c"), overlay.touched()) == ([], [("alarm.c", line, line)])


def test_marks_of_earlier_edits_stay() -> None:
    tree = TextTree(alarm=ALARM)
    first = apply(tree, [Edit(ARM, "insert-first", text="a();")])
    second = apply(first, [Edit(ARM, "insert-last", text="b();")])
    assert marked(second, "alarm.c") == ["a();", "b();"]
    assert marked(first, "alarm.c") == ["a();"]


# Errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("none.c:arm", "delete", "set("), "no such file"),
        (("arm", "delete", "set("), "path:function"),
        (("alarm.c:find", "delete", "set("), "not defined"),
        (("alarm.c:for_each_siren", "delete", "set("), "not defined"),
        ((ARM, "delete", "unset("), "nothing fits `unset(`"),
        ((ARM, "delete", "set("), "fits on lines 17, 32; say which with nth"),
        ((ARM, "delete", "set(", 3), "fits 2 times only, not 3"),
        ((ARM, "delete", "set(", -1), "nth counts from 1"),
        ((ARM, "replace", "siren", 0, "horn"), "say which with nth"),
        ((ARM, "delete", "is not enough"), "nothing fits"),
        ((ARM, "delete", "/* */"), "an empty key"),
        ((ARM, "delete", "return -1; set("), "not within one statement"),
        ((ARM, "delete", "^set(alarm, 0)"), "is in no such statement"),
        ((ARM, "guard", "struct siren", 0, "x"), "a declaration cannot"),
        ((ARM, "guard", "case LOUD", 0, "x"), "a label cannot"),
        ((ARM, "unguard", "set(alarm, 0)"), "`set(alarm, 0);` has no `if` in front of it"),
        ((ARM, "unguard", "silence("), "has an `else`"),
        ((ARM, "move-before", "^^silence(", 0, "", "silence("), "overlap"),
        ((ARM, "move-after", "set(alarm, 0)", 0, "", "set(alarm, 0)"), "changes nothing"),
        ((ARM, "replace", "tries", 1, "tries"), "changes nothing"),
        ((ARM, "insert-last", "", 0, "if (x)"), "the text is no statement of C"),
        ((ARM, "insert-last", "", 0, "}"), "the brackets of the text do not match"),
        ((ARM, "insert-last", "", 0, "x = 1"), "the text is no statement of C"),
        ((ARM, "replace", ";", 1, ""), "replace lacks text"),
        ((ARM, "replace", "while", 1, "if"), "cannot be taken apart into statements at line 27"),
        ((ARM, "replace", "set(", 1, "reset"), "the brackets of the text do not match"),
        ((ARM, "remove", "set("), "no such edit: remove; use one of: delete"),
        ((ARM, "guard", "set("), "guard lacks text"),
        ((ARM, "delete", "set(", 0, "x"), "delete has no text"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(edit: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadInput) as failed:
        apply(TextTree(alarm=ALARM), [Edit(*edit)])  # type: ignore[arg-type]
    text = str(failed.value)
    assert message in text and "\n" not in text
    assert text.startswith(edit[0])


def test_a_function_that_is_defined_twice() -> None:
    text = "#ifdef X\nint f(void)\n{\n\ta();\n}\n#else\nint f(void)\n{\n\ta();\n}\n#endif\n"
    with pytest.raises(BadInput, match="is defined 2 times"):
        apply(TextTree(f=text), [Edit("f.c:f", "delete", "a()")])


def test_both_sides_of_a_condition_are_statements() -> None:
    text = "int f(void)\n{\n#ifdef X\n\ta();\n#else /* not\n X */\n\tb();\n#endif\n}\n"
    overlay = apply(TextTree(f=text), [Edit("f.c:f", "delete", "b()")])
    assert overlay.read("f.c") == text.replace("\tb();\n", "")


def test_every_statement_can_be_named_by_itself() -> None:
    function = Function(ALARM, "arm", ARM)
    for path in function.statements():
        if path[-1].kind == "block":
            continue
        key = " ".join(function.words(path[-1]))
        assert any(function.find(key, nth)[-1] == path[-1] for nth in (1, 2))


# Any C ----------------------------------------------------------------------------------------

PARSER = Parser(Language(tree_sitter_c.language()))
KINDS = {
    "compound_statement": "block",
    "if_statement": "if",
    "for_statement": "loop",
    "while_statement": "loop",
    "do_statement": "do",
    "switch_statement": "switch",
    "expression_statement": "simple",
    "return_statement": "simple",
    "break_statement": "simple",
    "declaration": "declaration",
}


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def is_c(text: str) -> bool:
    return not any(n.is_missing or n.is_error for n in nodes(PARSER.parse(text.encode()).root_node))


Tokens = list[str]
CALL = ["f#", "(", ")", ";"]


def _join(parts: list[Tokens]) -> Tokens:
    return list(itertools.chain.from_iterable(parts))


def _compound(inner: st.SearchStrategy[Tokens]) -> st.SearchStrategy[Tokens]:
    declared = st.just(["int", "*", "v#", "=", "&", "w", ";"])
    block = st.builds(
        lambda first, parts: ["{", *_join(first), *_join(parts), "}"],
        st.lists(declared, max_size=1),
        st.lists(inner, max_size=3),
    )
    body = inner | block
    case = st.builds(
        lambda parts: ["case", "k#", ":", *_join(parts), "break", ";"], st.lists(inner)
    )
    return st.one_of(
        block,
        st.builds(lambda b: ["if", "(", "c#", ")", *b], body),
        st.builds(lambda b, e: ["if", "(", "c#", ")", "{", *b, "}", "else", *e], inner, body),
        st.builds(lambda b: ["while", "(", "c#", ")", *b], body),
        st.builds(lambda b: ["for", "(", "i", "=", "0", ";", "c#", ";", ")", *b], body),
        st.builds(lambda b: ["do", *b, "while", "(", "c#", ")", ";"], body),
        st.builds(
            lambda cs: ["switch", "(", "c#", ")", "{", *_join(cs), "}"], st.lists(case, max_size=2)
        ),
    )


STATEMENT = st.recursive(st.just(CALL), _compound, max_leaves=12)
GAPS = st.sampled_from([" ", "\n", "\n\t", " /* ; { */ ", "\n#if X /* } */\n", " // if (\n"])


@st.composite
def functions(draw: st.DrawFn) -> str:
    """A file with one function f; every name in it is used once."""
    body = _join([*draw(st.lists(STATEMENT, max_size=3)), CALL, ["return", "r", ";"]])
    count = itertools.count()
    words = [w[:-1] + str(next(count)) if w.endswith("#") else w for w in body]
    gaps = draw(st.lists(GAPS, min_size=len(words) + 1, max_size=len(words) + 1))
    text = "".join(gap + word for gap, word in zip(gaps, words, strict=False))
    # A directive has lines of its own.
    return f"/* f() {{ */\nint f(void)\n{{{text}{gaps[-1]}\n}}\n"


def words_of(text: str) -> Tokens:
    function = Function(text, "f", "f")
    return function.words(function.body)


def plain(words: Tokens) -> str:
    """C from tokens, for a parser that is to see no directives."""
    return "int f(void) " + " ".join(words)


@given(functions())
@settings(max_examples=80)
def test_statements_are_those_of_a_c_parser(text: str) -> None:
    tokens = plain(words_of(text))
    assert is_c(tokens)
    function = Function(tokens, "f", "f")
    found = {
        (path[-1].kind, *function.span(path[-1]))
        for path in function.statements()
        if path[-1].kind != "label"
    }
    expected = {
        (KINDS[node.type], node.start_byte, node.end_byte)
        for node in nodes(PARSER.parse(tokens.encode()).root_node)
        if node.type in KINDS
    }
    assert found == expected - {("block", *function.span(function.body))}
    # White space, comments and directives change nothing.
    laid_out = Function(text, "f", "f")
    assert [p[-1] for p in laid_out.statements()] == [p[-1] for p in function.statements()]


@given(functions(), st.data())
@settings(max_examples=150)
def test_an_edit_changes_what_it_names_and_leaves_c(text: str, data: st.DataObject) -> None:
    function = Function(text, "f", "f")
    choices = [p for p in function.statements() if p[-1].kind not in ("block", "label")]
    path = data.draw(st.sampled_from(choices))
    words = function.words(path[-1])
    do = data.draw(st.sampled_from(sorted(ACTIONS)))
    edit = Edit(
        "f.c:f",
        do,
        key=" ".join(words) if "key" in ACTIONS[do][0] else "",
        nth=1 if "nth" in ACTIONS[do][1] else 0,
        text="new();" if "insert" in do else "new" if "text" in ACTIONS[do][0] else "",
        mark="return r" if "mark" in ACTIONS[do][0] else "",
    )
    if do == "replace":
        edit = Edit("f.c:f", do, "return", 1, "new(); return")
    try:
        overlay = apply(TextTree(f=text), [edit])
    except BadInput as error:
        allowed = {"guard": "declaration", "unguard": "`if`|`else`", "move-": "overlap|nothing"}
        assert any(do.startswith(verb) for verb in allowed), error
        return
    after = overlay.read("f.c") or ""
    assert is_c(plain(words_of(after)))
    before_words, after_words = Counter(function.words(function.body)), Counter(words_of(after))
    for word in "{};":
        before_words.pop(word, None)
        after_words.pop(word, None)
    gone, new = before_words - after_words, after_words - before_words
    own = Counter(word for word in words if word not in "{};")
    if do == "delete":
        assert (gone, new) == (own, Counter())
    elif do == "unguard":
        assert gone["if"] == 1 and gone <= own | Counter(function.words(path[-2])) + Counter(
            function.words(path[-3]) if len(path) > 2 else ()
        )
    elif do.startswith("move"):
        assert not gone and not new
    else:
        assert not gone and new["new"] == 1
    kept = [line for n, line in enumerate(after.splitlines(), 1) if not overlay.mark("f.c", n)]
    rest = iter(text.splitlines())
    assert all(line in rest for line in kept)
