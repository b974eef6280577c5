"""The manual page, made from what the command line says of itself: python -m verify.manual"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

import click

from verify import __version__
from verify.cli import cli

_FILES = (
    ("~/.cache/msrproof/results.sqlite", "earlier answers ($XDG_CACHE_HOME in place of ~/.cache)"),
)
_ENVIRONMENT = (
    ("NO_COLOR", "when it is set, no colours are used"),
    ("MSRPROOF_DEBUG", "1: an internal error shows where it happened"),
)


def page() -> str:
    """The whole page, for man(7) macros."""
    return "".join(f"{line}\n" for line in _lines(cli))


def _lines(program: click.Group) -> Iterator[str]:
    yield f'.TH MSRPROOF 1 "" "msrproof {__version__}" "User Commands"'
    yield ".SH NAME"
    yield r"msrproof \- prove or refute what a kernel patch does to the MSRs"
    yield ".SH SYNOPSIS"
    yield r".B msrproof"
    yield r"\fICOMMAND\fR [\fIOPTIONS\fR]"
    yield ".SH DESCRIPTION"
    for paragraph in _paragraphs(program):
        yield ".PP"
        yield from paragraph
    yield ".SH COMMANDS"
    for name in program.list_commands(click.Context(program)):
        yield from _command(program.commands[name])
    yield ".SH EXIT STATUS"
    for status, text in re.findall(r"(\d) ([^;.]+)", program.epilog or ""):
        yield from _item(_bold(status), text)
    for title, entries in (("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        yield f".SH {title}"
        for name, text in entries:
            yield from _item(_bold(name), text)


def _command(command: click.Command) -> Iterator[str]:
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    names = " ".join(f" {_italic(p.make_metavar(click.Context(command)))}" for p in arguments)
    yield f".SS msrproof {command.name}{names}"
    for paragraph in _paragraphs(command):
        yield ".PP"
        yield from paragraph
    for option in command.params:
        if isinstance(option, click.Option):
            yield from _option(command, option)


def _option(command: click.Command, option: click.Option) -> Iterator[str]:
    record = option.get_help_record(click.Context(command))
    assert record is not None
    names, text = record
    head = ", ".join(
        " ".join([_bold(word), *map(_italic, value)])
        for word, *value in (part.split(maxsplit=1) for part in names.split(", "))
    )
    yield from _item(head, text)


def _item(head: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield head
    yield _plain(" ".join(text.split()))


def _paragraphs(command: click.Command) -> Iterator[list[str]]:
    """Of the help; one that starts with \\b keeps its lines."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        lines = paragraph.split("\n")
        if lines[0].strip() == "\b":
            yield [".nf", *(_plain(line) for line in lines[1:]), ".fi"]
        else:
            yield [_plain(" ".join(line.strip() for line in lines))]


def _plain(text: str) -> str:
    """Text that means nothing to roff."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


def _bold(text: str) -> str:
    return rf"\fB{_plain(text)}\fR"


def _italic(text: str) -> str:
    return rf"\fI{_plain(text)}\fR"


if __name__ == "__main__":
    sys.stdout.write(page())
