"""The examples for CI in docs/examples: what can be tried of them without a CI."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from proofs import selfcheck
from tests.git_history import History
from tests.kernels.apt import FetchError
from tests.kernels.programs import installed
from tests.processes import ROOT
from tests.schemas import WORKFLOW

EXAMPLES = ROOT / "docs" / "examples"
TREE = ROOT / "models" / "reference" / "tree"
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
}


def script(name: str) -> str:
    """What a step of the workflow runs."""
    text = (EXAMPLES / "msrproof.yml").read_text()
    found = re.search(rf"- name: {name}\n.*?run: \|\n((?: {{10}}[^\n]*\n)+)", text, re.S)
    assert found
    return textwrap.dedent(found[1])


def shell(words: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, env={**ENVIRONMENT, **more}, capture_output=True, text=True
    )


@pytest.mark.parametrize("given", [[], ["no-kernel"], ["no-kernel", "no-patch"]])
def test_check_script_says_what_is_missing(tmp_path: Path, given: list[str]) -> None:
    done = shell([str(EXAMPLES / "check.sh"), *given], tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (3, "", 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.verdicts
@pytest.mark.parametrize(("patch", "status"), [(selfcheck.RIGHT, 0), (selfcheck.WRONG, 1)])
def test_the_step_of_the_workflow(tmp_path: Path, patch: str, status: int) -> None:
    """On what the checkout fetches: the commits of a pull request, and the one before."""
    files = {str(p.relative_to(TREE)): p.read_text() for p in TREE.rglob("*") if p.is_file()}
    history = History(tmp_path / "origin")
    history.commit("old", {"old": "old"})
    history.commit("base", files)
    history.git("apply", str(selfcheck.PATCHES / patch))
    history.commit("PERF_METRICS")
    history.git("clone", "-q", "--depth", "2", f"file://{tmp_path}/origin", str(tmp_path / "linux"))
    tool = tmp_path / "msrproof" / ".venv" / "bin" / "msrproof"
    tool.parent.mkdir(parents=True)
    start = "import sys; from verify.cli import main; sys.exit(main())"
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{start}" "$@"\n')
    tool.chmod(0o755)
    done = shell(["bash", "-e", "-c", script("Check")], tmp_path, COMMITS="1")
    assert (done.returncode, done.stderr) == (status, "")
    [run] = json.loads((tmp_path / "msrproof.sarif").read_text())["runs"]
    assert any(result["kind"] == "fail" for result in run["results"]) == bool(status)


@pytest.mark.external
def test_the_workflow_is_one() -> None:
    yaml = pytest.importorskip("yaml")
    if not WORKFLOW.path.is_file():
        pytest.skip(f"no {WORKFLOW.path} (python -m tests.schemas)")
    schema = json.loads(WORKFLOW.path.read_text())
    workflow = yaml.safe_load((EXAMPLES / "msrproof.yml").read_text())
    workflow["on"] = workflow.pop(True)  # what YAML 1.1 makes of it
    validator = jsonschema.validators.validator_for(schema)(schema)
    validator.validate(workflow)
    del workflow["jobs"]["check"]["runs-on"]
    assert not validator.is_valid(workflow)


@pytest.mark.external
def test_shellcheck(tmp_path: Path) -> None:
    try:
        folder = installed("shellcheck", ("shellcheck",), ("shellcheck",))
    except FetchError as error:
        pytest.skip(f"no shellcheck: {error}")
    step = tmp_path / "step.sh"
    step.write_text("#!/bin/bash\nset -e\n" + script("Check"))
    for path in (EXAMPLES / "check.sh", step, ROOT / ".ci" / "run"):
        done = shell([str(folder / "shellcheck"), str(path)], tmp_path)
        assert done.returncode == 0, done.stdout
