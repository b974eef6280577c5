"""msrproof check: the main job."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from verify.commands import options
from verify.commands.printing import in_colour, show
from verify.errors import BadInput
from verify.report import formats
from verify.request import Request

if TYPE_CHECKING:
    from verify.result import Report


@click.command(short_help="Prove or refute the properties of a switch.")
@options.kernel
@options.patch
@click.option(
    "--git",
    metavar="OLD..NEW",
    help="Check each of these commits that touches what is checked; --kernel is the repository.",
)
@options.target
@options.properties
@options.define
@options.config
@options.hardware
@click.option(
    "--compare",
    is_flag=True,
    help="Compare with the tree before the patch, and tell which patch of a series changes what.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(formats.FORMATS),
    default="text",
    show_default=True,
    help="How to print the report.",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the report there instead of to standard output.",
)
@options.timeout
@options.jobs
@click.option("--no-cache", is_flag=True, help="Neither use nor keep earlier answers.")
@click.option(
    "--certificates",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Put a proof there that other solvers can check (see recheck).",
)
@click.option(
    "--emit-c",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the first counterexample there as a C program that gcc compiles.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print no report: the exit status tells.")
@click.option("--verbose", "-v", is_flag=True, help="Tell on standard error what took how long.")
def check(
    kernel: Path | None,
    patches: tuple[str, ...],
    git: str | None,
    target: str,
    properties: tuple[str, ...],
    defines: dict[str, str],
    config: dict[str, int],
    hardware: dict[str, str],
    compare: bool,
    form: str,
    output: Path | None,
    timeout: float,
    jobs: int,
    no_cache: bool,
    certificates: Path | None,
    emit_c: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Prove or refute the properties of a switch, for any number of switches.

    With --compare or --git the verdicts and the exit status are those of the last tree.

    \b
    Example:
      msrproof check --kernel linux-7.2 --patch the-mail.txt --property 'restore.*'
    """
    options.once(patches)
    if git is not None and (patches or compare):
        raise BadInput("--git: compares commits as they are; leave out --patch and --compare")
    if git is not None and certificates is not None:
        raise BadInput("--git: proofs are about a tree that lies there; leave out --certificates")
    if quiet and verbose:
        raise BadInput("--quiet --verbose: choose one of them")
    from verify.output import refuse, refuse_folder, write

    if certificates is not None:
        refuse_folder("--certificates", certificates, kernel)
    if output is not None:
        refuse(output, kernel)
        _no_patch("--output", output, patches)
    if emit_c is not None:
        refuse(emit_c, kernel, "--emit-c")
        _no_patch("--emit-c", emit_c, patches)
    from verify.commands.watching import watching

    with watching(sys.stderr.isatty() and not quiet) as progress:
        request = Request(
            kernel=kernel,
            patches=patches,
            target=target,
            properties=properties,
            defines=defines,
            config=config,
            hardware=hardware,
            compare=compare,
            git=git,
            timeout=timeout,
            jobs=jobs,
            cache=not no_cache,
            certificates=certificates,
            emit_c=emit_c,
            progress=progress,
        )
        report = _run(request)
    if verbose:
        print(progress.told(), file=sys.stderr, end="")
    if emit_c is not None and all(result.trace is None for result in report.results):
        print(f"msrproof: --emit-c {emit_c}: nothing is refuted, so not written", file=sys.stderr)
    status = report.exit_status
    terminal = output is None and sys.stdout.isatty()
    width = shutil.get_terminal_size((80, 24)).columns if terminal else 80
    text = formats.render(report, form, width, terminal and in_colour())
    if output is not None:
        write(output, text)
    elif not quiet:
        show(text)
    return status


def _run(request: Request) -> Report:
    if request.compare or request.git is not None:
        from verify import compare

        return compare.run(request)
    from verify import check

    return check.run(request)


def _no_patch(option: str, path: Path, patches: tuple[str, ...]) -> None:
    """BadInput for a file that would be overwritten before or after it is read."""
    if path.exists() and any(p != "-" and _same_file(path, p) for p in patches):
        raise BadInput(f"{option} {path}: is also a --patch; choose another file")


def _same_file(output: Path, patch: str) -> bool:
    try:
        return output.samefile(patch)
    except OSError:
        return False
