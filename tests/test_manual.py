"""verify.manual: the page says all that the command line does, and is a page."""

from __future__ import annotations

import re
import shutil
import subprocess

import click
import pytest

from verify.cli import cli
from verify.manual import page


def bare(text: str) -> str:
    """Text without what is for roff only."""
    return re.sub(r"\\f[BIR]|\\&", "", text).replace(r"\-", "-").replace(r"\e", "\\")


def test_every_command_and_option_is_in_it() -> None:
    sections = dict(
        part.split("\n", 1) for part in re.split(r"^\.S[SH] ", bare(page()), flags=re.M)[1:]
    )
    for name, command in cli.commands.items():
        [title] = [t for t in sections if t.split()[:2] == ["msrproof", name]]
        items = re.findall(r"^\.TP\n(.*)\n(.*)$", sections[title], flags=re.M)
        options = [p for p in command.params if isinstance(p, click.Option)]
        assert len(items) == len(options) and all(text for _, text in items)
        for (head, _), option in zip(items, options, strict=True):
            assert set(option.opts) <= set(re.split("[, ]+", head))
    statuses = re.findall(r"^\.TP\n(\d)\n", sections["EXIT STATUS"], flags=re.M)
    assert statuses == ["0", "1", "2", "3", "4"]


def test_every_line_is_of_use() -> None:
    macros = {line.split()[0] for line in page().splitlines() if line.startswith((".", "'"))}
    assert macros == {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".nf", ".fi"}
    assert page().isascii()


@pytest.mark.external
def test_groff_takes_it() -> None:
    if not shutil.which("groff"):
        pytest.skip("no groff")
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-z"],
        input=page(),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
