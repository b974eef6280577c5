"""The store: what it says under a path condition, and merged paths against single ones."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.test_encode_term import Meaning, Pair, environments, truths, vectors
from verify.encode import term as t
from verify.encode.store import UNDEFINED, Cell, Pointer, Scope, Store, merge
from verify.encode.term import Term

X, Y = t.var("x", 8), t.var("y", 8)
P, Q, R = (t.var(name, 0) for name in "pqr")


def initial(path: str) -> Cell:
    return t.var(f"init/{path}", 8)


def store(**cells: Cell) -> Store:
    made = Store(initial)
    for path, value in cells.items():
        made.write(path, value)
    return made


# What the path says -----------------------------------------------------------------------


@settings(max_examples=60)
@given(st.lists(truths(3), min_size=1, max_size=3), truths(3), vectors(4, 3), environments)
def test_folded_means_the_same_where_the_path_goes(
    path: list[Pair], condition: Pair, value: Pair, env: dict[str, int]
) -> None:
    # Every condition is turned so that the path goes through this environment.
    made = store()
    for term, meaning in path:
        made.push(term if meaning(env) else ~term)
    assert not made.dead
    (term, meaning), (number, worth) = condition, value
    low, high = made.limits(number)
    assert low <= worth(env) <= high
    assert t.evaluate([made.fold(term), made.narrow(number)], env) == [meaning(env), worth(env)]


SMALL = t.ite(X.ult(Y), X, Y)
GREAT = t.ite(X.ult(Y), Y, X)


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        (X, (2, 200)),
        (SMALL, (0, 9)),
        (GREAT, (0, 200)),
        (t.ite(P, X, t.const(1, 8)), (1, 200)),
        (X.zext(16), (2, 200)),
        (X.sext(16), (0, 0xFFFF)),
        (X.zext(16) + 7, (9, 207)),
        (X + 100, (0, 255)),
        (Y + 100, (100, 109)),
        (X >> 3, (0, 25)),
        (X & Y, (0, 9)),
        (X.zext(16).extract(7, 0), (2, 200)),
        (X.extract(3, 0), (0, 15)),
        (t.const(3, 8), (3, 3)),
    ],
)
def test_limits(value: Term, limits: tuple[int, int]) -> None:
    made = store()
    for fact in (~X.ult(2), X.ule(200), Y.ule(9)):
        made.learn(fact)
    assert made.limits(value) == limits


def test_facts_decide_conditions_until_the_scope_ends() -> None:
    made = store()
    scope = made.open()
    made.push(P & X.ult(3))
    assert made.fold(P) is t.true
    assert made.fold(X.ult(5)) is t.true
    assert made.fold(X.eq(7)) is t.false
    assert made.fold(Q & P) is Q
    assert made.fold(~(Q & P)) is ~Q
    made.reset(scope)
    assert [made.fold(c) for c in (P, X.ult(5), Q & P)] == [P, X.ult(5), Q & P]
    assert made.condition() is t.true


def test_narrowed_values_and_pointers() -> None:
    pointer = Pointer(((P, "a"), (~P & Q, None), (~P & ~Q, "b")))
    made = store(x=t.ite(P, X, Y), p=pointer)
    made.open()
    made.push(P)
    assert made.read("x") is X
    assert made.read("p") == Pointer.to("a")


# Scopes -----------------------------------------------------------------------------------


def test_a_scope_without_branches_costs_its_path_no_condition() -> None:
    made = store(x=X)
    scope = made.open()
    made.write("x", Y)
    made.park(scope)
    made.write("x", X)
    made.close(scope)
    assert made.read("x") is Y
    assert made.condition() is t.true and not made.dead


def test_ways_that_leave_for_further_out_take_their_condition_with_them() -> None:
    made = store(x=X)
    outer = made.open()
    inner = made.open()
    made.push(P)
    made.write("x", Y)
    made.park(outer)
    made.reset(inner)
    made.push(~P)
    made.close(inner)
    assert made.condition() is ~P
    assert made.read("x") is X
    made.close(outer)
    assert made.condition() is t.true
    assert made.read("x") is t.ite(P, Y, X)


def test_excluded_paths_are_no_way_to_the_end() -> None:
    made = store(x=X)
    scope = made.open()
    made.push(P)
    made.exclude(Q)
    made.park(scope)
    made.reset(scope)
    made.push(~P)
    made.close(scope)
    assert made.condition() is ~(P & Q)
    made.exclude(t.true)
    made.write("x", Y)
    made.forget("x")
    assert made.dead and made.condition() is t.false
    assert made.cells["x"] is X


def test_locals_end_with_their_scope_unless_kept() -> None:
    for keep, branch in ((True, True), (False, True), (True, False), (False, False)):
        made = store(x=X)
        scope = made.open()
        if branch:
            made.push(P)
        made.declared["%1.i"] = made.depth
        made.write("%1.i", Y)
        made.write("%1.i.part", Y)
        if branch:
            made.park(scope)
            made.reset(scope)
            made.push(~P)
        made.close(scope, keep)
        assert ("%1.i" in made.cells, "%1.i.part" in made.cells) == (keep, keep)


def test_what_was_assumed_on_one_way_is_not_known_where_ways_meet() -> None:
    made = store()
    scope = made.open()
    made.push(P)
    made.learn(Q)
    made.learn(R)
    made.park(scope)
    made.reset(scope)
    made.push(~P)
    made.learn(R)
    made.close(scope)
    assert (made.fold(Q), made.fold(R)) == (Q, t.true)
    again = made.open()
    made.learn(Q)
    made.close(again)
    assert made.fold(Q) is t.true
    assert made.condition() is t.true


def test_a_taken_cell_leaves_no_trace() -> None:
    made = store(x=X)
    outer = made.open()
    scope = made.open()
    made.write("%1.?", Y)
    made.close(scope)
    assert made.take("%1.?") is Y
    assert made.outcome(outer).delta == {}
    assert made.take("%1.?") is None


def test_forgotten_cells_merge_as_never_assigned() -> None:
    made = store(x=X)
    scope = made.open()
    made.push(P)
    made.forget("x")
    made.park(scope)
    made.reset(scope)
    made.push(~P)
    made.close(scope)
    assert made.read("x") is t.ite(P, t.var("init/x", 8), X)


def test_a_fork_goes_its_own_way() -> None:
    made = store(x=X)
    made.learn(P)
    copy = made.fork(initial)
    copy.write("x", Y)
    copy.learn(Q)
    assert (made.read("x"), copy.read("x")) == (X, Y)
    assert (made.fold(P), made.fold(Q)) == (t.true, Q)
    assert (copy.fold(P), copy.fold(Q)) == (t.true, t.true)


def test_pointers_merge_by_target() -> None:
    a, null = Pointer.to("a"), Pointer.to(None)
    both = merge(P, a, null)
    assert both == Pointer(((P, "a"), (~P, None)))
    assert merge(Q, both, a) == Pointer((((P & Q) | ~Q, "a"), (Q & ~P, None)))
    assert merge(P, a, Pointer.to("a")) == a
    assert merge(P, a, X) == Pointer.to(UNDEFINED)


# Any nest of scopes -----------------------------------------------------------------------


@dataclass(frozen=True)
class Do:
    """One operation: `write` a cell, branch (`if`, `when`), leave for the end of the `level`-th
    scope around it, `exclude` or `learn` a condition."""

    kind: str
    cell: str = ""
    value: Pair | None = None
    bodies: tuple[tuple[Do, ...], ...] = ()
    level: int = 0


@st.composite
def bodies(draw: st.DrawFn, depth: int, scopes: int) -> tuple[Do, ...]:
    kinds = ["write", "write", "exclude", "learn"]
    if scopes:
        kinds.append("leave")
    if depth:
        kinds += ["if", "if", "when"]
    found: list[Do] = []
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4)):
        if kind == "leave":
            found.append(Do(kind, level=draw(st.integers(1, scopes))))
        elif kind in ("if", "when"):
            # Nothing leaves a `when`.
            inner = scopes + 1 if kind == "if" else 0
            count = 2 if kind == "if" else 1
            parts = tuple(draw(bodies(depth - 1, inner)) for _ in range(count))
            found.append(Do(kind, value=draw(truths(1)), bodies=parts))
        else:
            value = draw(vectors(4, 1)) if kind == "write" else draw(truths(1))
            found.append(Do(kind, draw(st.sampled_from("xyz")), value))
    return tuple(found)


def run(made: Store, scopes: list[Scope], body: tuple[Do, ...]) -> None:
    for do in body:
        if made.dead:
            return
        condition = made.fold(do.value[0]) if do.value and do.kind != "write" else t.true
        if do.kind == "write":
            assert do.value
            # A cell keeps what it had, so that the order of writes shows.
            old = made.read(do.cell)
            assert isinstance(old, Term)
            made.write(do.cell, (old << 1) ^ do.value[0])
        elif do.kind == "leave":
            made.park(scopes[-do.level])
        elif do.kind == "exclude":
            made.exclude(condition)
        elif do.kind == "learn":
            made.learn(condition)
        elif do.kind == "when":
            if condition.op == "const":
                if condition.value:
                    run(made, [], do.bodies[0])
                continue
            scope = made.open()
            made.push(condition)
            run(made, [], do.bodies[0])
            made.rejoin(scope, condition)
        else:
            scope = made.open()
            made.push(condition)
            run(made, [*scopes, scope], do.bodies[0])
            made.park(scope)
            made.reset(scope)
            made.push(~condition)
            run(made, [*scopes, scope], do.bodies[1])
            made.close(scope)


class Ended(Exception):
    """The run ends here."""


def concrete(cells: dict[str, int], body: tuple[Do, ...], env: dict[str, int]) -> int:
    """Run on numbers; how many scopes are left."""
    for do in body:
        meaning: Meaning = do.value[1] if do.value else lambda env: 0
        if do.kind == "write":
            cells[do.cell] = (cells[do.cell] << 1 & 15) ^ meaning(env)
        elif do.kind == "leave":
            return do.level
        elif do.kind in ("exclude", "learn"):
            if meaning(env) == (do.kind == "exclude"):
                raise Ended
        elif do.kind == "when":
            if meaning(env):
                concrete(cells, do.bodies[0], env)
        else:
            left = concrete(cells, do.bodies[1 - meaning(env)], env)
            if left > 1:
                return left - 1
    return 0


@settings(max_examples=50)
@given(bodies(3, 0), st.lists(environments, min_size=4, max_size=8))
def test_merged_paths_are_the_single_ones(body: tuple[Do, ...], envs: list[dict[str, int]]) -> None:
    made = Store(lambda path: t.const("xyz".index(path), 4))
    run(made, [], body)
    finished = 0
    for env in envs:
        cells = {"x": 0, "y": 1, "z": 2}
        try:
            concrete(cells, body, env)
        except Ended:
            continue
        finished += 1
        assert not made.dead
        values = [made.cells.get(path, made.initial(path)) for path in cells]
        assert all(isinstance(value, Term) for value in values)
        terms = [*(v for v in values if isinstance(v, Term)), made.condition()]
        assert t.evaluate(terms, env) == [*cells.values(), 1]
    assume(finished)
