"""msrproof completion: what a shell asks when TAB is pressed."""

from __future__ import annotations

import os

import click
from click import shell_completion

from verify.commands.printing import show

_VARIABLE = "_MSRPROOF_COMPLETE"


@click.command(short_help="Print a script for completion in a shell.")
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print a script that lets a SHELL (bash, zsh, fish) complete commands and options.

    \b
    For this session:
      bash, zsh:  eval "$(msrproof completion bash)"
      fish:       msrproof completion fish | source
    """
    kind = shell_completion.get_completion_class(shell)
    assert kind is not None
    # Not source(), which asks the bash that is installed for its version.
    script = kind(context.find_root().command, {}, "msrproof", _VARIABLE)
    show(script.source_template % script.source_vars() + "\n")
    return 0


def complete(cli: click.Command) -> int | None:
    """Answer a shell that such a script asks from; None when none does."""
    instruction = os.environ.get(_VARIABLE)
    if not instruction:
        return None
    return shell_completion.shell_complete(cli, {}, "msrproof", _VARIABLE, instruction)
