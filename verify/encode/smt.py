"""Terms as pysmt formulas (logic QF_BV), for use with any solver that pysmt knows.

pysmt is imported on first use: a process that only builds terms does not pay for it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from verify.encode.term import Term

if TYPE_CHECKING:
    from pysmt.environment import Environment
    from pysmt.fnode import FNode

# Operators whose formula has the width of the term as its only payload.
_BIT_VECTOR = {
    "not": "BV_NOT",
    "and": "BV_AND",
    "or": "BV_OR",
    "xor": "BV_XOR",
    "add": "BV_ADD",
    "sub": "BV_SUB",
    "mul": "BV_MUL",
    "shl": "BV_LSHL",
    "lshr": "BV_LSHR",
    "ashr": "BV_ASHR",
    "udiv": "BV_UDIV",
    "urem": "BV_UREM",
    "sdiv": "BV_SDIV",
    "srem": "BV_SREM",
    "concat": "BV_CONCAT",
}
_TRUTH = {
    "not": "NOT",
    "and": "AND",
    "or": "OR",
    "ult": "BV_ULT",
    "ule": "BV_ULE",
    "slt": "BV_SLT",
    "sle": "BV_SLE",
}


@cache
def _environment_class() -> type[Environment]:
    from pysmt.environment import Environment
    from pysmt.formula import FormulaManager

    class TrustingManager(FormulaManager):  # type: ignore[misc]
        """Does not type-check each new node: terms are typed by construction."""

        def _do_type_check(self, formula: FNode) -> None:
            pass

    class TermEnvironment(Environment):  # type: ignore[misc]
        FormulaManagerClass = TrustingManager

    return TermEnvironment


class Formulas:
    """The formulas of terms in one pysmt environment, each built once.

    A bit vector of width w is a (_ BitVec w), a truth value a Bool. Division by zero and shifts by
    the width or more are those of SMT-LIB, as in `term.evaluate`.
    """

    environment: Environment

    def __init__(self) -> None:
        from pysmt import operators, typing

        self.environment = _environment_class()()
        self._manager = self.environment.formula_manager
        self._memo: dict[Term, FNode] = {}
        self._bool = typing.BOOL
        self._bit_vector = typing.BVType
        self._vector_codes = {op: getattr(operators, name) for op, name in _BIT_VECTOR.items()}
        self._truth_codes = {op: getattr(operators, name) for op, name in _TRUTH.items()}
        self._ite = operators.ITE

    def formula(self, term: Term) -> FNode:
        """The formula of a term; says nothing of the bounds of its variables.

        Raises ValueError for a variable whose name SMT-LIB cannot quote, and for two variables of
        one name with different widths.
        """
        memo = self._memo
        stack = [term]
        while stack:
            top = stack[-1]
            if top in memo:
                stack.pop()
                continue
            missing = [arg for arg in top.args if arg not in memo]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            memo[top] = self._node(top, tuple(memo[arg] for arg in top.args))
        return memo[term]

    def _node(self, term: Term, args: tuple[FNode, ...]) -> FNode:
        manager, op, width = self._manager, term.op, term.width
        if op == "const":
            value = term.value
            return manager.BV(value, width) if width else manager.Bool(bool(value))
        if op == "var":
            return self._symbol(term)
        if op == "ite":
            return manager.create_node(node_type=self._ite, args=args)
        if op == "eq":
            bools = term.args[0].width == 0
            return manager.Iff(*args) if bools else manager.Equals(*args)
        if op == "extract":
            high, low = term.value
            return manager.BVExtract(args[0], low, high)
        if op == "zext":
            return manager.BVZExt(args[0], width - term.args[0].width)
        if op == "sext":
            return manager.BVSExt(args[0], width - term.args[0].width)
        if width:
            code = self._vector_codes[op]
            return manager.create_node(node_type=code, args=args, payload=(width,))
        return manager.create_node(node_type=self._truth_codes[op], args=args)

    def _symbol(self, term: Term) -> FNode:
        from pysmt.exceptions import PysmtTypeError

        name = term.name
        if not name or "|" in name or "\\" in name:
            raise ValueError(f"SMT-LIB cannot name a variable {name!r}")
        kind = self._bit_vector(term.width) if term.width else self._bool
        try:
            return self._manager.Symbol(name, kind)
        except PysmtTypeError as error:
            raise ValueError(f"variable {name!r} has two widths") from error
