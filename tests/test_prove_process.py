"""Solvers in processes: every goal gets one true answer, whatever a solver does."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_encode_term import Pair, environments, truths
from verify.encode import term as t
from verify.encode.smtlib import to_smtlib
from verify.encode.term import Term
from verify.errors import InternalError
from verify.prove import race
from verify.prove.goal import Answer, Goal
from verify.prove.process import solve_all
from verify.prove.solvers import SOLVERS
from verify.prove.solvers.backend import Backend
from verify.recheck.solve import _bitwuzla

X, Y = t.var("x", 8), t.var("y", 8)
P, Q = t.var("p", 0), t.var("q", 0)
SAT = Goal("sat", (X.eq(3),), ("x",))
UNSAT = Goal("unsat", (X.eq(Y), X.ult(Y) | X.eq(Y + 1)), ("x",))


Act = Callable[[Sequence[Term]], tuple[str, dict[str, int]]]


class Fake:
    """A solver that does what `act` says."""

    excuse = ""

    def __init__(self, act: Act) -> None:
        self.act = act

    def build(self, assertions: Sequence[Term]) -> list[Any]:
        return []

    def solve(self, goal: Goal, limit: float | None) -> Answer:
        return Answer(*self.act(goal.assertions))


def fake(act: Act) -> Callable[[], Backend]:
    return lambda: cast(Backend, Fake(act))


def after(seconds: float, status: str, model: Mapping[str, int] = {}) -> Callable[[], Backend]:
    return fake(lambda assertions: waited(seconds, status, model))


def waited(
    seconds: float, status: str, model: Mapping[str, int] = {}
) -> tuple[str, dict[str, int]]:
    time.sleep(seconds)
    return status, dict(model)


def killed(_: Sequence[Term]) -> tuple[str, dict[str, int]]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return "unsat", {}


def left(_: Sequence[Term]) -> tuple[str, dict[str, int]]:
    os._exit(3)


def hungry(_: Sequence[Term]) -> tuple[str, dict[str, int]]:
    return "sat", {"x": len(bytearray(1 << 29)) & 3}


def confused(_: Sequence[Term]) -> tuple[str, dict[str, int]]:
    raise ValueError("cannot")


WRONG = after(0, "sat", {"x": 4})
RIGHT = after(0, "sat", {"x": 3})
GIVES_UP = after(0, "unknown")
NEVER = after(60, "unsat")


def solve(goals: Sequence[Goal], jobs: int = 2, timeout: float = 20.0, **more: Any) -> list[Answer]:
    """Answers in the order of the goals; each goal has exactly one."""
    pairs = list(solve_all(goals, jobs=jobs, timeout=timeout, **more))
    assert sorted(id(goal) for goal, _ in pairs) == sorted(map(id, goals))
    assert no_children()
    found = {id(goal): answer for goal, answer in pairs}
    return [found[id(goal)] for goal in goals]


def no_children() -> bool:
    """Neither a process nor a zombie is left."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


@pytest.fixture(autouse=True)
def failures_are_their_own() -> Iterator[None]:
    """A test that fails may keep its processes, which the next ones must not find."""
    yield
    for file in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, file.read_text().split()):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def one(goal: Goal, timeout: float = 20.0, **solvers: Callable[[], Backend]) -> Answer:
    return solve([goal], timeout=timeout, solvers=solvers, slice_seconds=0.05)[0]


def test_answers_of_the_solvers() -> None:
    sat, unsat = solve([SAT, UNSAT])
    assert (sat.status, sat.model, sat.solver, sat.reason) == ("sat", {"x": 3}, "bitwuzla", "")
    assert (unsat.status, unsat.model, unsat.solver, unsat.reason) == ("unsat", {}, "bitwuzla", "")
    assert 0 < sat.seconds < 20


@pytest.mark.parametrize("name", SOLVERS)
def test_each_solver_alone(name: str) -> None:
    sat, unsat = solve([SAT, UNSAT], solvers={name: SOLVERS[name]})
    assert (sat.status, sat.model, unsat.status) == ("sat", {"x": 3}, "unsat")
    assert sat.solver == unsat.solver == name


def test_constants_need_no_solver() -> None:
    goals = [
        Goal("no", (X.eq(3), t.false)),
        Goal("yes", (t.true, t.true)),
        Goal("nothing", ()),
    ]
    answers = solve(goals, solvers={"none": fake(killed)})
    assert [a.status for a in answers] == ["unsat", "sat", "sat"]
    assert {a.solver for a in answers} == {"simplifier"}


def test_no_goals() -> None:
    assert solve([]) == []


@pytest.mark.parametrize(
    ("wanted", "names"), [(None, {"x", "y", "p"}), ((), set()), (("y", "none"), {"y"})]
)
def test_what_is_wanted(wanted: tuple[str, ...] | None, names: set[str]) -> None:
    (answer,) = solve([Goal("g", (X.ult(Y), P), wanted)])
    assert (answer.status, set(answer.model)) == ("sat", names)


def test_many_goals() -> None:
    goals = [Goal(f"g{i % 7}", (X.eq(i), (X & 1).eq(0)), ("x",)) for i in range(200)]
    for i, answer in enumerate(solve(goals, jobs=3)):
        assert answer.status == ("unsat" if i % 2 else "sat")
        assert answer.model == ({} if i % 2 else {"x": i})


def test_more_terms_after_a_batch() -> None:
    assert solve([SAT])[0].status == "sat"
    later = t.var("made later", 33)
    assert solve([Goal("g", ((later * 3).eq(21), later.ult(100)), None)])[0].model == {
        "made later": 7
    }


def test_time_out() -> None:
    began = time.monotonic()
    answer = one(SAT, 0.4, a=NEVER, b=NEVER)
    assert (answer.status, answer.solver) == ("unknown", "")
    assert answer.reason == "time-out after 0.4 s (a, b)"
    assert 0.4 <= answer.seconds <= time.monotonic() - began < 10


def test_time_out_leaves_other_goals_alone() -> None:
    def act(assertions: Sequence[Term]) -> tuple[str, dict[str, int]]:
        return waited(60 if assertions[0] is SAT.assertions[0] else 0, "unsat")

    answers = solve([SAT, *[UNSAT] * 5], jobs=1, timeout=2, solvers={"a": fake(act)})
    assert [a.status for a in answers] == ["unknown"] + ["unsat"] * 5


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (fake(killed), f"bad crashed (signal {signal.SIGSEGV.value})"),
        (fake(left), "bad ended without an answer (exit status 3)"),
        (fake(confused), "bad failed: ValueError: cannot"),
        (GIVES_UP, "bad gave up"),
        (WRONG, "bad gave a wrong model"),
    ],
)
def test_failures(bad: Callable[[], Backend], reason: str) -> None:
    alone = one(SAT, bad=bad)
    assert (alone.status, alone.reason, alone.solver) == ("unknown", reason, "")
    helped = one(SAT, bad=bad, good=RIGHT)
    assert (helped.status, helped.solver, helped.reason) == ("sat", "good", "")
    both = one(SAT, bad=bad, worse=bad)
    assert both.status == "unknown"
    assert set(both.reason.split("; ")) == {reason, "worse" + reason.removeprefix("bad")}


def test_failures_of_a_solver_that_helps() -> None:
    answer = one(SAT, slow=after(0.3, "sat", {"x": 3}), bad=fake(killed), worse=WRONG)
    assert (answer.status, answer.solver) == ("sat", "slow")


def test_solver_that_cannot_be_made() -> None:
    def make() -> Backend:
        raise ImportError("not installed")

    answer = one(SAT, a=GIVES_UP, b=make)
    assert answer.reason == "a gave up; b failed: ImportError: not installed"
    assert one(SAT, a=make, b=RIGHT).solver == "b"


def test_crash_leaves_other_goals_alone() -> None:
    def act(assertions: Sequence[Term]) -> tuple[str, dict[str, int]]:
        if assertions[0] is SAT.assertions[0]:
            killed(assertions)
        return "unsat", {}

    answers = solve([UNSAT, SAT, UNSAT, SAT, UNSAT], solvers={"a": fake(act)})
    assert [a.status for a in answers] == ["unsat", "unknown", "unsat", "unknown", "unsat"]


def test_memory_limit() -> None:
    (alone,) = solve([SAT], solvers={"a": fake(hungry)}, memory=100 << 20)
    assert (alone.status, alone.reason) == ("unknown", "a ran out of memory")
    helped = solve([SAT], solvers={"a": fake(hungry), "b": RIGHT}, memory=100 << 20)
    assert helped[0].solver == "b"


def test_memory_limit_holds_for_a_real_solver() -> None:
    a, b, c = (t.var(n, 512) for n in "abc")
    hard = Goal("hard", ((a * b * c).eq(12345677), (a * a).ult(b * c), c.ult(b)))
    for name, make in SOLVERS.items():
        (answer,) = solve([hard], solvers={name: make}, memory=60 << 20, timeout=10)
        assert answer.status == "unknown" and "memory" in answer.reason, answer


def test_race_is_won_by_whoever_answers() -> None:
    answer = one(SAT, a=NEVER, b=NEVER, c=RIGHT)
    assert (answer.status, answer.solver, answer.model) == ("sat", "c", {"x": 3})
    assert one(SAT, a=after(0.3, "sat", {"x": 3}), b=NEVER).solver == "a"


def test_no_race_within_the_slice() -> None:
    solvers = {"a": after(0.1, "sat", {"x": 3}), "b": fake(killed)}
    (answer,) = solve([SAT], solvers=solvers, slice_seconds=5)
    assert answer.solver == "a"


def test_a_model_to_be_read_is_the_first_solvers() -> None:
    """However slow the machine, so that two runs of the tool tell the same."""
    told = replace(SAT, wanted=None)
    slow = {"a": after(2, "sat", {"x": 3}), "b": RIGHT}
    assert solve([told], solvers=slow, slice_seconds=0.05)[0].solver == "a"
    assert solve([SAT], solvers=slow, slice_seconds=0.05)[0].solver == "b"
    never = {"a": NEVER, "b": RIGHT}
    assert solve([told], solvers=never, timeout=6, slice_seconds=0.05)[0].solver == "b"


def test_one_race_at_a_time() -> None:
    """Two goals that the first solver cannot do; both are raced in the end."""
    answers = solve([SAT] * 3, solvers={"a": NEVER, "b": RIGHT}, slice_seconds=0.05)
    assert {a.solver for a in answers} == {"b"}


def test_contradiction_is_an_internal_error() -> None:
    racing, begin = os.pipe()
    allowed, allow = os.pipe()

    def first(assertions: Sequence[Term]) -> tuple[str, dict[str, int]]:
        os.read(allowed if assertions[0] is SAT.assertions[0] else racing, 1)
        return "unsat", {}

    def second(assertions: Sequence[Term]) -> tuple[str, dict[str, int]]:
        os.write(begin, b"!")
        os.read(allowed, 1)
        return "sat", {"x": 3}

    solvers = {"a": fake(first), "b": fake(second)}
    run = solve_all([SAT, UNSAT], jobs=2, timeout=60, slice_seconds=0.05, solvers=solvers)
    assert next(run)[0] is UNSAT
    os.write(allow, b"!!")
    time.sleep(2)  # both solvers of the other goal answer while nobody looks
    for fd in (racing, begin, allowed, allow):
        os.close(fd)
    with pytest.raises(InternalError, match="contradict each other on sat: a says unsat, b says"):
        next(run)
    assert no_children()


def test_stopping_early_kills_all() -> None:
    run = solve_all([SAT, UNSAT, UNSAT], jobs=3, timeout=60, solvers={"a": after(0.2, "unsat")})
    next(run)
    run.close()
    assert no_children()


def test_interrupt_kills_all() -> None:
    # As ^C, not from the timer's own handler: a fork has ^C wait, as Python would lose it there.
    timer = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    key = signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(solve_all([SAT, UNSAT], jobs=2, timeout=60, solvers={"a": NEVER}))
    finally:
        signal.signal(signal.SIGALRM, timer)
        signal.signal(signal.SIGINT, key)
    assert no_children()


def test_interrupt_while_a_process_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    fork = os.fork

    def interrupted() -> int:
        signal.raise_signal(signal.SIGINT)  # waits, as a fork blocks it
        return fork()

    monkeypatch.setattr(os, "fork", interrupted)
    key = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(solve_all([SAT, UNSAT], jobs=2, timeout=60, solvers={"a": NEVER}))
    finally:
        signal.signal(signal.SIGINT, key)
    assert no_children()


_ORPHAN = """
import os, sys, time
from tests.test_prove_process import SAT, fake
from verify.prove.process import solve_all

def act(assertions):
    os.write({fd}, b"%d " % os.getpid())
    time.sleep(60)

list(solve_all([SAT] * 2, jobs=2, timeout=60, solvers={{"a": fake(act)}}))
"""


def test_children_die_with_their_parent() -> None:
    here, there = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", _ORPHAN.format(fd=there)],
        pass_fds=[there],
        cwd=Path(__file__).parents[1],
    )
    os.close(there)
    with open(here, "rb") as pids:
        seen = b""
        while seen.count(b" ") < 2:
            seen += pids.read1(100)
        parent.kill()
        parent.wait()
        # The children hold the other end.
        assert pids.read() == b""
    assert no_children()


def test_the_parent_imports_one_solver() -> None:
    code = (
        "import sys; from tests.test_prove_process import SAT; "
        "from verify.prove.process import solve_all; list(solve_all([SAT], jobs=2, timeout=9)); "
        "print([m for m in ('bitwuzla', 'z3', 'cvc5') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.strip() == "['bitwuzla']"


def test_children_are_silent(capfd: pytest.CaptureFixture[str]) -> None:
    def act(_: Sequence[Term]) -> tuple[str, dict[str, int]]:
        os.write(1, b"out")
        os.write(2, b"err")
        return "unsat", {}

    assert one(UNSAT, a=fake(act)).status == "unsat"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", SOLVERS)
def test_alternatives(name: str) -> None:
    low = t.var("low", 8, hi=3)
    goals = [
        Goal("some", (X.ult(3),), (), (X.eq(1), X.eq(3), X.eq(2), t.false, X.eq(1) & P, t.true)),
        Goal("none", (X.ult(3),), (), (X.eq(3), X.eq(4))),
        Goal("impossible", (X.ult(3), t.const(5, 8).ult(X ^ 0)), (), (t.true, P)),
        Goal("no alternatives", (X.ult(3),), (), ()),
        Goal("constants", (X.ult(3),), (), (t.false, t.false)),
        Goal("bounds", (), (), ((low + X).eq(9), (low ^ Y).eq(9) & Y.eq(2))),
        Goal("many", (X.ult(100),), (), tuple(X.eq(i) for i in range(90, 110))),
    ]
    answers = solve(goals, solvers={name: SOLVERS[name]})
    assert [sorted(a.possible) for a in answers] == [
        [0, 2, 4, 5],
        [],
        [],
        [],
        [],
        [0],
        list(range(10)),
    ]
    assert [a.status for a in answers] == ["sat" if a.possible else "unsat" for a in answers]
    assert all(not a.model and not a.reason for a in answers)
    assert answers[0].not_excluded("abcdef") == ["a", "c", "e", "f"]
    assert answers[1].not_excluded("ab") == []


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("context", [(X.ult(3),), ()])
def test_one_alternative_is_enough_for_its_subject(name: str, context: tuple[Term, ...]) -> None:
    small, large = X.eq(1) & Y.eq(1), X.ult(3) & X.eq(7)
    terms = (large, small, X.eq(2), large, X.eq(0), small)
    goals = [
        # The first of subject 0 is excluded, and both of 1 are; what comes after the second of 0
        # may be called possible.
        Goal("shared", context, (), (large, small, large, large, large, small), (0, 0, 0, 1, 1, 2)),
        Goal("own", context, (), terms, tuple(range(6))),
    ]
    shared, own = solve(goals, solvers={name: SOLVERS[name]})
    assert shared.status == "sat" and {1, 5} <= shared.possible <= {1, 2, 5}
    assert sorted(own.possible) == [1, 2, 4, 5]


@pytest.mark.parametrize("name", SOLVERS)
def test_a_model_meets_the_most_important_wishes(name: str) -> None:
    many = tuple(t.var(f"v{i}", 8) for i in range(100))
    wishes = (X.eq(5), X.eq(4), Y.eq(4), X.ult(Y), P, ~P, *(v.eq(9) for v in many))
    free = Goal(
        "free", (X.ult(100), Y.ult(100), P | Q, *(v.ult(50) for v in many)), None, wishes=wishes
    )
    narrow = Goal("narrow", (X.ult(5), Y.eq(X), P | Q), None, wishes=wishes)
    one, two = solve([free, narrow], solvers={name: SOLVERS[name]})
    assert {"x": 5, "y": 4, "p": 1}.items() <= one.model.items()
    assert all(one.model[f"v{i}"] == 9 for i in range(100))
    assert {"x": 4, "y": 4}.items() <= two.model.items()


def test_alternatives_without_an_answer_are_not_excluded() -> None:
    goal = Goal("g", (X.ult(3),), (), (X.eq(4), X.eq(5)))
    answer = one(goal, bad=fake(killed))
    assert answer.status == "unknown" and not answer.possible
    assert answer.not_excluded("ab") == ["a", "b"]
    assert answer.reason == f"bad crashed (signal {signal.SIGSEGV.value})"
    helped = one(goal, bad=GIVES_UP, good=SOLVERS["bitwuzla"])
    assert (helped.status, helped.solver) == ("unsat", "good")
    assert Answer("unknown").not_excluded("ab") == ["a", "b"]


def test_a_hard_alternative_leaves_the_others_decided() -> None:
    a, b, c = (t.var(n, 64) for n in "abc")
    one_ = t.const(1, 64)
    factors = t.conj([(a.zext(128) * b.zext(128)).eq((1 << 107) - 1), one_.ult(a), one_.ult(b)])
    goal = Goal("g", (c.ult(9),), (), (c.eq(8), factors, c.eq(9), c.eq(7), c.eq(10), c.eq(11)))
    (answer,) = solve([goal], timeout=4, slice_seconds=1)
    assert (answer.status, set(answer.possible), set(answer.undecided)) == ("unknown", {0, 3}, {1})
    assert answer.reason == "time-out after 4 s (bitwuzla, cvc5, z3)"
    assert answer.not_excluded("abcdef") == ["a", "b", "d"]


@settings(max_examples=15)
@given(st.lists(truths(3), min_size=2, max_size=8), truths(2))
def test_solvers_agree_on_alternatives(pairs: list[Pair], context: Pair) -> None:
    terms = tuple(pair[0] for pair in pairs)
    each = solve([Goal(f"g{i}", (context[0], a)) for i, a in enumerate(terms)])
    expected = {i for i, answer in enumerate(each) if answer.status == "sat"}
    for name, make in SOLVERS.items():
        goal = Goal("all", (context[0],), (), terms)
        (answer,) = solve([goal], jobs=1, solvers={name: make})
        assert answer.possible == expected


@pytest.mark.parametrize("name", SOLVERS)
def test_bounds_of_variables_are_asserted(name: str) -> None:
    low, high, free = t.var("v", 64, hi=5), t.var("v", 64, hi=9), t.var("v", 64)
    other = t.var("w", 64)
    goals = [
        Goal("bounded", (t.const(3, 64).ult(low + other), other.eq(0)), None),
        Goal("another bound", (t.const(7, 64).ult(high * 1 + other), other.eq(0)), None),
        Goal("both bounds", (t.const(7, 64).ult(high + other), other.eq(low ^ high)), None),
        Goal("no bound", (t.const(7, 64).ult(free),), None),
        Goal("deep", (((low ^ other) + 1).eq(16), other.eq(9)), None),
        Goal("too deep", (((low ^ other) + 1).eq(17), other.eq(9), (high + 3).ne(other)), None),
    ]
    answers = solve(goals, solvers={name: SOLVERS[name]})
    assert [a.status for a in answers] == ["sat", "sat", "unsat", "sat", "unsat", "unsat"]
    assert 3 < answers[0].model["v"] <= 5
    assert 7 < answers[1].model["v"] <= 9
    assert answers[3].model["v"] > 7


def test_bounds_are_in_the_certificate() -> None:
    low, high, other = t.var("v", 8, hi=5), t.var("v", 8, hi=9), t.var("w", 8)
    text = to_smtlib([t.const(5, 8).ult(high ^ other), low.ne(other), other.eq(0)])
    assert text.count("declare-const |v| ") == 1
    assert "(assert (bvule |v| (_ bv5 8)))" in text and "(assert (bvule |v| (_ bv9 8)))" in text
    assert "bvule |w|" not in text
    assert _bitwuzla(text) == "unsat"
    assert _bitwuzla(to_smtlib([t.const(5, 8).ult(high ^ other), other.eq(0)])) == "sat"


@pytest.mark.parametrize("name", SOLVERS)
def test_variables_of_one_name_and_two_widths(name: str) -> None:
    goals = [
        Goal("x8", (X.eq(3),), None),
        Goal("x16", (t.var("x", 16).eq(300),), None),
        Goal("both", (X.eq(3), t.var("x", 16).eq(300)), None),
    ]
    one, two, both = solve(goals, solvers={name: SOLVERS[name]})
    assert (one.model, two.model, both.status) == ({"x": 3}, {"x": 300}, "unknown")
    assert "variable 'x' has" in both.reason


def test_deep_terms_need_no_stack() -> None:
    value: Term = t.var("k", 2)
    for i in range(3000):
        value = t.ite(t.var(f"c{i}", 0), value ^ t.var(f"k{i % 7}", 2), value)
    goals = [Goal("deep", (value.eq(2), t.var("c3", 0)), None)]
    for name, make in SOLVERS.items():
        (answer,) = solve(goals, solvers={name: make})
        assert answer.status == "sat", answer


@settings(max_examples=15)
@given(st.lists(st.tuples(truths(4), truths(3)), min_size=4, max_size=12), environments)
def test_solvers_agree(pairs: list[tuple[Pair, Pair]], env: dict[str, int]) -> None:
    """Random terms: one status from all, models that evaluate to true, no model where one is."""
    goals = [Goal(f"g{i}", (a[0], b[0]), None) for i, (a, b) in enumerate(pairs)]
    by_solver = [solve(goals, jobs=1, solvers={n: make}) for n, make in SOLVERS.items()]
    for goal, (_, *parts), *answers in zip(
        goals, [(None, *p) for p in pairs], *by_solver, strict=True
    ):
        statuses = {a.status for a in answers}
        assert len(statuses) == 1 and statuses <= {"sat", "unsat"}, (goal, answers)
        if all(meaning(env) for _, meaning in parts):
            assert statuses == {"sat"}
        for answer in answers:
            if answer.status == "sat" and answer.solver != "simplifier":
                full = {n: answer.model.get(n, 0) for n in env}
                assert all(meaning(full) for _, meaning in parts), (goal, answer)


def test_random_order_of_answers_keeps_goals_and_answers_together() -> None:
    def act(assertions: Sequence[Term]) -> tuple[str, dict[str, int]]:
        value = assertions[0].args[1].value
        time.sleep(random.Random(value).random() / 50)
        return "sat", {"x": value}

    goals = [Goal("same name", (X.eq(i),), None) for i in range(2, 40)]
    answers = solve(goals, jobs=4, solvers={"a": fake(act)})
    assert [a.model["x"] for a in answers] == list(range(2, 40))


def test_a_report_has_solvers_of_its_own() -> None:
    """What one has built for an earlier report would have a say in what it finds for the next."""
    made: list[Mock] = []

    def make() -> Mock:
        made.append(Mock())
        return made[-1]

    outer = race._inherited(make)
    with race.isolated():
        assert race._inherited(make) is race._inherited(make) is not outer
    assert race._inherited(make) is outer
    assert len(made) == 2


@pytest.mark.parametrize("fails", [1, 2, 3])
def test_a_process_that_cannot_be_had_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    calls = 0

    def limited(call: Callable[[], Any]) -> Callable[[], Any]:
        def wrapped() -> Any:
            nonlocal calls
            calls += 1
            if calls == fails:
                raise OSError("no more")
            return call()

        return wrapped

    for name in ("pipe", "fork"):
        monkeypatch.setattr(os, name, limited(getattr(os, name)))
    before = os.listdir("/proc/self/fd")
    answer = one(SAT, a=SOLVERS["z3"])
    assert answer.status == "unknown" and "cannot be started" in answer.reason
    assert os.listdir("/proc/self/fd") == before
