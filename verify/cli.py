"""The command `msrproof`: arguments in, a report and an exit status out.

Heavy parts are imported inside the commands, so that `--help` and bad input answer at once.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import traceback
from collections.abc import Sequence

import click

from verify import __version__
from verify.commands.check import check
from verify.commands.completion import complete, completion
from verify.commands.crosscheck import crosscheck
from verify.commands.explain import explain
from verify.commands.export import export
from verify.commands.list import list_
from verify.commands.mutate import mutate
from verify.commands.printing import silence
from verify.commands.recheck import recheck
from verify.errors import BadInput, InternalError
from verify.report.plain import clean

BAD_INPUT = 3
INTERNAL_ERROR = 4
INTERRUPTED = 130  # what a shell reports for SIGINT

# Objects that are made before Python looks for cycles among them. There are hardly any, and its
# own number, 700, makes that a tenth of a run.
GARBAGE = 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: that of this process); the exit status is the result."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character gets its escape, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    gc.set_threshold(GARBAGE)
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
        silence()
        return 0
    except Exception as error:
        if os.environ.get("MSRPROOF_DEBUG") == "1":
            traceback.print_exc()
        kind = "" if isinstance(error, InternalError) else f"{type(error).__name__}: "
        hint = "please report it; MSRPROOF_DEBUG=1 shows where it happened"
        return _complain(f"internal error: {kind}{error} ({hint})", INTERNAL_ERROR)


def _run(words: list[str]) -> int:
    # Not click's own main: that ends the process with statuses that mean verdicts here.
    if (status := complete(cli)) is not None:
        return status
    with cli.make_context("msrproof", words) as context:
        status = cli.invoke(context)
        sys.stdout.flush()
        return int(status)


def _complain(message: str, status: int) -> int:
    with contextlib.suppress(OSError):  # nobody reads it; the status still tells
        print(f"msrproof: {clean(message).strip()}", file=sys.stderr)
    return status


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


for command in (check, list_, explain, recheck, export, crosscheck, mutate, completion):
    cli.add_command(command)
