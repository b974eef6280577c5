"""Two runs on numbers: they share what is no secret, and show where secrets go."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import cast

from verify.encode import term as t
from verify.encode.switch import STATE, Relation, Switch
from verify.encode.term import Term
from verify.ir.program import Program
from verify.prove.simulate import State, moves, pairs
from verify.target import Target

SHARED, SECRET = t.var("in/shared", 8), t.var("in/secret", 8)
CELLS = ("k.copy", "k.plain", "k.later")
START = State({STATE + cell: 0 for cell in CELLS})


def system(load: Mapping[str, Term], put: Mapping[str, Term]) -> Switch:
    result = Switch(cast(Target, SimpleNamespace()), cast(Program, None))
    result.home = "home"
    result.initial = {cell: t.const(0, 8) for cell in CELLS}
    result.steps = [
        Relation("load", dict(load), (), start="home", end="away"),
        Relation("put", dict(put), (SHARED.ult(200),), start="away", end="home"),
    ]
    return result


def differing(switch: Switch, lasting: tuple[str, ...] = ()) -> dict[str, set[str]]:
    seen = pairs(switch, moves(switch), [START] * 20, (), lambda name: "secret" in name, lasting)
    return {
        place: {c for c in CELLS for one, two in found if one[STATE + c] != two[STATE + c]}
        for place, found in seen.items()
    }


COPIES = system(
    {"k.copy": SECRET, "k.plain": SHARED},
    {"k.later": t.var(STATE + "k.copy", 8), "k.plain": SHARED},
)


def test_what_copies_a_secret_differs_from_then_on() -> None:
    assert differing(COPIES) == {"home": {"k.copy", "k.later"}, "away": {"k.copy"}}


def test_runs_that_differ_in_what_lasts_are_not_followed() -> None:
    assert differing(COPIES, lasting=("k.later",)) == {"home": set(), "away": {"k.copy"}}


def test_inputs_are_possible_in_both_runs() -> None:
    never = system({"k.copy": SECRET}, {"k.later": SHARED})
    never.steps[1] = Relation("put", {"k.later": SHARED}, (t.false,), start="away", end="home")
    seen = pairs(never, moves(never), [START] * 5, (), lambda name: True, ())
    assert seen["away"] and not seen["home"]


def test_secrets_at_home_are_those_of_another_known_state() -> None:
    kept = system({"k.later": t.var(STATE + "k.copy", 8)}, {"k.later": t.const(0, 8)})
    other = State({**START, STATE + "k.copy": 7, STATE + "k.plain": 1})
    copy, plain = (t.var(STATE + cell, 8) for cell in ("k.copy", "k.plain"))
    together = copy.eq(0).eq(plain.eq(0))
    for holding, places in (((), {"k.copy", "k.later"}), ((together,), set())):
        secret = (STATE + "k.copy").__eq__
        seen = pairs(kept, moves(kept), [START, other], holding, secret, ())
        found = {c for c in CELLS for one, two in seen["away"] if one[STATE + c] != two[STATE + c]}
        assert found == places


def test_states_of_different_machines_are_not_mixed() -> None:
    kept = system({"k.later": t.var(STATE + "k.copy", 8)}, {})
    machines = [
        State({**START, "config/machine": number, STATE + "k.copy": number}) for number in (1, 2)
    ]
    seen = pairs(kept, moves(kept), machines, (), lambda name: True, ())
    assert all(one[STATE + "k.later"] == two[STATE + "k.later"] for one, two in seen["away"])
