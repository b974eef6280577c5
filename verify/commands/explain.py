"""msrproof explain: one property in words."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from verify.commands import options
from verify.commands.printing import in_colour, show
from verify.report.plain import clean
from verify.request import Request

if TYPE_CHECKING:
    from verify.about import About

_NARROWEST = 40


@click.command(short_help="Tell what a property means.")
@click.argument("name", metavar="PROPERTY", shell_complete=options.completer("properties"))
@options.target
@options.kernel
@options.define
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
def explain(name: str, target: str, kernel: Path | None, defines: dict[str, str], form: str) -> int:
    """Tell what a PROPERTY (list properties) means: its statement, where it is checked and what is
    then wrong, and the assumptions and hardware facts behind it.

    \b
    Example:
      msrproof explain order.fixed3-metrics.load
    """
    from verify.about import about

    found = about(Request(kernel=kernel, target=target, defines=defines), name)
    if form == "json":
        show(json.dumps(asdict(found), indent=2) + "\n")
        return 0
    show("".join(f"{line}\n" for line in _lines(found)))
    return 0


def _lines(found: About) -> Iterator[str]:
    from verify.about import shortened

    yield from _entry(f"{found.property}: {found.statement}", 0, 2)
    kind = "two runs that differ only in what is secret" if found.compares else "every run"
    yield from _entry(f"asked of {kind}: for any number of switches", 2)
    if found.compares:
        yield from _entry(found.compares, 2)
    yield from _entry(f"unknown (vacuous) unless it comes to this: {found.needs}", 2)
    yield from _title("where it is checked")
    for place in found.places:
        registers = f" ({', '.join(shortened(place.registers))})" if place.registers else ""
        yield from _entry(f"{place.phase}: {place.text}{registers}", 2, 2)
    yield from _title("hardware behaviour that is not known; it holds for every value")
    for parameter in found.parameters:
        values = " | ".join(parameter.values)
        yield from _entry(f"{parameter.name} ({values}): {parameter.text}", 2, 2)
    yield from _title("facts of the hardware")
    for fact in found.facts:
        sure = f" ({fact.source}; confidence: {fact.confidence})"
        yield from _entry(f"{fact.id}: {fact.text}{sure}", 2, 2)
    yield from _title("assumptions")
    for assumption in found.assumptions:
        yield from _entry(f"{assumption.id}: {assumption.text}", 2, 2)


def _title(text: str) -> Iterator[str]:
    yield ""
    yield click.style(f"{text}:", bold=True) if in_colour() else f"{text}:"


def _entry(text: str, indent: int, hang: int = 0) -> list[str]:
    width = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
    return textwrap.wrap(
        clean(text),
        max(width, _NARROWEST),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hang),
        break_long_words=False,
        break_on_hyphens=False,
    )
