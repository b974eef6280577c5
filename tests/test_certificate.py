"""Proofs on paper: true ones are accepted, and nothing else is."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.test_prove_engines import (
    HIDDEN,
    OBSERVED_SECRETS,
    ZERO,
    Random,
    X,
    between_guests,
    cell,
    leak_is_reachable,
    leaks,
    leaky,
    never,
    saved,
    solve,
    split,
    switch,
    systems,
    violation,
)
from verify import __version__, cli, digest
from verify.encode import term as t
from verify.encode.switch import Relation, Switch
from verify.encode.term import Term
from verify.errors import BadInput
from verify.output import write_folder
from verify.prove.certificate import files
from verify.prove.judge import Judge
from verify.prove.property import Property
from verify.recheck import recheck, recheck_all
from verify.recheck.folder import INTERRUPTED, MANIFEST, SEAL, opened, parts

FACTS: dict[str, Any] = {
    "tool": {"name": "msrproof", "version": __version__, "parts": digest.parts()},
    "sources": {"root": "", "lie": {}, "checked": {}},
    "parts": ["."],
}


def certificate(system: Switch, prop: Property, facts: dict[str, Any] = FACTS) -> dict[str, str]:
    """What would prove the property, whatever the verdict is."""
    judge = Judge(system, solve)
    return files(judge.context, judge.judge([prop]), facts)


def verdict(folder: Path, *solvers: str) -> str:
    found = recheck(folder, solvers or ("bitwuzla",), 30)
    list(found.ask())
    (only,) = found.verdicts()
    assert (only.verdict == "accepted") == (not only.reasons)
    return only.verdict


def loaded() -> tuple[Switch, Property]:
    return saved(), never(violation(cell("k.x").ne(cell("ghost.x")), "put"))


def two_runs() -> tuple[Switch, Property]:
    system = switch({"k.x": ZERO, "k.y": ZERO}, {"k.x": HIDDEN & 0, "k.y": X})
    return system, leaks(system, cell("k.y"))


def two_guests() -> tuple[Switch, Property]:
    system = switch({"k.x": ZERO, "hw.x": t.var("init/host", 8)}, {"hw.x": HIDDEN & 0})
    return system, between_guests(system, cell("hw.x"))


def three_steps() -> tuple[Switch, Property]:
    """A secret that is away from home in hardware, where it is not looked at."""
    system = switch({"k.x": ZERO, "hw.x": t.var("init/hw", 8)}, {"hw.x": X})
    run, put = Relation("", {"k.x": HIDDEN}, ()), Relation("", {"k.x": ZERO, "hw.x": ZERO}, ())
    split(system, run, put)
    return system, leaks(system, cell("hw.x") & 1 ^ cell("hw.x") & 1)


CASES = [loaded, two_runs, two_guests, three_steps]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The certificate of a property of two runs."""
    return certificate(*two_runs())


@pytest.mark.parametrize("solver", ["z3", "cvc5", "bitwuzla"])
@pytest.mark.parametrize("case", CASES)
def test_a_proof_is_accepted(
    case: Callable[[], tuple[Switch, Property]], solver: str, tmp_path: Path
) -> None:
    write_folder("", tmp_path / "proof", certificate(*case()))
    assert verdict(tmp_path / "proof", solver) == "accepted"


@settings(max_examples=12)
@given(systems())
def test_what_is_accepted_is_true(
    tmp_path_factory: pytest.TempPathFactory, example: Random
) -> None:
    """Certificates of what is false, as a wrong prover would write them, are not accepted."""
    folder = tmp_path_factory.mktemp("random") / "proof"
    bad = violation(example.bad, example.phase)
    write_folder("", folder, certificate(example.system, never(bad)))
    if verdict(folder) == "accepted":
        assert not example.bad_is_reachable()


@settings(max_examples=12)
@given(leaky())
def test_what_is_accepted_of_two_runs_is_true(
    tmp_path_factory: pytest.TempPathFactory, example: tuple[Switch, Term]
) -> None:
    system, observed = example
    folder = tmp_path_factory.mktemp("random") / "proof"
    write_folder("", folder, certificate(system, leaks(system, observed, OBSERVED_SECRETS)))
    if verdict(folder) == "accepted":
        assert not leak_is_reachable(system, observed)


# Other folders than the one that was written ------------------------------------------------------


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_changed_byte_is_seen(texts: dict[str, str], tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "proof"
    if not folder.exists():
        write_folder("", folder, texts)
    path = folder / data.draw(st.sampled_from(sorted(texts)))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[at] ^ 1 << data.draw(st.integers(0, 7))
    try:
        path.write_bytes(whole[:at] + bytes([flipped]) + whole[at + 1 :])
        assert not accepted(folder)
    finally:
        path.write_bytes(whole)
    assert accepted(folder)


def accepted(folder: Path) -> bool:
    """Whether it comes to asking solvers."""
    try:
        return not recheck(folder, ["bitwuzla"]).complaints
    except BadInput:
        return False


def test_missing_and_strange_files(texts: dict[str, str], tmp_path: Path) -> None:
    for k, name in enumerate(texts):
        folder = tmp_path / str(k)
        write_folder("", folder, texts)
        (folder / name).rename(tmp_path / "moved")
        assert not accepted(folder)
        (folder / name).symlink_to(tmp_path / "moved")
        assert not accepted(folder)
        (folder / name).unlink()
        (tmp_path / "moved").rename(folder / name)
        assert accepted(folder)
        (folder / f"{name}.more").touch()
        assert opened(folder).problems == [f"{name}.more: not in the manifest"]


def resealed(folder: Path, change: Callable[[dict[str, Any]], None] = lambda m: None) -> None:
    """Make all digests right again, as somebody could who changes files."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    text = json.dumps(manifest)
    (folder / MANIFEST).write_text(text)
    (folder / SEAL).write_text(f"{hashlib.sha256(text.encode()).hexdigest()}  {MANIFEST}\n")


EDITS = [
    ("safety/p-0.smt2", "(check-sat)", "(assert false)\n(check-sat)", "is not the goal"),
    ("safety/p-0.smt2", "(assert ", "(assert false)\n(assert ", "may not"),
    ("safety/p-0.smt2", "(check-sat)", "(check-sat)\n(check-sat)", "command check-sat"),
    ("safety/p-0.smt2", "(set-logic", "(set-option :x 1)\n(set-logic", "begin with the logic"),
    ("equal/a-.smt2", "(not (and true", "(not (or true", "is not the goal"),
    ("equal/a-.smt2", "(define-fun |after put/hw.x| () (_ BitVec 8) ", None, "something else"),
    ("consecution/put.smt2", "(assert (not", "(assert (and false", "is not the goal"),
    ("initiation.smt2", "(assert (not", "(assert (and false", "is not the goal"),
]


@pytest.mark.parametrize(("file", "old", "new", "problem"), EDITS)
def test_questions_that_are_not_those_of_the_proof(
    file: str, old: str, new: str | None, problem: str, tmp_path: Path
) -> None:
    system = switch({"k.x": ZERO, "hw.x": ZERO}, {"k.x": X & 0x0F, "hw.x": cell("hw.x") & 0x0F})
    folder = tmp_path / "proof"
    write_folder("", folder, certificate(system, leaks(system, X, OBSERVED_SECRETS)))
    path = folder / file
    text = path.read_text()
    assert old in text
    if new is None:
        line = next(line for line in text.splitlines() if line.startswith(old))
        new, old = f"{old}(_ bv0 8))", line
    path.write_text(text.replace(old, new, 1))
    resealed(folder)
    assert any(problem in c for c in recheck(folder, ["bitwuzla"]).complaints)


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        (entry,) = manifest["properties"]
        entry["obligations"].remove(name)

    return change


def more_state(manifest: dict[str, Any]) -> None:
    manifest["system"]["state"].append("k.z")


CHANGES = [
    (drop("initiation.smt2"), "lacks initiation"),
    (drop("consecution/put.smt2"), "lacks consecution put"),
    (drop("equal/a-.smt2"), "lacks equal-step"),
    (drop("safety/p-0.smt2"), "nothing excludes"),
    (more_state, "is not the goal"),
    (lambda m: m["runs"]["run0"].clear(), "shared by both runs"),
    (lambda m: m["obligations"]["initiation.smt2"].update(kind="sanity"), "does not fit"),
    (lambda m: m["agreements"]["a"]["lasting"].append("k.x"), "is not the goal"),
    (lambda m: m["system"]["relations"].update(more=m["system"]["relations"]["put"]), "more"),
    (lambda m: m["system"]["bounds"].append("(bvule |state/k.x| (_ bv0 8))"), "for granted"),
]


@pytest.mark.parametrize(("change", "problem"), CHANGES)
def test_manifests_that_are_not_those_of_the_proof(
    change: Callable[[dict[str, Any]], None], problem: str, tmp_path: Path
) -> None:
    folder = tmp_path / "proof"
    system = switch({"k.x": ZERO}, {"k.x": (HIDDEN | X) & (~HIDDEN | X)})
    write_folder("", folder, certificate(system, leaks(system, cell("k.x"))))
    assert accepted(folder)
    resealed(folder, change)
    assert any(problem in c for c in recheck(folder, ["bitwuzla"]).complaints)


def test_stale_proofs(texts: dict[str, str], tmp_path: Path) -> None:
    source = tmp_path / "kernel" / "a.c"
    source.parent.mkdir()
    source.write_text("int a;")
    lie = {"a.c": hashlib.sha256(source.read_bytes()).hexdigest()}
    folder = tmp_path / "proof"
    write_folder("", folder, texts)
    sources = {"root": str(source.parent), "lie": lie, "checked": {}}
    resealed(folder, lambda m: m.update(sources=sources))
    assert accepted(folder)
    source.write_text("int b;")
    (complaint,) = recheck(folder, ["bitwuzla"]).complaints
    assert complaint.startswith("stale: ") and "a.c" in complaint
    source.unlink()
    assert not accepted(folder)
    source.parent.rmdir()
    assert accepted(folder), "what is not there cannot be compared"
    for part in digest.PARTS:
        resealed(folder, lambda m, part=part: m["tool"]["parts"].update({part: "0"}))  # type: ignore[misc]
        assert any(f"stale: {part}/" in c for c in recheck(folder, ["bitwuzla"]).complaints)


def test_a_solver_that_fails_accepts_nothing(texts: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "proof"
    write_folder("", folder, texts)
    found = recheck(folder, ["bitwuzla"], timeout=1e-9)
    list(found.ask())
    (only,) = found.verdicts()
    assert only.verdict == "undecided" and "no answer" in only.reasons[0]


# The command --------------------------------------------------------------------------------------


def test_the_command(
    texts: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "proof"
    write_folder("", folder, texts)
    assert cli.main(["recheck", str(folder), "--solver", "z3", "--solver", "bitwuzla"]) == 0
    out = capsys.readouterr().out
    assert "accepted  p\n" in out and "1 of 1 proofs accepted (z3 " in out
    (folder / "README.md").write_text("")
    assert cli.main(["recheck", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "rejected: README.md: changed since the manifest was written\n" in out
    (folder / MANIFEST).write_text("{}")
    assert cli.main(["recheck", str(folder)]) == 3


def test_checks_write_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "proof"
    words = ["check", "--property", "*order.quiet", "--certificates", str(folder)]
    assert cli.main([*words, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {r["certificate"] for r in report["results"]} == {str(folder)}
    named = {}
    for part in (folder, folder / INTERRUPTED):
        manifest = json.loads((part / MANIFEST).read_text())
        named[part.name] = [entry["property"] for entry in manifest["properties"]]
    assert named == {"proof": ["order.quiet"], "nmi": ["nmi.order.quiet"]}
    assert parts(folder) == [folder, folder / INTERRUPTED]
    assert not any(found.complaints for found in recheck_all(folder, ["bitwuzla"]))
    (folder / INTERRUPTED / MANIFEST).unlink()
    assert any("nmi/" in complaint for complaint in recheck(folder, ["bitwuzla"]).complaints)
    shutil.move(folder / INTERRUPTED, tmp_path / "elsewhere")
    (found,) = recheck_all(folder, ["bitwuzla"])
    assert found.complaints == ["nmi: the proofs there are missing"]
    (folder / INTERRUPTED).symlink_to(tmp_path / "elsewhere")
    assert any("nmi" in c and "not in" in c for c in recheck(folder, ["bitwuzla"]).complaints)
    (folder / INTERRUPTED).unlink()
    assert cli.main(words) == 3
    assert "is no empty folder" in capsys.readouterr().err


def test_the_checker_shares_no_code_with_the_prover() -> None:
    code = "import sys, verify.recheck; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {m for m in shown.stdout.split() if m.split(".")[0] in ("verify", "models", "proofs")}
    assert {m for m in ours if not m.startswith("verify.recheck")} == {
        *("verify", "verify.digest", "verify.errors"),
    }
