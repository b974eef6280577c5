"""verify.prove.same: what is told apart, what is not, and random switches against a search."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_prove_engines import (
    IN,
    ZERO,
    Random,
    cell,
    inputs,
    never,
    saved,
    solve,
    switch,
    systems,
    violation,
)
from verify.encode import term as t
from verify.encode.execute import Fault, NotUnderstood
from verify.encode.switch import Point, Relation, Switch
from verify.encode.term import Term
from verify.prove.context import Context
from verify.prove.goal import UNKNOWN, Answer, Goal
from verify.prove.judge import Judge
from verify.prove.same import difference
from verify.target import Item, Observation

HW = cell("hw.x")
FAULT = Fault("f.c", 1, "null pointer", IN.eq(9))


def told(one: Switch, other: Switch) -> str:
    """What differs, "" when nothing does."""
    found = difference(Context(one, solve), other)
    assert found is None or found.decided
    return found.text if found else ""


def test_a_switch_is_the_same_as_itself() -> None:
    assert told(saved(), saved()) == ""


def test_what_differs_in_no_reachable_state_is_no_difference() -> None:
    """The kernel's cell and the ghost are equal in all of them."""
    assert told(saved(), saved(load=cell("ghost.x"))) == ""
    assert told(saved(), saved(load=cell("ghost.x") | 1)) == "hw.x after put"
    # Neither is one where there is no run, or none goes on.
    one, other = saved(), saved(load=t.ite(IN.eq(9), ZERO, cell("k.x")))
    assert told(one, other) == "hw.x after put"
    for relation in ({"assumes": (IN.ne(9),)}, {"faults": (FAULT,)}):
        steps = [replace(s.steps[0], **relation) for s in (one, other)]
        pair = [replace(s, steps=[step]) for s, step in zip((one, other), steps, strict=True)]
        assert told(*pair) == ""


def test_a_cell_that_stays_as_it_was_is_no_difference() -> None:
    one, other = saved(), saved()
    other.initial["k.more"] = t.var("init/more", 8)
    other.steps[0].post["hw.x"] = cell("k.x") + (cell("k.more") - t.var("init/more", 8))
    assert told(one, other) == ""
    other.steps[0].post["k.more"] = cell("k.more") | 0
    assert told(one, other) == ""
    other.steps[0].post["k.more"] = IN
    assert told(one, other) == "k.more after put"


def test_a_cell_on_which_nothing_depends_is_no_difference() -> None:
    one, other = saved(), saved()
    one.initial["k.more"] = ZERO
    one.steps[0].post["k.more"] = IN
    assert told(one, other) == ""


def test_inputs_may_have_other_names() -> None:
    one, other = saved(), saved(write={"k.x": t.var("in/w", 8), "ghost.x": t.var("in/w", 8)})
    assert told(one, other) == "k.x after write"
    names: Mapping[str, str] = {"in/w": "in/v"}
    assert difference(Context(one, solve), other, lambda name: names.get(name, name)) is None


def test_a_variable_with_another_bound_is_a_difference() -> None:
    """The terms were made on the assumption that it holds."""
    bounded = t.var("in/v", 8, 3)
    other = saved(write={"k.x": bounded & 3, "ghost.x": bounded & 3})
    assert told(saved(), other) == "what in/v can be"


def seen(visible: Term = t.true, value: Term = HW, found: Term = HW) -> Switch:
    """What the guest sees and a rule finds after put."""
    system = saved()
    point = system.points["put"]
    items = {"rule": (Item("hw.x", t.true, found, ZERO),)}
    system.points["put"] = replace(point, observed=(Observation("x", visible, value),), items=items)
    return system


Change = Callable[[Switch], None]


def change(**fields: object) -> Change:
    """Another value of a field of the switch."""

    def apply(system: Switch) -> None:
        for name, value in fields.items():
            setattr(system, name, value)

    return apply


def put(**fields: object) -> Change:
    return lambda s: s.steps.__setitem__(0, replace(s.steps[0], **fields))  # type: ignore[arg-type]


def read(**fields: object) -> Change:
    key = ("x", 0, 0)
    return lambda s: s.reads.__setitem__(key, replace(s.reads[key], **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("apply", "what"),
    [
        (change(config=[t.var("init/hw", 8).ult(9)]), "the machines and guests"),
        (change(initial={**saved().initial, "k.x": t.const(1, 8)}), "k.x after setup"),
        (change(setup_faults=(FAULT,)), "faults of setup"),
        (change(enumerated={("x", 0): t.false}), "whether the guest has x[0]"),
        (change(active=t.false), "whether the switch does anything"),
        (change(legal=[HW.ult(9)]), "the hardware's states"),
        (change(accesses=[]), "the transitions"),
        (change(accesses=[Relation("other", {}, ())]), "the transitions"),
        (change(reads={}), "the reads"),
        (change(settings={"guest.x": t.true}), "the settings"),
        (
            change(not_understood=[NotUnderstood("f.c", 1, "asm", "no", t.true)]),
            "what is not understood",
        ),
        (put(post={}), "hw.x after put"),
        (put(post={"hw.x": cell("k.x"), "k.x": ZERO}), "k.x after put"),
        (put(assumes=(IN.eq(0),)), "inputs of put"),
        (put(faults=(FAULT,)), "faults of put"),
        (read(accepted=t.false), "acceptance of read 0 of x[0]"),
        (read(value=ZERO), "value of read 0 of x[0]"),
        (read(expected=ZERO), "expected value of read 0 of x[0]"),
        (read(assumes=(IN.eq(0),)), "inputs of read 0 of x[0]"),
        (read(faults=(FAULT,)), "faults of read 0 of x[0]"),
        (
            change(points={"put": Point("put", {"hw.x": IN}, (), ())}),
            "hw.x after put",
        ),
        (change(points={}), "the points"),
    ],
)
def test_every_part_is_compared(apply: Change, what: str) -> None:
    other = saved()
    apply(other)
    assert told(saved(), other) == what


def test_what_is_to_be_seen_is_compared() -> None:
    assert told(seen(), seen()) == ""
    assert told(seen(), seen(visible=t.false)) == "whether the guest sees x after put"
    assert told(seen(), seen(value=ZERO)) == "what the guest sees of x after put"
    assert told(seen(visible=t.false), seen(visible=t.false, value=ZERO)) == ""
    assert told(seen(), seen(found=ZERO)) == "what rule finds in hw.x after put"
    assert told(seen(), saved()) == "what the guest sees after put"


def test_no_answer_is_no_proof() -> None:
    one, other = saved(), saved(load=cell("ghost.x"))
    context = Context(one, solve)

    def silent(goals: Sequence[Goal]) -> Mapping[str, Answer]:
        return {goal.name: Answer(UNKNOWN, reason="no answer today") for goal in goals}

    context.asker.solve = silent
    found = difference(context, other)
    assert found is not None and found.text == "hw.x after put" and not found.decided


# Against a search of all states -------------------------------------------------------------------


@st.composite
def alike(draw: st.DrawFn) -> tuple[Random, Switch]:
    """A random system, and one in which a part is that of another one."""
    one, two = draw(systems()), draw(systems())
    system = one.system
    steps, accesses = list(system.steps), list(system.accesses)
    relations = draw(st.sampled_from([r for r in (steps, accesses) if r]))
    at = draw(st.integers(0, len(relations) - 1))
    post = draw(st.sampled_from(two.system.relations())).post
    name = draw(st.sampled_from(list(post)))
    old = relations[at].post.get(name, cell(name, 2))
    some = cell("k.x", 2).eq(draw(st.integers(0, 3)))
    new = t.ite(some, post[name], old) if draw(st.booleans()) else post[name]
    relations[at] = replace(relations[at], post={**relations[at].post, name: new})
    other = replace(system, steps=steps, accesses=accesses)
    other.points = {
        phase: replace(
            point, cells={**point.cells, **next(s for s in steps if s.name == point.step).post}
        )
        for phase, point in system.points.items()
    }
    return one, other


def differs(one: Random, other: Switch) -> bool:
    """A state that the first system reaches, from which the other one goes elsewhere."""
    for at, env in one.states():
        pairs = zip(one.system.relations(), other.relations(), strict=True)
        for (a, b), values in itertools.product(pairs, inputs()):
            here = {**env, **values}
            if a.start == at and all(t.evaluate(a.assumes, here)):
                for name in {**a.post, **b.post}:
                    ends = [r.post.get(name, cell(name, 2)) for r in (a, b)]
                    if len(set(t.evaluate(ends, here))) > 1:
                        return True
    return False


@settings(max_examples=80)
@given(alike())
def test_the_same_is_the_same_in_all_reachable_states(example: tuple[Random, Switch]) -> None:
    one, other = example
    if difference(Context(one.system, solve), other) is None:
        assert not differs(one, other)


def test_the_search_finds_differences() -> None:
    y = cell("hw.y", 2)
    system = switch({"k.x": t.const(0, 2), "hw.y": t.const(0, 2)}, {"hw.y": y & 1})

    def after(value: Term) -> Switch:
        return replace(system, steps=[replace(system.steps[0], post={"hw.y": value})])

    example = Random(system, t.false, "put")
    assert not differs(example, after(y & 2))  # which is 0 in all states that are reached
    assert differs(example, after(y ^ 1))
    assert difference(Context(system, solve), after(y ^ 1)) is not None


@settings(max_examples=40)
@given(alike())
def test_what_is_known_of_a_like_switch_proves_nothing_false(
    example: tuple[Random, Switch],
) -> None:
    one, other = example
    prop = never(violation(one.bad, one.phase))
    judge = Judge(other, solve, Context(one.system, solve))
    (result,) = judge.judge([prop])
    reachable = Random(other, one.bad, one.phase)
    for location, env in reachable.states():
        assert all(t.evaluate(judge.context.invariant[location], env))
    if result.verdict != "unknown":
        assert (result.verdict == "refuted") == reachable.bad_is_reachable()
