"""A patch to what the model stands for makes no verdict about the patched kernel."""

from collections.abc import Callable
from pathlib import Path

import pytest

from verify import replaced
from verify.inputs import find_target
from verify.source.mail import split_messages
from verify.source.overlay import apply
from verify.source.patch import parse_patch
from verify.source.program import CProgram
from verify.source.scope import definitions
from verify.source.tree import open_tree

BEFORE = (
    "static int other(int x)\n{\n\treturn x;\n}\n\n"
    "static bool vmx_vcpu_run(void)\n{\n\tint y = 0;\n\n\treturn y;\n}\n\n"
    "static int last(int x)\n{\n\treturn x;\n}\n\n"
    "#define rdmsrq(msr, val)\t\\\n\t((val) = read(msr))\n#define after 1\n\n"
    "SYM_FUNC_START(__vmx_vcpu_run)\n\tpush %rbx\n\tret\n"
)


def _patch(old: str, new: str) -> str:
    at = BEFORE.split("\n").index(old) + 1
    return f"--- a/a.c\n+++ b/a.c\n@@ -{at} +{at} @@\n-{old}\n+{new}\n"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("\tint y = 0;", "\tint y = 1;", "a.c:8 vmx_vcpu_run()"),
        ("static bool vmx_vcpu_run(void)", "bool vmx_vcpu_run(void)", "a.c:6 vmx_vcpu_run()"),
        ("static int other(int x)", "int other(int x)", ""),
        ("static int last(int x)", "int last(int x)", ""),
        ("\t((val) = read(msr))", "\t((val) = 0)", "a.c:19 rdmsrq"),
        ("#define after 1", "#define after 2", ""),
        ("#define after 1", "#undef rdmsrq", "a.c:20 rdmsrq"),
        ("\tpush %rbx", "\twrmsr", "a.c:23 __vmx_vcpu_run()"),
    ],
)
def test_a_changed_function_or_macro_of_the_model_is_named(
    tmp_path: Path, old: str, new: str, found: str
) -> None:
    (tmp_path / "a.c").write_text(BEFORE)
    target = find_target("mediated-pmu-intel")
    message = split_messages(_patch(old, new).encode(), "x")[0]
    tree, reports = apply(open_tree(tmp_path, ()), [parse_patch(message)])
    assert not reports[0].failed
    program = CProgram(open_tree(Path("models/reference/tree"), ()), target.dialect({}))
    assert replaced.changed(tree, replaced.names(target, program)) == found


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["mediated-pmu-intel", "mediated-pmu-amd"])
def test_kernels_have_what_targets_say_that_the_model_stands_for(
    name: str, kernel_tree: Callable[[str], Path]
) -> None:
    begun: set[str] = set()
    for version in ("7.2", "7.3"):
        for folder in ("arch/x86/kvm", "arch/x86/events"):
            for path in (kernel_tree(version) / folder).rglob("*.[chS]"):
                begun.update(found for _, found in definitions(path.read_text().split("\n")))
    assert not {*find_target(name).replaced} - begun
