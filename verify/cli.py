"""The command `msrproof`: arguments in, a report and an exit status out.

Heavy parts are imported inside the commands, so that `--help` and bad input answer at once.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from verify import __version__
from verify.errors import BadInput, InternalError
from verify.report import formats
from verify.report.plain import clean
from verify.request import DEFAULT_TARGET, DEFAULT_TIMEOUT, Request

BAD_INPUT = 3
INTERNAL_ERROR = 4
INTERRUPTED = 130  # what a shell reports for SIGINT

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0|[1-9][0-9]*")
_MACRO = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: that of this process); the exit status is the result."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character gets its escape, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "msrproof"
        return _complain(f"{error.format_message().rstrip('.')} (see {command} --help)", BAD_INPUT)
    except (click.ClickException, BadInput) as error:
        return _complain(str(error), BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _silence()
        return 0
    except Exception as error:
        if os.environ.get("MSRPROOF_DEBUG") == "1":
            traceback.print_exc()
        kind = "" if isinstance(error, InternalError) else f"{type(error).__name__}: "
        hint = "please report it; MSRPROOF_DEBUG=1 shows where it happened"
        return _complain(f"internal error: {kind}{error} ({hint})", INTERNAL_ERROR)


def _run(words: list[str]) -> int:
    # Not click's own main: that ends the process with statuses that mean verdicts here.
    with cli.make_context("msrproof", words) as context:
        status = cli.invoke(context)
        sys.stdout.flush()
        return int(status)


def _complain(message: str, status: int) -> int:
    with contextlib.suppress(OSError):  # nobody reads it; the status still tells
        print(f"msrproof: {clean(message).strip()}", file=sys.stderr)
    return status


def _silence() -> None:
    """Nobody reads standard output any more; let the flush at exit go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 all proved; 1 something refuted; 2 nothing refuted, something unknown; "
    "3 bad input; 4 internal error.",
)
@click.version_option(__version__, message="msrproof %(version)s")
def cli() -> None:
    """From a kernel patch to a proof, or a counterexample, about what happens to the MSRs when
    KVM switches between host and guest.

    The kernel is neither built nor changed: its C is read where it lies.
    """


def _pairs(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """NAME=VALUE options as a dict; a name may come again only with the same value."""
    pairs: dict[str, str] = {}
    name_of = option.opts[0]
    pattern = _MACRO if name_of == "--define" else _NAME
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not value.strip() or not pattern.fullmatch(name):
            raise BadInput(f"{name_of} {text!r}: not NAME=VALUE")
        if pairs.setdefault(name, value) != value:
            raise BadInput(f"{name_of} {name}: given as {pairs[name]} and as {value}; keep one")
    return pairs


def _numbers(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, int]:
    """NAME=NUMBER options as a dict."""
    pairs = _pairs(context, option, values)
    for name, value in pairs.items():
        if not _NUMBER.fullmatch(value):
            raise BadInput(f"{option.opts[0]} {name}={value}: give a number such as 4 or 0x10")
    return {name: int(value, 0) for name, value in pairs.items()}


def _seconds(context: click.Context, option: click.Parameter, value: float) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise BadInput(f"--timeout {value:g}: give a number of seconds above 0")
    return value


def _at_least_one(context: click.Context, option: click.Parameter, value: int | None) -> int:
    if value is None:
        return len(os.sched_getaffinity(0))
    if value < 1:
        raise BadInput(f"{option.opts[0]} {value}: give 1 or more")
    return value


_kernel = click.option(
    "--kernel",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Kernel source tree, unbuilt.  [default: the embedded reference tree]",
)
_target = click.option(
    "--target", metavar="NAME", default=DEFAULT_TARGET, show_default=True, help="Switch to check."
)

_patch = click.option(
    "--patch",
    "patches",
    metavar="FILE",
    multiple=True,
    help="Diff, mbox, mail or list reply to apply first; - is standard input. Repeatable.",
)
_property = click.option(
    "--property",
    "properties",
    metavar="GLOB",
    multiple=True,
    help="Check only these, such as 'restore.*'. Repeatable.",
)
_define = click.option(
    "--define",
    "defines",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_pairs,
    help="Override a constant (macro) of the tree. Repeatable.",
)
_config = click.option(
    "--config",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_numbers,
    help="Fix a value of the host's or guest's configuration (list config). Repeatable.",
)
_hardware = click.option(
    "--hardware",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_pairs,
    help="Fix a hardware parameter (list hardware). Repeatable.",
)


@cli.command(short_help="Prove or refute the properties of a switch.")
@_kernel
@_patch
@_target
@_property
@_define
@_config
@_hardware
@click.option("--compare", is_flag=True, help="Compare with the tree before the patch.")
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
@click.option(
    "--timeout",
    metavar="S",
    type=float,
    default=DEFAULT_TIMEOUT,
    show_default=True,
    callback=_seconds,
    help="Seconds for one question to a solver; then the answer is unknown.",
)
@click.option(
    "--jobs",
    metavar="N",
    type=int,
    callback=_at_least_one,
    help="Solver processes at a time.  [default: one per CPU]",
)
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
def check(
    kernel: Path | None,
    patches: tuple[str, ...],
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
) -> int:
    """Prove or refute the properties of a switch, for any number of switches.

    \b
    Example:
      msrproof check --kernel linux-7.2 --patch the-mail.txt --property 'restore.*'
    """
    if compare:
        raise BadInput("--compare: not available yet; check the tree with and without --patch")
    _once(patches)
    from verify.output import refuse, refuse_folder, write

    if certificates is not None:
        refuse_folder("--certificates", certificates, kernel)
    if output is not None:
        refuse(output, kernel)
        _no_patch("--output", output, patches)
    if emit_c is not None:
        refuse(emit_c, kernel, "--emit-c")
        _no_patch("--emit-c", emit_c, patches)
    request = Request(
        kernel=kernel,
        patches=patches,
        target=target,
        properties=properties,
        defines=defines,
        config=config,
        hardware=hardware,
        compare=compare,
        timeout=timeout,
        jobs=jobs,
        cache=not no_cache,
        certificates=certificates,
        emit_c=emit_c,
    )
    from verify.check import run

    report = run(request)
    if emit_c is not None and all(result.trace is None for result in report.results):
        print(f"msrproof: --emit-c {emit_c}: nothing is refuted, so not written", file=sys.stderr)
    status = report.exit_status
    terminal = output is None and sys.stdout.isatty()
    width = shutil.get_terminal_size((80, 24)).columns if terminal else 80
    text = formats.render(report, form, width, terminal and not os.environ.get("NO_COLOR"))
    if output is not None:
        write(output, text)
    else:
        _print(text)
    return status


def _no_patch(option: str, path: Path, patches: Sequence[str]) -> None:
    """BadInput for a file that would be overwritten before or after it is read."""
    if path.exists() and any(p != "-" and _same_file(path, p) for p in patches):
        raise BadInput(f"{option} {path}: is also a --patch; choose another file")


def _once(patches: tuple[str, ...]) -> None:
    if patches.count("-") > 1:
        raise BadInput("--patch -: standard input can be read only once")


def _same_file(output: Path, patch: str) -> bool:
    try:
        return output.samefile(patch)
    except OSError:
        return False


def _print(text: str) -> None:
    """To standard output; that nobody reads it to the end does not change the verdict."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
    except OSError as error:
        raise BadInput(f"standard output: cannot be written: {error.strerror}") from None


@cli.command("export", short_help="Write transition systems for other engines.")
@_kernel
@_patch
@_target
@_property
@_define
@_config
@_hardware
@click.option(
    "--format",
    "form",
    type=click.Choice(["btor2", "smt2", "vmt"]),
    required=True,
    help="BTOR2, constrained Horn clauses in SMT-LIB 2, or VMT.",
)
@click.option(
    "--output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    required=True,
    help="New folder for a file for each property, or one file (PATH ends with .FORMAT).",
)
def export(
    kernel: Path | None,
    patches: tuple[str, ...],
    target: str,
    properties: tuple[str, ...],
    defines: dict[str, str],
    config: dict[str, int],
    hardware: dict[str, str],
    form: str,
    output: Path,
) -> int:
    """Write the switch as transition systems whose bad states violate a property.

    The first step is setup, each further one a step of the switch, an emulated access, or nothing.
    A property of two runs (leak.*, access.closed) becomes the product of both; where they are
    compared in several ways, one system for each.

    \b
    Example:
      msrproof export --format btor2 --property restore.PMC --output pmc.btor2
      btormc -kmax 5 pmc.btor2
    """
    _once(patches)
    from verify.output import refuse, refuse_folder, write, write_folder

    single = output.suffix == f".{form}"
    if single:
        refuse(output, kernel)
    else:
        refuse_folder("--output", output, kernel)
    request = Request(
        kernel=kernel,
        patches=patches,
        target=target,
        properties=properties,
        defines=defines,
        config=config,
        hardware=hardware,
        jobs=len(os.sched_getaffinity(0)),
    )
    from verify.check import exported
    from verify.encode.btor2 import to_btor2
    from verify.encode.system import to_horn, to_vmt

    printer = {"btor2": to_btor2, "smt2": to_horn, "vmt": to_vmt}[form]
    systems = exported(request)
    if single and len(systems) > 1:
        names = ", ".join(list(systems)[:3])
        raise BadInput(f"--output {output}: one file for {names} ...; give a folder or --property")
    files = {f"{name}.{form}": printer(system) for name, system in systems.items()}
    if single:
        write(output, *files.values())
    else:
        write_folder("--output", output, files)
    return 0


_KINDS = ("targets", "properties", "registers", "assumptions", "config", "hardware")


@cli.command("list", short_help="Show targets, properties, registers, ...")
@click.argument("kind", metavar="KIND", type=click.Choice(_KINDS))
@_target
@_kernel
def list_(kind: str, target: str, kernel: Path | None) -> int:
    """Show names that check takes or prints, with their meaning.

    \b
    KIND is one of
      targets      switches that can be checked (--target)
      properties   what is proved or refuted (--property)
      registers    registers of the guest that are followed
      assumptions  what is taken for granted
      config       configuration values that can be fixed (--config)
      hardware     hardware parameters that can be fixed (--hardware)
    """
    from verify.check import listing

    entries = listing(Request(kernel=kernel, target=target), kind)
    width = max((len(name) for name, _ in entries), default=0)
    lines = [f"{clean(name):<{width}}  {clean(text)}".rstrip() for name, text in entries]
    _print("".join(f"{line}\n" for line in lines))
    return 0


@cli.command(short_help="Run the tree's C beside the interpreter.")
@_kernel
@_patch
@_target
@_define
@click.option(
    "--runs",
    metavar="N",
    type=int,
    default=2000,
    show_default=True,
    callback=_at_least_one,
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
    from verify.check import load
    from verify.crosscheck.compare import crosscheck as run
    from verify.crosscheck.text import render

    if patches.count("-") > 1:
        raise BadInput("--patch -: standard input can be read only once")
    request = Request(kernel=kernel, patches=patches, target=target, defines=defines)
    _, reports, found, program = load(request)
    for report in reports:
        for hunk in report.failed:
            raise BadInput(f"{hunk.file}:{hunk.line}: this hunk does not apply: {hunk.reason}")
    outcome = run(found, program, found.dialect(defines), runs, seed)
    _print(render(outcome))
    return 0 if outcome.found is None else 1


@cli.command(short_help="Check proofs with other solvers.")
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
    callback=_seconds,
    help="Seconds for one question to a solver; then the proof is undecided.",
)
def recheck(folder: Path, solvers: tuple[str, ...], timeout: float) -> int:
    """Check the proofs in DIR (made by check --certificates) without the code that made them.

    Every file must be the one that the manifest names, tool and sources those that the proofs are
    about (where they are found), and the questions must make up a proof by induction. Then every
    solver must give the expected answer to every question.

    Exit status: 0 all proofs accepted, 1 some rejected, 2 none rejected but a solver cannot tell.
    """
    from verify.recheck import ACCEPTED, REJECTED
    from verify.recheck import recheck as run

    found = run(folder, list(dict.fromkeys(solvers)), timeout)
    for complaint in found.complaints:
        _print(f"rejected: {clean(complaint)}\n")
    seconds = dict.fromkeys(found.solvers, 0.0)
    for name, words in found.ask():
        _print(f"{clean(name)}: {', '.join(f'{w.solver} {clean(w.answer)}' for w in words)}\n")
        for word in words:
            seconds[word.solver] += word.seconds
    verdicts = found.verdicts()
    for verdict in verdicts:
        reason = "" if found.complaints else "".join(f"\n  {r}" for r in verdict.reasons)
        _print(f"{verdict.verdict}  {clean(verdict.name)}{reason}\n")
    accepted = sum(v.verdict == ACCEPTED for v in verdicts)
    times = ", ".join(f"{solver} {spent:.1f} s" for solver, spent in seconds.items())
    _print(f"{accepted} of {len(verdicts)} proofs accepted ({times})\n")
    if any(v.verdict == REJECTED for v in verdicts):
        return 1
    return 0 if accepted == len(verdicts) else 2
