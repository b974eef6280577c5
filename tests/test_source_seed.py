"""The seed mail: a list reply with quoting, comments and lost blanks, on real kernels."""

import difflib
import os
from pathlib import Path

import pytest

from verify.source.mail import read_input, split_messages
from verify.source.overlay import Overlay, PatchReport, apply
from verify.source.patch import Patch, parse_patch
from verify.source.tree import KernelTree, open_tree

SEED = Path(__file__).parents[2] / "shared" / "seed" / "perf-metrics-v2-3of4.txt"
KVM = "arch/x86/kvm"


@pytest.fixture
def seed() -> Patch:
    if not SEED.is_file():
        pytest.skip(f"no seed mail at {SEED}")
    [message] = split_messages(read_input(str(SEED)), SEED.name)
    assert message.position == (3, 4)
    return parse_patch(message)


def kernel(version: str) -> KernelTree:
    folder = os.environ.get("MSRPROOF_KERNELS")
    if not folder:
        pytest.skip("MSRPROOF_KERNELS does not name a folder with kernel trees")
    root = Path(folder) / f"linux-source-{version}"
    if not root.is_dir():
        pytest.skip(f"no kernel tree at {root}")
    return open_tree(root, ["Makefile", f"{KVM}/pmu.c"])


def test_the_mail_is_read_whole(seed: Patch) -> None:
    assert [(Path(file.path).name, len(file.hunks)) for file in seed.files] == [
        ("kvm_host.h", 1),
        ("msr-index.h", 1),
        ("perf_event.h", 1),
        ("pmu_intel.c", 7),
        ("pmu_intel.h", 1),
        ("vmx.c", 2),
        ("x86.c", 2),
    ]
    lines = [line for file in seed.files for hunk in file.hunks for line in hunk.lines]
    # As many as the mail's own diffstat says; no word of the reviewer among them.
    assert [sum(kind == sign for kind, _ in lines) for sign in "+-"] == [50, 1]
    assert not any("Ditto" in text or "Thanks" in text for _, text in lines)
    assert not any(hunk.damage for file in seed.files for hunk in file.hunks)
    assert (seed.missing, seed.notes) == ([], [])


def applied(seed: Patch, version: str) -> tuple[KernelTree, Overlay, PatchReport]:
    tree = kernel(version)
    overlay, [report] = apply(tree, [seed])
    return tree, overlay, report


@pytest.mark.kernel
def test_on_7_2_all_hunks_apply(seed: Patch) -> None:
    tree, overlay, report = applied(seed, "7.2")
    assert (report.applied, report.failed) == (15, [])
    added, removed = changes(tree, overlay)
    assert (added, removed) == ([text for text in wanted(seed, "+") if text], wanted(seed, "-"))


@pytest.mark.kernel
def test_on_7_3_what_has_moved_away_is_named(seed: Patch) -> None:
    tree, overlay, report = applied(seed, "7.3")
    assert report.applied == 13
    assert [(hunk.file, hunk.line, hunk.scope) for hunk in report.failed] == [
        (f"{KVM}/x86.c", 362, ("msrs_to_save_pmu",)),
        (f"{KVM}/x86.c", 7693, ("kvm_probe_msr_to_save",)),
    ]
    assert all("has no line" in hunk.reason for hunk in report.failed)
    added, removed = changes(tree, overlay)
    assert len(added) == len([text for text in wanted(seed, "+") if text]) - 5
    assert removed == []


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["7.2", "7.3"])
def test_each_change_is_in_the_function_that_the_mail_says(seed: Patch, version: str) -> None:
    _, overlay, _ = applied(seed, version)
    lines = (overlay.read(f"{KVM}/vmx/pmu_intel.c") or "").splitlines()
    inside = ""
    found: list[tuple[str, str]] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("static ") and "(" in line:
            inside = line.split("(")[0].split()[-1]
        if overlay.mark(f"{KVM}/vmx/pmu_intel.c", number):
            found.append((inside, line.strip()))
    functions = dict.fromkeys(name for name, _ in found)
    assert list(functions) == [
        "intel_is_valid_msr",
        "intel_pmu_get_msr",
        "intel_pmu_set_msr",
        "intel_pmu_refresh",
        "intel_pmu_reset",
        "intel_mediated_pmu_load",
        "intel_mediated_pmu_put",
    ]
    assert len(found) == 31


def wanted(seed: Patch, kind: str) -> list[str]:
    hunks = [hunk for file in seed.files for hunk in file.hunks]
    return [" ".join(text.split()) for hunk in hunks for sign, text in hunk.lines if sign == kind]


def changes(tree: KernelTree, overlay: Overlay) -> tuple[list[str], list[str]]:
    """Lines that differ between tree and overlay, seen by another eye than the overlay's marks."""
    added: list[str] = []
    removed: list[str] = []
    for path in dict.fromkeys(path for path, _, _ in overlay.touched()):
        old, new = (tree.read(path) or "").splitlines(), (overlay.read(path) or "").splitlines()
        kept = [line for n, line in enumerate(new, start=1) if not overlay.mark(path, n)]
        for line in difflib.ndiff(old, kept) if len(old) != len(kept) else []:
            if line.startswith("- "):
                removed.append(" ".join(line[2:].split()))
        assert set(kept) <= set(old)
        marked = [line for n, line in enumerate(new, start=1) if overlay.mark(path, n)]
        added += [" ".join(line.split()) for line in marked if line.strip()]
    return added, removed
