"""IR printed as text."""

from verify.ir.nodes import (
    Arm,
    Assign,
    Binary,
    Bits,
    Break,
    Call,
    Cast,
    Compare,
    Conditional,
    Const,
    Declare,
    Deref,
    ExprStmt,
    Field,
    Function,
    Goto,
    If,
    Index,
    Label,
    Load,
    Loc,
    Local,
    Loop,
    Not,
    Null,
    Return,
    StatementExpr,
    Switch,
    Text,
    Unmodelled,
)
from verify.ir.pretty import function_text
from verify.ir.types import BOOL, S32, U8, U32, U64, VOID, Array, Pointer, Record

L = Loc("f.c", 1)
BOX = Record("box")
P = Local("p", Pointer(BOX))
INDEX = Local("i", U32)
BITS = Field(Deref(Load(P, P.type), BOX), "bits", Array(U64, 2))

EXPECTED = """\
u32 f(struct box * p) {
    u32 i;
    struct box b = {};
    bool c = (bool)(0x1000u_64 & 2u_64);
    for (; i < 4u; i = (i + 1u)) {
        if (!p->bits[i]<7:4>) {
            break;
        } else {
            p = NULL;
        }
    }
    do {
        note("a\\"b\\n", (i ? 1 : -1));
    } while (i == 0u);
    switch (i) {
    case 1:
    case 3 ... 5:
        goto out;
    default:
        /* not modelled (assembly): asm("nop") */
    }
    out:
    return ({ x(); i; });
}
"""


def test_a_function() -> None:
    i = Load(INDEX, U32)
    four = Bits(Index(BITS, i, U64), 4, 4, U8)
    masked = Binary("&", Const(0x1000, U64), Const(2, U64), U64)
    body = (
        Declare(INDEX, None, False, L),
        Declare(Local("b", BOX), None, True, L),
        Declare(Local("c", BOOL), Cast(masked, BOOL), False, L),
        Loop(
            Compare("<", i, Const(4, U32)),
            Assign(INDEX, Binary("+", i, Const(1, U32), U32), U32),
            (
                If(
                    Not(Load(four, U8)),
                    (Break(L),),
                    (ExprStmt(Assign(P, Null(Pointer(BOX)), P.type), L),),
                    L,
                ),
            ),
            False,
            L,
        ),
        Loop(
            Compare("==", i, Const(0, U32)),
            None,
            (
                ExprStmt(
                    Call(
                        "note",
                        (
                            Text('a"b\n', Pointer(U8)),
                            Conditional(i, Const(1, S32), Const(-1, S32), S32),
                        ),
                        VOID,
                        L,
                    ),
                    L,
                ),
            ),
            True,
            L,
        ),
        Switch(
            i,
            (
                Arm(((1, 1), (3, 5)), False, (Goto("out", L),), L),
                Arm((), True, (Unmodelled('asm("nop")', "assembly", L),), L),
            ),
            L,
        ),
        Label("out", L),
        Return(StatementExpr((ExprStmt(Call("x", (), VOID, L), L),), i, U32), L),
    )
    assert function_text(Function("f", [P], U32, body, L, 9)) == EXPECTED
