"""The call skeleton of a C function: which calls it makes, in which order, on each of its paths.

Conditions are not looked at: each branch may be taken. What is not a function may be a macro that
is defined elsewhere, so the calls in the arguments of another one may be made any number of times;
where C does not fix an order, any order and number will do. Only what is certain is left out: the
end of a loop whose condition is 1, and what is not evaluated (`sizeof`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tree_sitter import Node

from verify.source.build import Unsupported
from verify.source.clean import cleaned
from verify.source.index import Index
from verify.source.syntax import ASM, VALUE, Syntax

ENTRY, EXIT = 0, 1
"""Where each skeleton begins and ends."""

RETURN, BRANCH = "return", "if("
_TRUE, _FALSE = ("1", "true"), ("0", "false")
_UNEVALUATED = ("sizeof_expression", "alignof_expression", "offsetof_expression")
_NO_CODE = (
    "type_definition",
    "struct_specifier",
    "union_specifier",
    "enum_specifier",
    "comment",
    ";",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A way from one place to another. `names`: what is called on it, without blanks: with its
    first argument, `f(x)`, and without; or `if(CONDITION)` of a branch that is taken, and
    `if(!(CONDITION))` of one that is not (what starts with BRANCH), or RETURN.
    """

    start: int
    end: int
    names: tuple[str, ...] = ()
    line: int = 0


def skeleton(index: Index, name: str, file: str) -> tuple[Step, ...]:
    """The steps of a function as the index has it in a file.

    Unsupported when it is not there or is not understood as a whole.
    """
    item = index.function_in(name, file)
    if item is None:
        raise Unsupported("no such function")
    tokens = cleaned(index.expander(file).expand(item.tokens), name, index.is_typedef)
    syntax = Syntax(tokens, index.is_typedef)
    root = syntax.root
    body = root.named_children[0].child_by_field_name("body") if root.named_children else None
    if root.has_error or root.named_child_count != 1 or body is None:
        raise Unsupported("C that the parser does not know")
    try:
        return _Builder(syntax).function(body)
    except RecursionError:
        raise Unsupported("nested too deep") from None


class _Builder:
    """Makes the steps of one function. Methods take where something begins and give where it ends;
    nothing leads to what cannot be reached."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self._steps: list[Step] = []
        self._places = 2
        self._labels: dict[str, int] = {}
        self._defined: set[str] = set()
        self._breaks: list[int] = []
        self._continues: list[int] = []
        # For each switch around: where it decides, and whether it has a default.
        self._switches: list[tuple[int, list[bool]]] = []

    def function(self, body: Node) -> tuple[Step, ...]:
        at = self._statement(body, ENTRY)
        self._link(at, EXIT, (RETURN,), self._syntax.first + body.end_point[0])
        if missing := self._labels.keys() - self._defined:
            raise Unsupported(f"no label {min(missing)}")
        return tuple(self._steps)

    # Places -----------------------------------------------------------------------------------

    def _place(self) -> int:
        self._places += 1
        return self._places - 1

    def _link(self, start: int, end: int, names: tuple[str, ...] = (), line: int = 0) -> int:
        self._steps.append(Step(start, end, names, line))
        return end

    def _label(self, name: str) -> int:
        if name not in self._labels:
            self._labels[name] = self._place()
        return self._labels[name]

    def _text(self, node: Node) -> str:
        return "".join(self._syntax.of(node).split())

    # Statements -------------------------------------------------------------------------------

    def _statement(self, node: Node, at: int) -> int:
        match node.type:
            case "compound_statement":
                for child in node.named_children:
                    at = self._statement(child, at)
                return at
            case "expression_statement" | "declaration":
                return self._each(node.named_children, at)
            case "if_statement":
                return self._if(node, at)
            case "while_statement" | "do_statement" | "for_statement":
                return self._loop(node, at)
            case "switch_statement":
                return self._switch(node, at)
            case "case_statement":
                return self._case(node, at)
            case "labeled_statement":
                label, *rest = node.named_children
                self._defined.add(self._text(label))
                at = self._link(at, self._label(self._text(label)))
                for child in rest:
                    at = self._statement(child, at)
                return at
            case "goto_statement":
                self._link(at, self._label(self._text(_child(node, "label"))))
            case "break_statement" | "continue_statement":
                around = self._breaks if node.type == "break_statement" else self._continues
                if not around:
                    raise Unsupported("a jump out of nothing")
                self._link(at, around[-1])
            case "return_statement":
                at = self._each(node.named_children, at)
                self._link(at, EXIT, (RETURN,), self._syntax.line(node))
            case kind if kind in _NO_CODE:
                return at
            case _:
                raise Unsupported(f"a {node.type.replace('_', ' ')}")
        return self._place()

    def _if(self, node: Node, at: int) -> int:
        condition = _child(node, "condition")
        at = self._expression(condition, at)
        text, line = self._text(condition), self._syntax.line(node)  # with parentheses of its own
        taken = self._link(at, self._place(), (f"if{text}",), line)
        end = self._link(self._statement(_child(node, "consequence"), taken), self._place())
        at = self._link(at, self._place(), (f"if(!{text})",), line)
        other = node.child_by_field_name("alternative")
        if other is not None:
            for child in other.named_children:
                at = self._statement(child, at)
        return self._link(at, end)

    def _loop(self, node: Node, at: int) -> int:
        condition, update = (node.child_by_field_name(key) for key in ("condition", "update"))
        start = node.child_by_field_name("initializer")
        if start is not None:
            at = self._each([start], at)
        text = self._text(condition).strip("()") if condition is not None else "1"
        head, again, end = self._place(), self._place(), self._place()
        body = self._place()
        self._link(at, body if node.type == "do_statement" else head)
        tested = head if condition is None else self._expression(condition, head)
        if text not in _FALSE:
            self._link(tested, body)
        if text not in _TRUE:
            self._link(tested, end)
        self._breaks.append(end)
        self._continues.append(again)
        self._link(self._statement(_child(node, "body"), body), again)
        self._breaks.pop()
        self._continues.pop()
        self._link(again if update is None else self._expression(update, again), head)
        return end

    def _switch(self, node: Node, at: int) -> int:
        head, end = self._expression(_child(node, "condition"), at), self._place()
        default: list[bool] = []
        self._switches.append((head, default))
        self._breaks.append(end)
        # What comes before the first label is never run.
        self._link(self._statement(_child(node, "body"), self._place()), end)
        self._breaks.pop()
        self._switches.pop()
        if not default:
            self._link(head, end)
        return end

    def _case(self, node: Node, at: int) -> int:
        if not self._switches:
            raise Unsupported("a case of nothing")
        head, default = self._switches[-1]
        value = node.child_by_field_name("value")
        if value is None:
            default.append(True)
        here = self._link(at, self._place())
        self._link(head, here)
        for child in node.named_children:
            if child != value:
                here = self._statement(child, here)
        return here

    # Expressions ------------------------------------------------------------------------------

    def _expression(self, node: Node, at: int) -> int:
        match node.type:
            case "compound_statement":
                return self._statement(node, at)
            case "call_expression":
                return self._call(node, at)
            case "binary_expression" if _operator(node) in ("&&", "||"):
                at = self._expression(_child(node, "left"), at)
                end = self._link(at, self._place())
                return self._link(self._expression(_child(node, "right"), at), end)
            case "conditional_expression":
                at = self._expression(_child(node, "condition"), at)
                end = self._place()
                for key in ("consequence", "alternative"):
                    part = node.child_by_field_name(key)
                    self._link(at if part is None else self._expression(part, at), end)
                return end
            case "comma_expression":
                for child in node.named_children:
                    at = self._expression(child, at)
                return at
            case kind if kind in _UNEVALUATED:
                return at
            case _:
                return self._each(node.named_children, at)

    def _call(self, node: Node, at: int) -> int:
        function, arguments = _child(node, "function"), _child(node, "arguments")
        name = self._text(function)
        if name == VALUE:
            return self._each(arguments.named_children, at)
        if name == ASM:
            raise Unsupported("inline assembly")
        # `f(x)(y)`: a function that a macro names.
        inner = function.child_by_field_name("arguments")
        parts = [*(inner.named_children if inner else [function]), *arguments.named_children]
        at = self._some([part for part in parts if _active(part)], at)
        first = [self._text(part) for part in arguments.named_children[:1]]
        names = (*(f"{name}({text})" for text in first), name)
        return self._link(at, self._place(), names, self._syntax.line(node))

    def _each(self, nodes: Sequence[Node], at: int) -> int:
        """All of them, of which only one has calls if the order is to be certain."""
        active = [node for node in nodes if _active(node)]
        return self._expression(active[0], at) if len(active) == 1 else self._some(active, at)

    def _some(self, nodes: Sequence[Node], at: int) -> int:
        """Some of them, in any order, any number of times."""
        if not nodes:
            return at
        hub = self._link(at, self._place())
        for node in nodes:
            self._link(self._expression(node, hub), hub)
        return hub


def _active(node: Node) -> bool:
    """Whether something in an expression is a call, or a statement."""
    if node.type in _UNEVALUATED:
        return False
    if node.type in ("call_expression", "compound_statement"):
        return True
    return any(_active(child) for child in node.named_children)


def _child(node: Node, key: str) -> Node:
    found = node.child_by_field_name(key)
    if found is None:
        raise Unsupported("C that the parser does not know")
    return found


def _operator(node: Node) -> str:
    return _child(node, "operator").type
