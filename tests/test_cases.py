"""proofs.cases: the must-find cases fit the trees that they are for; odd ones are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tree_sitter_c
from tree_sitter import Language, Node, Parser

import models.reference
from proofs.cases import Built, Case, Recipe, kind, load
from tests.required_cases import REQUIRED
from verify.errors import BadInput
from verify.source.edit import open_function
from verify.source.tree import KernelTree, Tree, open_tree

CASES = load()
PARSER = Parser(Language(tree_sitter_c.language()))
REFERENCE = open_tree(Path(models.reference.__file__).parent / "tree", ["Makefile"])
PROPERTIES = re.compile(
    r"(nmi\.)?("
    r"restore\.(PMC|EVTSEL|FIXED_CTR\d|FIXED_CTR_CTRL|GLOBAL_CTRL|GLOBAL_STATUS|PERF_METRICS)"
    r"|leak\.(guest-host|guest-guest|host-guest)|access\.(closed|nested|nested\.direct)"
    r"|order\.(fixed3-metrics\.load|fixed3-metrics\.put|quiet)"
    r"|count\.(switch|host|guest|enabled|fastpath|filter|emulated)|fault\.(load|run|put)|pmi\.(owner|host)|warn\.guest"
    r"|host\.(caches|context)|fresh\.global-ctrl|stable\.hw-copies|migrate\.closed(?:\.load|\.other-host)?)"
)


def cases_for(tree: str) -> list[object]:
    return [pytest.param(case, id=case.name) for case in CASES if tree in case.wrong]


def test_the_required_cases_are_there() -> None:
    assert {case.name for case in CASES} >= REQUIRED
    assert len(CASES) == len({case.name for case in CASES}) >= len(REQUIRED) + 12


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_says_what_it_is(case: Case) -> None:
    for text in (case.description, case.why):
        assert text == text.strip() and text.endswith(".") and "\n" not in text
    for name in case.properties:
        assert PROPERTIES.fullmatch(name), name
    assert all(untold.reason for untold in case.unknown)
    for refuted in case.refutes:
        assert all(values for values in refuted.under.values())


def every_error(node: Node) -> list[str]:
    """What a C parser does not understand below a node."""
    own = [str(node.text)] if node.is_error or node.is_missing else []
    return own + [error for child in node.children for error in every_error(child)]


def errors_in(tree: Tree, at: str) -> set[str]:
    """What a C parser does not understand of a function, as with conditionals across statements."""
    function = open_function(tree, at)
    first, last = function.span(function.body)
    body = f"int f(void)\n{function.text[first:last]}\n"
    return set(every_error(PARSER.parse(body.encode()).root_node))


def check(recipe: Recipe, built: Built, unedited: Built) -> None:
    """The edits have left functions that are C, as far as they were, and marked lines."""
    for at in {place for edit in recipe.edits for place in (edit.at, edit.to) if place}:
        assert errors_in(built.tree, at) <= errors_in(unedited.tree, at), at
    if recipe.edits:
        changed = {edit.at.rpartition(":")[0] for edit in recipe.edits}
        assert changed <= {path for path, _, _ in built.tree.touched()}


def differing(one: Built, other: Built) -> set[str]:
    paths = {path for built in (one, other) for path, _, _ in built.tree.touched()}
    return {path for path in paths if one.tree.read(path) != other.tree.read(path)}


def fits(case: Case, tree: KernelTree, folders: list[Path]) -> None:
    wrong, right = case.build(tree, folders), case.build_right(tree, folders)
    for recipe, built in ((case.wrong[kind(tree)], wrong), (case.right[kind(tree)], right)):
        check(recipe, built, replace(recipe, edits=()).build(tree, folders))
    assert differing(wrong, right)
    assert wrong.defines == right.defines


@pytest.mark.parametrize("case", cases_for("reference"))
def test_it_fits_the_reference_tree(case: Case) -> None:
    fits(case, REFERENCE, [])
    for patch in (*case.build(REFERENCE).patches, *case.build_right(REFERENCE).patches):
        assert not patch.failed


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["7.2", "7.3"])
@pytest.mark.parametrize("case", cases_for("kernel"))
def test_it_fits_a_kernel(
    case: Case,
    version: str,
    kernel_tree: Callable[[str], Path],
    patch_folders: Callable[[Case], list[Path]],
) -> None:
    fits(case, open_tree(kernel_tree(version), ["Makefile"]), patch_folders(case))


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["7.2", "7.3"])
def test_no_case_holds_a_line_of_the_kernel(
    version: str, kernel_tree: Callable[[str], Path]
) -> None:
    tree = open_tree(kernel_tree(version), ["Makefile"])
    recipes = [
        recipes["kernel"]
        for case in CASES
        for recipes in (case.wrong, case.right)
        if "kernel" in recipes
    ]
    for edit in {edit for recipe in recipes for edit in recipe.edits}:
        text = tree.read(edit.at.rpartition(":")[0]) or ""
        lines = {squeezed(line) for line in text.splitlines()}
        for line in "\n".join((edit.key, edit.mark, edit.text)).splitlines():
            assert len(squeezed(line)) < 30 or squeezed(line) not in lines


def squeezed(text: str) -> str:
    return "".join(text.split()).removesuffix(";")


def test_patches_that_are_not_there_are_named() -> None:
    [case] = [case for case in CASES if case.name == "seed-as-posted"]
    with pytest.raises(BadInput, match=r"perf-metrics-v2-3of4.txt: no such patch in .*/nowhere"):
        case.wrong["kernel"].build(REFERENCE, [Path("/nowhere")])


# Files that are odd ---------------------------------------------------------------------------

GOOD = """
description = "The lamp is left on."
why = "Nobody turns it off."
base = "dark"
edit = [{ at = "lamp.c:off", do = "delete", key = "dim(" }]
refutes = [{ property = "leak.light", cause = ["lamp"], under = { colour = ["red"] } }]
"""
BASES = """
[dark]
description = "as it is"
[dark.kernel]
defines = { LAMPS = "2" }
[[dark.edit]]
tree = "kernel"
at = "lamp.c:off"
do = "insert-first"
text = "dim(2);"
[darker]
description = "more so"
base = "dark"
edit = [{ at = "lamp.c:off", do = "insert-last", text = "dim(0);" }]
"""


def loaded(folder: Path, text: str, bases: str = BASES) -> Case:
    (folder / "bases.toml").write_text(bases)
    (folder / "lamp.toml").write_text(text)
    [case] = load(folder)
    return case


def test_a_case_is_read_whole(tmp_path: Path) -> None:
    case = loaded(tmp_path, GOOD + 'config = { "guest.gp" = 2 }\nhardware = { x = "1" }\n')
    assert (case.name, case.description) == ("lamp", "The lamp is left on.")
    assert (case.config, case.hardware) == ({"guest.gp": 2}, {"x": "1"})
    assert [len(case.wrong[of].edits) for of in ("reference", "kernel")] == [1, 2]
    assert [len(case.right[of].edits) for of in ("reference", "kernel")] == [0, 1]
    assert case.wrong["kernel"].defines == {"LAMPS": "2"}
    [refuted] = case.refutes
    assert (refuted.property, refuted.cause) == ("leak.light", ("lamp",))
    assert (refuted.register, refuted.under) == ("", {"colour": ("red",)})


def test_a_twin_may_have_another_base(tmp_path: Path) -> None:
    case = loaded(tmp_path, GOOD + 'trees = ["kernel"]\ntwin = { base = "darker" }\n')
    assert list(case.wrong) == list(case.right) == ["kernel"]
    assert [edit.text for edit in case.right["kernel"].edits] == ["dim(2);", "dim(0);"]


def test_a_case_for_other_trees_is_refused(tmp_path: Path) -> None:
    case = loaded(tmp_path, GOOD + 'trees = ["kernel"]\n')
    with pytest.raises(BadInput, match="lamp: the case is not for"):
        case.build(REFERENCE)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('base = "dark"', 'base = "light"', "lamp.toml: no such base: light; use one of dark"),
        ("why =", "whim =", "lamp.toml: no such key: whim"),
        ('why = "Nobody turns it off."', "", "lamp.toml: why must be a text"),
        ("edit = [", "twin = 1\nedit = [", "lamp.toml: twin: not a table"),
        ("[{ at", "[1, { at", "lamp.toml: edit 1: not a table"),
        ('do = "delete"', 'do = "drop"', "lamp.toml: edit 1: lamp.c:off: no such edit: drop"),
        ('do = "delete", ', "", "lamp.toml: edit 1: an edit needs at and do"),
        ('do = "delete"', 'do = "delete", nth = "1"', "lamp.toml: edit 1: nth is a number"),
        (
            'do = "delete"',
            'do = "delete", tree = "oak"',
            "lamp.toml: edit 1: nth is a number, tree",
        ),
        ('do = "delete"', 'do = "delete", how = "so"', "lamp.toml: edit 1: no such key: how"),
        ('["lamp"]', "[]", "lamp.toml: refutes 1: cause names something"),
        ('["lamp"]', '"lamp"', "lamp.toml: refutes 1: cause must be a list of texts"),
        ('["red"]', '"red"', "lamp.toml: refutes 1: under: colour must be a list"),
        ("base =", 'trees = ["oak"]\nbase =', "lamp.toml: trees are some of reference, kernel"),
        ("base =", 'config = { x = "1" }\nbase =', "lamp.toml: config gives numbers by name"),
        ("base", "base =", "cannot be read"),
    ],
)
def test_an_odd_case_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    with pytest.raises(BadInput) as failed:
        loaded(tmp_path, text)
    assert message in str(failed.value) and "\n" not in str(failed.value)


def test_a_case_must_differ_and_refute(tmp_path: Path) -> None:
    edit = GOOD[GOOD.index("edit =") : GOOD.index("refutes =")]
    with pytest.raises(BadInput, match="the mistake and its twin are the same"):
        loaded(tmp_path, GOOD.replace(edit, ""))
    refutes = GOOD[GOOD.index("refutes =") :]
    with pytest.raises(BadInput, match="a case refutes something, or makes it unknown"):
        loaded(tmp_path, GOOD.replace(refutes, ""))

    # An edit may also be what puts the mistake of the base right.
    loaded(tmp_path, GOOD.replace("edit = [", "twin.edit = ["))
