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
    Cast,
    Const,
    Continue,
    Declare,
    Expr,
    ExprStmt,
    Function,
    Global,
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
from verify.ir.types import S32, U64, VOID, Array, Int, Record, Type, Void
from verify.source import build
from verify.source.build import ZERO, Unsupported, convert
from verify.source.c_type import wrap
from verify.source.declare import DECLARATORS
from verify.source.expression import Signature, bare
from verify.source.initialise import Initialisers
from verify.source.syntax import CASE_RANGE

_LONGEST = 160
_GOTO = re.compile(r"\bgoto\s+(\w+)")
# Blanks that the joining of tokens has put where nobody would.
_SPACE = re.compile(r"(?<=[(\[!~]) | (?=[)\];,\[])|(?<=\w) (?=\()| ?(->|\.) ?")
_LABEL = re.compile(r"[;{}]\s*(\w+)\s*:(?!:)")


class _Structure(Exception):
    """Control flow that cannot be told from a statement alone."""


class Statements(Initialisers):
    """The statements of one function; the entry is `function`."""

    result: Type = VOID
    _breaks = 0
    _continues = 0

    # Functions --------------------------------------------------------------------------------

    def function(
        self, node: Node | None, name: str, signature: Signature | None, loc: Loc, last: int
    ) -> Function:
        """A function definition. A body that cannot be understood is one Unmodelled statement."""
        self._scopes = [{}]
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
            if body_node.has_error and not _errors_contained(body_node):
                raise _Structure("C that the parser does not know")
            body = self.statement_list(body_node)
            if not _jumps_forward(body, frozenset()):
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
        self._scopes.append({})
        try:
            for child in node.named_children:
                self.statement(child, out)
        finally:
            self._scopes.pop()
        return tuple(out)

    def body(self, node: Node) -> tuple[Stmt, ...]:
        """A statement, or the statements of a block."""
        if node.type == "compound_statement":
            return self.statement_list(node)
        out: list[Stmt] = []
        self._scopes.append({})
        try:
            self.statement(node, out)
        finally:
            self._scopes.pop()
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
            if node.has_error and node.type not in _NESTING:
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
            self._bind_unknown(node, out)
        ways: list[tuple[Stmt, ...]] = []
        if re.search(r"\breturn\b", text):
            value = None if self.result == VOID else self._anything(self.result, out)
            ways.append((Return(value, loc),))
        labels = set(_LABEL.findall(text))
        for label in dict.fromkeys(_GOTO.findall(text)):
            if label not in labels:
                ways.append((Goto(label, loc),))
        if self._breaks and re.search(r"\bbreak\b", text):
            ways.append((Break(loc),))
        if self._continues and re.search(r"\bcontinue\b", text):
            ways.append((Continue(loc),))
        certain = node.type == "return_statement"
        leave = [If(self._anything(S32, out), way, (), loc) for way in ways if not certain]
        out.append(Unmodelled(_shortened(text), reason, loc))
        out.extend(ways[0] if certain else leave)

    def _bind_unknown(self, node: Node, out: list[Stmt]) -> None:
        """Declare what a declaration that is not understood declares."""
        type_node = node.child_by_field_name("type")
        for child in node.children:
            declarator: Node | None = child
            if child.type == "init_declarator":
                declarator = child.child_by_field_name("declarator")
            if declarator is None or declarator.type not in DECLARATORS or declarator == type_node:
                continue
            try:
                name, kind = self.declared(declarator, self.specified(node, ""))
                self._check_known(kind)
                local = self.local(name, kind)
                out.append(Declare(local, None, False, self.loc))
            except Unsupported:
                name = self.name_of(declarator)
                local = self.local(name, VOID)
            self.bind(name, local)

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
            if not _is_nothing(value):
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
        self._breaks += 1
        self._continues += 1
        try:
            body = self.body(body_node)
        finally:
            self._breaks -= 1
            self._continues -= 1
        if before:
            if test_last or condition is None:
                raise Unsupported("the condition of a loop")
            leave = If(build.invert(condition), (Break(loc),), (), loc)
            body, condition = (*before, leave, *body), None
        if known is True:
            condition = None
        if test_last and known is False and not _leaves_loop(body):
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
        self._scopes.append({})
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
            self._scopes.pop()
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
        self._scopes.append({})
        self._breaks += 1
        try:
            ranges: list[tuple[int, int]] = []
            default = False
            for child in body.named_children:
                if child.type != "case_statement":
                    if child.type == "declaration" and not arms:
                        inner: list[Stmt] = []
                        self.statement(child, inner)
                        before.extend(inner)
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
            self._breaks -= 1
            self._scopes.pop()
        out.extend(before)
        last = arms[-1].body if arms else ()
        if not any(isinstance(stmt, Label) for stmt in last):
            out.append(Switch(value, tuple(arms), loc))
            return
        # Jumps from other arms into the last one: it moves behind the switch.
        end = self.local("end", VOID).name
        start = f"{end}.start"
        arms[-1] = replace(arms[-1], body=(Goto(start, loc),))
        after = (Goto(end, loc), Label(start, loc), *_without_breaks(last, end), Label(end, loc))
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
        out.append(Break(self.loc))

    def _continue(self, node: Node, out: list[Stmt]) -> None:
        out.append(Continue(self.loc))

    def _goto(self, node: Node, out: list[Stmt]) -> None:
        label = node.child_by_field_name("label")
        if label is None or self.nesting:
            raise _Structure("a computed goto, or one out of an expression")
        out.append(Goto(self.syntax.of(label), self.loc))

    def _labeled(self, node: Node, out: list[Stmt]) -> None:
        label, *rest = node.named_children
        out.append(Label(self.syntax.of(label), self.loc))
        for child in rest:
            self.statement(child, out)

    # Declarations -----------------------------------------------------------------------------

    def _declaration(self, node: Node, out: list[Stmt]) -> None:
        loc = self.loc
        type_node = node.child_by_field_name("type")
        storage = {self.syntax.of(c) for c in node.children if c.type == "storage_class_specifier"}
        if type_node is None:
            raise Unsupported("a declaration without a type")
        auto = type_node.type == "type_identifier" and self.syntax.of(type_node) == "__auto_type"
        base = VOID if auto else self.named(type_node, f"{self.prefix}.{node.start_byte}")
        name_node = type_node.child_by_field_name("name")
        if name_node is not None and type_node.child_by_field_name("body") is not None:
            self.bind(f"struct {self.syntax.of(name_node)}", base)
        for child in node.children:
            value_node = None
            declarator = child
            if child.type == "init_declarator":
                value_node = child.child_by_field_name("value")
                inner = child.child_by_field_name("declarator")
                assert inner is not None
                declarator = inner
            elif child.type not in DECLARATORS or child == type_node:
                continue
            name, kind = self.declared(declarator, base)
            if auto:
                self._auto(name, value_node, loc, out)
            elif "extern" in storage:
                self.bind(name, Global(name, kind))
            elif declarator.type == "function_declarator":
                continue
            elif "static" in storage:
                self._static(name, kind, value_node)
            else:
                self._variable(name, kind, value_node, loc, out)

    def _auto(self, name: str, value_node: Node | None, loc: Loc, out: list[Stmt]) -> None:
        if value_node is None:
            raise Unsupported("__auto_type without a value")
        value = self.value(value_node)
        local = self.local(name, value.type)
        self.bind(name, local)
        out.append(Declare(local, value, False, loc))

    def _variable(
        self, name: str, kind: Type, value_node: Node | None, loc: Loc, out: list[Stmt]
    ) -> None:
        if value_node is None:
            self._check_known(kind)
            local = self.local(name, kind)
            self.bind(name, local)
            out.append(Declare(local, None, False, loc))
            return
        kind = self.sized(kind, value_node)
        self._check_known(kind)
        local = self.local(name, kind)
        self.bind(name, local)
        if value_node.type == "initializer_list" and isinstance(kind, Array | Record):
            out.append(Declare(local, None, True, loc))
            self.braces(local, value_node, out)
            return
        if value_node.type == "initializer_list":
            values = value_node.named_children
            if len(values) > 1:
                raise Unsupported("an initialiser of a scalar")
            value: Expr = self.value(values[0]) if values else ZERO
        else:
            value = self.value(value_node)
        out.append(Declare(local, convert(value, kind), False, loc))

    def _check_known(self, kind: Type) -> None:
        while isinstance(kind, Array):
            kind = kind.of
        if isinstance(kind, Void):
            raise Unsupported("a variable without a type")
        if isinstance(kind, Record) and self.unit.layout(kind.tag) is None:
            raise Unsupported(f"the type {kind.tag}")

    def _static(self, name: str, kind: Type, value_node: Node | None) -> None:
        """A local that lives on: a global object of its own."""
        if value_node is not None:
            kind = self.sized(kind, value_node)
        target = Global(f"{self.prefix}${name}", kind)
        found = {} if value_node is None else self.initial(target, value_node)
        known = {path: value for path, value in found.items() if isinstance(value, Const)}
        self.unit.define(target.name, kind, known if len(known) == len(found) else None)
        self.bind(name, target)

    def _specifier(self, node: Node, out: list[Stmt]) -> None:
        """A record or enumeration that is only declared."""
        kind = self.named(node, f"{self.prefix}.{node.start_byte}")
        name = node.child_by_field_name("name")
        if name is not None:
            self.bind(f"struct {self.syntax.of(name)}", kind)

    def _typedef(self, node: Node, out: list[Stmt]) -> None:
        base = self.specified(node, f"{self.prefix}.{node.start_byte}")
        for declarator in node.children_by_field_name("declarator"):
            name, kind = self.declared(declarator, base)
            self.bind(name, kind)


def parameters_of(declarator: Node) -> list[Node]:
    """The parameters of a function declarator, without `void`."""
    parameters = declarator.child_by_field_name("parameters")
    if parameters is None:
        return []
    found = [c for c in parameters.named_children if c.type == "parameter_declaration"]
    if len(found) == 1 and found[0].named_child_count == 1:
        only = found[0].named_children[0]
        if only.type == "primitive_type" and only.end_byte - only.start_byte == 4:
            return [] if only.text == b"void" else found
    return found


def is_variadic(declarator: Node) -> bool:
    """Whether a function takes more arguments than it has parameters."""
    parameters = declarator.child_by_field_name("parameters")
    return parameters is not None and any(
        child.type == "variadic_parameter" for child in parameters.named_children
    )


def _is_nothing(value: Expr) -> bool:
    """Whether evaluation has no effect, as that of `((void)0)`."""
    if isinstance(value, Cast):
        return _is_nothing(value.operand)
    if isinstance(value, StatementExpr):
        return not value.body and (value.value is None or _is_nothing(value.value))
    return isinstance(value, Const)


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


def _without_breaks(body: tuple[Stmt, ...], label: str) -> tuple[Stmt, ...]:
    """A list with jumps for what would leave the switch around it."""
    out: list[Stmt] = []
    for stmt in body:
        match stmt:
            case Break(loc):
                out.append(Goto(label, loc))
            case If(condition, then, orelse, loc):
                then, orelse = _without_breaks(then, label), _without_breaks(orelse, label)
                out.append(If(condition, then, orelse, loc))
            case Block(inner, loc):
                out.append(Block(_without_breaks(inner, label), loc))
            case _:
                out.append(stmt)
    return tuple(out)


def _leaves_loop(body: tuple[Stmt, ...]) -> bool:
    """Whether a `break` or `continue` of the loop around is in a list."""
    for stmt in body:
        match stmt:
            case Break() | Continue():
                return True
            case If(_, then, orelse):
                if _leaves_loop(then) or _leaves_loop(orelse):
                    return True
            case Block(inner):
                if _leaves_loop(inner):
                    return True
            case Switch(_, arms):
                if any(_continues(arm.body) for arm in arms):
                    return True
    return False


def _continues(body: tuple[Stmt, ...]) -> bool:
    for stmt in body:
        match stmt:
            case Continue():
                return True
            case If(_, then, orelse):
                if _continues(then) or _continues(orelse):
                    return True
            case Block(inner):
                if _continues(inner):
                    return True
            case Switch(_, arms):
                if any(_continues(arm.body) for arm in arms):
                    return True
    return False


def _jumps_forward(body: tuple[Stmt, ...], later: frozenset[str]) -> bool:
    """Whether every `goto` finds its label further on in a list around it."""
    labels = [stmt.name if isinstance(stmt, Label) else None for stmt in body]
    for i, stmt in enumerate(body):
        if isinstance(stmt, ExprStmt | Declare | Return | Label | Unmodelled | Break | Continue):
            continue
        ahead = later.union(name for name in labels[i + 1 :] if name)
        match stmt:
            case Goto(label):
                if label not in ahead:
                    return False
            case If(_, then, orelse):
                if not _jumps_forward(then, ahead) or not _jumps_forward(orelse, ahead):
                    return False
            case Loop(body=inner) | Block(body=inner):
                if not _jumps_forward(inner, ahead):
                    return False
            case Switch(arms=arms):
                if not all(_jumps_forward(arm.body, ahead) for arm in arms):
                    return False
    return True


def _errors_contained(node: Node) -> bool:
    """Whether each error lies in one statement whose end is certain."""
    for child in node.children:
        if not child.has_error:
            continue
        if child.is_missing or child.type == "ERROR":
            return False
        if child.type in _NESTING:
            if not _errors_contained(child):
                return False
            continue
        text = (child.text or b"").decode("ascii")
        if child.type not in _STATEMENTS or not _balanced(text) or text[-1:] not in (";", "}"):
            return False
    return True


def _balanced(text: str) -> bool:
    text = re.sub(r'"(?:\\.|[^"\\])*"', "", text)
    return all(text.count(a) == text.count(b) for a, b in ("()", "{}", "[]"))


_STATEMENTS: dict[str, Callable[[Statements, Node, list[Stmt]], None]] = {
    "compound_statement": Statements._compound,
    "expression_statement": Statements._expression,
    "declaration": Statements._declaration,
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
    "type_definition": Statements._typedef,
    "struct_specifier": Statements._specifier,
    "union_specifier": Statements._specifier,
    "enum_specifier": Statements._specifier,
}

_NESTING = frozenset(
    (
        "compound_statement",
        "if_statement",
        "else_clause",
        "for_statement",
        "while_statement",
        "do_statement",
        "switch_statement",
        "case_statement",
        "labeled_statement",
    )
)
