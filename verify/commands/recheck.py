"""msrproof recheck: proofs that check --certificates made."""

from __future__ import annotations

from pathlib import Path

import click

from verify.commands import options
from verify.commands.printing import show
from verify.report.plain import clean


@click.command(short_help="Check proofs with other solvers.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--solver",
    "solvers",
    type=click.Choice(["z3", "cvc5", "bitwuzla"]),
    multiple=True,
    default=("cvc5", "bitwuzla"),
    show_default=True,
    help="Solver that must agree. Repeatable.",
)
@click.option(
    "--timeout",
    metavar="S",
    type=float,
    default=300.0,
    show_default=True,
    callback=options.seconds,
    help="Seconds for one question to a solver; then the proof is undecided.",
)
def recheck(folder: Path, solvers: tuple[str, ...], timeout: float) -> int:
    """Check the proofs in DIR (made by check --certificates) without the code that made them.

    Every file must be the one that the manifest names, tool and sources those that the proofs are
    about (where they are found), and the questions must make up a proof by induction. Then every
    solver must give the expected answer to every question.

    Exit status: 0 all proofs accepted, 1 some rejected, 2 none rejected but a solver cannot tell.
    """
    from verify.recheck import ACCEPTED, REJECTED, Verdict, recheck_all

    solvers = tuple(dict.fromkeys(solvers))
    seconds = dict.fromkeys(solvers, 0.0)
    verdicts: list[Verdict] = []
    for found in recheck_all(folder, solvers, timeout):
        for complaint in found.complaints:
            show(f"rejected: {clean(complaint)}\n")
        for name, words in found.ask():
            show(f"{clean(name)}: {', '.join(f'{w.solver} {clean(w.answer)}' for w in words)}\n")
            for word in words:
                seconds[word.solver] += word.seconds
        for verdict in found.verdicts():
            reason = "" if found.complaints else "".join(f"\n  {r}" for r in verdict.reasons)
            show(f"{verdict.verdict}  {clean(verdict.name)}{reason}\n")
        verdicts += found.verdicts()
    accepted = sum(v.verdict == ACCEPTED for v in verdicts)
    times = ", ".join(f"{solver} {spent:.1f} s" for solver, spent in seconds.items())
    show(f"{accepted} of {len(verdicts)} proofs accepted ({times})\n")
    if any(v.verdict == REJECTED for v in verdicts):
        return 1
    return 0 if accepted == len(verdicts) else 2
