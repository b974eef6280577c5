"""The questions of a run as SMT-LIB 2 files, and a solver alone on them.

    python -m tests.bench.queries export FOLDER check ...
    python -m tests.bench.queries solve FOLDER

A yardstick for want of a better one: the time of `solve` is what the questions cost when nothing
has to be read, encoded or inferred. A question with alternatives is their disjunction here.
"""

import sys
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

SECONDS = 60


def export(folder: Path, words: Sequence[str]) -> int:
    """Run the command line `words` of the tool and write all that it asks; the tool's status."""
    from verify import cli
    from verify.encode.smtlib import to_smtlib
    from verify.encode.term import disj
    from verify.prove.goal import Answer, Goal
    from verify.prove.process import solve_all

    count = 0

    def noted(goals: Sequence[Goal], **options: Any) -> Generator[tuple[Goal, Answer], None, None]:
        nonlocal count
        for goal in goals:
            either = () if goal.alternatives is None else (disj(goal.alternatives),)
            text = to_smtlib((*goal.assertions, *either))
            (folder / f"{count:04}.smt2").write_text(text, encoding="utf-8")
            count += 1
        return solve_all(goals, **options)

    with mock.patch("verify.verdicts.solve_all", noted):
        return cli.main(words)


def solve(folder: Path) -> Counter[str]:
    """How often bitwuzla says what of the files in the folder."""
    import bitwuzla

    options = bitwuzla.Options()
    options.set(bitwuzla.Option.TIME_LIMIT_PER, SECONDS * 1000)
    said: Counter[str] = Counter()
    for file in sorted(folder.glob("*.smt2")):
        parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
        parser.parse(str(file), parse_only=True)
        said[str(parser.bitwuzla().check_sat())] += 1
    return said


def main(words: Sequence[str]) -> int:
    """The command line above."""
    task, folder, *rest = words
    if task == "export":
        return export(Path(folder), rest)
    print(", ".join(f"{number} {status}" for status, number in sorted(solve(Path(folder)).items())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
