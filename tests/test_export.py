"""Exported transition systems reach what the switches reach, in every format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import z3
from hypothesis import given, settings

from tests.test_encode_term import Pair, environments, truths, vectors
from tests.test_prove_engines import (
    HIDDEN,
    NO,
    YES,
    ZERO,
    B,
    Random,
    X,
    between_guests,
    cell,
    leak_is_reachable,
    leaks,
    leaky,
    never,
    solve,
    switch,
    systems,
    violation,
)
from verify import cli
from verify.encode import term as t
from verify.encode.btor2 import to_btor2
from verify.encode.switch import Switch
from verify.encode.system import System, to_horn, to_vmt
from verify.encode.term import Term
from verify.prove.export import export
from verify.prove.goal import Goal
from verify.prove.property import Property

STEPS = 8


def reached(system: System, steps: int = STEPS) -> bool:
    """A bad state within so many steps, by unrolling the system's own terms."""
    inputs = system.inputs()
    state = {
        name: system.initial.get(name, t.var(f"{name}@", v.width))
        for name, v in system.state.items()
    }
    bad = []
    for k in range(steps + 1):
        mapping = {v: t.var(f"{v.name}@{k}", v.width) for v in inputs}
        for v in t.free_vars([*system.bad.values(), *system.next.values()]):
            if v.name in state:
                mapping[v] = state[str(v.name)]
            else:
                mapping[v] = t.var(f"{v.name}@{k}", v.width)
        bad += t.substitute(list(system.bad.values()), mapping)
        names = list(system.next)
        ends = t.substitute([system.next[n] for n in names], mapping)
        state = {**state, **dict(zip(names, ends, strict=True))}
    return solve([Goal("bad", (t.disj(bad),))])["bad"].status == "sat"


def only(system: Switch, prop: Property) -> System:
    (exported,) = export(system, prop)
    return exported


def stuck() -> System:
    """init !b, trans !b & b', property !b: one step, after which nothing can happen."""
    return only(switch({"k.b": NO}, {"k.b": YES}, assumes=[B.eq(NO)]), never(B.eq(YES)))


def kept() -> System:
    return only(switch({"k.b": NO}, {"k.b": B}), never(B.eq(YES)))


def test_a_bad_state_without_successor_is_seen() -> None:
    assert not reached(stuck(), 1)
    assert reached(stuck(), 2)
    assert not reached(kept())


@settings(max_examples=30)
@given(systems())
def test_what_is_reached_is_reachable(example: Random) -> None:
    prop = never(violation(example.bad, example.phase))
    # Setup, and a step for each of the few states.
    assert reached(only(example.system, prop), 10) <= example.bad_is_reachable()
    if not example.bad_is_reachable():
        return
    assert reached(only(example.system, prop), 18)


@settings(max_examples=15)
@given(leaky())
def test_leaks_are_reached(example: tuple[Switch, Term]) -> None:
    system, observed = example
    found = reached(only(system, leaks(system, observed)), 4)
    assert found <= leak_is_reachable(system, observed)


def test_what_one_guest_leaves_for_the_next() -> None:
    hw, start = cell("hw.x"), {"k.x": ZERO, "hw.x": t.var("init/host", 8)}
    dirty = switch(start, {"hw.x": HIDDEN})
    scrubbed = switch(start, {"hw.x": HIDDEN & 0})
    assert reached(only(dirty, between_guests(dirty, hw)), 4)
    assert not reached(only(scrubbed, between_guests(scrubbed, hw)), 6)
    private = switch(start, {"k.x": HIDDEN, "hw.x": hw & 0})
    assert not reached(only(private, between_guests(private, X)), 6)


# Formats ------------------------------------------------------------------------------------------


def horn(system: System) -> str:
    z3.set_param("fp.xform.inline_eager", True)
    solver = z3.SolverFor("HORN")
    solver.set("timeout", 20000)
    solver.from_string(to_horn(system))
    return str(solver.check())


def test_horn_clauses() -> None:
    assert horn(stuck()) == "unsat"
    assert horn(kept()) == "sat"


def test_vmt_is_smtlib() -> None:
    text = to_vmt(stuck())
    for mark in (":next ", ":init true", ":trans true", ":invar-property 0"):
        assert mark in text
    solver = z3.Solver()
    solver.from_string(f"{text}(assert .init)(assert .trans)(assert (not |.good 0|))")
    assert str(solver.check()) == "unsat", "the first state is before setup"


def value(text: str, env: Mapping[str, int]) -> int:
    """The value of the only bad state of a BTOR2 text without next states."""
    widths: dict[int, int] = {}
    nodes: dict[int, Term] = {}
    result: Term | None = None
    for line in text.splitlines():
        if line.startswith(";"):
            continue
        number, op, *words = line.split()
        if op == "sort":
            widths[int(number)] = int(words[1])
            continue
        if op == "bad":
            result = nodes[int(words[0])]
            continue
        width = widths[int(words[0])]
        if op in ("input", "state"):
            found = t.const(env[words[1]], width)
        elif op == "constd":
            found = t.const(int(words[1]), width)
        elif op in ("uext", "sext"):
            inner = nodes[int(words[1])]
            found = (inner.zext if op == "uext" else inner.sext)(width)
            assert inner.width + int(words[2]) == width
        elif op == "slice":
            found = nodes[int(words[1])].extract(int(words[2]), int(words[3]))
        else:
            args = [nodes[int(word)] for word in words[1:]]
            found = MEANING[op](*args)
        assert found.width == width
        nodes[int(number)] = found
    assert result is not None
    return t.evaluate([result], {})[0]


def bit(truth: Term) -> Term:
    return t.ite(truth, t.const(1, 1), t.const(0, 1))


MEANING: dict[str, Callable[..., Term]] = {
    "not": lambda a: ~a,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "sll": lambda a, b: a << b,
    "srl": lambda a, b: a >> b,
    "sra": lambda a, b: a.sar(b),
    "udiv": lambda a, b: a.udiv(b),
    "urem": lambda a, b: a.urem(b),
    "sdiv": lambda a, b: a.sdiv(b),
    "srem": lambda a, b: a.srem(b),
    "concat": t.concat,
    "eq": lambda a, b: bit(a.eq(b)),
    "ult": lambda a, b: bit(a.ult(b)),
    "slt": lambda a, b: bit(a.slt(b)),
    "ite": lambda c, a, b: t.ite(c.nonzero(), a, b),
}


@settings(max_examples=100)
@given(vectors(8, 3) | truths(4), environments)
def test_btor2_means_the_terms(pair: Pair, env: dict[str, int]) -> None:
    term, _ = pair
    (expected,) = t.evaluate([term], env)
    wanted = term.eq(expected) if term.width else (term if expected else ~term)
    names = {str(v.name): v for v in t.free_vars([wanted])}
    state = dict(list(names.items())[:1])
    text = to_btor2(System("", state, {}, {}, {"b": wanted}))
    text = "\n".join(line for line in text.splitlines() if " next " not in line)
    assert value(text, {**env}) == 1


# The command --------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "--property", "restore.EVTSEL", "--format"]
    assert cli.main([*words, "btor2", "--output", str(tmp_path / "a.btor2")]) == 0
    assert " bad " in (tmp_path / "a.btor2").read_text()
    assert cli.main([*words, "vmt", "--output", str(tmp_path / "all")]) == 0
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["restore.EVTSEL.vmt"]
    assert cli.main([*words, "vmt", "--output", str(tmp_path / "all")]) == 3
    words = ["export", "--property", "restore.FIXED*", "--format", "smt2", "--output"]
    assert cli.main([*words, str(tmp_path / "b.smt2")]) == 3
    assert "give a folder or --property" in capsys.readouterr().err
