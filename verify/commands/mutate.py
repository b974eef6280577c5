"""msrproof mutate: does the catalogue notice each change that matters?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from verify.commands import options
from verify.commands.printing import show
from verify.request import Request


@click.command(short_help="Change the kernel's statements, and see whether a property is refuted.")
@options.kernel
@options.patch
@options.target
@options.define
@options.config
@options.hardware
@click.option(
    "--function",
    "functions",
    metavar="GLOB",
    multiple=True,
    help="Mutate these, of all functions that the model runs. Repeatable.  "
    "[default: those that load, put and the stay in the guest run]",
)
@click.option(
    "--limit",
    metavar="N",
    type=int,
    callback=lambda c, o, value: None if value is None else options.at_least_one(c, o, value),
    help="So many mutants only, evenly spread.",
)
@options.timeout
@options.jobs
@click.option("--no-cache", is_flag=True, help="Neither use nor keep what is known of mutants.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def mutate(
    kernel: Path | None,
    patches: tuple[str, ...],
    target: str,
    defines: dict[str, str],
    config: dict[str, int],
    hardware: dict[str, str],
    functions: tuple[str, ...],
    limit: int | None,
    timeout: float,
    jobs: int,
    no_cache: bool,
    form: str,
) -> int:
    """Measure the properties: each mutant of the switch is a small change of one statement.

    A statement is deleted or swapped with the next one, a condition negated or dropped, a register,
    field or function replaced by another of its kind. A mutant is killed when a property that is
    proved of the tree is refuted of it; or it is proved to have the same effects; else it survived,
    and the catalogue has a gap, or it is undecided.

    What is refuted of the tree itself kills nothing. Where that is so in some configurations only,
    --config leaves them out: then all of it is about the others.

    What is found out is kept, so that a run that was stopped goes on where it was. The tree itself
    is not changed.

    Exit status: 0 no survivor; 1 survivors; 2 no survivor, something undecided; 3 bad input.
    """
    options.once(patches)
    from verify.mutate.campaign import run
    from verify.mutate.fate import SURVIVED, UNDECIDED
    from verify.mutate.text import as_json, render

    request = Request(
        kernel=kernel,
        patches=patches,
        target=target,
        defines=defines,
        config=config,
        hardware=hardware,
        timeout=timeout,
        jobs=jobs,
        cache=not no_cache,
    )
    with _bar(sys.stderr.isatty()) as done:
        campaign = run(request, functions, limit, done)
    show(as_json(campaign) if form == "json" else render(campaign))
    return 1 if campaign.count(SURVIVED) else 2 if campaign.count(UNDECIDED) else 0


@contextmanager
def _bar(shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, which is gone at the end."""
    if not shown:
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("mutants"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # No thread keeps it up, as processes are forked meanwhile.
    with Progress(
        *columns, console=Console(stderr=True), auto_refresh=False, transient=True
    ) as progress:
        task = progress.add_task("mutants", total=None)

        def done(count: int, total: int) -> None:
            progress.update(task, completed=count, total=total, refresh=True)

        yield done
