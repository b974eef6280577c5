"""Solvers behind one interface; each is imported when it is first made."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from verify.prove.solvers.backend import Backend


def _bitwuzla() -> Backend:
    from verify.prove.solvers.bitwuzla import Bitwuzla

    return Bitwuzla()


def _cvc5() -> Backend:
    from verify.prove.solvers.cvc5 import Cvc5

    return Cvc5()


def _z3() -> Backend:
    from verify.prove.solvers.z3 import Z3

    return Z3()


# The first is asked first: it is the fastest to import and on most goals.
SOLVERS: Mapping[str, Callable[[], Backend]] = {"bitwuzla": _bitwuzla, "cvc5": _cvc5, "z3": _z3}
