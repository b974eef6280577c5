"""What the documents say is so: their commands print that, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest

from tests.documents import (
    CONSOLE,
    DOCUMENTS,
    VERDICTS,
    alike,
    blocks,
    commands,
    copied,
    printed,
    rewritten,
)
from tests.processes import ROOT
from verify.cli import cli

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_INDENTED = re.compile(r"^    (?:\.venv/bin/)?(msrproof .*(?:\\\n.*)*)$", re.M)


def marked(mark: str) -> list[Path]:
    return [
        path
        for path in DOCUMENTS
        if any(kind == CONSOLE and m == mark for kind, m, _ in blocks(path.read_text()))
    ]


def runs(path: Path, folder: Path, slow: bool) -> None:
    project = copied(folder)
    for kind, mark, content in blocks(path.read_text()):
        if kind == CONSOLE and (slow or mark != VERDICTS):
            for command, out in zip(commands(content), printed(content, project), strict=True):
                assert alike(out, command.output), f"$ {command.text}{out}"


@pytest.mark.parametrize("path", marked(""), ids=lambda path: path.name)
def test_commands_print_what_is_said(path: Path, tmp_path: Path) -> None:
    runs(path, tmp_path, slow=False)


@pytest.mark.verdicts
@pytest.mark.parametrize("path", marked(VERDICTS), ids=lambda path: path.name)
def test_commands_that_take_longer_do_too(path: Path, tmp_path: Path) -> None:
    runs(path, tmp_path, slow=True)


def command_lines(text: str) -> list[str]:
    """Every use of msrproof in a document's blocks for a shell."""
    found = [match[1] for match in _INDENTED.finditer(text)]
    for kind, _, content in blocks(text):
        if kind == CONSOLE:
            found += [command.text for command in commands(content)]
        elif kind == "sh":
            found += re.split(r"(?<!\\)\n", content)
    return [line for line in found if line.startswith("msrproof ")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_have_the_options_that_they_are_given(path: Path) -> None:
    for line in command_lines(path.read_text()):
        lexer = shlex.shlex(line.replace("\\\n", " "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        _, name, *words = takewhile(lambda word: not set(word) <= set("();<>|&"), lexer)
        cli.commands[name].make_context(name, list(words))


def headings(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    titles = re.findall(r"^#+ (.*)$", plain, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in _LINK.findall(path.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        to = path.parent / name if name else path
        assert to.exists(), target
        assert to.resolve().is_relative_to(ROOT), target
        assert not anchor or anchor in headings(to.read_text()), target


def test_every_document_is_linked() -> None:
    text = (ROOT / "README.md").read_text()
    for path in DOCUMENTS[2:]:
        assert f"(docs/{path.name})" in text, path.name


def test_what_a_block_prints(tmp_path: Path) -> None:
    text = "```console\n$ echo a \\\n  b\na b\n$ false\n$ echo $?\n0\n```\n\n```sh\nfalse\n```\n"
    ((_, _, content), _) = blocks(text)
    assert [c.output for c in commands(content)] == ["a b\n", "", "0\n"]
    assert printed(content, tmp_path) == ["a b\n", "", "1\n"]
    assert not alike("0\n", "1\n") and alike("x  1.25 0x4\n", "x 0.5 0x0")
    assert rewritten(text, tmp_path) == text.replace("\n0\n", "\n1\n")
