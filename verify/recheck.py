"""Check a folder of proofs without the tool that made them: digests, then a solver's word.

The folder holds `manifest.json` with `{"files": {NAME: SHA-256 in hex}}`, other keys are not looked
at, and obligations `*.smt2`, each of which must be unsatisfiable. A digest tells of changed files;
it cannot tell who wrote the manifest.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import multiprocessing
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path, PurePosixPath

from verify.errors import BadInput
from verify.result import PROVED, REFUTED, UNKNOWN

MANIFEST = "manifest.json"
TIMEOUT_SECONDS = 300.0

# What an obligation may do; anything else could read or write files, or change the question.
_COMMANDS = {"set-logic", "set-info", "declare-fun", "declare-const", "define-fun", "assert"}
_TOKEN = re.compile(r';[^\n]*|"(?:[^"]|"")*"|\|[^|]*\||[()]|[^\s()";|]+|\S')


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome for one file: proved (unsatisfiable and unchanged), refuted or unknown."""

    name: str
    verdict: str
    reason: str = ""


def recheck(folder: Path, solver: str, timeout: float = TIMEOUT_SECONDS) -> Iterator[Checked]:
    """Outcomes for all files of the folder, in order of name.

    `timeout`: seconds for one obligation. BadInput when this is no folder of proofs or the solver
    is not installed.
    """
    digests = _manifest(folder)
    if not any(name.endswith(".smt2") for name in digests):
        raise BadInput(f"{folder}/{MANIFEST}: names no obligation (*.smt2)")
    try:
        importlib.import_module(solver)
    except ImportError:
        raise BadInput(f"--solver {solver}: its Python module is not installed") from None
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*.smt2")}
    return (
        _file(folder, name, digests.get(name), solver, timeout)
        for name in sorted(present | digests.keys())
    )


def _manifest(folder: Path) -> dict[str, str]:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; give one made by check --certificates")
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        entries = {str(name): str(digest) for name, digest in files.items()}
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadInput(f"{path}: not a manifest of proofs") from None
    for name in entries:
        pure = PurePosixPath(name)
        if not name or "\0" in name or pure.is_absolute() or ".." in pure.parts:
            raise BadInput(f"{path}: unsafe file name {name!r}")
    return entries


def _file(folder: Path, name: str, digest: str | None, solver: str, timeout: float) -> Checked:
    if digest is None:
        return Checked(name, REFUTED, "not in the manifest")
    path = folder / name
    if not path.is_file():
        return Checked(name, REFUTED, "missing")
    try:
        data = path.read_bytes()
    except OSError as error:
        return Checked(name, UNKNOWN, f"cannot be read: {error.strerror}")
    if hashlib.sha256(data).hexdigest() != digest:
        return Checked(name, REFUTED, "changed since the manifest was written")
    if not name.endswith(".smt2"):
        return Checked(name, PROVED, "unchanged")
    text = data.decode("utf-8", errors="replace")
    if problem := obligation_problem(text):
        return Checked(name, REFUTED, f"not a plain obligation: {problem}")
    answer = _isolated(text, solver, timeout)
    verdict = {"unsat": PROVED, "sat": REFUTED}.get(answer, UNKNOWN)
    reason = {"unsat": "", "sat": f"{solver} finds it satisfiable"}
    return Checked(name, verdict, reason.get(answer, f"{solver}: {answer}"))


def obligation_problem(text: str) -> str:
    """Why a text is no list of assertions followed by one question; "" when it is one."""
    heads: list[str] = []
    depth = 0
    previous = ""
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token.startswith(";"):
            continue
        if depth == 0 and token != "(":
            return f"stray {token[:20]!r}"
        if depth == 1 and previous == "(":
            if token in "()":
                return "a command without a name"
            heads.append(token)
        depth += (token == "(") - (token == ")")
        previous = token
    if depth:
        return "it ends inside a command"
    if heads and heads[-1] == "exit":
        heads.pop()
    if not heads or heads.pop() != "check-sat":
        return "it does not end with check-sat"
    if strange := [head for head in heads if head not in _COMMANDS]:
        return f"it has the command {strange[0][:20]}"
    return "" if "assert" in heads else "it asserts nothing"


def _isolated(text: str, solver: str, timeout: float) -> str:
    """The solver's answer from a process of its own, which may crash or take too long."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(text, solver, sender), daemon=True)
    process.start()
    sender.close()
    try:
        if not receiver.poll(timeout):
            return f"no answer in {timeout:g} s"
        return str(receiver.recv())
    except EOFError:
        return "it crashed"
    finally:
        process.kill()
        process.join()
        receiver.close()


def _answer(text: str, solver: str, sender: Connection) -> None:
    try:
        sender.send(_SOLVERS[solver](text))
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")


def _z3(text: str) -> str:
    import z3

    solver = z3.Solver()
    solver.from_string(text)
    return str(solver.check())


def _cvc5(text: str) -> str:
    import cvc5

    solver = cvc5.Solver()
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "obligation")
    answers = []
    while not (command := parser.nextCommand()).isNull():
        answers.append(str(command.invoke(solver, parser.getSymbolManager())).strip())
    return "".join(answers)


def _bitwuzla(text: str) -> str:
    import bitwuzla

    parser = bitwuzla.Parser(bitwuzla.TermManager(), bitwuzla.Options())
    parser.parse(text, True, False)
    return str(parser.bitwuzla().check_sat()).rpartition(".")[2].lower()


_SOLVERS: dict[str, Callable[[str], str]] = {"z3": _z3, "cvc5": _cvc5, "bitwuzla": _bitwuzla}
