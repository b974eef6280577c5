"""Check a folder of proofs without the code that made them.

Imports nothing of the encoder or the provers: only what is in this folder, digests of the tool's
parts, and solvers' readers of SMT-LIB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from verify.recheck import scheme, stale
from verify.recheck.folder import Folder, opened, parts
from verify.recheck.solve import Said, ask, require

ACCEPTED = "accepted"
REJECTED = "rejected"
UNDECIDED = "undecided"
TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one proof: `reasons` says why it is not accepted."""

    name: str
    verdict: str
    reasons: tuple[str, ...] = ()


@dataclass(slots=True)
class Recheck:
    """A folder whose files are those that its manifest names, and fit together.

    `complaints`: why no proof of it can be accepted. `said`: each solver's word on each file.
    """

    folder: Folder
    solvers: tuple[str, ...]
    timeout: float
    complaints: list[str]
    said: dict[str, list[Said]] = field(default_factory=dict)

    def ask(self) -> Iterator[tuple[str, list[Said]]]:
        """Put every file to every solver; the answers as they come. Nothing after a complaint."""
        if self.complaints:
            return
        for name in self.folder.obligations:
            text = self.folder.texts[name]
            self.said[name] = [ask(text, solver, self.timeout) for solver in self.solvers]
            yield name, self.said[name]

    def verdicts(self) -> list[Verdict]:
        """One for each proof, after all has been asked."""
        return [self._verdict(str(p["property"]), files) for p, files in self.folder.proofs()]

    def _verdict(self, name: str, files: Sequence[str]) -> Verdict:
        if self.complaints:
            return Verdict(name, REJECTED, tuple(self.complaints))
        wrong, open_ = [], []
        for file in files:
            expected = self.folder.obligations[file]["expect"]
            for said in self.said[file]:
                if said.answer not in ("sat", "unsat"):
                    open_.append(f"{file}: {said.solver}: {said.answer}")
                elif said.answer != expected:
                    wrong.append(f"{file}: {said.solver} says {said.answer}, not {expected}")
        verdict = REJECTED if wrong else UNDECIDED if open_ else ACCEPTED
        return Verdict(name, verdict, (*wrong, *open_))


def recheck_all(
    folder: Path, solvers: Sequence[str], timeout: float = TIMEOUT_SECONDS
) -> list[Recheck]:
    """`recheck` of each folder of proofs that the folder is made of; none may be missing."""
    found = {part: recheck(part, solvers, timeout) for part in parts(folder)}
    for each in found.values():
        missing = [name for name in each.folder.parts if folder / name not in found]
        each.complaints += [f"{name}: the proofs there are missing" for name in missing]
    return list(found.values())


def recheck(folder: Path, solvers: Sequence[str], timeout: float = TIMEOUT_SECONDS) -> Recheck:
    """Look at a folder; the solvers are asked later.

    `timeout`: seconds for one file and solver. BadInput when this is no folder of proofs or a
    solver is not installed.
    """
    require(solvers)
    found = opened(folder)
    complaints = [*found.problems]
    if not complaints:
        complaints = [*scheme.problems(found), *stale.problems(found.manifest)]
    return Recheck(found, tuple(solvers), timeout, complaints)
