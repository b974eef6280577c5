"""Nodes of the IR.

Every conversion that C makes silently is a `Cast` here, so that executors need no C rules beyond
fixed-width arithmetic. Operands of a binary operator have one common type; a comparison or a
logical operator yields a signed 32-bit 0 or 1, as in C. Signed overflow wraps (the kernel builds
with -fno-strict-overflow). Evaluation order is left to right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify.ir.types import S32, Int, Pointer, Type


@dataclass(frozen=True, slots=True)
class Loc:
    """A place in the tree: path relative to its root, line from 1."""

    file: str
    line: int


# Expressions ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """An integer constant; `value` is the mathematical value, in range of `type`."""

    value: int
    type: Int


@dataclass(frozen=True, slots=True)
class Null:
    """A null pointer."""

    type: Pointer


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal; only contracts look at it."""

    value: str
    type: Pointer


@dataclass(frozen=True, slots=True)
class Load:
    """The value of an lvalue of integer or pointer type."""

    lvalue: LValue
    type: Type


@dataclass(frozen=True, slots=True)
class AddressOf:
    """`&lvalue`; also what an array decays to (the address of the array itself)."""

    lvalue: LValue
    type: Pointer


@dataclass(frozen=True, slots=True)
class FunctionName:
    """A function used as a value, for instance a callback given to a call."""

    name: str
    type: Pointer


@dataclass(frozen=True, slots=True)
class Unary:
    """`-` or `~` on an integer of `type`."""

    op: str
    operand: Expr
    type: Int


@dataclass(frozen=True, slots=True)
class Not:
    """`!operand` of an integer or a pointer: 0 or 1 as S32."""

    operand: Expr
    type: Int = S32


@dataclass(frozen=True, slots=True)
class Binary:
    """`+ - * / % & | ^` on operands of `type`; `<< >>` on a left operand of `type` and a right one
    of any integer type (`>>` is arithmetic when `type` is signed)."""

    op: str
    left: Expr
    right: Expr
    type: Int


@dataclass(frozen=True, slots=True)
class Compare:
    """`== != < <= > >=` on operands of one type (pointers: only `==`, `!=`): 0 or 1 as S32."""

    op: str
    left: Expr
    right: Expr
    type: Int = S32


@dataclass(frozen=True, slots=True)
class Logical:
    """`&&` or `||`; the right operand is evaluated only when needed: 0 or 1 as S32."""

    op: str
    left: Expr
    right: Expr
    type: Int = S32


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? then : orelse`; one arm is evaluated."""

    condition: Expr
    then: Expr
    orelse: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class Cast:
    """Conversion to `type`: truncation, sign or zero extension by the operand's sign, `!= 0` for
    `_Bool`; between pointers it keeps the address."""

    operand: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class Assign:
    """Store `value` (already of the lvalue's type); the expression's value is what was stored.

    A record lvalue is copied member by member from a `Load` of the same record type.
    """

    lvalue: LValue
    value: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class Call:
    """A direct call; arguments are converted when the callee's prototype is known."""

    name: str
    args: tuple[Expr, ...]
    type: Type
    loc: Loc


@dataclass(frozen=True, slots=True)
class StatementExpr:
    """GNU `({ body; value; })`; `value` None has no value."""

    body: tuple[Stmt, ...]
    value: Expr | None
    type: Type


@dataclass(frozen=True, slots=True)
class ContainerOf:
    """`container_of(pointer, struct tag, member)`: the record around a member."""

    pointer: Expr
    member: tuple[str, ...]
    type: Pointer


Expr = (
    Const
    | Null
    | Text
    | Load
    | AddressOf
    | FunctionName
    | Unary
    | Not
    | Binary
    | Compare
    | Logical
    | Conditional
    | Cast
    | Assign
    | Call
    | StatementExpr
    | ContainerOf
)


# LValues ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Local:
    """A parameter or local variable; `name` is unique within its function."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Global:
    """A file-scope object, by name."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Deref:
    """What a pointer points to."""

    pointer: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a record lvalue."""

    base: LValue
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Index:
    """An element of an array lvalue."""

    base: LValue
    index: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class Bits:
    """`width` bits from bit `low` of an integer lvalue, as `type` (bit-fields, union views)."""

    base: LValue
    low: int
    width: int
    type: Int


LValue = Local | Global | Deref | Field | Index | Bits


# Statements -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExprStmt:
    """Evaluate for effect."""

    expr: Expr
    loc: Loc


@dataclass(frozen=True, slots=True)
class Declare:
    """A local comes into scope. Without `init` its value is undefined; with `zeroed` every member
    that `init` does not give is zero (`= {}`, designated initialisers follow as assignments)."""

    local: Local
    init: Expr | None
    zeroed: bool
    loc: Loc


@dataclass(frozen=True, slots=True)
class If:
    """Two-way branch on a non-zero condition (integer or pointer)."""

    condition: Expr
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    loc: Loc


@dataclass(frozen=True, slots=True)
class Loop:
    """`for`, `while` and `do`: test (None is true) before each round, or after when `test_last`;
    `continue` goes to `step`."""

    condition: Expr | None
    step: Expr | None
    body: tuple[Stmt, ...]
    test_last: bool
    loc: Loc


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm of a switch: inclusive ranges of mathematical values; falls through to the next."""

    ranges: tuple[tuple[int, int], ...]
    default: bool
    body: tuple[Stmt, ...]
    loc: Loc


@dataclass(frozen=True, slots=True)
class Switch:
    """`switch (value)`; `break` leaves it."""

    value: Expr
    arms: tuple[Arm, ...]
    loc: Loc


@dataclass(frozen=True, slots=True)
class Block:
    """A scope."""

    body: tuple[Stmt, ...]
    loc: Loc


@dataclass(frozen=True, slots=True)
class Return:
    """Leave the function."""

    value: Expr | None
    loc: Loc


@dataclass(frozen=True, slots=True)
class Break:
    """Leave the innermost loop or switch."""

    loc: Loc


@dataclass(frozen=True, slots=True)
class Continue:
    """Go to the step of the innermost loop."""

    loc: Loc


@dataclass(frozen=True, slots=True)
class Goto:
    """A jump forward to a label of an enclosing statement list."""

    label: str
    loc: Loc


@dataclass(frozen=True, slots=True)
class Label:
    """The target of a `Goto`."""

    name: str
    loc: Loc


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """A statement outside the subset: may do anything to any state reachable from the function."""

    text: str
    reason: str
    loc: Loc


Stmt = (
    ExprStmt
    | Declare
    | If
    | Loop
    | Switch
    | Block
    | Return
    | Break
    | Continue
    | Goto
    | Label
    | Unmodelled
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function with its body; `loc` is the line of its name, `last_line` that of its brace."""

    name: str
    parameters: Sequence[Local]
    result: Type
    body: tuple[Stmt, ...]
    loc: Loc
    last_line: int
