"""Transition systems as BTOR2 (Niemetz, Preiner, Wolf, Biere: BTOR2, BtorMC and Boolector 3.0).

A truth value is a bit vector of one bit. Division by zero and wide shifts are those of SMT-LIB.
"""

from __future__ import annotations

from collections.abc import Sequence

from verify.encode import term as t
from verify.encode.system import System
from verify.encode.term import Term

_OPERATORS = {
    "shl": "sll",
    "lshr": "srl",
    "ashr": "sra",
    "ult": "ult",
    "slt": "slt",
    "eq": "eq",
    **{op: op for op in ("and", "or", "xor", "add", "sub", "mul", "not", "ite", "concat")},
    **{op: op for op in ("udiv", "urem", "sdiv", "srem")},
}


def to_btor2(system: System) -> str:
    """The system in BTOR2; states, inputs and bad states carry their names."""
    return _Printer(system).text()


class _Printer:
    def __init__(self, system: System) -> None:
        self._system = system
        self._lines = system.heading()
        self._count = 0
        self._sorts: dict[int, int] = {}
        self._nodes: dict[Term, int] = {}
        self._variables: dict[str, int] = {}

    def text(self) -> str:
        system = self._system
        # A state's number must be greater than that of its initial value.
        for name, variable in system.state.items():
            value = system.initial.get(name)
            first = self._node(value) if value is not None else 0
            line = self._line(f"state {self._sort(variable.width)} {_name(name)}")
            self._variables[name] = line
            if first:
                self._line(f"init {self._sort(variable.width)} {line} {first}")
        for variable in system.inputs():
            name = str(variable.name)
            self._variables[name] = self._line(f"input {self._sort(variable.width)} {_name(name)}")
        for name, variable in system.state.items():
            after = self._node(system.next.get(name, variable))
            state = self._variables[name]
            self._line(f"next {self._sort(variable.width)} {state} {after}")
        for name, term in system.bad.items():
            self._line(f"bad {self._node(term)} {_name(name)}")
        return "\n".join(self._lines) + "\n"

    def _line(self, text: str) -> int:
        self._count += 1
        self._lines.append(f"{self._count} {text}")
        return self._count

    def _sort(self, width: int) -> int:
        bits = width or 1
        if bits not in self._sorts:
            self._sorts[bits] = self._line(f"sort bitvec {bits}")
        return self._sorts[bits]

    def _node(self, term: Term) -> int:
        for part in t.reachable([term]):
            if part not in self._nodes:
                self._nodes[part] = self._new(part, [self._nodes[arg] for arg in part.args])
        return self._nodes[term]

    def _new(self, term: Term, args: Sequence[int]) -> int:
        op, kind = term.op, self._sort(term.width)
        if op == "var":
            return self._variables[str(term.name)]
        if op == "const":
            return self._line(f"constd {kind} {term.value}")
        if op == "extract":
            return self._line(f"slice {kind} {args[0]} {term.value[0]} {term.value[1]}")
        if op in ("zext", "sext"):
            more = term.width - term.args[0].width
            return self._line(f"{'uext' if op == 'zext' else 'sext'} {kind} {args[0]} {more}")
        if op == "and" and not term.width:
            result = args[0]
            for arg in args[1:]:
                result = self._line(f"and {kind} {result} {arg}")
            return result
        return self._line(f"{_OPERATORS[op]} {kind} {' '.join(map(str, args))}")


def _name(name: str) -> str:
    """Symbols have no spaces and no comments in them."""
    return "_".join(name.replace(";", "_").split())
