"""Programs from outside agree: BtorMC on exported systems, and a checker of SAT-level proofs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import z3

from proofs import selfcheck
from tests import certificates_full, engines_full
from tests.btormc import PROGRAMS, checkers, search
from tests.kernels.apt import FetchError
from tests.test_export import kept, stuck
from verify.check import run
from verify.encode.system import System
from verify.relations import exported
from verify.request import Request

pytestmark = pytest.mark.external

DEPTH = 4
"""Setup, and the steps of one round: all that the wrong patch needs."""


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder with btormc, cadical and lrat-check."""
    try:
        return checkers()
    except FetchError as error:
        pytest.skip(f"no {', '.join(PROGRAMS)}: {error}")


def reaches(programs: Path, system: System, folder: Path, depth: int = DEPTH) -> bool:
    """BtorMC's word on a system: a bad state can be reached in so many steps."""
    return search(programs, system, folder / "system.btor2", depth).reached


def test_btormc_sees_a_bad_state_without_successor(programs: Path, tmp_path: Path) -> None:
    assert reaches(programs, stuck(), tmp_path)
    assert not reaches(programs, kept(), tmp_path)


@pytest.mark.parametrize("name", ["restore.*", "order.*", "access.closed", "leak.host-guest"])
@pytest.mark.parametrize("patch", [selfcheck.RIGHT, selfcheck.WRONG])
def test_btormc_agrees(programs: Path, tmp_path: Path, patch: str, name: str) -> None:
    request = Request(patches=(str(selfcheck.PATCHES / patch),), properties=(name,))
    broken = selfcheck.BROKEN if patch == selfcheck.WRONG else frozenset()
    found: dict[str, bool] = {}
    for key, system in exported(request).items():
        prop, _, number = key.rpartition("-")
        prop = prop if number.isdigit() else key
        deep = prop in broken or not prop.startswith(("leak", "access"))
        bad = reaches(programs, system, tmp_path, DEPTH if deep else 2)
        found[prop] = found.get(prop, False) or bad
    assert found == {prop: prop in broken for prop in found}


def test_the_campaign_agrees_on_a_mistake_between_two_guests(programs: Path) -> None:
    assert programs.is_dir()
    assert engines_full.main(["--seconds", "90", "--proved", "1", "metrics-not-scrubbed"]) == 0


def test_the_campaign_has_solvers_check_proofs_of_both_vendors(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert certificates_full.main(["order.quiet"]) == 0
    said = capfd.readouterr().out
    assert said.count("accepts 1 of 1 proofs") == 4
    assert certificates_full.main(["--kernel", "0.0"]) == 3


def test_sat_level_proofs(programs: Path, tmp_path: Path) -> None:
    """Questions of a certificate as clauses, refuted by CaDiCaL with a proof in LRAT."""
    folder = tmp_path / "proof"
    properties = ("restore.EVTSEL", "order.quiet")
    run(Request(properties=properties, certificates=folder, cache=False))
    checked = 0
    for path in (*folder.glob("*.smt2"), *folder.glob("consecution/*"), *folder.glob("safety/*")):
        name, text = path.name, path.read_text()
        goal = z3.Goal()
        goal.add(z3.parse_smt2_string(text))
        (clauses,) = z3.Then("simplify", "bit-blast", "tseitin-cnf")(goal)
        if clauses.inconsistent():
            continue
        cnf, proof = tmp_path / "question.cnf", tmp_path / "question.lrat"
        cnf.write_text(clauses.dimacs(include_names=False) + "\n")
        words = [str(programs / "cadical"), "-q", "--lrat", "--no-binary", str(cnf), str(proof)]
        assert subprocess.run(words, capture_output=True).returncode == 20
        words = [str(programs / "lrat-check"), str(cnf), str(proof)]
        said = subprocess.run(words, capture_output=True, text=True).stdout
        assert "VERIFIED" in said, (name, said)
        checked += 1
    assert checked > 10
