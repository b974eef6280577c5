"""msrproof crosscheck: the tree's C, compiled, beside the interpreter."""

from __future__ import annotations

from pathlib import Path

import click

from verify.commands import options
from verify.commands.printing import show
from verify.errors import BadInput
from verify.request import Request


@click.command(short_help="Run the tree's C beside the interpreter.")
@options.kernel
@options.patch
@options.target
@options.define
@click.option(
    "--runs",
    metavar="N",
    type=int,
    default=2000,
    show_default=True,
    callback=options.at_least_one,
    help="Runs to compare.",
)
@click.option(
    "--seed",
    metavar="N",
    type=int,
    default=0,
    show_default=True,
    help="Another number gives other runs.",
)
def crosscheck(
    kernel: Path | None,
    patches: tuple[str, ...],
    target: str,
    defines: dict[str, str],
    runs: int,
    seed: int,
) -> int:
    """Compare what proofs are made of with the tree's own C, compiled by gcc.

    The functions that the target reaches run in the interpreter, on random and boundary states of
    the hardware model, and then as gcc compiles them: both must access the same registers in the
    same order with the same values, and leave the same state. The first difference is made as
    small as can be and printed, with exit status 1.

    The compiled C runs in a process that may only read and write what it is given (seccomp), with
    bounds on time and memory, and text with inline assembly or attributes that act on their own
    is refused: still, this runs code of the tree and of the patch, so it is never a part of check.
    """
    from verify.crosscheck.compare import crosscheck as run
    from verify.crosscheck.text import render
    from verify.relations import load

    options.once(patches)
    request = Request(kernel=kernel, patches=patches, target=target, defines=defines)
    _, reports, found, program = load(request)
    for report in reports:
        for hunk in report.failed:
            raise BadInput(f"{hunk.file}:{hunk.line}: this hunk does not apply: {hunk.reason}")
    outcome = run(found, program, found.dialect(defines), runs, seed)
    show(render(outcome))
    return 0 if outcome.found is None else 1
