"""Causes, from traces made by hand."""

from __future__ import annotations

from verify.encode import term as t
from verify.explain.cause import find
from verify.ir.interp import Step
from verify.ir.nodes import Loc
from verify.prove.property import READ, Pairing, Violation

SECRET = Pairing("nobody may see it", lambda name: True)
CODE = Loc("lamp/switch.c", 12)


def violation(
    phase: str, *, pair: bool = False, late: str = "", register: str = "hw.BLUE"
) -> Violation:
    return Violation(
        register, phase, t.true, t.true, t.true, "", lambda m: (1, 1, 1),
        pair=SECRET if pair else None, late=late,
    )  # fmt: skip


def step(
    phase: str, op: str, before: int, after: int, *, line: int = 0, register: str = "hw.BLUE"
) -> Step:
    loc = Loc("lamp/switch.c", line) if line else None
    return Step(phase, loc, "lamp_" + phase if line else "", op, register, before, after, 64, "")


def test_a_register_that_load_does_not_write() -> None:
    steps = [step("host", "host", 0, 7)]
    reason = find(steps, violation("enter", pair=True), 0)
    assert reason.text == "load does not write BLUE after the host left a value in it"
    assert reason.steps == (0,) and reason.absent
    assert reason.advice == "Write BLUE on load whenever the guest can reach it"
    assert "does not write BLUE" in find([], violation("enter", pair=True), 0).text


def test_a_change_after_the_value_was_set() -> None:
    steps = [
        step("load", "WRMSR", 0, 7, line=10),
        step("load", "WRMSR", 1, 0, line=11, register="hw.RED"),
        step("load", "effect", 7, 0, line=11),
    ]
    reason = find(steps, violation("enter"), 7)
    assert reason.steps == (2, 0) and not reason.absent
    assert "lamp_load (switch.c:11) changes BLUE after lamp_load (switch.c:10)" in reason.text


def test_a_value_that_was_spoilt_before_it_was_saved() -> None:
    steps = [
        step("guest", "guest", 0, 7),
        step("put", "WRMSR", 7, 0, line=20),
        step("put", "RDMSR", 0, 0, line=21),
        step("load", "WRMSR", 3, 0, line=10),
    ]
    reason = find(steps, violation("enter"), 7)
    assert reason.steps == (2, 1)
    assert "changes BLUE before lamp_put (switch.c:21) saves it" in reason.text


def test_a_copy_that_was_written_while_the_hardware_had_the_register() -> None:
    steps = [
        step("leave", "emulated", 3, 4, register="ghost.BLUE"),
        step("put", "RDMSR", 3, 3, line=21),
        step("load", "WRMSR", 0, 3, line=10),
    ]
    reason = find(steps, violation("enter"), 4)
    assert reason.steps == (1, 0) and "kernel's copy" in reason.text


def test_a_value_that_was_not_saved() -> None:
    reason = find([step("load", "WRMSR", 0, 3, line=10)], violation("enter"), 4)
    assert "which put did not save" in reason.text


def test_what_put_leaves_behind() -> None:
    guest = step("guest", "guest", 0, 7)
    reason = find([guest], violation("put", pair=True), 0)
    assert reason.text == "put does not scrub BLUE after the guest changed it" and reason.absent
    scrubbed = [guest, step("put", "WRMSR", 7, 0, line=20), step("put", "effect", 0, 5, line=21)]
    reason = find(scrubbed, violation("put", pair=True), 0)
    assert reason.steps == (2, 1) and "had scrubbed it" in reason.text
    assert find([], violation("put", pair=True), 0).text == "put does not scrub BLUE"


def test_a_write_that_comes_too_late() -> None:
    steps = [
        step("load", "WRMSR", 0, 7, line=10),
        step("load", "WRMSR", 0, 1, line=11, register="hw.RED"),
    ]
    reason = find(steps, violation("load", late="hw.RED"), 0)
    assert reason.steps == (1, 0)
    assert "writes RED after lamp_load (switch.c:10) wrote BLUE" in reason.text
    assert reason.advice == "Write BLUE after the last write of RED"


def test_an_access_that_is_not_quiet() -> None:
    loud = Step("load", CODE, "lamp_load", "access", "hw.BLUE", 0, 1, 1, "while RED counts")
    reason = find([loud], violation("load", register=""), 0)
    assert reason.text == "lamp_load (switch.c:12) accesses BLUE while RED counts"


def test_a_read_that_the_kernel_answers_wrongly() -> None:
    accepted = step("write 1", "emulated", 0, 7, register="ghost.BLUE")
    reason = find([accepted], violation(READ), 7)
    assert reason.text.endswith("another value than the one that it accepted")
    assert reason.steps == (0,)
    assert find([], violation(READ), 7).text.endswith("than the guest left")


def test_of_two_runs_what_only_one_has_is_the_cause() -> None:
    guest, host = step("guest", "changes", 0, 5), step("host", "takes", 5, 7)
    assert "after the host left" in find([guest, host], violation("enter", pair=True), 0).text
    found = find([guest, host], violation("enter", pair=True), 0, frozenset({0}))
    assert "after the guest left" in found.text and found.steps == (0,)
    found = find([guest, host], violation("put", pair=True), 0, frozenset({0}))
    assert "after the guest changed" in found.text


def test_who_acts_is_named_whatever_the_phase_is_called() -> None:
    found = find([step("reguest", "guest", 0, 7)], violation("put", pair=True), 0)
    assert found.text == "put does not scrub BLUE after the guest changed it"
