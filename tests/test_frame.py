"""verify.frame: the order of the steps is read from the tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.reference
from proofs.cases import Case, load
from tests.flow_programs import Program, Statement, statements
from tests.source_text import TextTree
from verify import frame
from verify.check import run
from verify.inputs import find_target
from verify.request import Request
from verify.source.index import Index
from verify.source.skeleton import skeleton
from verify.source.tree import Tree, open_tree
from verify.target import Callers, Frame

REFERENCE = Path(models.reference.__file__).parent / "tree"
TARGETS = ["mediated-pmu-intel", "mediated-pmu-amd"]
CASES = [case for case in load() if case.unknown and case.name.startswith("frame-")]
BY_NAME = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)

OPEN, SHUT = "with the box open", "with the box shut"
BOX = Frame(
    file="box.c",
    function="look",
    calls={"a": "open", "b": "shut", "if(full)": "full", "c(0)": "", "c": "put"},
    start=SHUT,
    moves={(SHUT, "open"): OPEN, (OPEN, "shut"): SHUT},
    ends={SHUT},
    reached=OPEN,
    closed={OPEN},
    harmless={"see"},
)
LOOK = Callers(("a", "op(b)"), ("look",), "boxes")


def departure(body: str, box: Frame = BOX) -> str:
    text = f"void look(int x)\n{{\n{body}\n}}\n"
    steps = skeleton(Index(lambda _: text, ("box.c",), {}, "", {}), "look", "box.c")
    found = frame.departure(steps, box)
    return f"{found[0]} {found[1]}" if found else ""


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("a(); see(x); c(0); b(); other();", ""),
        ("a();\nif (x)\n\tb();", "6 returns with the box open"),
        ("if (x)\n\ta();\nb();", "5 b() is called with the box shut"),
        ("do {\na();\n} while (see(x));\nb();", "4 a() is called with the box open"),
        (
            "a();\nother();\nb();",
            "4 other(), which the model does not know, is called with the box",
        ),
        ("a();\nother();", "5 returns with the box open"),
        ("c(1); a(); b();", "3 c() is called with the box shut"),
        ("b(a());", "3 b() is called with the box shut"),
        ("see(x);", "4 does nothing with the box open"),
    ],
)
def test_departures(body: str, how: str) -> None:
    assert departure(body).startswith(how) and bool(departure(body)) == bool(how)


def test_a_branch_may_be_an_event() -> None:
    full = replace(BOX, moves={**BOX.moves, (OPEN, "full"): SHUT})
    assert departure("a(); if (full) return; b(); if (full) b();", full).startswith("3 b()")
    assert departure("a(); if (full) return; b(); if (full) return;", full) == ""


@given(st.lists(statements(), max_size=4))
def test_a_departure_is_one_of_some_path(body: list[Statement]) -> None:
    loose = replace(BOX, calls={"a": "open", "b": "shut"}, closed=frozenset(), reached=SHUT)
    program = Program(body)
    words = program.words(5)
    bad = any(not fits(word) for word in words)
    if bad or not any(len(word) == 5 for word in words):
        assert bool(departure(program.text, loose)) >= bad


def fits(word: str) -> bool:
    calls = word.replace("c", "")
    return calls == "ab" * (len(calls) // 2)


# Who else makes the calls -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("extern int a(int x);\nEXPORT_SYMBOL(a);\n", False),
        ("int a(int x)\n{\n\treturn x;\n}\n", False),
        ("/* a() */\nint ab;\n", False),
        ("void f(void)\n{\n\ta(1);\n}\n", True),
        ("#define OTHER(x) a(x)\n", True),
        ("void look(int x)\n{\n\ta();\n}\n#define OTHER(x) \\\n\ta(x)\n", True),
        ("void look(int x)\n{\n#define OTHER(x) \\\n\ta(x)\n\tOTHER(x);\n}\n", True),
        ("void look(int x)\n{\n#define OTHER(x) b(x)\n\ta(x);\n}\n", False),
        ("struct ops ops = {\n\t.f = a,\n};\n", True),
        ("int f(void) { return op(b)(1); }\n", True),
    ],
)
def test_calls_elsewhere(text: str, found: bool) -> None:
    box = "void look(int x)\n{\n\ta(); b();\n}\n"
    target = replace(find_target(TARGETS[0]), frames=(BOX,), callers=(LOOK,))
    tree = TextTree({"box.c": box, "boxes/other.c": text})
    said = frame.broken(tree, target, {})
    assert bool(said) == found
    assert not found or ("boxes/other.c:" in said and "outside of look()" in said)


# Trees --------------------------------------------------------------------------------------------


def broken(tree: Tree, name: str) -> str:
    return frame.broken(tree, find_target(name), {})


@pytest.mark.parametrize("name", TARGETS)
def test_it_holds_on_the_reference_tree(name: str) -> None:
    assert broken(open_tree(REFERENCE, []), name) == ""


def seen(case: Case, tree: Tree) -> None:
    found = broken(case.build(tree).tree, case.target)
    for untold in case.unknown:
        assert all(words in found for words in untold.reason), found
    assert broken(case.build_right(tree).tree, case.target) == ""


@BY_NAME
def test_another_order_is_seen(case: Case) -> None:
    seen(case, open_tree(REFERENCE, []))


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["7.2", "7.3"])
@BY_NAME
def test_another_order_of_a_kernel_is_seen(
    case: Case, version: str, kernel_tree: Callable[[str], Path]
) -> None:
    seen(case, open_tree(kernel_tree(version), []))


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["7.2", "7.3"])
@pytest.mark.parametrize("name", TARGETS)
def test_it_holds_on_kernels(name: str, version: str, kernel_tree: Callable[[str], Path]) -> None:
    assert broken(open_tree(kernel_tree(version), []), name) == ""


def test_a_tree_without_the_function_has_no_verdicts(tmp_path: Path) -> None:
    for path in REFERENCE.rglob("*"):
        if path.is_file() and path.name != "x86.c":
            copy = tmp_path / path.relative_to(REFERENCE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text())
    request = Request(kernel=tmp_path, properties=("order.quiet",), cache=False)
    report = run(request)
    [result] = report.results
    assert (result.verdict, report.exit_status) == ("unknown", 2)
    said = "arch/x86/kvm/x86.c: vcpu_enter_guest() cannot be read: no such function"
    assert result.reason == f"the frame does not hold: {said}"
