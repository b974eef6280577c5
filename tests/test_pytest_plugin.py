"""verify.pytest_plugin: manifests are tests, and a drift in either direction fails."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest

import proofs
from tests.report_sample import PROVED, REFUTED, UNKNOWN, with_results
from verify import check
from verify.errors import BadInput
from verify.pytest_plugin import drift, read
from verify.request import Request
from verify.result import Report

BLUE, RED, ROOMS = (result.property for result in (REFUTED, PROVED, UNKNOWN))
AS_IS = {"*": "proved", BLUE: "refuted", "leak.*": "unknown"}
TABLE = '[[check]]\nname = "lamp"\nmarks = ["slow"]\n[check.expect]\n'


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        (AS_IS, []),
        (AS_IS | {BLUE: "proved"}, [f"{BLUE}: expected proved, found refuted"]),
        (AS_IS | {RED: "refuted"}, [f"{RED}: expected refuted, found proved"]),
        (
            AS_IS | {ROOMS: "proved"},
            [f"{ROOMS}: expected proved, found unknown (no answer in 60 s)"],
        ),
        (
            {BLUE: "refuted", "leak.*": "unknown"},
            [f"{RED}: no verdict is expected of it, found proved"],
        ),
        (AS_IS | {"order.*": "proved"}, ["order.*: expected proved, but it was not checked"]),
    ],
)
def test_drift(expect: Mapping[str, str], found: list[str]) -> None:
    assert drift((REFUTED, PROVED, UNKNOWN), expect) == found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What is asked of the tool, which stands still."""
    seen: list[Request] = []

    def run(request: Request) -> Report:
        seen.append(request)
        if request.kernel is not None and not request.kernel.is_dir():
            raise BadInput(f"{request.kernel}: no such folder")
        return with_results(REFUTED, PROVED, UNKNOWN)

    monkeypatch.setattr(check, "run", run)
    return seen


def expecting(**changed: str) -> str:
    names = {"blue": BLUE}
    expect = AS_IS | {names[key]: verdict for key, verdict in changed.items()}
    return TABLE + "".join(f'"{pattern}" = "{verdict}"\n' for pattern, verdict in expect.items())


def result_of(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nmarkers =\n    slow: takes long\n")
    return pytester.runpytest_inprocess("-p", "verify.pytest_plugin", "--strict-markers", *words)


def test_as_expected(pytester: pytest.Pytester, asked: list[Request]) -> None:
    pytester.makefile(".toml", msrproof=expecting())
    result_of(pytester, "-v").assert_outcomes(passed=1)
    result_of(pytester, "-m", "not slow").assert_outcomes(deselected=1)
    assert len(asked) == 1


@pytest.mark.parametrize("verdict", ["proved", "unknown"])
def test_a_drift_is_shown(verdict: str, pytester: pytest.Pytester, asked: list[Request]) -> None:
    pytester.makefile(".toml", msrproof=expecting(blue=verdict))
    result = result_of(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"lamp: {BLUE}: expected {verdict}, found refuted"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_everything_is_passed_on(pytester: pytest.Pytester, asked: list[Request]) -> None:
    folder = pytester.mkdir("sub")
    (folder / "tree").mkdir()
    (folder / "msrproof.toml").write_text(
        '[[check]]\nkernel = "tree"\npatches = ["a.patch"]\ndefine = {MAX = "4"}\n'
        'config = {"guest.gp" = 2}\nhardware = {fixed3_write = "clear"}\nproperty = ["restore.*"]\n'
        'timeout = 5\nexpect = {"*" = "proved"}\n'
    )
    result_of(pytester).assert_outcomes(failed=1)
    [request] = asked
    assert request.kernel == folder / "tree" and request.patches == (str(folder / "a.patch"),)
    assert (request.defines, request.config) == ({"MAX": "4"}, {"guest.gp": 2})
    assert (request.hardware, request.properties) == ({"fixed3_write": "clear"}, ("restore.*",))
    assert request.timeout == 5


def test_other_names_of_manifests(pytester: pytest.Pytester, asked: list[Request]) -> None:
    pytester.makefile(".toml", lamps=expecting(), msrproof="broken")
    pytester.makeini("[pytest]\nmarkers =\n    slow: takes long\nmsrproof_manifests = lamp*.toml\n")
    pytester.runpytest_inprocess("-p", "verify.pytest_plugin").assert_outcomes(passed=1)


def test_bad_input_is_a_line(pytester: pytest.Pytester, asked: list[Request]) -> None:
    pytester.makefile(".toml", msrproof=expecting().replace("[check.", 'kernel = "no"\n[check.'))
    result = result_of(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["lamp: */no: no such folder"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[check", "cannot be read"),
        ("", "give [[check]] tables"),
        ("check = 1", "give [[check]] tables"),
        ("check = [1]", "check 1: not a table"),
        ("[[check]]\nnames = 'x'", "check 1: no such key: names; use name, kernel"),
        ("[[check]]\npatches = 'x'", "check 1: patches: not what it takes: 'x'"),
        ("[[check]]\npatches = [1]", "check 1: patches: give texts"),
        ("[[check]]\nname = 'x'", "check 1: expect: give verdicts by pattern"),
        ("[[check]]\nexpect = {a = 'right'}", "expect a: use one of proved, refuted, unknown"),
        ("[[check]]\nexpect = {a = 1}", "expect a: use one of"),
        ("[[check]]\nconfig = {a = 'x'}\nexpect = {a = 'proved'}", "config a: give a number"),
        (
            "[[check]]\nname = 'x'\nexpect = {a = 'proved'}\n" * 2,
            "two checks have the same name",
        ),
    ],
)
def test_a_manifest_that_is_none(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "msrproof.toml").write_text(text)
    with pytest.raises(BadInput, match=re.escape(said)):
        read(tmp_path / "msrproof.toml")


def test_a_broken_manifest_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", msrproof="[[check]]\n")
    result = result_of(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*msrproof.toml: check 1: expect: give verdicts*"])


def test_the_example_of_the_documents_can_be_read(tmp_path: Path) -> None:
    text = (Path(proofs.__file__).parents[1] / "docs" / "ci.md").read_text()
    [example] = re.findall(r"^```toml\n(.*?)^```", text, flags=re.M | re.S)
    (tmp_path / "msrproof.toml").write_text(example)
    [found] = read(tmp_path / "msrproof.toml")
    assert found.request.kernel == tmp_path / "linux-7.2"
    assert found.expect == {"*": "proved", "warn.guest": "refuted"}


def test_pytest_finds_the_plugin() -> None:
    project = tomllib.loads((Path(proofs.__file__).parents[1] / "pyproject.toml").read_text())
    [(name, module)] = project["project"]["entry-points"]["pytest11"].items()
    assert name == module and import_module(module).read is read


def test_the_projects_own_manifest_names_every_patch() -> None:
    checks = read(Path(proofs.__file__).parent / "msrproof.toml")
    used = {Path(patch).name for check in checks for patch in check.request.patches}
    root = Path(proofs.__file__).parents[1] / "models" / "reference" / "patches"
    assert used == {path.name for path in root.glob("*.patch")}
    assert all(check.marks == ("verdicts",) for check in checks), "make test stays fast"
