"""verify.source.changes: a patch as the tree has it, with its white space and line numbers."""

from __future__ import annotations

import difflib

from hypothesis import given
from hypothesis import strategies as st

from tests.source_text import TextTree
from verify.source.changes import Change, changes
from verify.source.mail import split_messages
from verify.source.overlay import Overlay, apply
from verify.source.patch import parse_patch

LAMP = """static int level;

static void lamp_on(struct lamp *lamp)
{
\tcheck(lamp);
\tif (lamp->broken)
\t\treturn;
\tset(lamp, 1);
\tdone(lamp);
}
"""


def diff(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "a/f.c", "b/f.c", lineterm="")
    return "\n".join(lines) + "\n"


def patched(old: str, *texts: str) -> Overlay:
    patches = [parse_patch(m) for text in texts for m in split_messages(text.encode())]
    return apply(TextTree({"f.c": old}), patches)[0]


def test_a_hunk_has_the_trees_white_space_and_place() -> None:
    new = LAMP.replace("\tset(lamp, 1);", "\tset(lamp, 2);\n\tdim(lamp);")
    mail = diff(LAMP, new).replace("\t", " ")
    [change] = changes(patched("int pad;\n" * 40 + LAMP, mail))
    assert (change.file, change.old_start, change.start) == ("f.c", 45, 45)
    assert change.header == "@@ -45,6 +45,7 @@ static void lamp_on(struct lamp *lamp)"
    assert change.lines == (
        " \tcheck(lamp);",
        " \tif (lamp->broken)",
        " \t\treturn;",
        "-\tset(lamp, 1);",
        "+\tset(lamp, 2);",
        "+\tdim(lamp);",
        " \tdone(lamp);",
        " }",
    )
    assert [n for n, line in change.numbered() if line[0] == "+"] == [48, 49]
    assert [n for n, line in change.numbered() if line[0] == "-"] == [None]


def test_what_a_later_patch_takes_back_was_never_there() -> None:
    one = LAMP.replace("\tset(lamp, 1);", "\tdim(lamp);\n\tset(lamp, 1);")
    assert changes(patched(LAMP, diff(LAMP, one), diff(one, LAMP))) == []
    two = one.replace("dim(lamp)", "dimmer(lamp)")
    assert changes(patched(LAMP, diff(LAMP, one), diff(one, two))) == changes(
        patched(LAMP, diff(LAMP, two))
    )


def test_a_tree_without_a_patch_has_none() -> None:
    tree = TextTree({"f.c": LAMP})
    assert changes(tree) == changes(Overlay(tree)) == []


def test_what_is_removed_at_the_end() -> None:
    [change] = changes(patched(LAMP, diff(LAMP, LAMP.replace("\tdone(lamp);\n}\n", ""))))
    assert [line for line in change.lines if line[0] == "-"] == ["-\tdone(lamp);", "-}"]


LINES = st.lists(st.sampled_from(["a();", "b();", "", "}", "int c;"]), min_size=1, max_size=30)


def rebuilt(base: list[str], found: list[Change], new: bool) -> list[str]:
    """The text before or after, from the other lines of the base and the hunks."""
    out: list[str] = []
    at = 1
    for change in found:
        out += base[at - 1 : change.old_start - 1]
        assert not new or len(out) + 1 == change.start
        out += [line[1:] for line in change.lines if line[0] != ("-" if new else "+")]
        at = change.old_start + sum(line[0] != "+" for line in change.lines)
    return out + base[at - 1 :]


@given(LINES, st.lists(LINES, min_size=1, max_size=3))
def test_the_hunks_lead_from_one_text_to_the_other(
    before: list[str], texts: list[list[str]]
) -> None:
    base = Overlay(TextTree({"f.c": "".join(f"{line}\n" for line in before)}))
    for text in texts:
        base.rewrite("f.c", "".join(f"{line}\n" for line in text))
    found = changes(base)
    assert rebuilt(before, found, True) == texts[-1]
    assert rebuilt(before, found, False) == before
