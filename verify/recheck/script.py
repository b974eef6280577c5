"""SMT-LIB scripts as lists of commands: what is declared, defined, asserted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r';[^\n]*|"(?:[^"]|"")*"|\|[^|]*\||[()]|[^\s()";|]+|\S')


class Strange(Exception):
    """Not a plain list of declarations, definitions and assertions with one question at its end."""


@dataclass(frozen=True, slots=True)
class Definition:
    """`command`: all of its tokens. `parameters`: their names. `body`: sort and value of what is
    defined; a declaration has none."""

    command: tuple[str, ...]
    parameters: tuple[str, ...]
    body: tuple[str, ...]


@dataclass(slots=True)
class Script:
    """A script's content. `symbols`: what it declares and defines, in order."""

    symbols: dict[str, Definition] = field(default_factory=dict)
    asserted: list[str] = field(default_factory=list)


def flat(text: str) -> str:
    """An expression in one way of writing it."""
    return " ".join(_TOKEN.findall(text))


def read(text: str) -> Script:
    """The script; Strange when it has anything that could change the question."""
    script = Script()
    commands = _commands(text)
    if [command[1] for command in commands[:1]] != ["set-logic"] or commands[0][2] != "QF_BV":
        raise Strange("it does not begin with the logic QF_BV")
    if commands[-1] != ("(", "check-sat", ")"):
        raise Strange("it does not end with check-sat")
    for command in commands[1:-1]:
        kind = command[1]
        if kind == "assert":
            script.asserted.append(" ".join(command[2:-1]))
            continue
        if kind not in ("declare-const", "define-fun"):
            raise Strange(f"it has the command {kind[:20]}")
        name = command[2]
        if name in script.symbols:
            raise Strange(f"it introduces {name[:60]} twice")
        script.symbols[name] = _definition(command)
    if not script.asserted:
        raise Strange("it asserts nothing")
    return script


def _definition(command: tuple[str, ...]) -> Definition:
    if command[1] == "declare-const":
        return Definition(command, (), ())
    # ( define-fun NAME ( (NAME SORT)... ) SORT BODY )
    depth, parameters = 0, []
    for i, token in enumerate(command[3:], 3):
        if token == "(" and depth == 1:
            parameters.append(command[i + 1])
        depth += (token == "(") - (token == ")")
        if depth == 0:
            return Definition(command, tuple(parameters), command[i + 1 : -1])
    raise Strange("a definition without parameters")


def _commands(text: str) -> list[tuple[str, ...]]:
    commands: list[tuple[str, ...]] = []
    current: list[str] = []
    depth = 0
    for token in _TOKEN.findall(text):
        if token.startswith(";"):
            continue
        if depth == 0 and token != "(":
            raise Strange(f"stray {token[:20]!r}")
        current.append(token)
        depth += (token == "(") - (token == ")")
        if depth == 0:
            if len(current) < 3 or current[1] in "()":
                raise Strange("a command without a name")
            commands.append(tuple(current))
            current.clear()
    if depth or not commands:
        raise Strange("it ends inside a command")
    return commands
