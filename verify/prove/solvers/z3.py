"""Z3, through the C functions of its module: its own operators cost three times as much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import z3
from z3 import z3core

from verify.encode.term import Term
from verify.prove.goal import SAT, UNKNOWN, UNSAT
from verify.prove.solvers.backend import Backend

_VECTOR = {
    "not": z3core.Z3_mk_bvnot,
    "and": z3core.Z3_mk_bvand,
    "or": z3core.Z3_mk_bvor,
    "xor": z3core.Z3_mk_bvxor,
    "add": z3core.Z3_mk_bvadd,
    "sub": z3core.Z3_mk_bvsub,
    "mul": z3core.Z3_mk_bvmul,
    "shl": z3core.Z3_mk_bvshl,
    "lshr": z3core.Z3_mk_bvlshr,
    "ashr": z3core.Z3_mk_bvashr,
    "udiv": z3core.Z3_mk_bvudiv,
    "urem": z3core.Z3_mk_bvurem,
    "sdiv": z3core.Z3_mk_bvsdiv,
    "srem": z3core.Z3_mk_bvsrem,
    "concat": z3core.Z3_mk_concat,
    "ite": z3core.Z3_mk_ite,
}
_TRUTH = {
    "not": z3core.Z3_mk_not,
    "eq": z3core.Z3_mk_eq,
    "ult": z3core.Z3_mk_bvult,
    "slt": z3core.Z3_mk_bvslt,
    "ite": z3core.Z3_mk_ite,
}


class Z3(Backend):
    """A solver for each goal, in one context."""

    def __init__(self) -> None:
        super().__init__()
        self._context = z3.Context()
        self._ref = self._context.ref()
        self._values: Any = None

    def _sort(self, width: int) -> Any:
        return z3.BitVecSort(width, self._context) if width else z3.BoolSort(self._context)

    def _kept(self, ast: Any) -> Any:
        z3core.Z3_inc_ref(self._ref, ast)
        return ast

    def variable(self, name: str, width: int) -> Any:
        symbol = z3core.Z3_mk_string_symbol(self._ref, name)
        return self._kept(z3core.Z3_mk_const(self._ref, symbol, self._sort(width).ast))

    def at_most(self, variable: Any, bound: int, width: int) -> Any:
        limit = z3.BitVecVal(bound, width, self._context)
        return self._kept(z3core.Z3_mk_bvule(self._ref, variable, limit.as_ast()))

    def node(self, term: Term, args: list[Any]) -> Any:
        return self._kept(self._node(term, args))

    def _node(self, term: Term, args: list[Any]) -> Any:
        op, width, ref = term.op, term.width, self._ref
        if op == "const":
            if width:
                return z3core.Z3_mk_numeral(ref, str(term.value), self._sort(width).ast)
            return z3core.Z3_mk_true(ref) if term.value else z3core.Z3_mk_false(ref)
        if op == "extract":
            return z3core.Z3_mk_extract(ref, *term.value, args[0])
        if op == "zext":
            return z3core.Z3_mk_zero_ext(ref, width - term.args[0].width, args[0])
        if op == "sext":
            return z3core.Z3_mk_sign_ext(ref, width - term.args[0].width, args[0])
        if op == "and" and not width:
            return z3core.Z3_mk_and(ref, len(args), (z3.Ast * len(args))(*args))
        return (_VECTOR if width else _TRUTH)[op](ref, *args)

    def start(self, assertions: list[Any], limit: float | None, conflicts: bool = False) -> None:
        self._solver = z3.SolverFor("QF_BV", self._context)
        if limit is not None:
            self._solver.set("timeout", round(limit * 1000))
        self.also(assertions)

    def also(self, assertions: list[Any]) -> None:
        for assertion in assertions:
            self._solver.add(z3.BoolRef(assertion, self._context))

    def check(self, extra: Any = None) -> str:
        if extra is not None:
            self._solver.push()
            self._solver.add(z3.BoolRef(extra, self._context))
        status = str(self._solver.check())
        self.excuse = self._solver.reason_unknown() if status == UNKNOWN else ""
        self._values = self._solver.model() if status == SAT else None
        if extra is not None:
            self._solver.pop()
        return status

    def check_all(self, extras: Sequence[Any]) -> tuple[str, list[int]]:
        marks = [z3.FreshBool("extra", self._context) for _ in extras]
        for mark, extra in zip(marks, extras, strict=True):
            self._solver.add(z3.Implies(mark, z3.BoolRef(extra, self._context)))
        status = str(self._solver.check(*marks))
        self._values = self._solver.model() if status == SAT else None
        core = {mark.get_id() for mark in self._solver.unsat_core()} if status == UNSAT else ()
        return status, [i for i, mark in enumerate(marks) if mark.get_id() in core]

    def value(self, term: Any, width: int) -> int:
        if width:
            vector = z3.BitVecRef(term, self._context)
            return int(self._values.eval(vector, model_completion=True).as_long())
        truth = z3.BoolRef(term, self._context)
        return int(z3.is_true(self._values.eval(truth, model_completion=True)))
