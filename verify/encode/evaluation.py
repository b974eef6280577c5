"""Terms that are evaluated again and again: made into a Python function.

Names of variables are passed by number, so that nothing of them becomes code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from verify.encode.term import FOLD, Term, reachable

_FORMS = {
    "and": "{0}&{1}",
    "or": "{0}|{1}",
    "not": "{0}^{full}",
    "ite": "{1} if {0} else {2}",
    "eq": "1 if {0}=={1} else 0",
    "ult": "1 if {0}<{1} else 0",
    "extract": "{0}>>{below}&{full}",
    "concat": "{0}<<{below}|{1}",
    "zext": "{0}",
    "sext": "({0}^{below})-{below}&{full}",
}
"""Operators as Python's, of those that are frequent. `below`: what lies below the bits that count,
or the sign bit."""


class Evaluation:
    """`term.evaluate` of the same terms. `variables`: those that they depend on."""

    def __init__(self, terms: Sequence[Term]) -> None:
        nodes = reachable(terms)
        self.variables = [node for node in nodes if node.op == "var"]
        numbers = {variable: k for k, variable in enumerate(self.variables)}
        # A constant is written out where it is used.
        values = {
            node: str(node.value) if node.op == "const" else f"v{i}" for i, node in enumerate(nodes)
        }
        lines = [
            f" {values[node]}={_value(node, values, numbers)}"
            for node in nodes
            if node.op != "const"
        ]
        lines = ["def run(get):", *lines, f" return [{','.join(values[t] for t in terms)}]"]
        scope: dict[str, Any] = {"NAMES": [str(v.name) for v in self.variables], "FOLD": FOLD}
        exec(compile("\n".join(lines), "<terms>", "exec"), scope)
        self._run = cast("Callable[[Callable[[str, int], int]], list[int]]", scope["run"])

    def __call__(self, env: Mapping[str, int]) -> list[int]:
        """Unsigned values; a variable that `env` does not name is 0."""
        return self._run(env.get)


def _value(node: Term, values: Mapping[Term, str], numbers: Mapping[Term, int]) -> str:
    """The value of a node as a Python expression over those of its arguments."""
    op, width, args = node.op, node.width, [values[arg] for arg in node.args]
    full = (1 << width) - 1 if width else 1
    if op == "var":
        return f"get(NAMES[{numbers[node]}],0)&{full}"
    if op == "and" and not width:
        # Of any number: a chain of `&` as long would be too deep for Python.
        return f"int(all(({','.join(args)})))"
    below = node.args[-1].width
    if op == "extract":
        below = node.value[1]
    elif op == "sext":
        below = 1 << (below - 1)
    form = _FORMS.get(op, f"FOLD[{op!r}]({{0}},{{1}},{below})")
    return form.format(*args, full=full, below=below)
