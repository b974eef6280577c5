"""verify.outside: what a patch changes and no answer depends on is named."""

from pathlib import Path

import pytest

from verify.outside import outside
from verify.result import Outside
from verify.source.mail import split_messages
from verify.source.overlay import apply
from verify.source.patch import parse_patch
from verify.source.tree import open_tree

BEFORE = """\
static int dim(int x)
{
\treturn x;
}
EXPORT(dim);

struct lamp {
\tint red;
};

static int paint(struct lamp *lamp,
\t\t int x)
{
\tlamp->red = x;
\treturn x;
}
"""


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("\treturn x;", "\treturn -x;", [Outside("a.c", 3, "dim")]),
        ("\t\t int x)", "\t\t u8 x)", [Outside("a.c", 12, "paint")]),
        ("EXPORT(dim);", "EXPORT_GPL(dim);", []),
        ("\tint red;", "\tu8 red;", []),
    ],
)
def test_a_changed_function_is_named(
    tmp_path: Path, old: str, new: str, found: list[Outside]
) -> None:
    (tmp_path / "a.c").write_text(BEFORE)
    at = BEFORE.split("\n").index(old) + 1
    patch = f"--- a/a.c\n+++ b/a.c\n@@ -{at} +{at} @@\n-{old}\n+{new}\n"
    message = split_messages(patch.encode(), "x")[0]
    tree, reports = apply(open_tree(tmp_path, ()), [parse_patch(message)])
    assert not reports[0].failed
    assert list(outside(tree, {"a.c"}, {"other"})) == found
    assert not outside(tree, {"a.c"}, {"dim", "paint"})
    assert list(outside(tree, set(), {"dim", "paint"})) == [Outside("a.c")]
