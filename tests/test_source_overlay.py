"""verify.source.overlay and placing: patches on a tree, however the mail has damaged them."""

import difflib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from verify.errors import BadInput
from verify.source.mail import split_messages
from verify.source.overlay import Overlay, PatchReport, apply
from verify.source.patch import Hunk, Patch, parse_patch
from verify.source.scope import hunk_scope
from verify.source.tree import open_tree, text_digest

LAMP = """#include "lamp.h"

static int level;

static void lamp_on(struct lamp *lamp)
{
	check(lamp);
	if (lamp->broken)
		return;

	set(lamp, 1);
	done(lamp);
}

static void lamp_off(struct lamp *lamp)
{
	check(lamp);
	if (lamp->broken)
		return;

	set(lamp, 0);
	done(lamp);
}
"""


class TextTree:
    """A tree in memory."""

    root, version = "mem", "1.0"

    def __init__(self, **files: str) -> None:
        self.files = {name.replace("__", "/") + ".c": text for name, text in files.items()}

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


def diff(old: str, new: str, name: str = "lamp.c", context: int = 3) -> str:
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"a/{name}", f"b/{name}", n=context, lineterm=""
    )
    return "\n".join(lines) + "\n"


def patch(text: str) -> Patch:
    [message] = split_messages(text.encode())
    return parse_patch(message)


def run(tree: TextTree, *texts: str) -> tuple[Overlay, list[PatchReport]]:
    return apply(tree, [patch(text) for text in texts])


def squeeze(text: str | None) -> list[str]:
    assert text is not None
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_a_clean_patch() -> None:
    new = LAMP.replace("\tset(lamp, 0);", "\tdim(lamp);\n\tset(lamp, 9);")
    tree = TextTree(lamp=LAMP)
    overlay, [report] = run(tree, diff(LAMP, new))
    assert overlay.read("lamp.c") == new
    assert (report.applied, report.failed) == (1, [])
    assert overlay.touched() == [("lamp.c", 21, 22)]
    assert [n for n in range(1, 30) if overlay.mark("lamp.c", n) == "+"] == [21, 22]
    assert tree.read("lamp.c") == LAMP
    assert overlay.digest("lamp.c") == TextTree(lamp=new).digest("lamp.c") != tree.digest("lamp.c")


def test_untouched_files_come_from_the_tree() -> None:
    overlay, _ = run(TextTree(lamp=LAMP, other="int x;"), diff(LAMP, LAMP + "int y;\n"))
    assert overlay.read("other.c") == "int x;"
    assert overlay.read("none.c") is None
    assert overlay.mark("other.c", 1) is None


def test_an_offset_is_found() -> None:
    new = LAMP.replace("set(lamp, 0)", "set(lamp, 2)")
    overlay, _ = run(TextTree(lamp="int pad;\n" * 40 + LAMP), diff(LAMP, new))
    assert overlay.read("lamp.c") == "int pad;\n" * 40 + new


TWINS = "".join(
    f"static void f{n}(void)\n{{\n\ta();\n\tb();\n\tc();\n\td();\n\te();\n\tf();\n}}\n\n"
    for n in range(5)
)
TWIN_HUNK = (
    "--- a/t.c\n+++ b/t.c\n@@ -{},6 +1,7 @@ {}\n"
    " \ta();\n \tb();\n \tc();\n+\tnew();\n \td();\n \te();\n \tf();\n"
)


def where(text: str) -> int:
    """Which of the twins has got the new line."""
    overlay, _ = run(TextTree(t=TWINS), text)
    above = (overlay.read("t.c") or "").split("\tnew();")[0]
    return int(re.findall(r"f(\d)\(void\)", above)[-1])


@pytest.mark.parametrize("line", [3, 13, 24, 31, 44])
def test_twins_the_nearest_wins(line: int) -> None:
    assert where(TWIN_HUNK.format(line, "")) == (line - 3 + 5) // 10


@pytest.mark.parametrize("twin", range(5))
def test_twins_the_named_function_wins(twin: int) -> None:
    assert where(TWIN_HUNK.format(3, f"static void f{twin}(void)")) == twin


def test_twins_without_all_context_are_not_guessed() -> None:
    text = TWIN_HUNK.format(3, "").replace(" \ta();", " \tz();")
    with pytest.raises(BadInput, match="fits 5 places"):
        run(TextTree(t=TWINS), text)
    assert where(TWIN_HUNK.format(3, "static void f4(void)").replace(" \ta();", " \tz();")) == 4


def test_fuzz_keeps_removed_lines_and_near_context() -> None:
    new = LAMP.replace("\tset(lamp, 0);", "\tset(lamp, 9);")
    drifted = LAMP.replace("lamp->broken", "broken(lamp)").replace("}\n", "} \n")
    overlay, _ = run(TextTree(lamp=drifted), diff(LAMP, new))
    assert squeeze(overlay.read("lamp.c")) == squeeze(
        drifted.replace("set(lamp, 0)", "set(lamp, 9)")
    )
    gone = LAMP.replace("set(lamp, 0)", "set(lamp, 7)")
    with pytest.raises(BadInput, match=r'the file has no line "set\(lamp, 0\);"'):
        run(TextTree(lamp=gone), diff(LAMP, new))


def test_applied_already() -> None:
    new = LAMP.replace("\tset(lamp, 0);", "\tdim(lamp);\n\tset(lamp, 0);")
    both = diff(LAMP, new) + diff("int q;\n", "int q;\nint r;\n", "q.c")
    overlay, [report] = run(TextTree(lamp=new, q="int q;\n"), both)
    assert [(f.file, f.reason) for f in report.failed] == [("lamp.c", "already applied")]
    assert overlay.read("lamp.c") == new
    # At the end of the file the old text would match as well.
    with pytest.raises(BadInput, match="already applied"):
        run(
            TextTree(q="int p;\nint q;\nint r;\n"),
            diff("int p;\nint q;\n", "int p;\nint q;\nint r;\n", "q.c"),
        )


def test_failed_hunks_are_named_with_their_scope() -> None:
    text = diff(LAMP, LAMP + "int y;\n") + (
        "--- a/no.c\n+++ b/no.c\n@@ -7,2 +7,4 @@ static int lost(struct lamp *lamp)\n"
        " \tx();\n+#define LOST 3\n+\tint local;\n \ty();\n"
    )
    _, [report] = run(TextTree(lamp=LAMP), text)
    [failed] = report.failed
    assert report.applied == 1
    assert (failed.file, failed.line, failed.scope) == ("no.c", 7, ("lost", "LOST"))
    assert "no file no.c" in failed.reason


def test_nothing_applies() -> None:
    text = diff(LAMP, LAMP + "int y;\n", "x.c")
    wrong = r"input: nothing of it applies to mem .*x\.c:21: "
    with pytest.raises(BadInput, match=wrong) as caught:
        run(TextTree(lamp=LAMP), text)
    assert "\n" not in str(caught.value)


def test_a_hunk_that_is_longer_than_the_file() -> None:
    text = diff(LAMP * 4, LAMP * 4 + "int y;\n", context=1000)
    with pytest.raises(BadInput, match="it has more lines than the file"):
        run(TextTree(lamp=LAMP), text)


def test_nothing_of_one_source_applies() -> None:
    good = replace(patch(diff(LAMP, LAMP + "int y;\n")), source="good.diff")
    bad = replace(patch(diff(LAMP, LAMP + "int y;\n", "x.c")), source="bad.diff")
    with pytest.raises(BadInput, match=r"^bad\.diff: nothing of it applies"):
        apply(TextTree(lamp=LAMP), [good, bad])
    # Of a series, one patch may be for files that are not there.
    _, reports = apply(TextTree(lamp=LAMP), [good, replace(bad, source="good.diff")])
    assert [(report.applied, len(report.failed)) for report in reports] == [(1, 0), (0, 1)]


def test_no_patches() -> None:
    overlay, reports = run(TextTree(lamp=LAMP))
    assert (overlay.touched(), reports, overlay.read("lamp.c")) == ([], [], LAMP)


def test_a_series_applies_on_top_and_marks_survive() -> None:
    one = LAMP.replace("\tset(lamp, 1);", "\tdim(lamp);\n\tset(lamp, 1);")
    two = one.replace("\tdim(lamp);", "\tdim(lamp);\n\tdimmer(lamp);").replace(
        "static int level;", "static int level, depth;\nstatic int more;"
    )
    overlay, reports = run(TextTree(lamp=LAMP), diff(LAMP, one), diff(one, two))
    assert overlay.read("lamp.c") == two
    assert [report.applied for report in reports] == [1, 2]
    marked = [
        line
        for number, line in enumerate(two.splitlines(), start=1)
        if overlay.mark("lamp.c", number)
    ]
    assert marked == [
        "static int level, depth;",
        "static int more;",
        "\tdim(lamp);",
        "\tdimmer(lamp);",
    ]
    assert overlay.touched() == [("lamp.c", 3, 4), ("lamp.c", 12, 13)]


def test_removed_lines_are_touched() -> None:
    overlay, _ = run(TextTree(lamp=LAMP), diff(LAMP, LAMP.replace("\tset(lamp, 0);\n", "")))
    assert overlay.touched() == [("lamp.c", 21, 21)]
    overlay, _ = run(TextTree(q="int p;\nint q;\n"), diff("int p;\nint q;\n", "int p;\n", "q.c"))
    assert overlay.touched() == [("q.c", 1, 1)]


def test_new_deleted_and_renamed_files() -> None:
    git = "diff --git a/{0}.c b/{1}.c\n"
    new = (
        git.format("n", "n")
        + "new file mode 100644\n--- /dev/null\n+++ b/n.c\n@@ -0,0 +1,2 @@\n+int n;\n+\n"
    )
    gone = diff("int q;\n", "", "q.c").replace("+++ b/q.c", "+++ /dev/null")
    moved = git.format("lamp", "d/lamp") + "rename from lamp.c\nrename to d/lamp.c\n"
    tree = TextTree(lamp=LAMP, q="int q;\n")
    overlay, [report] = run(tree, new + gone + moved)
    assert (report.applied, report.failed) == (3, [])
    assert overlay.read("n.c") == "int n;\n\n"
    assert overlay.mark("n.c", 1) == "+"
    assert overlay.read("q.c") is None and overlay.read("lamp.c") is None
    assert overlay.read("d/lamp.c") == LAMP
    assert overlay.paths("d") == ["d/lamp.c"]
    overlay.put("d/lamp.c", None)
    assert overlay.paths("d") == []
    with pytest.raises(BadInput, match="q.c: not in mem"):
        overlay.digest("q.c")
    with pytest.raises(BadInput, match="already applied"):
        run(TextTree(n="int n;\n"), new)
    with pytest.raises(BadInput, match="such a file already"):
        run(TextTree(n="int m;\n"), new)
    with pytest.raises(BadInput, match="more lines than"):
        run(TextTree(q="int q;\nint r;\n"), gone)


def test_lost_indentation_comes_back() -> None:
    new = LAMP.replace(
        "\tset(lamp, 0);\n",
        "\t/*\n\t * Why.\n\t */\n\tif (lamp->dim) {\n\t\tdim(lamp);\n\t\tif (level)\n"
        "\t\t\tlevel = get(lamp,\n\t\t\t\t    3);\n\t}\n\n\tswitch (level) {\n\tcase 1:\n"
        "\t\tset(lamp, 9);\n\t\tbreak;\n\tdefault:\n\t\tbreak;\n\t}\n",
    )
    lost = re.sub(r"(?m)^([ +-])[ \t]+", r"\1", diff(LAMP, new)).replace("\n ", "\n")
    overlay, _ = run(TextTree(lamp=LAMP), lost)
    assert overlay.read("lamp.c") == new


def test_blanks_for_tabs_come_back() -> None:
    new = LAMP.replace("\tset(lamp, 0);", "\tif (level)\n\t\tset(lamp, 0);")
    overlay, _ = run(TextTree(lamp=LAMP), diff(LAMP, new).replace("\t", " " * 8))
    assert overlay.read("lamp.c") == new


WIDE = 'static const char *text = "a long line that a mailer will certainly fold before its end";'


@pytest.mark.parametrize("prefix", [" ", "-", "+"])
def test_folded_lines(prefix: str) -> None:
    head = "--- a/w.c\n+++ b/w.c\n@@ -1,3 +1,3 @@\n one();\n"
    body = {" ": f" {WIDE}\n+new();\n", "-": f"-{WIDE}\n+new();\n", "+": f"+{WIDE}\n"}[prefix]
    folded = body.replace("certainly fold", "certainly\nfold")
    old = "one();\n" + (WIDE + "\n" if prefix != "+" else "") + "two();\nthree();\n"
    text = head + folded + " two();\n three();\n"
    overlay, _ = run(TextTree(w=old), text)
    expected = {" ": [WIDE, "new();"], "-": ["new();"], "+": [WIDE]}[prefix]
    assert squeeze(overlay.read("w.c")) == ["one();", *expected, "two();", "three();"]


def test_a_strange_context_line_is_not_swallowed_by_an_added_one() -> None:
    text = (
        "--- a/w.c\n+++ b/w.c\n@@ -1,3 +1,4 @@\n one();\n+new();\n other();\n two();\n three();\n"
    )
    with pytest.raises(BadInput, match=r'no line "other\(\);"'):
        run(TextTree(w="one();\ntwo();\nthree();\n"), text)


def test_a_context_line_that_starts_with_an_operator() -> None:
    old = "x = a\n\t+ b\n\t- c;\ny();\nz();\n"
    text = diff(old, old.replace("y();", "q();"), "w.c").replace("\n \t", "\n")
    overlay, _ = run(TextTree(w=old), text)
    assert overlay.read("w.c") == old.replace("y();", "q();")


def test_such_a_line_does_not_hide_a_missing_one() -> None:
    head = "> --- a/w.c\n> +++ b/w.c\n> @@ -1,4 +1,{} @@\n"
    head += "> x = a\n> - b;\n> +new();\n> y();\n> z();\n"
    tree = TextTree(w="x = a\n\t- b;\ny();\nz();\n")
    overlay, _ = run(tree, head.format(5))
    assert squeeze(overlay.read("w.c")) == ["x = a", "- b;", "new();", "y();", "z();"]
    with pytest.raises(BadInput, match="lines of the hunk are missing"):
        run(tree, head.format(6))


@pytest.mark.parametrize("cut", ["", "[...]\n> \ty();\n> \tz();\n"])
def test_a_trimmed_hunk_is_not_applied(cut: str) -> None:
    text = "> --- a/w.c\n> +++ b/w.c\n> @@ -1,3 +1,5 @@\n>  \tx();\n> +\tnew();\n" + cut
    with pytest.raises(BadInput, match="lines of the hunk are missing"):
        run(TextTree(w="\tx();\n\ty();\n\tz();\n"), text)


@pytest.mark.parametrize(
    ("context", "lines", "scope"),
    [
        ("static int f(struct a *b)", ["+\tint local = 3;", "-\tg(local);"], ("f",)),
        ("struct box {", ["+\tu64 wide;", "+\tint few[3];", "-\tu8 bit:1;"],
         ("box", "wide", "few", "bit")),
        ("static const u32 list[] = {", ["-\tMSR_A,", "+\tMSR_A, MSR_B,"], ("list",)),
        ("enum kind {", ["+\tKIND_A,", "+\tKIND_B = 3,"], ("kind", "KIND_A", "KIND_B")),
        ("", ["+#define A 1", "+int f(int x);", "+static bool on = true;"], ("A", "f", "on")),
        ("int f(void)", [" static void g(int x)", "+\treturn;"], ("f", "g")),
        ("", ["+\treturn h(x);", "+\tif (x)"], ()),
    ],
)  # fmt: skip
def test_scope(context: str, lines: list[str], scope: tuple[str, ...]) -> None:
    kinds: dict[str, str] = {" ": " ", "+": "+", "-": "-"}
    hunk = Hunk(1, context, [(kinds[line[0]], line[1:]) for line in lines], 1)  # type: ignore[misc]
    assert hunk_scope(hunk) == scope


def test_on_a_real_folder_the_tree_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "lamp.c").write_text(LAMP)
    overlay, _ = apply(open_tree(tmp_path, ["lamp.c"]), [patch(diff(LAMP, LAMP + "int y;\n"))])
    assert overlay.read("lamp.c") == LAMP + "int y;\n"
    assert (tmp_path / "lamp.c").read_text() == LAMP
    assert [path.name for path in tmp_path.iterdir()] == ["lamp.c"]
    out = diff("a\n", "b\n", "l/x.c").replace("b/l/x.c", "b/../x.c")
    with pytest.raises(BadInput, match="unsafe path"):
        patch(out)
    (tmp_path / "l").symlink_to("/")
    with pytest.raises(BadInput, match="symbolic link"):
        apply(open_tree(tmp_path, []), [patch(diff("a\n", "b\n", "l/etc/passwd"))])


# Every line is another one, so that there is one right place for each hunk.
@st.composite
def edited_texts(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    size = draw(st.integers(8, 40))
    shape = st.sampled_from(
        ["{}", "\tcall{}();", "\t\tx = a{} + (b);", "/* note {} */", "#if {}", "\t++{};", "\t- {};"]
    )
    old = [draw(shape).format(f"n{n}") for n in range(size)]
    blank = draw(st.sets(st.integers(0, size - 1), max_size=size // 4))
    old = [line if n not in blank else "" for n, line in enumerate(old)]
    new: list[str] = []
    for n, line in enumerate(old):
        what = draw(st.sampled_from(["keep"] * 8 + ["add", "cut", "change"]))
        if what in ("add", "change"):
            new += [draw(shape).format(f"m{n}_{k}") for k in range(draw(st.integers(1, 3)))]
        if what in ("keep", "add"):
            new.append(line)
    return old, new


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    lines = text.splitlines()
    if draw(st.booleans()):  # blanks collapsed, blank context lines stripped or lost
        lines = [" ".join(line.split()) for line in lines]
    if draw(st.booleans()):
        lines = [line for line in lines if line.strip()]
    if draw(st.booleans()):
        lines = [re.sub(r"^@@ .* @@", lambda m: _shifted(m.group(), 7), line) for line in lines]
    mark = draw(st.sampled_from(["", "> ", ">", "> > ", ">>"]))
    lines = [mark + line for line in lines]
    if mark:
        comments = ["", "+ why?", "- no", " hm", "ok.", "@@ what", "-- "]
        for _ in range(draw(st.integers(0, 4))):
            at = draw(st.integers(0, len(lines)))
            lines.insert(at, draw(st.sampled_from(comments)))
    return "\n".join(lines) + "\n"


def _shifted(header: str, by: int) -> str:
    return re.sub(r"-(\d+)", lambda m: f"-{int(m.group(1)) + by}", header, count=1)


@settings(max_examples=200)
@given(st.data(), edited_texts(), st.integers(0, 12))
def test_a_damaged_diff_still_gives_the_edited_text(
    data: st.DataObject, texts: tuple[list[str], list[str]], pad: int
) -> None:
    old, new = texts
    text = diff("\n".join(old), "\n".join(new), "t.c")
    hunks = re.split(r"(?m)^@@.*\n", text)[1:]
    assume(hunks)
    for hunk in hunks:  # without one plain old line there is nothing to place it by
        assume(re.search(r"(?m)^[ -][ \t]*[^\s+-]", hunk))
    padding = [f"pad{n};" for n in range(pad)]
    tree = TextTree(t="\n".join(padding + old) + "\n")
    overlay, [report] = run(tree, data.draw(damaged(text)))
    assert report.failed == []
    assert squeeze(overlay.read("t.c")) == squeeze("\n".join(padding + new))
    result = (overlay.read("t.c") or "").splitlines()
    marked = [line for n, line in enumerate(result, start=1) if overlay.mark("t.c", n)]
    added = [line[1:] for line in text.splitlines()[2:] if line.startswith("+")]
    assert squeeze("\n".join(marked)) == squeeze("\n".join(added))
