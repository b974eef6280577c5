"""Solvers that read SMT-LIB, each in a process of its own, which may crash or take too long."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from verify.errors import BadInput


@dataclass(frozen=True, slots=True)
class Said:
    """A solver's word on one question: sat, unsat, or why it has none."""

    solver: str
    answer: str
    seconds: float


def require(solvers: Sequence[str]) -> None:
    """BadInput when one of the solvers is not installed."""
    for solver in solvers:
        try:
            importlib.import_module(solver)
        except ImportError:
            raise BadInput(f"--solver {solver}: its Python module is not installed") from None


def ask(text: str, solver: str, timeout: float) -> Said:
    """The solver's answer to a script with one question."""
    began = time.monotonic()
    answer = _isolated(text, solver, timeout)
    return Said(solver, answer, time.monotonic() - began)


def _isolated(text: str, solver: str, timeout: float) -> str:
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
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
    # Its default is for theories that are mixed; questions of bits alone are harder for that.
    solver.setOption("bitblast", "eager")
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
