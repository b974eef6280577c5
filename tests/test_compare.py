"""verify.compare: what a patch, each of a series, or each commit changes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.reference
from tests.git_history import History
from tests.report_sample import PROVED, REFUTED, UNKNOWN, with_results
from verify import check, cli, compare, verdicts
from verify.compare import difference, turns
from verify.errors import BadInput
from verify.inputs import read_patches
from verify.request import NothingMatches, Request
from verify.result import VACUOUS, Report, Turn
from verify.source.overlay import PatchReport, apply
from verify.source.tree import Tree, open_tree

REFERENCE = Path(models.reference.__file__).parent / "tree"
PATCHES = REFERENCE.parent / "patches"
RIGHT, WRONG = PATCHES / "perf-metrics.patch", PATCHES / "perf-metrics-wrong-order.patch"
INTEL = "arch/x86/kvm/vmx/pmu_intel.c"
NAME = "restore.RED"
ANSWERS = {
    "proved": replace(PROVED, property=NAME),
    "refuted": replace(REFUTED, property=NAME),
    "unknown": replace(UNKNOWN, property=NAME),
    "vacuous": replace(UNKNOWN, property=NAME, reason=f"{VACUOUS}there is no RED"),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def reports(words: str) -> list[Report | None]:
    """A report with one answer for each word; `-` is a tree that cannot be checked, `.` one that
    has not got the property."""
    special: dict[str, Report | None] = {"-": None, ".": with_results(replace(PROVED))}
    special["."] = with_results(replace(PROVED, property="restore.GREEN"))
    return [special[w] if w in special else with_results(ANSWERS[w]) for w in words.split()]


def line(words: str) -> list[tuple[str, tuple[int, ...]]]:
    """The turns of NAME in a history without branches."""
    found = reports(words)
    parents = [(number - 1,) if number else () for number in range(len(found))]
    return [(t.difference, t.stages) for t in turns(parents, found) if t.property == NAME]


@pytest.mark.parametrize(
    ("before", "verdict", "what"),
    [
        (True, "refuted", "introduces"),
        (False, "proved", "fixes"),
        (True, "proved", "keeps"),
        (False, "refuted", "leaves"),
        (None, "proved", "unknown"),
        (None, "refuted", "unknown"),
        (True, "unknown", "unknown"),
        (False, "unknown", "unknown"),
    ],
)
def test_differences(before: bool | None, verdict: str, what: str) -> None:
    assert difference(before, verdict) == what


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("proved proved", []),
        ("proved refuted refuted", [("introduces", (1,))]),
        ("refuted proved refuted", [("fixes", (1,)), ("introduces", (2,))]),
        ("proved unknown refuted", [("introduces", (1, 2))]),
        ("proved - unknown refuted", [("introduces", (1, 2, 3))]),
        ("proved unknown proved refuted", [("introduces", (3,))]),
        ("refuted unknown refuted", []),
        ("unknown refuted proved", [("fixes", (2,))]),
        ("- refuted", []),
        ("vacuous refuted", [("introduces", (1,))]),
        (". refuted", [("introduces", (1,))]),
        ("refuted vacuous proved", []),
        ("refuted vacuous refuted", [("introduces", (2,))]),
    ],
)
def test_who_turns_a_property(words: str, expected: list[tuple[str, tuple[int, ...]]]) -> None:
    assert line(words) == expected


def test_a_base_that_speaks_of_nothing_has_no_verdict() -> None:
    found = {"a": ANSWERS["vacuous"], "b": ANSWERS["unknown"]}
    beside = [compare._beside(replace(ANSWERS["refuted"], property=name), found) for name in found]
    assert [(r.base, r.difference) for r in beside] == [
        (None, "introduces"),
        ("unknown", "unknown"),
    ]


@given(st.lists(st.sampled_from(["proved", "refuted", "unknown", "-"]), min_size=1, max_size=12))
def test_turns_agree_with_what_is_known(words: list[str]) -> None:
    found = line(" ".join(words))
    known = [(at, word) for at, word in enumerate(words) if word in ("proved", "refuted")]
    flips = [
        ("introduces" if now == "refuted" else "fixes", tuple(range(before + 1, at + 1)))
        for (before, was), (at, now) in pairwise(known)
        if was != now
    ]
    assert found == flips


def test_a_merge_is_blamed_only_for_what_is_new_in_it() -> None:
    parents = [(), (0,), (0,), (1, 2)]
    for words, expected in (
        ("proved refuted proved refuted", [Turn(NAME, "introduces", (1,))]),
        ("proved proved proved refuted", [Turn(NAME, "introduces", (3,))]),
        ("refuted proved refuted proved", [Turn(NAME, "fixes", (1,))]),
        ("proved refuted proved proved", [Turn(NAME, "introduces", (1,))]),
        ("proved unknown unknown refuted", [Turn(NAME, "introduces", (1, 2, 3))]),
    ):
        assert list(turns(parents, reports(words))) == expected, words


# Patches ------------------------------------------------------------------------------------------

BREAKS, FIXES = "int broken;", "int fixed;"


@pytest.fixture
def prover(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for the work: BREAKS in the tree breaks it. Keeps what it was given."""
    seen: list[str] = []

    def checked(tree: Tree, patches: Sequence[PatchReport], request: Request) -> Report:
        text = tree.read(INTEL) or ""
        seen.append(text)
        if "int missing;" in text:
            raise BadInput("no function lamp_load that can be read")
        if "no.such" in request.properties:
            raise NothingMatches("--property: nothing matches no.such", "no.such")
        verdict = "refuted" if BREAKS in text and FIXES not in text else "proved"
        return with_results(ANSWERS[verdict])

    monkeypatch.setattr(check, "check_tree", checked)
    return seen


def mail(number: int, added: str, path: str = INTEL) -> str:
    """A patch of a series that puts a line at the end of a file."""
    last = (REFERENCE / path).read_text().splitlines()[-1]
    return (
        f"From a Mon Sep 17 00:00:00 2001\nFrom: a@example.org\n"
        f"Subject: [PATCH {number}/3] Patch {number}\nMessage-ID: <{number}@example.org>\n\n---\n"
        f"--- a/{path}\n+++ b/{path}\n@@ -1,1 +1,2 @@\n {last}\n+{added}\n\n"
    )


def series(*added: str) -> str:
    return "".join(mail(number, text) for number, text in enumerate(added, start=1))


def test_a_series(prover: list[str], tmp_path: Path) -> None:
    (tmp_path / "series.mbox").write_text(series("int other;", BREAKS, "int third;"))
    found = compare.run(Request(patches=(str(tmp_path / "series.mbox"),), compare=True))
    assert [stage.name for stage in found.series] == [
        "base",
        "[PATCH 1/3] Patch 1",
        "[PATCH 2/3] Patch 2",
        "[PATCH 3/3] Patch 3",
    ]
    assert found.turns == (Turn(NAME, "introduces", (2,)),)
    [result] = found.results
    assert (result.base, result.verdict, result.difference) == ("proved", "refuted", "introduces")
    assert found.exit_status == 1
    assert [BREAKS in text for text in prover] == [True, False, False, True], "the last one first"


def test_what_a_series_breaks_and_mends(prover: list[str], tmp_path: Path) -> None:
    (tmp_path / "series.mbox").write_text(series(BREAKS, FIXES))
    found = compare.run(Request(patches=(str(tmp_path / "series.mbox"),), compare=True))
    assert [(t.difference, t.stages) for t in found.turns] == [
        ("introduces", (1,)),
        ("fixes", (2,)),
    ]
    assert found.results[0].difference == "keeps" and found.exit_status == 0


def places(text: str) -> tuple[str, ...]:
    """The registers at which a tree fails, as its lines say."""
    return tuple(re.findall(r"int fails_(\w+);", text))


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("int fails_BLUE;", "introduces"),
        ("int fails_RED;", "leaves"),
        ("int fails_BLUE; int fails_NEVER;", "leaves"),
        ("int fails_BLUE; int fails_FALSELY;", "leaves"),
    ],
)
def test_what_fails_at_another_register_than_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, added: str, told: str
) -> None:
    """In a property that the base breaks, too: it is new, once a run shows it."""
    asked: list[Request] = []

    def checked(tree: Tree, patches: Sequence[PatchReport], request: Request) -> Report:
        asked.append(request)
        found = places(tree.read(INTEL) or "")
        apart = request.apart.get(NAME, ())
        left = tuple(place for place in found if place not in apart)
        answer = ANSWERS["refuted"]
        if apart and "NEVER" in left:
            answer = ANSWERS["unknown"]
        if apart and "FALSELY" in left:
            answer = ANSWERS["proved"]
        return with_results(replace(answer, open=left))

    monkeypatch.setattr(check, "check_tree", checked)
    tree = shutil.copytree(REFERENCE, tmp_path / "tree")
    with (tree / INTEL).open("a") as file:
        file.write("int fails_RED;\n")
    patch = tmp_path / "patch"
    old = "int fails_RED;"
    patch.write_text(f"--- a/{INTEL}\n+++ b/{INTEL}\n@@ -1,1 +1,2 @@\n {old}\n+{added}\n")
    request = Request(kernel=tree, patches=(str(patch),), compare=True, emit_c=tmp_path / "c")
    [result] = compare.run(request).results
    assert (result.base, result.verdict, result.difference) == ("refuted", "refuted", told)
    assert [bool(r.apart) for r in asked] == [False, False, *([True] if "BLUE" in added else [])]
    assert result.trace is not None and (
        told != "introduces" or result.reason.startswith("failed before, too, but not at ")
    )
    assert result.reason.startswith("whether it fails at registers") is ("NEVER" in added)
    if "BLUE" in added:
        assert asked[-1].apart == {NAME: ("RED",)} and asked[-1].properties == (NAME,)
        assert asked[-1].emit_c is None


def test_a_base_that_cannot_be_checked(prover: list[str], tmp_path: Path) -> None:
    tree = shutil.copytree(REFERENCE, tmp_path / "tree")
    with (tree / INTEL).open("a") as file:
        file.write("int missing;\n")
    patch = tmp_path / "patch"
    last = (REFERENCE / INTEL).read_text().splitlines()[-1]
    patch.write_text(
        f"--- a/{INTEL}\n+++ b/{INTEL}\n@@ -1,2 +1,2 @@\n {last}\n-int missing;\n+{BREAKS}\n"
    )
    found = compare.run(Request(kernel=tree, patches=(str(patch),), compare=True))
    [result] = found.results
    assert (result.base, result.difference) == (None, "unknown")
    assert found.series[0].problem == "no function lamp_load that can be read"


def test_a_property_that_the_base_has_not_got(
    prover: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "series.mbox").write_text(series(BREAKS))
    plain = check.check_tree

    def checked(tree: Tree, patches: Sequence[PatchReport], request: Request) -> Report:
        if not patches and request.properties != ("order.*",):
            raise NothingMatches("nothing", request.properties[0])
        return (
            with_results(replace(PROVED, property="order.x"))
            if not patches
            else plain(tree, patches, request)
        )

    monkeypatch.setattr(check, "check_tree", checked)
    request = Request(patches=(str(tmp_path / "series.mbox"),), compare=True)
    found = compare.run(replace(request, properties=("restore.RED", "order.*")))
    assert found.results[0].difference == "introduces" and found.results[0].base is None
    found = compare.run(replace(request, properties=("restore.RED",)))
    assert found.results[0].difference == "unknown"
    assert found.series[0].problem == "has none of the properties"


def test_nothing_to_compare(prover: list[str]) -> None:
    with pytest.raises(BadInput, match="give the patch"):
        compare.run(Request(compare=True))
    with pytest.raises(BadInput, match="with --kernel"):
        compare.run(Request(git="a..b"))


# Commits ------------------------------------------------------------------------------------------


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A repository with the reference tree."""
    found = History(shutil.copytree(REFERENCE, tmp_path / "repository"))
    found.commit("Start")
    return found


def texts(*patches: Path) -> dict[str, str]:
    """The reference tree's files after a patch, as far as it changes them."""
    messages = read_patches([str(patch) for patch in patches])
    tree, _ = apply(open_tree(REFERENCE, []), messages)
    return {path: tree.read(path) or "" for path, _, _ in tree.touched()}


def test_a_commit_that_cannot_be_checked(prover: list[str], history: History) -> None:
    text = (REFERENCE / INTEL).read_text()
    history.commit("Lose", {INTEL: f"{text}int missing;\n"})
    history.commit("Back", {INTEL: f"{text}{BREAKS}\n"})
    found = compare.run(Request(kernel=history.folder, git="main~2..main"))
    assert "no function lamp_load" in found.series[1].problem
    assert found.turns == (Turn(NAME, "introduces", (1, 2)),)


def test_commits_on_two_sides(prover: list[str], history: History) -> None:
    text = (REFERENCE / INTEL).read_text()
    history.git("checkout", "-q", "-b", "side")
    side = history.commit("Side", {INTEL: f"{text}{BREAKS}\n"})
    history.git("checkout", "-q", "main")
    history.commit(
        "Main", {"arch/x86/kvm/pmu.c": (REFERENCE / "arch/x86/kvm/pmu.c").read_text() + "\n"}
    )
    history.git("merge", "-q", "--no-ff", "-m", "Merge", "side")
    found = compare.run(Request(kernel=history.folder, git="main~2..main"))
    [turn] = found.turns
    assert [found.series[k].commit for k in turn.stages] == [side]
    assert found.results[0].difference == "introduces"


def test_a_commit_that_changes_what_the_model_stands_for(
    prover: list[str], history: History
) -> None:
    intel = (REFERENCE / INTEL).read_text()
    x86 = "arch/x86/kvm/other.c"
    frame = "int init_vmcs(void)\n{\n\treturn 0;\n}\n"
    history.commit("Frame", {x86: frame, "lamp.c": "int vcpu_lamp;\n"})
    history.commit("Lamp", {"lamp.c": "int lamp;\n"})
    changed = history.commit("Skip", {x86: frame.replace("0", "1")})
    history.commit("Break", {INTEL: f"{intel}{BREAKS}\n"})
    back = history.commit("Back", {x86: frame})
    found = compare.run(Request(kernel=history.folder, git="main~4..main"))
    assert [stage.commit for stage in found.series][1::2] == [changed, back]
    said = f"changes {x86}:3 init_vmcs(), which the model stands for"
    assert [stage.problem for stage in found.series] == ["", said, said, ""]
    assert found.turns == (Turn(NAME, "introduces", (1, 2, 3)),)
    found = compare.run(Request(kernel=history.folder, git="main~4..main~1"))
    [result] = found.results
    assert (result.verdict, result.reason) == ("unknown", f"a commit {said}")
    assert (result.trace, result.difference, found.exit_status) == (None, "unknown", 2)
    # The same of a tree that had it before.
    found = compare.run(Request(kernel=history.folder, git="main~2..main~1"))
    assert found.results[0].difference == "introduces"


def test_commits_that_may_depart_from_the_frame_are_looked_at(
    prover: list[str], history: History
) -> None:
    other, frame = "arch/x86/kvm/other.c", "arch/x86/kvm/x86.c"
    calls = "void f(void)\n{\n\tkvm_mediated_pmu_put(0);\n}\n"
    history.commit("Lamp", {other: "int lamp;\n"})
    commits = [
        history.commit("Frame", {frame: f"{(REFERENCE / frame).read_text()}\n"}),
        history.commit("Put", {other: calls}),
        history.commit("Lamp again", {"arch/x86/kvm/third.c": "int lamp;\n"}),
    ]
    found = compare.run(Request(kernel=history.folder, git="main~3..main"))
    assert [stage.commit for stage in found.series][1:3] == commits[:2]


def ten_commits(history: History) -> dict[str, str]:
    """Hashes by subject: the third brings PERF_METRICS, the sixth breaks it, the ninth mends it."""
    found = {}
    for number in range(1, 11):
        files = {"Documentation/lamp.rst": f"{number}\n"}
        subject = f"Write documentation {number}"
        if number == 3:
            subject, files = "Switch PERF_METRICS", texts(RIGHT)
        elif number == 6:
            subject, files = "Write PERF_METRICS early", texts(WRONG)
        elif number == 9:
            subject, files = "Write PERF_METRICS late again", texts(RIGHT)
        found[subject] = history.commit(subject, files)
    return found


FEW = [
    "guest.nested=0", "guest.version=2", "guest.gp=2", "guest.fixed=4", "host.gp=2",
    "host.fixed=4", "guest.gp_width=48", "host.gp_width=48", "guest.fixed_width=48",
    "host.fixed_width=48", "guest.fw_writes=1", "guest.perf_metrics=1",
]  # fmt: skip
"""A configuration that is proved fast."""


def test_the_commit_that_breaks_something_is_named(
    history: History, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = ten_commits(history)
    proved: list[str] = []
    work: Callable[..., Report] = verdicts.prove

    def counted(tree: Tree, *rest: object) -> Report:
        proved.append(tree.root)
        return work(tree, *rest)

    monkeypatch.setattr(verdicts, "prove", counted)
    words = ["check", "--kernel", str(history.folder), "--property", "order.fixed3-metrics.load"]
    words += [word for value in FEW for word in ("--config", value)]
    for value in ("fixed3_write=clear", "metrics_reserved=ignore", "metrics_clear_cpl0=0"):
        words += ["--hardware", value]
    assert cli.main([*words, "--git", "main~10..main~1", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    breaks, mends = (commits[f"Write PERF_METRICS {when}"] for when in ("early", "late again"))
    assert [
        (t["property"], t["difference"], [found["series"][k]["commit"] for k in t["stages"]])
        for t in found["turns"]
    ] == [
        ("order.fixed3-metrics.load", "introduces", [breaks]),
        ("order.fixed3-metrics.load", "fixes", [mends]),
    ]
    assert [s["name"] for s in found["series"][1:]] == [
        "Switch PERF_METRICS",
        "Write PERF_METRICS early",
        "Write PERF_METRICS late again",
    ], "others touch nothing that is checked"
    assert "no machine and guest can be like this" in found["series"][0]["problem"]
    assert len(proved) == 3, "the same content is not proved again"

    # A part of the range, which ends at the broken one.
    assert cli.main([*words, "--git", f"{commits['Switch PERF_METRICS']}..main~3"]) == 1
    text = capsys.readouterr().out
    assert f"{breaks[:12]} Write PERF_METRICS early\n    introduces order.fixed3" in text
    assert len(proved) == 3


@pytest.mark.verdicts
def test_what_a_patch_breaks_besides_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The base refuses what a guest may have in its status; the patch refuses selectors, too."""
    (tmp_path / "patch").write_text(
        f"--- a/{INTEL}\n+++ b/{INTEL}\n@@ -1,2 +1,2 @@\n \tif (pmc)\n"
        "-\t\treturn set_eventsel(pmc, data);\n"
        "+\t\treturn msr_info->host_initiated ? 1 : set_eventsel(pmc, data);\n"
    )
    words = ["check", "--property", "migrate.closed", "--format", "json", "--compare"]
    assert cli.main([*words, "--patch", str(tmp_path / "patch")]) == 1
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["base"], result["verdict"]) == ("refuted", "refuted")
    assert result["difference"] == "introduces"
    register = result["trace"]["violation"]["register"]
    assert register.startswith("EVTSEL[")
    assert result["reason"].startswith(f"failed before, too, but not at {register}")


def test_what_does_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("--patch x", "--compare"):
        assert cli.main(["check", "--git", "a..b", *words.split()]) == 3
        assert "--git: compares commits as they are" in capsys.readouterr().err
