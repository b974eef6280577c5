"""cvc5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cvc5
from cvc5 import Kind

from verify.encode.term import Term
from verify.prove.goal import SAT, UNKNOWN, UNSAT
from verify.prove.solvers.backend import Backend

_VECTOR = {
    "not": Kind.BITVECTOR_NOT,
    "and": Kind.BITVECTOR_AND,
    "or": Kind.BITVECTOR_OR,
    "xor": Kind.BITVECTOR_XOR,
    "add": Kind.BITVECTOR_ADD,
    "sub": Kind.BITVECTOR_SUB,
    "mul": Kind.BITVECTOR_MULT,
    "shl": Kind.BITVECTOR_SHL,
    "lshr": Kind.BITVECTOR_LSHR,
    "ashr": Kind.BITVECTOR_ASHR,
    "udiv": Kind.BITVECTOR_UDIV,
    "urem": Kind.BITVECTOR_UREM,
    "sdiv": Kind.BITVECTOR_SDIV,
    "srem": Kind.BITVECTOR_SREM,
    "concat": Kind.BITVECTOR_CONCAT,
    "ite": Kind.ITE,
}
_TRUTH = {
    "not": Kind.NOT,
    "and": Kind.AND,
    "eq": Kind.EQUAL,
    "ult": Kind.BITVECTOR_ULT,
    "slt": Kind.BITVECTOR_SLT,
    "ite": Kind.ITE,
}


class Cvc5(Backend):
    """A solver for each goal, on one term manager."""

    def __init__(self) -> None:
        super().__init__()
        self._terms = cvc5.TermManager()

    def variable(self, name: str, width: int) -> Any:
        terms = self._terms
        return terms.mkConst(terms.mkBitVectorSort(width) if width else terms.getBooleanSort())

    def at_most(self, variable: Any, bound: int, width: int) -> Any:
        limit = self._terms.mkBitVector(width, bound)
        return self._terms.mkTerm(Kind.BITVECTOR_ULE, variable, limit)

    def node(self, term: Term, args: list[Any]) -> Any:
        op, width, terms = term.op, term.width, self._terms
        if op == "const":
            return terms.mkBitVector(width, term.value) if width else terms.mkBoolean(term.value)
        if op == "extract":
            return terms.mkTerm(terms.mkOp(Kind.BITVECTOR_EXTRACT, *term.value), *args)
        if op in ("zext", "sext"):
            kind = Kind.BITVECTOR_ZERO_EXTEND if op == "zext" else Kind.BITVECTOR_SIGN_EXTEND
            return terms.mkTerm(terms.mkOp(kind, width - term.args[0].width), *args)
        return terms.mkTerm((_VECTOR if width else _TRUTH)[op], *args)

    def start(self, assertions: list[Any], limit: float | None, conflicts: bool = False) -> None:
        self._solver = cvc5.Solver(self._terms)
        self._solver.setLogic("QF_BV")
        self._solver.setOption("produce-models", "true")
        self._solver.setOption("produce-unsat-assumptions", str(conflicts).lower())
        self._solver.setOption("incremental", "true")
        if limit is not None:
            self._solver.setOption("tlimit-per", str(round(limit * 1000)))
        self.also(assertions)

    def also(self, assertions: list[Any]) -> None:
        for assertion in assertions:
            self._solver.assertFormula(assertion)

    def check(self, extra: Any = None) -> str:
        solver = self._solver
        result = solver.checkSat() if extra is None else solver.checkSatAssuming(extra)
        self.excuse = str(result.getUnknownExplanation()) if result.isUnknown() else ""
        return SAT if result.isSat() else UNSAT if result.isUnsat() else UNKNOWN

    def check_all(self, extras: Sequence[Any]) -> tuple[str, list[int]]:
        result = self._solver.checkSatAssuming(*extras)
        status = SAT if result.isSat() else UNSAT if result.isUnsat() else UNKNOWN
        core = self._solver.getUnsatAssumptions() if status == UNSAT else []
        return status, [i for i, extra in enumerate(extras) if extra in core]

    def value(self, term: Any, width: int) -> int:
        value = self._solver.getValue(term)
        return int(value.getBitVectorValue(10)) if width else int(value.getBooleanValue())
