"""verify.source.patch: one message -> the patch in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.errors import BadInput
from verify.source.mail import Message, split_messages
from verify.source.patch import FilePatch, Patch, parse_patch

LAMP = """diff --git a/lamp.c b/lamp.c
index 1..2 100644
--- a/lamp.c
+++ b/lamp.c
@@ -10,5 +10,6 @@ static void lamp_on(void)
 \tfirst();

-\tsecond();
+\tother();
+\tthird();
 \tfourth();
 \tlast();
"""


def parse(text: str) -> Patch:
    [message] = split_messages(text.encode(), "in")
    return parse_patch(message)


def only(text: str) -> FilePatch:
    [file] = parse(text).files
    return file


def quoted(text: str, mark: str = "> ") -> str:
    return "".join(f"{mark}{line}".rstrip() + "\n" for line in text.splitlines())


def test_plain() -> None:
    file = only(LAMP)
    assert (file.path, file.old_path, file.kind) == ("lamp.c", "lamp.c", "modify")
    [hunk] = file.hunks
    assert (hunk.old_start, hunk.header_context) == (10, "static void lamp_on(void)")
    assert hunk.source_line == 5
    assert hunk.damage == ""
    assert hunk.lines == [
        (" ", "\tfirst();"),
        (" ", ""),
        ("-", "\tsecond();"),
        ("+", "\tother();"),
        ("+", "\tthird();"),
        (" ", "\tfourth();"),
        (" ", "\tlast();"),
    ]


def test_text_after_the_counts_is_no_patch() -> None:
    [hunk] = only(LAMP + "-- \n2.50.1\n").hunks
    assert hunk.lines == only(LAMP).hunks[0].lines
    [hunk] = only(LAMP + "\nThanks,\n- Ann\n").hunks
    assert hunk.lines == only(LAMP).hunks[0].lines


@pytest.mark.parametrize("counts", ["-10,4 +10,5", "-10,2 +10,2", "-10,50 +10,50"])
def test_wrong_counts(counts: str) -> None:
    text = LAMP.replace("-10,5 +10,6", counts) + "-- \n2.50.1\n"
    lines = only(text).hunks[0].lines
    assert lines[:5] == only(LAMP).hunks[0].lines[:5]


def test_a_hunk_that_is_far_longer_than_its_counts() -> None:
    # If each line looked for the last one, this would take hours.
    count = 200_000
    [hunk] = only(LAMP + " \tmore();\n" * count + "+\tlast();\n").hunks
    assert len(hunk.lines) == 7 + count + 1


@pytest.mark.parametrize("mark", ["> ", ">", "> > ", ">> ", ">>"])
def test_quoted(mark: str) -> None:
    text = "Ann wrote:\n" + quoted(LAMP, mark) + "\nregards\n"
    assert only(text).hunks[0].lines == only(LAMP).hunks[0].lines


def test_comments_between_quoted_lines_are_no_patch() -> None:
    lines = quoted(LAMP).splitlines()
    at = next(index for index, line in enumerate(lines) if "+\tother" in line)
    comment = ["", "+ is this needed?", "- I mean", " really", "@@", "", "diff"]
    text = "\n".join(lines[: at + 1] + comment + lines[at + 1 :])
    assert only(text).hunks[0].lines == only(LAMP).hunks[0].lines


def test_lost_white_space() -> None:
    text = "\n".join(" ".join(line.split()) for line in LAMP.splitlines() if line.strip())
    [hunk] = only(quoted(text)).hunks
    assert [(kind, body.strip()) for kind, body in hunk.lines] == [
        (" ", "first();"),
        ("-", "second();"),
        ("+", "other();"),
        ("+", "third();"),
        (" ", "fourth();"),
        (" ", "last();"),
    ]
    assert hunk.damage == ""


def test_a_trimmed_hunk_is_damaged() -> None:
    lines = quoted(LAMP).splitlines()
    at = next(index for index, line in enumerate(lines) if "+\tother" in line)
    assert "missing" in only("\n".join([*lines[:at], "[...]"])).hunks[0].damage
    assert "missing" in only("\n".join(LAMP.splitlines()[: at + 1])).hunks[0].damage


@pytest.mark.parametrize(("tail", "damaged"), [("other, thing);", True), ("Is it?", False)])
def test_an_added_line_folded_after_quoting_is_told_from_a_comment(
    tail: str, damaged: bool
) -> None:
    end = "some_call_with_a_long_name(and_a_long_argument, and_one_more_of_them"
    line = f"> +\t{end}" + ("," if damaged else ");")
    text = quoted(LAMP).replace("> +\tother();", f"{line}\n{tail}")
    assert (only(text).hunks[0].damage != "") == damaged


def test_two_files_and_two_hunks() -> None:
    second = LAMP.replace("lamp.c", "dir/lamp.h")
    extra = "@@ -40 +41 @@\n-old\n+new\n"
    files = parse(LAMP + extra + second).files
    assert [(f.path, len(f.hunks)) for f in files] == [("lamp.c", 2), ("dir/lamp.h", 1)]
    assert files[0].hunks[1].lines == [("-", "old"), ("+", "new")]


def test_changed_lines_that_look_like_file_names() -> None:
    text = "--- a/q.sql\n+++ b/q.sql\n@@ -1,3 +1,3 @@\n a\n--- old note\n+++ new note\n b\n"
    [hunk] = only(text).hunks
    assert hunk.lines == [(" ", "a"), ("-", "-- old note"), ("+", "++ new note"), (" ", "b")]


NEW = "--- /dev/null\n+++ b/n.c\n@@ -0,0 +1 @@\n+int n;\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("diff --git a/n.c b/n.c\nnew file mode 100644\n" + NEW, ("n.c", "n.c", "new")),
        (NEW, ("n.c", "n.c", "new")),
        ("--- a/n.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-int n;\n", ("n.c", "n.c", "delete")),
        (
            "diff --git a/o.c b/d/n.c\nsimilarity index 100%\nrename from o.c\nrename to d/n.c\n",
            ("d/n.c", "o.c", "rename"),
        ),
        (
            "diff --git a/o.c b/n.c\ncopy from o.c\ncopy to n.c\n",
            ("n.c", "o.c", "copy"),
        ),
        (
            "--- a/x y.c\t2026\n+++ b/x y.c\t2026\n@@ -1 +1 @@\n-a\n+b\n",
            ("x y.c", "x y.c", "modify"),
        ),
        ("--- k.orig/m/x.c\n+++ k/m/x.c\n@@ -1 +1 @@\n-a\n+b\n", ("m/x.c", "m/x.c", "modify")),
        ("--- m/x.c\n+++ m/x.c\n@@ -1 +1 @@\n-a\n+b\n", ("m/x.c", "m/x.c", "modify")),
        (
            '--- "a/\\303\\251.c"\n+++ "b/\\303\\251.c"\n@@ -1 +1 @@\n-a\n+b\n',
            ("\u00e9.c", "\u00e9.c", "modify"),
        ),
    ],
)
def test_kinds_and_names(text: str, expected: tuple[str, str, str]) -> None:
    file = only(text)
    assert (file.path, file.old_path, file.kind) == expected


def test_diffstat_tells_what_is_missing() -> None:
    stat = " lamp.c | 3 ++-\n other.c | 7 +++++++\n lost/{a => b}.c | 0\n---\n"
    patch = parse(stat + LAMP)
    assert [(part.file, "the diff" in part.reason) for part in patch.missing] == [("other.c", True)]
    patch = parse(stat.replace("3 ++-", "9 +++") + LAMP)
    assert "6 of 9 changed lines" in patch.missing[0].reason


def test_a_counter_proposal_is_noted() -> None:
    patch = parse(quoted(LAMP + LAMP.replace("lamp.c", "b.c")) + "\nrather:\n" + LAMP)
    assert [file.path for file in patch.files] == ["lamp.c", "b.c"]
    assert len(patch.notes) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hello\n", "no diff found in in"),
        ("Subject: [PATCH] x\nFrom: a\n\nwords\n", 'no diff found in in: "\\[PATCH\\] x"'),
        ("@@ -1 +1 @@\n-a\n+b\n", "before any file name"),
        ("--- a/x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n", "unsafe path"),
        ("--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-a\n+b\n", "unsafe path"),
        ("diff --git a/x b/y\nrename from ../x\nrename to y\n", "unsafe path"),
        ("diff --git a/x b/x\nGIT binary patch\nliteral 3\n", "binary patch"),
        ("diff --git a/x b/x\nBinary files a/x and b/x differ\n", "binary patch"),
        ("diff --cc x\n@@@ -1,2 -1,2 +1,3 @@@\n", "merge"),
        ("*** a/x\n--- b/x\n***************\n", "context diff"),
        (quoted(LAMP, ">" * 30), "quoted more than 20 deep"),
    ],
)
def test_bad_patches(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


LINES = st.sampled_from(
    [*LAMP.splitlines(), "", "> x", ">> +y", "--", "-- ", "+", "-", "@@ -1,2 +3 @@", "\\ No", "a"]
)


@given(st.lists(LINES, max_size=30), st.integers(0, 2))
def test_any_lines_parse_or_are_refused(lines: list[str], depth: int) -> None:
    message = Message("s", None, None, ["> " * depth + line for line in lines], source="in")
    try:
        patch = parse_patch(message)
    except BadInput as error:
        assert "\n" not in str(error)
        return
    for file in patch.files:
        for hunk in file.hunks:
            # Nothing but lines of the message, in its order.
            assert [text for _, text in hunk.lines if text and text not in "\n".join(lines)] == []
