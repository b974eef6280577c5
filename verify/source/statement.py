"""C statements and functions to the IR."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tree_sitter import Node

from verify.ir.nodes import (
    Arm,
    Block,
    Break,
    Continue,
    Declare,
    Expr,
    ExprStmt,
    Function,
    Goto,
    If,
    Label,
    Load,
    Loc,
    Local,
    Loop,
    Return,
    StatementExpr,
    Stmt,
    Switch,
    Unmodelled,
)
from verify.ir.types import S32, U64, VOID, Int, Type
from verify.source import build
from verify.source.build import Unsupported, convert
from verify.source.c_type import Signature, wrap
from verify.source.declaration import Declarations
from verify.source.declare import parameters_of
from verify.source.file_scope import FileScope
from verify.source.flow import is_nothing, jumps_forward, leaves_loop, without_breaks
from verify.source.place import bare
from verify.source.syntax import CASE_RANGE, NESTING, Syntax, errors_contained

_LONGEST = 160
_GOTO = re.compile(r"\bgoto\s+(\w+)")
# Blanks that the joining of tokens has put where nobody would.
_SPACE = re.compile(r"(?<=[(\[!~]) | (?=[)\];,\[])|(?<=\w) (?=\()| ?(->|\.) ?")
_LABEL = re.compile(r"[;{}]\s*(\w+)\s*:(?!:)")


class _Structure(Exception):
    """Control flow that cannot be told from a statement alone."""


class Statements(Declarations):
    """The statements of one function; the entry is `function`."""

    def __init__(self, unit: FileScope, syntax: Syntax, file: str, prefix: str) -> None:
        super().__init__(unit, syntax, file, prefix)
        self.result: Type = VOID
        # For what `break` and `continue` leave: how many statement expressions are around it.
        self._breaks: list[int] = []
        self._continues: list[int] = []

    # Functions --------------------------------------------------------------------------------

    def function(
        self, node: Node | None, name: str, signature: Signature | None, loc: Loc, last: int
    ) -> Function:
        """A function definition. A body that cannot be understood is one Unmodelled statement."""
        self.scopes = [{}]
        parameters: list[Local] = []
        try:
            if node is None or signature is None:
                raise _Structure("C that the parser does not know")
            self.result = signature.result
            declarator = node.child_by_field_name("declarator")
            while declarator is not None and declarator.type != "function_declarator":
                declarator = declarator.child_by_field_name("declarator")
            body_node = node.child_by_field_name("body")
            if declarator is None or body_node is None:
                raise _Structure("C that the parser does not know")
            for child in parameters_of(declarator):
                parameter, kind = self.parameter(child)
                local = self.local(parameter or f"parameter{len(parameters)}", kind)
                parameters.append(local)
                if parameter:
                    self.bind(parameter, local)
            if any(child.has_error for child in node.children if child != body_node):
                raise _Structure("C that the parser does not know")
            if body_node.has_error and not errors_contained(body_node):
                raise _Structure("C that the parser does not know")
            body = self.statement_list(body_node)
            if not jumps_forward(body, frozenset()):
                raise _Structure("a jump backward or into a block")
        except (_Structure, Unsupported, RecursionError) as error:
            reason = str(error) or "nested too deep"
            unknown: list[Stmt] = []
            value = None if self.result == VOID else self._anything(self.result, unknown)
            text = _shortened(self.syntax.text)
            body = (*unknown, Unmodelled(text, reason, loc), Return(value, loc))
        return Function(name, tuple(parameters), self.result, body, loc, last)

    # Lists and scopes -------------------------------------------------------------------------

    def statement_list(self, node: Node) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        self.scopes.append({})
        try:
            for child in node.named_children:
                self.statement(child, out)
        finally:
            self.scopes.pop()
        return tuple(out)

    def body(self, node: Node) -> tuple[Stmt, ...]:
        """A statement, or the statements of a block."""
        if node.type == "compound_statement":
            return self.statement_list(node)
        out: list[Stmt] = []
        self.scopes.append({})
        try:
            self.statement(node, out)
        finally:
            self.scopes.pop()
        return tuple(out)

    def statement(self, node: Node, out: list[Stmt]) -> None:
        """Append what a statement becomes."""
        outer = self.loc
        self.loc = loc = self.line(node)
        if not self.nesting:
            self.written.clear()
        count = len(out)
        method = _STATEMENTS.get(node.type)
        try:
            if node.has_error and node.type not in NESTING:
                raise Unsupported("C that the parser does not know")
            if method is None:
                raise Unsupported(f"a {node.type.replace('_', ' ')}")
            method(self, node, out)
        except Unsupported as error:
            del out[count:]
            self._give_up(node, str(error), loc, out)
        finally:
            self.loc = outer

    # What is not understood -------------------------------------------------------------------
    #
    # Locals for unknown values are declared before the Unmodelled statement, which may change them
    # like any other: so their values are what unknown code makes.

    def _give_up(self, node: Node, reason: str, loc: Loc, out: list[Stmt]) -> None:
        """Unmodelled, and every way out that the statement has, taken or not."""
        text = self.syntax.of(node)
        if node.type == "declaration":
            self.bind_unknown(node, out)
        ways: list[tuple[Stmt, ...]] = []
        if re.search(r"\breturn\b", text):
            value = None if self.result == VOID else self._anything(self.result, out)
            ways.append((Return(value, loc),))
        labels = set(_LABEL.findall(text))
        for label in dict.fromkeys(_GOTO.findall(text)):
            if label not in labels:
                self._leave(None)
                ways.append((Goto(label, loc),))
        if self._breaks and re.search(r"\bbreak\b", text):
            self._leave(self._breaks)
            ways.append((Break(loc),))
        if self._continues and re.search(r"\bcontinue\b", text):
            self._leave(self._continues)
            ways.append((Continue(loc),))
        certain = node.type == "return_statement"
        leave = [If(self._anything(S32, out), way, (), loc) for way in ways if not certain]
        out.append(Unmodelled(_shortened(text), reason, loc))
        out.extend(ways[0] if certain else leave)

    def _anything(self, kind: Type, out: list[Stmt]) -> Expr:
        """Any value of a type."""
        unknown = self.local("unknown", kind)
        out.append(Declare(unknown, None, False, self.loc))
        return Load(unknown, kind)

    def _condition(self, node: Node, out: list[Stmt]) -> Expr:
        """A condition; one that is not understood is Unmodelled and may hold or not."""
        try:
            return build.scalar(self.truth(node))
        except Unsupported as error:
            value = self._anything(S32, out)
            out.append(Unmodelled(_shortened(self.syntax.of(node)), str(error), self.loc))
            return value

    # Statements -------------------------------------------------------------------------------

    def _compound(self, node: Node, out: list[Stmt]) -> None:
        body = self.statement_list(node)
        if body:
            out.append(Block(body, self.loc))

    def _expression(self, node: Node, out: list[Stmt]) -> None:
        if node.named_child_count:
            self.effect(node.named_children[0], out, node == self.result_node)

    def effect(self, node: Node, out: list[Stmt], used: bool = False) -> None:
        """Evaluate an expression for its effects; `used` when its value is wanted, too."""
        inner = bare(node)
        if used:
            out.append(ExprStmt(self.value(inner), self.loc))
        elif inner.type == "parenthesized_expression":
            self._compound(inner.named_children[0], out)
        elif inner.type == "comma_expression":
            for child in inner.named_children:
                self.effect(child, out)
        elif inner.type == "update_expression":
            out.append(ExprStmt(self.update(inner, False), self.loc))
        else:
            value = self.truth(inner)
            if not is_nothing(value):
                out.append(ExprStmt(value, self.loc))

    def _if(self, node: Node, out: list[Stmt]) -> None:
        loc = self.loc
        condition_node = node.child_by_field_name("condition")
        then_node = node.child_by_field_name("consequence")
        else_node = node.child_by_field_name("alternative")
        assert condition_node is not None and then_node is not None
        condition = self._condition(condition_node, out)
        known = build.truth(condition)
        then = () if known is False else self.body(then_node)
        orelse: tuple[Stmt, ...] = ()
        if else_node is not None and known is not True:
            orelse = self.body(else_node.named_children[0])
        if known is None:
            out.append(If(condition, then, orelse, loc))
        elif chosen := (then if known else orelse):
            out.append(Block(chosen, loc))

    def _loop(
        self,
        condition_node: Node | None,
        step_node: Node | None,
        body_node: Node,
        test_last: bool,
        out: list[Stmt],
    ) -> None:
        loc = self.loc
        before: list[Stmt] = []
        condition = None if condition_node is None else self._condition(condition_node, before)
        known = None if condition is None else build.truth(condition)
        self._breaks.append(self.nesting)
        self._continues.append(self.nesting)
        try:
            body = self.body(body_node)
        finally:
            self._breaks.pop()
            self._continues.pop()
        if before:
            if test_last or condition is None:
                raise Unsupported("the condition of a loop")
            leave = If(build.invert(condition), (Break(loc),), (), loc)
            body, condition = (*before, leave, *body), None
        if known is True:
            condition = None
        if test_last and known is False and not leaves_loop(body):
            if body:
                out.append(Block(body, loc))
            return
        if not test_last and known is False:
            return
        step: Expr | None = None
        if step_node is not None:
            steps: list[Stmt] = []
            self.effect(step_node, steps)
            step = _as_expression(steps)
        out.append(Loop(condition, step, body, test_last and condition is not None, loc))

    def _for(self, node: Node, out: list[Stmt]) -> None:
        loc = self.loc
        inner: list[Stmt] = []
        self.scopes.append({})
        try:
            initializer = node.child_by_field_name("initializer")
            if initializer is not None:
                if initializer.type == "declaration":
                    self.statement(initializer, inner)
                else:
                    self.effect(initializer, inner)
            body = node.child_by_field_name("body")
            assert body is not None
            condition = node.child_by_field_name("condition")
            self._loop(condition, node.child_by_field_name("update"), body, False, inner)
        finally:
            self.scopes.pop()
        if any(isinstance(stmt, Declare) for stmt in inner):
            out.append(Block(tuple(inner), loc))
        else:
            out.extend(inner)

    def _while(self, node: Node, out: list[Stmt]) -> None:
        body = node.child_by_field_name("body")
        assert body is not None
        self._loop(node.child_by_field_name("condition"), None, body, False, out)

    def _do(self, node: Node, out: list[Stmt]) -> None:
        body = node.child_by_field_name("body")
        assert body is not None
        self._loop(node.child_by_field_name("condition"), None, body, True, out)

    def _switch(self, node: Node, out: list[Stmt]) -> None:
        loc = self.loc
        condition = node.child_by_field_name("condition")
        body = node.child_by_field_name("body")
        assert condition is not None and body is not None
        if body.type != "compound_statement":
            raise Unsupported("a switch without braces")
        before: list[Stmt] = []
        try:
            value = build.promote(self.value(bare(condition)))
        except Unsupported as error:
            value = self._anything(U64, before)
            before.append(Unmodelled(_shortened(self.syntax.of(condition)), str(error), loc))
        arms: list[Arm] = []
        self.scopes.append({})
        self._breaks.append(self.nesting)
        try:
            ranges: list[tuple[int, int]] = []
            default = False
            for child in body.named_children:
                if child.type != "case_statement":
                    if child.type == "declaration" and not arms:
                        inner: list[Stmt] = []
                        self.statement(child, inner)
                        if all(isinstance(s, Declare) and s.init is None for s in inner):
                            before.extend(inner)
                            continue
                    elif not arms and _is_dead(child):
                        continue
                    raise Unsupported("a statement before the first case")
                label = child.child_by_field_name("value")
                if label is None:
                    default = True
                else:
                    ranges.append(self._range(label, value.type))
                statements = child.named_children[0 if label is None else 1 :]
                if statements:
                    stmts: list[Stmt] = []
                    for statement in statements:
                        self.statement(statement, stmts)
                    arms.append(Arm(tuple(ranges), default, tuple(stmts), self.line(child)))
                    ranges, default = [], False
            if ranges or default:
                arms.append(Arm(tuple(ranges), default, (), loc))
        except _Structure as error:
            raise Unsupported(str(error)) from None
        finally:
            self._breaks.pop()
            self.scopes.pop()
        out.extend(before)
        last = arms[-1].body if arms else ()
        if not any(isinstance(stmt, Label) for stmt in last):
            out.append(Switch(value, tuple(arms), loc))
            return
        # Jumps from other arms into the last one: it moves behind the switch.
        end = self.local("end", VOID).name
        start = f"{end}.start"
        arms[-1] = replace(arms[-1], body=(Goto(start, loc),))
        after = (Goto(end, loc), Label(start, loc), *without_breaks(last, end), Label(end, loc))
        out.append(Block((Switch(value, tuple(arms), loc), *after), loc))

    def _range(self, node: Node, kind: Type) -> tuple[int, int]:
        assert isinstance(kind, Int)
        ends = [node]
        if node.type == "call_expression" and self.syntax.of(node.children[0]) == CASE_RANGE:
            ends = node.children[1].named_children
        values = [self.constant(end) for end in ends]
        if None in values:
            raise Unsupported("a case that is not constant")
        found = [wrap(value, kind) for value in values if value is not None]
        return found[0], found[-1]

    def _case(self, node: Node, out: list[Stmt]) -> None:
        raise _Structure("a case within a statement of a switch")

    def _return(self, node: Node, out: list[Stmt]) -> None:
        loc = self.loc
        if not node.named_child_count:
            out.append(Return(None, loc))
            return
        value = self.value(node.named_children[0])
        if self.result == VOID:
            out.append(ExprStmt(value, loc))
            out.append(Return(None, loc))
        else:
            out.append(Return(convert(value, self.result), loc))

    def _break(self, node: Node, out: list[Stmt]) -> None:
        self._leave(self._breaks)
        out.append(Break(self.loc))

    def _continue(self, node: Node, out: list[Stmt]) -> None:
        self._leave(self._continues)
        out.append(Continue(self.loc))

    def _leave(self, levels: list[int] | None) -> None:
        """A jump may not leave a statement expression; None for a `goto`."""
        if self.nesting and (not levels or levels[-1] != self.nesting):
            raise _Structure("a jump out of an expression")

    def _goto(self, node: Node, out: list[Stmt]) -> None:
        label = node.child_by_field_name("label")
        if label is None:
            raise _Structure("a computed goto")
        self._leave(None)
        out.append(Goto(self.syntax.of(label), self.loc))

    def _labeled(self, node: Node, out: list[Stmt]) -> None:
        label, *rest = node.named_children
        out.append(Label(self.syntax.of(label), self.loc))
        for child in rest:
            self.statement(child, out)


def _is_dead(node: Node) -> bool:
    """Before the first case: a statement into which nothing jumps, and that leaves no name."""
    within = node.type == "compound_statement"
    return node.type.endswith("_statement") and _is_plain(node, within)


def _is_plain(node: Node, types: bool, cases: bool = False) -> bool:
    """It has no label, and no `types` that are declared and `cases` of an outer switch in it,
    unless they may be."""
    if node.has_error or node.type == "labeled_statement":
        return False
    if not cases and node.type == "case_statement":
        return False
    if not types and node.type.endswith("_specifier") and node.child_by_field_name("body"):
        return False
    cases = cases or node.type == "switch_statement"
    return all(_is_plain(child, types, cases) for child in node.named_children)


def _shortened(text: str) -> str:
    text = _SPACE.sub(r"\1", " ".join(text.split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 4] + " ..."


def _as_expression(steps: list[Stmt]) -> Expr | None:
    if not steps:
        return None
    last = steps[-1]
    if not all(isinstance(step, ExprStmt) for step in steps) or not isinstance(last, ExprStmt):
        raise Unsupported("the step of a loop")
    if len(steps) == 1:
        return last.expr
    return StatementExpr(tuple(steps), None, VOID)


_STATEMENTS: dict[str, Callable[[Statements, Node, list[Stmt]], None]] = {
    "compound_statement": Statements._compound,
    "expression_statement": Statements._expression,
    "declaration": Statements.declaration,
    "if_statement": Statements._if,
    "for_statement": Statements._for,
    "while_statement": Statements._while,
    "do_statement": Statements._do,
    "switch_statement": Statements._switch,
    "case_statement": Statements._case,
    "return_statement": Statements._return,
    "break_statement": Statements._break,
    "continue_statement": Statements._continue,
    "goto_statement": Statements._goto,
    "labeled_statement": Statements._labeled,
    "type_definition": Statements.typedef,
    "struct_specifier": Statements.specifier,
    "union_specifier": Statements.specifier,
    "enum_specifier": Statements.specifier,
}
