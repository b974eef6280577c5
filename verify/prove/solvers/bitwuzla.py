"""Bitwuzla."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bitwuzla
from bitwuzla import Kind

from verify.encode.term import Term
from verify.prove.goal import SAT, UNKNOWN, UNSAT
from verify.prove.solvers.backend import Backend

_VECTOR = {
    "not": Kind.BV_NOT,
    "and": Kind.BV_AND,
    "or": Kind.BV_OR,
    "xor": Kind.BV_XOR,
    "add": Kind.BV_ADD,
    "sub": Kind.BV_SUB,
    "mul": Kind.BV_MUL,
    "shl": Kind.BV_SHL,
    "lshr": Kind.BV_SHR,
    "ashr": Kind.BV_ASHR,
    "udiv": Kind.BV_UDIV,
    "urem": Kind.BV_UREM,
    "sdiv": Kind.BV_SDIV,
    "srem": Kind.BV_SREM,
    "concat": Kind.BV_CONCAT,
    "ite": Kind.ITE,
}
_TRUTH = {
    "not": Kind.NOT,
    "and": Kind.AND,
    "eq": Kind.EQUAL,
    "ult": Kind.BV_ULT,
    "slt": Kind.BV_SLT,
    "ite": Kind.ITE,
}
_STATUS = {bitwuzla.Result.SAT: SAT, bitwuzla.Result.UNSAT: UNSAT}


class Bitwuzla(Backend):
    """A solver for each goal, on one term manager."""

    def __init__(self) -> None:
        super().__init__()
        self._terms = bitwuzla.TermManager()
        self._sorts: dict[int, Any] = {0: self._terms.mk_bool_sort()}
        self._options = bitwuzla.Options()
        self._options.set(bitwuzla.Option.PRODUCE_MODELS, True)
        # Costs more than it saves on goals of a few milliseconds.
        self._options.set(bitwuzla.Option.PP_NORMALIZE, False)

    def _sort(self, width: int) -> Any:
        sort = self._sorts.get(width)
        if sort is None:
            sort = self._sorts[width] = self._terms.mk_bv_sort(width)
        return sort

    def variable(self, name: str, width: int) -> Any:
        return self._terms.mk_const(self._sort(width), name)

    def at_most(self, variable: Any, bound: int, width: int) -> Any:
        limit = self._terms.mk_bv_value(self._sort(width), bound)
        return self._terms.mk_term(Kind.BV_ULE, [variable, limit])

    def node(self, term: Term, args: list[Any]) -> Any:
        op, width = term.op, term.width
        make = self._terms.mk_term
        if op == "const":
            if width:
                return self._terms.mk_bv_value(self._sort(width), term.value)
            return self._terms.mk_true() if term.value else self._terms.mk_false()
        if op == "extract":
            return make(Kind.BV_EXTRACT, args, list(term.value))
        if op == "zext":
            return make(Kind.BV_ZERO_EXTEND, args, [width - term.args[0].width])
        if op == "sext":
            return make(Kind.BV_SIGN_EXTEND, args, [width - term.args[0].width])
        return make((_VECTOR if width else _TRUTH)[op], args)

    def start(self, assertions: list[Any], limit: float | None, conflicts: bool = False) -> None:
        # To keep one solver for all goals, with push and pop, takes three to ten times as long.
        limit_ms = 0 if limit is None else round(limit * 1000)
        self._options.set(bitwuzla.Option.TIME_LIMIT_PER, limit_ms)
        self._options.set(bitwuzla.Option.PRODUCE_UNSAT_ASSUMPTIONS, conflicts)
        self._solver = bitwuzla.Bitwuzla(self._terms, self._options)
        self.also(assertions)

    def also(self, assertions: list[Any]) -> None:
        for assertion in assertions:
            self._solver.assert_formula(assertion)

    def check(self, extra: Any = None) -> str:
        extras = () if extra is None else (extra,)
        return _STATUS.get(self._solver.check_sat(*extras), UNKNOWN)

    def check_all(self, extras: Sequence[Any]) -> tuple[str, list[int]]:
        status = _STATUS.get(self._solver.check_sat(*extras), UNKNOWN)
        core = self._solver.get_unsat_assumptions() if status == UNSAT else []
        return status, [i for i, extra in enumerate(extras) if extra in core]

    def value(self, term: Any, width: int) -> int:
        value = self._solver.get_value(term)
        return int(value.value(10)) if width else int(value.value())
