"""Options that several commands have, and how their values are read."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from verify.errors import BadInput
from verify.request import DEFAULT_TARGET, DEFAULT_TIMEOUT, Request

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0|[1-9][0-9]*")
_MACRO = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


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


def seconds(context: click.Context, option: click.Parameter, value: float) -> float:
    """A number of seconds above 0."""
    if not (value > 0 and math.isfinite(value)):
        raise BadInput(f"--timeout {value:g}: give a number of seconds above 0")
    return value


def at_least_one(context: click.Context, option: click.Parameter, value: int | None) -> int:
    """A number from 1; as many as there are CPUs, when none is given."""
    if value is None:
        return len(os.sched_getaffinity(0))
    if value < 1:
        raise BadInput(f"{option.opts[0]} {value}: give 1 or more")
    return value


def once(patches: tuple[str, ...]) -> None:
    """BadInput when standard input would be read twice."""
    if patches.count("-") > 1:
        raise BadInput("--patch -: standard input can be read only once")


Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completer(kind: str) -> Completer:
    """Offers a shell the names of `msrproof list KIND`."""

    def complete(
        context: click.Context, parameter: click.Parameter, typed: str
    ) -> list[CompletionItem]:
        from verify.listing import listing

        given = context.params
        request = Request(kernel=given.get("kernel"), target=given.get("target") or DEFAULT_TARGET)
        end = "=" if kind in ("config", "hardware") else ""
        try:
            names = listing(request, kind)
        except BadInput:
            return []
        return [CompletionItem(f"{n}{end}", help=text) for n, text in names if n.startswith(typed)]

    return complete


kernel = click.option(
    "--kernel",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Kernel source tree, unbuilt.  [default: the embedded reference tree]",
)
target = click.option(
    "--target",
    metavar="NAME",
    default=DEFAULT_TARGET,
    show_default=True,
    shell_complete=completer("targets"),
    help="Switch to check.",
)
patch = click.option(
    "--patch",
    "patches",
    metavar="FILE",
    multiple=True,
    help="Diff, mbox, mail or list reply to apply first; - is standard input. Repeatable.",
)
properties = click.option(
    "--property",
    "properties",
    metavar="GLOB",
    multiple=True,
    shell_complete=completer("properties"),
    help="Check only these, such as 'restore.*'. Repeatable.",
)
define = click.option(
    "--define",
    "defines",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_pairs,
    help="Override a constant (macro) of the tree. Repeatable.",
)
config = click.option(
    "--config",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_numbers,
    shell_complete=completer("config"),
    help="Fix a value of the host's or guest's configuration (list config). Repeatable.",
)
hardware = click.option(
    "--hardware",
    metavar="NAME=VALUE",
    multiple=True,
    shell_complete=completer("hardware"),
    callback=_pairs,
    help="Fix a hardware parameter (list hardware). Repeatable.",
)
timeout = click.option(
    "--timeout",
    metavar="S",
    type=float,
    default=DEFAULT_TIMEOUT,
    show_default=True,
    callback=seconds,
    help="Seconds for one question to a solver; then the answer is unknown.",
)
jobs = click.option(
    "--jobs",
    metavar="N",
    type=int,
    callback=at_least_one,
    help="Solver processes at a time.  [default: one per CPU]",
)
