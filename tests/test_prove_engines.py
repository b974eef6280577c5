"""Verdicts on hand-made switches, and on random ones against a search of all their states."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_encode_term import truths, vectors
from verify.encode import term as t
from verify.encode.execute import Fault
from verify.encode.switch import STATE, Point, Read, Relation, Switch, renamed
from verify.encode.term import Term
from verify.errors import InternalError
from verify.ir.program import Program
from verify.prove.ask import Asker
from verify.prove.context import Context
from verify.prove.goal import Answer, Goal
from verify.prove.invariant import Fact, infer
from verify.prove.judge import Judge, Judgement
from verify.prove.process import solve_all
from verify.prove.property import (
    READ,
    SECOND,
    Agree,
    Pairing,
    Property,
    Violation,
    simply,
)
from verify.target import Target

Solve = Callable[[Sequence[Goal]], Mapping[str, Answer]]


def solve(goals: Sequence[Goal]) -> Mapping[str, Answer]:
    assert len({g.name for g in goals}) == len(goals)
    return {g.name: a for g, a in solve_all(goals, jobs=2, timeout=20)}


# Building switches --------------------------------------------------------------------------------


def cell(name: str, width: int = 8) -> Term:
    return t.var(STATE + name, width)


def switch(
    initial: Mapping[str, Term],
    cycle: Mapping[str, Term],
    accesses: Sequence[Relation] = (),
    assumes: Sequence[Term] = (),
    reads: Mapping[tuple[str, int, int], Read] = {},
    **more: Any,
) -> Switch:
    """A switch whose state after put is that after the cycle; registers are those of `reads`."""
    registers = [
        SimpleNamespace(name=n, count=1, cell="hw." + n, ghost="ghost." + n) for n, _, _ in reads
    ]
    target = SimpleNamespace(
        host_visible=("hw.",),
        registers=lambda program: registers,
        cells=lambda program: {name: value.width for name, value in initial.items()},
        objects={},
        transient=(),
        parameters=(),
        settings=(),
        platform=lambda name: name.startswith("init/host"),
    )
    result = Switch(cast(Target, target), cast(Program, None), **more)
    result.initial = dict(initial)
    result.steps = [Relation("put", dict(cycle), tuple(assumes))]
    result.accesses = list(accesses)
    result.reads = dict(reads)
    result.enumerated = {key[:2]: t.true for key in reads}
    before = {name: cell(name, value.width) for name, value in initial.items()}
    result.points = {"put": Point("put", {**before, **cycle}, (), ())}
    return result


def split(system: Switch, run: Relation, put: Relation) -> None:
    """Make of a switch's only step one that leads away, which others follow and lead back."""
    first = replace(system.steps[0], name="load", end="away")
    system.steps = [
        first,
        replace(run, name="run", start="away", end="away"),
        replace(put, name="put", start="away"),
    ]
    before = {name: cell(name, value.width) for name, value in system.initial.items()}
    system.points = {
        step.name: Point(step.name, {**before, **step.post}, (), ()) for step in system.steps
    }


def violation(
    bad: Term, phase: str = READ, assumes: tuple[Term, ...] = (), pair: Pairing | None = None
) -> Violation:
    return Violation(
        "hw.x", phase, bad, t.true, t.true, "", lambda m: (None, None, None), assumes, pair
    )


def never(*bad: Term | Violation, premise: Term = t.true, **more: Any) -> Property:
    """The property that none of these can happen."""
    violations = [b if isinstance(b, Violation) else violation(b) for b in bad]
    return Property("p", "f", "", simply(violations), ("put", premise), "the premise", **more)


def judge(system: Switch, prop: Property, ask: Solve = solve) -> Judgement:
    (result,) = Judge(system, ask).judge([prop])
    return result


def verdict(system: Switch, prop: Property) -> tuple[str, int]:
    """The verdict, and how many steps after setup the run takes that refutes it."""
    result = judge(system, prop)
    assert (result.verdict == "unknown") == bool(result.reason)
    if result.verdict != "refuted":
        assert result.scenario is None
        return result.verdict, 0
    assert result.scenario is not None
    assert all(t.evaluate(result.scenario.assertions, result.model))
    return result.verdict, len(result.scenario.steps) - 1


X, Y = cell("k.x"), cell("k.y")
B, C = cell("k.b", 1), cell("k.c", 1)
IN = t.var("in/v", 8)
NO, YES = t.const(0, 1), t.const(1, 1)
ZERO = t.const(0, 8)


# One run ------------------------------------------------------------------------------------------


def test_a_bad_state_without_successor_is_seen() -> None:
    """init !b, trans !b & b', property !b: one step, after which nothing can happen."""
    stuck = switch({"k.b": NO}, {"k.b": YES}, assumes=[B.eq(NO)])
    assert verdict(stuck, never(B.eq(YES))) == ("refuted", 1)


def test_a_bad_end_of_a_cycle_is_seen() -> None:
    system = switch({"k.b": NO}, {"k.b": YES}, assumes=[B.eq(NO)])
    assert verdict(system, never(violation(t.true, "put"))) == ("refuted", 1)


def test_proved_as_it_is_inductive() -> None:
    system = switch({"k.x": ZERO}, {"k.x": X & 0x0F})
    assert verdict(system, never(X.eq(0x10), violation((X & 0x0F).eq(0x10), "put")))[0] != "proved"
    system = switch({"hw.x": ZERO}, {"hw.x": cell("hw.x") & 0xF0})
    assert verdict(system, never(cell("hw.x").eq(1))) == ("proved", 0)


@pytest.mark.parametrize(("cycles", "expected"), [(0, ("refuted", 0)), (1, ("refuted", 1))])
def test_refuted_after_few_cycles(cycles: int, expected: tuple[str, int]) -> None:
    counts = switch({"k.x": ZERO}, {"k.x": X + 1})
    assert verdict(counts, never(X.eq(cycles))) == expected


def test_what_takes_many_cycles_is_not_decided() -> None:
    counts = switch({"k.x": ZERO}, {"k.x": t.ite(X.ult(9), X + 1, X)})
    result = judge(counts, never(X.eq(7)))
    assert result.verdict == "unknown" and "no run of up to 2 switches" in result.reason


def test_an_access_between_a_round_and_the_last_one_is_tried() -> None:
    """Only what the access writes once a round is over goes wrong, and a round must follow."""
    write = Relation("write", {"k.x": t.ite(B.eq(YES), t.const(7, 8), X)}, ())
    system = switch({"k.x": ZERO, "k.b": NO}, {"k.b": YES}, [write])
    assert verdict(system, never(violation(X.eq(7), "put"))) == ("refuted", 4)


def test_one_refuted_property_is_enough() -> None:
    counts = switch({"k.x": ZERO}, {"k.x": X + 1})
    late, soon, kept = never(X.eq(1)), never(X.eq(0)), never(X.eq(X + 1))
    asked: list[str] = []

    def ask(goals: Sequence[Goal]) -> Mapping[str, Answer]:
        asked.extend(goal.name for goal in goals)
        return solve(goals)

    properties = [replace(p, name=n) for p, n in ((kept, "kept"), (soon, "soon"), (late, "late"))]
    found = Judge(counts, ask).judge_until_refuted(properties)
    assert [j.verdict for j in found] == ["proved", "refuted", "unknown"]
    assert asked[asked.index("soon") :] == ["soon", "model soon"]
    found = Judge(counts, ask).judge_until_refuted(properties[::2])
    assert [j.verdict for j in found] == ["proved", "refuted"]


def test_true_beyond_the_templates_is_not_decided() -> None:
    """Only even numbers are reached, and no template says so."""
    system = switch({"k.x": ZERO}, {"k.x": X + 2})
    assert judge(system, never(X.eq(1))).verdict == "unknown"


def test_one_of_few_values_is_an_invariant() -> None:
    """Hardware has 0 or what the host wants while the guest runs."""
    hw, host = cell("hw.x"), t.var("init/host", 8)
    system = switch({"hw.x": host}, {"hw.x": t.ite(t.var("in/hit", 0), host, ZERO)})
    split(system, Relation("run", {}, ()), Relation("put", {"hw.x": hw}, ()))
    other = violation(hw.ne(0) & hw.ne(host), "put")
    assert verdict(system, never(other)) == ("proved", 0)
    system.steps[1] = replace(system.steps[1], post={"hw.x": t.ite(t.var("in/hit", 0), hw, IN)})
    assert verdict(system, never(other))[0] != "proved"


def saved(load: Term | None = None, write: Mapping[str, Term] | None = None) -> Switch:
    """Hardware is loaded from a kernel cell; an access writes this and the ghost."""
    kernel, ghost = cell("k.x"), cell("ghost.x")
    write = write or {"k.x": IN, "ghost.x": IN}
    return switch(
        {"k.x": ZERO, "ghost.x": ZERO, "hw.x": t.var("init/hw", 8)},
        {"hw.x": kernel if load is None else load},
        [Relation("write", dict(write), ())],
        reads={("x", 0, 0): Read(t.true, kernel, ghost, ())},
    )


def test_proved_by_an_inferred_invariant() -> None:
    loaded = violation(cell("k.x").ne(cell("ghost.x")), "put")
    system = saved()
    assert cell("k.x").eq(cell("ghost.x")) in Context(system, solve).invariant[""]
    assert verdict(system, never(loaded)) == ("proved", 0)


def test_an_access_that_breaks_the_invariant_is_seen() -> None:
    loaded = violation(cell("k.x").ne(cell("ghost.x")), "put")
    system = saved(write={"k.x": IN & 0x7F, "ghost.x": IN})
    assert verdict(system, never(loaded)) == ("refuted", 2)


def test_an_access_with_a_narrow_input_keeps_the_invariant() -> None:
    loaded = violation(cell("k.x").ne(cell("ghost.x")), "put")
    system = saved(write={"k.x": IN & 0x7F, "ghost.x": IN})
    system.accesses = [Relation("write", system.accesses[0].post, (IN.ult(0x80),))]
    assert verdict(system, never(loaded)) == ("proved", 0)


def test_a_setup_that_breaks_the_invariant_is_seen() -> None:
    loaded = violation(cell("k.x").ne(cell("ghost.x")), "put")
    system = saved()
    system.initial["k.x"] = t.const(1, 8)
    assert cell("k.x").eq(cell("ghost.x")) not in Context(system, solve).invariant[""]
    assert verdict(system, never(loaded))[0] == "refuted"


def test_kernel_cells_hold_what_the_hardware_can_that_they_go_into() -> None:
    """The signed numbers of 4 bits, which no mask says."""

    def short(x: Term) -> Term:
        return x.extract(3, 0).sext(8).eq(x)

    goes_in = violation(t.negate(short(cell("k.x"))), "put")
    system = saved(write={"k.x": IN, "ghost.x": IN})
    system.legal = [short(cell("hw.x"))]
    system.accesses = [Relation("write", system.accesses[0].post, (short(IN),))]
    system.config = [short(t.var("init/hw", 8))]
    assert verdict(system, never(goes_in)) == ("proved", 0)
    system.accesses = [Relation("write", system.accesses[0].post, ())]
    assert short(cell("k.x")) not in Context(system, solve).invariant[""]


def test_kernel_cells_are_ghosts_where_one_step_writes_both() -> None:
    kept, ghost = cell("k.kept"), cell("ghost.kept")
    start = {"hw.x": t.var("init/hw", 8), "k.x": ZERO, "k.kept": ZERO, "ghost.kept": ZERO}
    system = switch(start, {"k.kept": cell("hw.x"), "ghost.kept": cell("hw.x"), "hw.x": X})
    split(system, Relation("run", {"hw.x": IN}, ()), Relation("put", {"hw.x": kept}, ()))
    lost = violation(system.points["put"].cells["hw.x"].ne(ghost), "put")
    assert kept.eq(ghost) in Context(system, solve).invariant["away"]
    assert verdict(system, never(lost)) == ("proved", 0)
    system.steps[0] = replace(system.steps[0], post={"k.kept": X, "ghost.kept": cell("hw.x")})
    assert kept.eq(ghost) not in Context(system, solve).invariant["away"]


def mapped(derived: Term) -> Switch:
    """An access derives bit 0 of a map from what it writes, when that is another value."""
    register, ghost = cell("k.x"), cell("ghost.x")
    start = {"k.x": ZERO, "ghost.x": ZERO, "k.map": ZERO, "hw.x": ZERO}
    post = {"k.x": IN, "ghost.x": IN, "k.map": t.ite(IN.ne(register), derived, cell("k.map"))}
    reads = {("x", 0, 0): Read(t.true, register, ghost, ())}
    return switch(start, {"hw.x": register}, [Relation("write", post, ())], reads=reads)


def test_bits_of_a_map_follow_what_they_are_derived_from() -> None:
    bits, ghost = cell("k.map"), cell("ghost.x")
    wrong = bits.extract(0, 0).ne(t.ite(ghost.eq(5), YES, NO))
    derived = t.ite(IN.eq(5), bits | 1, bits & 0xFE)
    assert verdict(mapped(derived), never(wrong)) == ("proved", 0)
    # Never cleared: seen after two writes, which are in two batches.
    assert verdict(mapped(t.ite(IN.eq(5), bits | 1, bits)), never(wrong)) == ("refuted", 3)


def test_a_bit_that_is_cleared_late_is_still_set_in_time() -> None:
    """What is derived again only when it sets the bit: no bit is missing, one may be left."""
    bits, ghost = cell("k.map"), cell("ghost.x")
    late = mapped(t.ite(IN.eq(5), bits | 1, t.ite(IN.ult(5), bits & 0xFE, bits)))
    missing = ghost.eq(5) & bits.extract(0, 0).eq(0)
    assert verdict(late, never(missing)) == ("proved", 0)
    assert verdict(late, never(bits.extract(0, 0).eq(1) & ghost.ne(5)))[0] == "refuted"


def test_the_configuration_is_respected() -> None:
    limit = t.var("config/limit", 8)
    system = switch({"hw.x": ZERO}, {"hw.x": t.ite(IN.ult(limit), IN, ZERO)}, config=[limit.ult(5)])
    after = system.steps[0].post["hw.x"]
    assert verdict(system, never(violation(after.eq(4), "put"))) == ("proved", 0)
    assert verdict(system, never(violation(after.eq(3), "put"))) == ("refuted", 1)
    system.pinned.append(limit.eq(2))
    assert verdict(system, never(violation(after.eq(3), "put"))) == ("proved", 0)


# What makes a proof worthless ---------------------------------------------------------------------


def test_a_premise_that_nothing_meets_is_vacuous() -> None:
    system = saved()
    result = judge(system, never(cell("k.x").ne(cell("ghost.x")), premise=IN.ult(IN)))
    assert (result.verdict, result.reason) == (
        "unknown",
        "vacuous: it never comes to this: the premise",
    )
    after = never(cell("k.x").ne(cell("ghost.x")), premise=cell("hw.x").eq(3) & X.eq(0))
    assert judge(system, after).verdict == "proved"


def test_a_contradictory_configuration_proves_nothing() -> None:
    limit = t.var("config/limit", 8)
    system = switch({"k.x": ZERO}, {"k.x": X + 1}, config=[limit.ult(5), t.const(9, 8).ult(limit)])
    assert verdict(system, never(X.eq(1)))[0] == "unknown"


def test_a_partial_relation_proves_nothing() -> None:
    """No input is possible in a cycle from x == 7, so nothing follows from no bad successor."""
    system = switch({"k.x": ZERO}, {"k.x": IN}, assumes=[IN.ult(9), X.ne(7) | IN.ult(0)])
    result = judge(system, never(violation(t.const(8, 8).ult(IN), "put")))
    assert result.verdict == "unknown" and "total put" in result.reason
    system.steps[0] = Relation("put", system.steps[0].post, (IN.ult(9),))
    assert verdict(system, never(violation(t.const(8, 8).ult(IN), "put"))) == ("proved", 0)


def test_a_partial_access_proves_nothing() -> None:
    system = saved()
    system.accesses.append(Relation("stuck", {"k.x": ZERO, "ghost.x": ZERO}, (X.eq(0),)))
    result = judge(system, never(cell("k.x").ne(cell("ghost.x"))))
    assert result.verdict == "unknown" and "total stuck" in result.reason


def test_an_emulated_read_that_cannot_happen_proves_nothing() -> None:
    system = saved()
    value = t.var("in/read", 8)
    system.reads["x", 0, 0] = Read(t.true, value, ZERO, (value.ult(1), X.ult(1)))
    wrong = violation(value.ne(0), READ, system.reads["x", 0, 0].assumes)
    assert judge(system, never(wrong)).verdict == "unknown"


def test_hardware_must_stay_legal() -> None:
    hw = cell("hw.x")
    legal = [hw.ult(16)]
    wide = switch({"hw.x": ZERO}, {"hw.x": IN}, legal=legal)
    assert judge(wide, never(hw.eq(20))).verdict == "unknown"
    narrow = switch({"hw.x": ZERO}, {"hw.x": IN & 15}, legal=legal)
    assert verdict(narrow, never(hw.eq(20))) == ("proved", 0)
    narrow.accesses = [Relation("write", {"hw.x": IN}, ())]
    assert judge(narrow, never(hw.eq(20))).verdict != "proved"


def test_a_path_that_can_fault_proves_nothing() -> None:
    system = saved()
    prop = never(cell("k.x").ne(cell("ghost.x")))
    fault = Fault("file.c", 1, "null pointer", X.eq(3))
    system.steps[0] = Relation("put", system.steps[0].post, (), (fault,))
    result = judge(system, prop)
    assert result.verdict == "unknown" and "null pointer" in result.reason
    none = Fault("file.c", 1, "null pointer", cell("k.x").ne(cell("ghost.x")))
    system.steps[0] = Relation("put", system.steps[0].post, (), (none,))
    assert judge(system, prop).verdict == "proved"


def test_two_relations_of_one_name_are_an_internal_error() -> None:
    system = saved()
    system.accesses.append(Relation("write", {"k.x": IN}, ()))
    with pytest.raises(InternalError, match="write"):
        judge(system, never(cell("k.x").ne(cell("ghost.x"))))


# Solvers that do not answer -----------------------------------------------------------------------


SILENT = Answer("unknown", reason="no answer today")


@dataclass(slots=True)
class Mute:
    """Answers all goals but those in which one of these terms is an alternative, or the one with
    this number in the order of asking.

    `excluded`: the alternatives that were found impossible.
    """

    silent: int | Term | None = None
    count: int = 0
    excluded: dict[Term, None] = field(default_factory=dict)

    def __call__(self, goals: Sequence[Goal]) -> Mapping[str, Answer]:
        answers = dict(solve(goals))
        for goal in goals:
            self.count += 1
            answer = answers[goal.name]
            for i, term in enumerate(goal.alternatives or ()):
                if i not in answer.possible and term is not t.false:
                    self.excluded[term] = None
            if self.count == self.silent or self.silent in (goal.alternatives or ()):
                answers[goal.name] = SILENT
        return answers


def answered() -> tuple[Switch, Property]:
    """A property that takes an answer to every kind of goal to be proved."""
    ghost, start = cell("ghost.x"), t.var("init/v", 8)
    system = saved()
    system.initial |= {"k.x": start & 3, "ghost.x": start - (start & 0xFC)}
    system.legal = [cell("hw.x").ult(16)]
    post = {"hw.x": X + IN - ghost, "k.x": X + IN}
    system.steps[0] = Relation("put", post, ((X + IN).eq(ghost),))
    return system, never(violation((X + IN).ne(ghost), "put"), X.ne(ghost))


def test_no_answer_is_no_proof() -> None:
    """A proof stands on what is excluded: without any one of these answers it is none."""
    system, prop = answered()
    everything = Mute()
    assert judge(system, prop, everything).verdict == "proved"
    # That k.x has no other bits than the ghost follows from that they are equal.
    ghost = cell("ghost.x")
    needless = (X + IN).eq(ghost) & ((X + IN) & ~ghost).ne(0)
    needed = [term for term in everything.excluded if term is not needless]
    assert len(needed) >= 2
    for term in needed:
        result = judge(system, prop, Mute(term))
        assert result.verdict == "unknown" and result.reason


def test_no_answer_refutes_nothing() -> None:
    counts, prop = switch({"k.x": ZERO}, {"k.x": X + 1}), never(X.eq(1))
    everything = Mute()
    assert judge(counts, prop, everything).verdict == "refuted"
    for number in range(1, everything.count + 1):
        assert judge(counts, prop, Mute(number)).verdict != "proved"


# Two runs -----------------------------------------------------------------------------------------

SECRET = Pairing("", lambda name: "secret" in name or name.startswith(STATE + "hw."))
HIDDEN = t.var("in/secret", 8)


def leaks(system: Switch, observed: Term, pair: Pairing = SECRET) -> Property:
    """Nothing of the secret is in `observed`, however it got there."""

    def violations(agree: Agree) -> Sequence[Violation]:
        wider = agree(pair, "put")
        (other,) = renamed([observed], SECOND, wider.secret)
        return [violation(observed.ne(other), "put", pair=wider)]

    return Property("p", "f", "", violations, ("put", t.true), "the premise")


def test_a_secret_in_sight() -> None:
    system = switch({"k.x": ZERO}, {"k.x": X})
    assert verdict(system, leaks(system, HIDDEN & 1)) == ("refuted", 1)
    assert verdict(system, leaks(system, HIDDEN & 1 ^ HIDDEN & 1)) == ("proved", 0)
    assert verdict(system, leaks(system, IN)) == ("proved", 0)


def test_a_secret_that_travels_through_a_cell() -> None:
    """The secret goes to x in one cycle, to y in the next, and then it shows."""
    one = switch({"k.x": ZERO}, {"k.x": HIDDEN})
    assert verdict(one, leaks(one, X))[0] == "refuted"
    two = switch({"k.x": ZERO, "k.y": ZERO}, {"k.x": HIDDEN, "k.y": X})
    assert judge(two, leaks(two, Y)).verdict != "proved"
    scrubbed = switch({"k.x": ZERO, "k.y": ZERO}, {"k.x": HIDDEN & 0, "k.y": X})
    assert verdict(scrubbed, leaks(scrubbed, Y)) == ("proved", 0)


def test_a_secret_that_an_access_carries() -> None:
    access = Relation("copy", {"k.y": X}, ())
    system = switch({"k.x": ZERO, "k.y": ZERO}, {"k.x": HIDDEN}, [access])
    assert judge(system, leaks(system, Y)).verdict != "proved"


def test_a_secret_of_the_setup() -> None:
    system = switch({"k.x": t.var("init/secret", 8)}, {"k.x": X})
    assert judge(system, leaks(system, X)).verdict != "proved"


def between_guests(system: Switch, observed: Term) -> Property:
    """Nothing of one vCPU's secret is in what the next one observes."""
    first = Pairing("", lambda name: "secret" in name)

    def violations(agree: Agree) -> Sequence[Violation]:
        known = agree(first, READ).secret
        hardware = [STATE + c for c in system.initial if c.startswith("hw.")]
        left = frozenset(name for name in hardware if known(name))
        second = agree(Pairing("", left.__contains__), "put")
        (other,) = renamed([observed], SECOND, second.secret)
        return [violation(observed.ne(other), "put", pair=second)]

    return Property("p", "f", "", violations, ("put", t.true), "the premise", after=first)


def test_a_secret_left_for_the_next_guest() -> None:
    hw, start = cell("hw.x"), {"k.x": ZERO, "hw.x": t.var("init/host", 8)}
    dirty = switch(start, {"hw.x": HIDDEN})
    assert verdict(dirty, between_guests(dirty, hw)) == ("refuted", 3)
    scrubbed = switch(start, {"hw.x": HIDDEN & 0})
    assert verdict(scrubbed, between_guests(scrubbed, hw)) == ("proved", 0)
    # the second guest's own cycle scrubs it before it looks
    assert verdict(dirty, between_guests(dirty, hw & 0)) == ("proved", 0)
    # a software copy belongs to one vCPU
    private = switch(start, {"k.x": HIDDEN, "hw.x": hw & 0})
    assert verdict(private, between_guests(private, X)) == ("proved", 0)


# Against a search of all states -------------------------------------------------------------------

NAMES = ("a", "b", "c")


@dataclass(frozen=True, slots=True)
class Random:
    """A system of two cells of 2 bits, with an input of 2 bits, a secret and a constant."""

    system: Switch
    bad: Term
    phase: str

    def successors(self, at: str, env: dict[str, int]) -> Iterable[tuple[str, dict[str, int]]]:
        for relation in self.system.relations():
            for values in inputs() if relation.start == at else ():
                here = {**env, **values}
                if all(t.evaluate(relation.assumes, here)):
                    names = list(relation.post)
                    ends = t.evaluate([relation.post[n] for n in names], here)
                    after = {STATE + n: v for n, v in zip(names, ends, strict=True)}
                    yield relation.end, {**env, **after}

    def starts(self) -> Iterable[dict[str, int]]:
        names = list(self.system.initial)
        for constant, start in itertools.product(range(4), repeat=2):
            env = {"config/c": constant, "init/i": start}
            if all(t.evaluate([*self.system.config], env)):
                values = t.evaluate([self.system.initial[n] for n in names], env)
                yield {**env, **{STATE + n: v for n, v in zip(names, values, strict=True)}}

    def is_bad(self, at: str, env: dict[str, int]) -> bool:
        step = None if self.phase == READ else self.system.step(self.phase)
        if at != (step.start if step else self.system.home):
            return False
        assumes = step.assumes if step else ()
        return any(all(t.evaluate([*assumes, self.bad], {**env, **v})) for v in inputs())

    def states(self) -> Iterable[tuple[str, dict[str, int]]]:
        """All reachable states."""
        seen: set[tuple[str, tuple[int, ...]]] = set()
        todo = [(self.system.home, env) for env in self.starts()]
        while todo:
            at, env = todo.pop()
            key = at, tuple(env.values())
            if key not in seen:
                seen.add(key)
                yield at, env
                todo.extend(self.successors(at, env))

    def bad_is_reachable(self) -> bool:
        return any(self.is_bad(at, env) for at, env in self.states())


def inputs() -> list[dict[str, int]]:
    return [{"in/v": v} for v in range(4)]


def over(term: Term, a: Term, b: Term, c: Term) -> Term:
    """The term with the variables a.., b.., others (of any width) replaced by three of 2 bits."""
    mapping = {}
    for v in t.free_vars([term]):
        base = {"a": a, "b": b}.get(str(v.name)[0], c)
        mapping[v] = base.zext(v.width) if v.width >= 2 else base.extract(v.width - 1, 0)
    return t.substitute([term], mapping)[0]


@st.composite
def systems(draw: st.DrawFn) -> Random:
    x, y = cell("k.x", 2), cell("hw.y", 2)
    v, c, i = t.var("in/v", 2), t.var("config/c", 2), t.var("init/i", 2)

    def value(depth: int, *variables: Term) -> Term:
        return over(draw(vectors(2, depth))[0], *variables)

    def truth(depth: int, *variables: Term) -> Term:
        return over(draw(truths(depth))[0], *variables)

    def relation(name: str) -> Relation:
        third = draw(st.sampled_from([v, c]))
        post = {"k.x": value(1, x, y, third), "hw.y": value(1, x, third, v)}
        if draw(st.booleans()):
            del post[draw(st.sampled_from(["k.x", "hw.y"]))]
        assumes = (truth(1, x, v, y),) if draw(st.integers(0, 3)) == 0 else ()
        return Relation(name, post, assumes)

    cycle = relation("put")
    system = switch(
        {"k.x": value(1, i, c, i), "hw.y": value(1, i, c, c)},
        cycle.post,
        [relation("access")] if draw(st.booleans()) else [],
        cycle.assumes,
        config=[truth(1, c, c, c)] if draw(st.booleans()) else [],
    )
    if draw(st.booleans()):
        split(system, relation("run"), relation("back"))
    phase = draw(st.sampled_from([READ, *system.points]))
    bad = truth(1, x, y, c if phase == READ else v)
    if phase != READ:
        ends = system.step(phase).post
        (bad,) = t.substitute([bad], {cell(n, 2): e for n, e in ends.items()})
    return Random(system, t.conj([bad, truth(1, x, y, c)]), phase)


@settings(max_examples=60)
@given(systems())
def test_verdicts_are_true(example: Random) -> None:
    got = verdict(example.system, never(violation(example.bad, example.phase)))[0]
    if got == "proved":
        assert not example.bad_is_reachable()
    elif got == "refuted":
        assert example.bad_is_reachable()


@settings(max_examples=40)
@given(systems())
def test_inferred_invariants_hold_in_all_reachable_states(example: Random) -> None:
    invariant = Context(example.system, solve).invariant
    for location, env in example.states():
        assert all(t.evaluate(invariant[location], env))


def part_of(system: Switch, quiet: Term) -> Switch:
    """The switch with those of its runs only in which the inputs of steps are `quiet`."""
    part = replace(system, accesses=[])
    part.steps = [replace(s, assumes=(*s.assumes, quiet)) for s in system.steps]
    return part


@settings(max_examples=40)
@given(systems())
def test_what_a_part_of_the_runs_loses_is_lost_by_all(example: Random) -> None:
    quiet = Context(part_of(example.system, t.var("in/v", 2).eq(0)), solve)
    found = Context(example.system, solve, part=quiet).invariant
    for location in example.system.locations():
        assert quiet.lost.isdisjoint(Fact(location, term) for term in found[location])
        for env in (e for where, e in example.states() if where == location):
            assert all(t.evaluate(found[location], env))


def test_what_a_part_of_the_runs_keeps_is_looked_at_again() -> None:
    x = cell("hw.x")
    system = switch({"hw.x": ZERO}, {"hw.x": t.ite(IN.eq(1), IN, x)})
    quiet = Context(part_of(system, IN.eq(0)), solve)
    assert x.eq(0) in quiet.invariant[system.home]
    assert x.eq(0) not in Context(system, solve, part=quiet).invariant[system.home]


def test_what_no_hypothesis_says_is_not_taken_from_where_a_step_starts() -> None:
    # At home k.x may be anything, and only a form that was not needed says that it is 0.
    system = switch({"k.x": t.var("init/v", 8), "k.y": ZERO}, {})
    split(system, Relation("", {}, ()), Relation("", {}, ()))
    zero, holds = X.eq(0), cell("k.y").eq(0)
    guesses = [
        (Fact(system.home, holds), Fact(system.home, zero)),
        (Fact("away", holds),),
        (Fact("away", zero),),
    ]
    found = infer(system, [], {}, Asker(solve), guesses).invariant
    assert found == {system.home: [holds], "away": [holds]}


# Two runs against a search of all pairs of states -------------------------------------------------

OBSERVED_SECRETS = Pairing("", lambda name: "secret" in name)


@st.composite
def leaky(draw: st.DrawFn) -> tuple[Switch, Term]:
    """A system with a secret input of 1 bit in some places, and what is observed of each cycle."""
    x, y = cell("k.x", 2), cell("k.y", 2)
    public, secret = t.var("in/v", 1).zext(2), t.var("in/secret", 1).zext(2)

    def value(*variables: Term) -> Term:
        return over(draw(vectors(2, 1))[0], *variables)

    def relation(name: str) -> Relation:
        post = {
            "k.x": value(x, public, draw(st.sampled_from([y, secret]))),
            "k.y": value(y, public, x),
        }
        assumes = (value(x, public, secret).ne(0),) if draw(st.integers(0, 3)) == 0 else ()
        return Relation(name, post, assumes)

    cycle = relation("put")
    accesses = [relation("access")] if draw(st.booleans()) else []
    start = {"k.x": t.var("init/i", 2), "k.y": t.const(0, 2)}
    system = switch(start, cycle.post, accesses, cycle.assumes)
    if draw(st.booleans()):
        split(system, relation("run"), relation("back"))
    return system, value(x, y, public) & draw(st.sampled_from([1, 2, 3]))


@settings(max_examples=40)
@given(leaky())
def test_verdicts_on_leaks_are_true_after_a_part_of_the_runs(example: tuple[Switch, Term]) -> None:
    system, observed = example
    prop = leaks(system, observed, OBSERVED_SECRETS)
    quiet = Context(part_of(system, t.var("in/v", 1).eq(0)), solve)
    whole = Judge(system, solve, part=quiet)
    (got,) = whole.judge([prop])
    if got.verdict != "unknown":
        assert leak_is_reachable(system, observed) == (got.verdict == "refuted")


def leak_is_reachable(system: Switch, observed: Term) -> bool:
    """A search of the pairs of states that two runs with the same public inputs can be in."""
    states = list(itertools.product(range(4), repeat=2))
    relations = system.relations()

    def row(relation: Relation, x: int, y: int, v: int, secret: int) -> tuple[int, ...] | None:
        env = {STATE + "k.x": x, STATE + "k.y": y, "in/v": v, "in/secret": secret}
        terms = [relation.post["k.x"], relation.post["k.y"], observed, *relation.assumes]
        *values, seen = t.evaluate(terms, env)[:3]
        return (*values, seen) if all(t.evaluate(relation.assumes, env)) else None

    table = {
        (r.name, x, y, v): [found for s in (0, 1) if (found := row(r, x, y, v, s)) is not None]
        for r in relations
        for x, y in states
        for v in (0, 1)
    }
    todo = [(system.home, (i, 0), (i, 0)) for i in range(4)]
    reached = set(todo)
    while todo:
        at, one, two = todo.pop()
        leads = [r for r in relations if r.start == at]
        for relation, v in itertools.product(leads, (0, 1)):
            ends = table[relation.name, *one, v], table[relation.name, *two, v]
            for (*a, seen), (*b, also) in itertools.product(*ends):
                if relation.name == "put" and seen != also:
                    return True
                pair = relation.end, (a[0], a[1]), (b[0], b[1])
                if pair not in reached:
                    reached.add(pair)
                    todo.append(pair)
    return False


@settings(max_examples=50)
@given(leaky())
def test_verdicts_on_leaks_are_true(example: tuple[Switch, Term]) -> None:
    system, observed = example
    got = verdict(system, leaks(system, observed, OBSERVED_SECRETS))[0]
    if got == "proved":
        assert not leak_is_reachable(system, observed)
    elif got == "refuted":
        assert leak_is_reachable(system, observed)
