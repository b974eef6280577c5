"""msrproof list: the names that check takes or prints."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from pathlib import Path

import click

from verify.commands import options
from verify.commands.printing import in_colour, show
from verify.report.plain import clean
from verify.request import Request

_KINDS = ("targets", "properties", "registers", "assumptions", "config", "hardware")
_NARROWEST = 30


@click.command("list", short_help="Show targets, properties, registers, ...")
@click.argument("kind", metavar="KIND", type=click.Choice(_KINDS))
@options.target
@options.kernel
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the list.",
)
def list_(kind: str, target: str, kernel: Path | None, form: str) -> int:
    """Show names that check takes or prints, with their meaning.

    \b
    KIND is one of
      targets      switches that can be checked (--target)
      properties   what is proved or refuted (--property; see explain)
      registers    registers of the guest that are followed
      assumptions  what is taken for granted
      config       configuration values that can be fixed (--config)
      hardware     hardware parameters that can be fixed (--hardware)
    """
    from verify.listing import listing

    entries = listing(Request(kernel=kernel, target=target), kind)
    if form == "json":
        show(json.dumps([{"name": name, "text": text} for name, text in entries], indent=2) + "\n")
        return 0
    width = max((len(clean(name)) for name, _ in entries), default=0)
    show("".join(_entry(clean(name), clean(text), width) for name, text in entries))
    return 0


def _entry(name: str, text: str, width: int) -> str:
    """Two columns: on a terminal wrapped to it, else a line for each name."""
    lines = [text]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size((80, 24)).columns - width - 2
        lines = textwrap.wrap(text, max(room, _NARROWEST)) or [""]
    shown = click.style(name, bold=True) if in_colour() else name
    head = shown + " " * (width - len(name) + 2)
    return "".join(
        f"{head if not number else ' ' * (width + 2)}{line}".rstrip() + "\n"
        for number, line in enumerate(lines)
    )
