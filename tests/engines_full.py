"""Ask BtorMC about every property and every must-find case: `make engines`.

    python -m tests.engines_full [--seconds N] [--proved N] [--steps N] [--kernel VERSION]
                                 [NAME ...]

It looks for counterexamples, step by step, and proves nothing: those of mistakes are to be found,
and none where the tool proves; how many steps it came in the time is printed. NAME: only these
cases, or `intel` and `amd` for all properties of the reference tree. Exit status 1 when it finds
one where there is none, or none within all the steps; 2 when there was no time to find one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from proofs import selfcheck
from proofs.cases import Case
from tests.btormc import checkers, search
from tests.kernels.fetch import tree_path
from tests.test_cases_verdicts import CASES, REFERENCE, cases_of, twins
from verify.encode import term as t
from verify.encode.system import CHOICE, System
from verify.inputs import patched
from verify.relations import exported_tree
from verify.request import Request
from verify.source.tree import open_tree

SEED = Path(__file__).resolve().parents[2] / "shared" / "seed"
WHOLE = {
    "intel": Request(patches=(str(selfcheck.PATCHES / selfcheck.RIGHT),)),
    "amd": Request(target="mediated-pmu-amd"),
}
ROUND = ("load", "run", "put")
NOTHING = 0xFFFF
AGREES, DISAGREES, NO_TIME = "agrees", "DISAGREES", "no time"


@dataclass(frozen=True, slots=True)
class Limits:
    """For each property: seconds when a mistake breaks it, and when it is proved; steps of the
    switch."""

    seconds: float
    proved: float
    steps: int


@dataclass(frozen=True, slots=True)
class Question:
    """A case or one of WHOLE, in a kernel or ("") the reference tree. `wrong`: it is the mistake, a
    counterexample is to be found to each of the properties."""

    name: str
    kernel: str
    wrong: bool
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a property, and after how many steps."""

    question: Question
    property: str
    kind: str
    steps: int


def questions(kernel: str) -> Iterator[Question]:
    """Whole catalogues, mistakes, and their right versions."""
    kind = "kernel" if kernel else "reference"
    if not kernel:
        yield from (Question(name, "", False, ()) for name in WHOLE)
    cases = [case for case in cases_of(kind) if case.refutes]
    for case in cases:
        yield Question(case.name, kernel, True, tuple(r.property for r in case.refutes))
    for group in twins(cases, kind):
        yield Question(group.cases[0].name, kernel, False, group.properties)


def answers(question: Question, limits: Limits) -> list[Answer]:
    """BtorMC's word on each property, on all ways to compare two runs in turn; printed at once."""
    programs = checkers()
    found = []
    with tempfile.TemporaryDirectory(prefix="msrproof-engines-") as folder:
        for prop, systems in groupby(_systems(question).items(), lambda item: _property(item[0])):
            kind, steps = _ask(programs, [s for _, s in systems], question.wrong, limits, folder)
            found.append(Answer(question, prop, kind, steps))
            print(_line(found[-1]), flush=True)
    return found


def _ask(
    programs: Path, systems: Sequence[System], wrong: bool, limits: Limits, folder: str
) -> tuple[str, int]:
    tries = [*systems, *map(straight, systems)] if wrong else systems
    seconds = max((limits.seconds if wrong else limits.proved) / len(tries), 1)
    bounds, ended = [], True
    for system in tries:
        result = search(programs, system, Path(folder) / "system.btor2", limits.steps, seconds)
        if result.reached:
            return AGREES if wrong else DISAGREES, result.bound
        bounds.append(result.bound)
        ended &= result.ended
    kind = AGREES if not wrong else DISAGREES if ended else NO_TIME
    return kind, min(bounds)


def straight(system: System) -> System:
    """Where only one round of each vCPU is looked at, without accesses in between. What is found
    there is found, and much sooner."""
    rounds = [k for k, name in enumerate(system.choices) if name.removesuffix("#B") in ROUND]
    second = [k for k in rounds if system.choices[k].endswith("#B")]
    hand = [len(system.choices) - 1] if second else []
    schedule = [*(k for k in rounds if k not in second), *hand, *second]
    clock = t.var("clock", 8)
    choice = t.const(NOTHING, CHOICE.width)
    for k, number in enumerate(schedule, start=1):  # the first step is setup
        choice = t.ite(clock.eq(k), t.const(number, CHOICE.width), choice)
    terms = t.substitute([*system.next.values(), *system.bad.values()], {CHOICE: choice})
    names = len(system.next)
    return replace(
        system,
        state={**system.state, "clock": clock},
        initial={**system.initial, "clock": t.const(0, clock.width)},
        next={**dict(zip(system.next, terms[:names], strict=True)), "clock": clock + 1},
        bad=dict(zip(system.bad, terms[names:], strict=True)),
    )


def _property(key: str) -> str:
    """Of which a system is one of several, or the only one."""
    name, _, number = key.rpartition("-")
    return name if number.isdigit() else key


def _systems(question: Question) -> Mapping[str, System]:
    root = tree_path(question.kernel) if question.kernel else REFERENCE
    tree = open_tree(root, ["Makefile"])
    if question.name in WHOLE:
        request = WHOLE[question.name]
        return exported_tree(*patched(tree, request.patches), request)
    case: Case = next(case for case in CASES if case.name == question.name)
    built = (case.build if question.wrong else case.build_right)(tree, [SEED])
    request = Request(
        target=case.target,
        properties=question.properties,
        defines=built.defines,
        config=case.config,
        hardware=case.hardware,
    )
    return exported_tree(built.tree, built.patches, request)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask on all cores; answers are counted."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines_full", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--kernel", default="", help="a version that `make kernels` fetched")
    parser.add_argument("--seconds", type=float, default=120, help="for each mistake's property")
    parser.add_argument("--proved", type=float, default=15, help="seconds for a proved one")
    parser.add_argument("--steps", type=int, default=12, help="of the switch, at most")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - {q.name for q in questions(given.kernel)}:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    asked = [q for q in questions(given.kernel) if q.name in (given.names or [q.name])]
    limits = Limits(given.seconds, given.proved, given.steps)
    counts: Counter[tuple[bool, str]] = Counter()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for future in as_completed([pool.submit(answers, q, limits) for q in asked]):
            for answer in future.result():
                counts[answer.question.wrong, answer.kind] += 1
    for wrong in (True, False):
        of = {kind: n for (w, kind), n in counts.items() if w == wrong}
        words = ", ".join(f"{n} {kind}" for kind, n in sorted(of.items()))
        print(f"{'refuted' if wrong else 'proved'}: {sum(of.values())}: {words}")
    kinds = {kind for _, kind in counts}
    return 1 if DISAGREES in kinds else 2 if NO_TIME in kinds else 0


def _line(answer: Answer) -> str:
    of = f"{answer.question.name} ({'mistake' if answer.question.wrong else 'right'})"
    return f"{answer.kind:9} {of} {answer.property}, {answer.steps} steps"


if __name__ == "__main__":
    sys.exit(main())
