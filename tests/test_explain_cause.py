"""Causes, from traces made by hand."""

from __future__ import annotations

from verify.encode import term as t
from verify.explain.cause import Reason, find
from verify.ir.interp import Step
from verify.ir.nodes import Loc
from verify.prove.property import CHECK, EMULATED, FAULTS, READ, REFUSED, VALUE, Pairing, Violation

SECRET = Pairing("nobody may see it", lambda name: True)


def violation(
    phase: str,
    *,
    pair: bool = False,
    register: str = "hw.BLUE",
    late: str = "",
    kind: str = VALUE,
    follows: str = "",
    rule: str = "",
) -> Violation:
    return Violation(
        register, phase, t.true, t.true, t.true, "the lamp is wrong", lambda m: (1, 1, 1),
        pair=SECRET if pair else None, late=late, kind=kind, follows=follows, rule=rule,
    )  # fmt: skip


def step(
    phase: str,
    op: str,
    before: int,
    after: int,
    *,
    line: int = 0,
    register: str = "hw.BLUE",
    note: str = "",
) -> Step:
    loc = Loc("lamp/switch.c", line) if line else None
    function = "lamp_" + phase if line else ""
    return Step(phase, loc, function, op, register, before, after, 64, note)


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


def test_what_is_given_to_the_entry_is_wrong() -> None:
    steps = [
        step("guest", "guest", 0, 7),
        step("load", "WRMSR", 5, 0, line=10),
        step("enter", "VM-entry", 0, 3),
    ]
    reason = find(steps, violation("enter"), 7)
    assert reason.text == "VM-entry loads 0x3 into BLUE, not what the guest left in it"
    assert reason.steps == (2, 0)
    assert find(steps[1:], violation("enter"), 7).text == "VM-entry loads 0x3 into BLUE"


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
        step("load", "WRMSR", 0, 3, line=10),
        step("leave", "copy", 3, 4, register="ghost.BLUE", note="in lamp_tick"),
        step("put", "RDMSR", 3, 3, line=21),
        step("load", "WRMSR", 0, 3, line=10),
    ]
    copied = "the kernel's copy of BLUE is set in lamp_tick while the hardware has it"
    reason = find(steps, violation("enter"), 4)
    assert reason.text == f"{copied}, and lamp_put (switch.c:21) saves over it"
    assert reason.steps == (2, 1)
    reason = find(steps[:2], violation("enter"), 4)
    assert (reason.text, reason.steps) == (copied, (1,))


def test_a_value_that_went_on_while_nobody_should_use_it() -> None:
    steps = [step("load", "WRMSR", 0, 3, line=10), step("enter", "count", 3, 4)]
    reason = find(steps, violation("enter"), 3)
    assert (reason.text, reason.steps) == ("BLUE counts outside of the guest, up to VM-entry", (1,))
    steps = [
        step("load", "WRMSR", 0, 3, line=10),
        step("put", "count", 3, 4, line=20),
        step("load", "WRMSR", 0, 4, line=10),
    ]
    reason = find(steps, violation("enter"), 3)
    assert reason.text == "BLUE counts outside of the guest, up to lamp_put (switch.c:20)"
    steps = [
        step("load", "WRMSR", 0, 3, line=10, register="hw.RED"),
        step("load", "overflow", 3, 4, line=11),
    ]
    reason = find(steps, violation("enter"), 3)
    assert reason.text == (
        "a counter overflows into BLUE outside of the guest, up to lamp_load (switch.c:11)"
    )


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


def broken(steps: list[Step], rule: str) -> Reason:
    return find(steps, violation("load", register="", rule=rule), 0)


def test_an_access_that_breaks_a_rule() -> None:
    other = step("load", "breaks fault.load", 0, 1, line=11, note="and faults")
    loud = step("load", "breaks order.quiet", 0, 1, line=12, note="while RED counts")
    reason = broken([other, loud], "breaks order.quiet")
    assert reason.text == "lamp_load (switch.c:12) accesses BLUE while RED counts"
    assert reason.steps == (1,)
    assert broken([other], "breaks order.quiet").text == ""


def test_a_copy_breaks_a_rule_as_somebody_has_set_it() -> None:
    found = [
        step("write 0x1", "emulated", 0, 7, register="ghost.BLUE", note="accepted"),
        step("filter", "unwanted", 0, 7, note="in a copy"),
        step("filter", "breaks count.lamp", 0, 1, note="so that it is on"),
    ]
    reason = broken(found, "breaks count.lamp")
    assert reason.steps == (2, 0)
    assert reason.text == (
        "the filter accesses BLUE so that it is on, after the emulated write 0x1 set it to 0x7"
    )


def test_what_hardware_refuses_is_due_to_what_it_was_given() -> None:
    given = step("write 1", "VMWRITE", 0, 7, line=9, register="field.BLUE")
    fails = step("enter", "breaks fault.run", 0, 1, register="field.BLUE", note="and fails")
    event = step("enter", "VM-entry-failed", 7, 7, register="field.BLUE")
    reason = broken([given, event, fails], "breaks fault.run")
    assert reason.text == (
        "VM-entry accesses BLUE and fails, after lamp_write 1 (switch.c:9) set it to 0x7"
    )
    assert reason.steps == (2, 0)
    assert broken([fails], "breaks fault.run").text == "VM-entry accesses BLUE and fails"


def test_a_warning() -> None:
    warns = step("put", "breaks warn.guest", 0, 1, line=12, register="kernel log", note="warns")
    text = broken([warns], "breaks warn.guest").text
    assert text == "lamp_put (switch.c:12) warns, and a guest can bring that about"


def test_what_a_phase_leaves() -> None:
    check = violation("put", kind=CHECK)
    reason = find([], check, 0)
    assert reason.text == "put does not set BLUE back: the lamp is wrong" and reason.absent
    load = step("load", "WRMSR", 0, 7, line=10)
    reason = find([load], check, 0)
    assert reason.text == (
        "put does not set BLUE back after lamp_load (switch.c:10) set it to 0x7: the lamp is wrong"
    )
    assert reason.absent and reason.steps == (0,) and reason.advice == "Set BLUE on put"
    reason = find([load, step("put", "WRMSR", 7, 9, line=20)], check, 0)
    assert reason.text == "lamp_put (switch.c:20) sets BLUE to 0x9: the lamp is wrong"
    assert reason.steps == (1,) and not reason.absent
    reason = find([load], violation("enter", kind=CHECK), 0)
    assert reason.text == "lamp_load (switch.c:10) sets BLUE to 0x7: the lamp is wrong"
    reason = find([], violation("enter", kind=CHECK), 0)
    assert reason.text == "nothing changes BLUE: the lamp is wrong" and not reason.advice


def test_a_copy_that_does_not_follow_its_register() -> None:
    stale = violation("leave", register="lamp.blue", kind=CHECK, follows="hw.BLUE")
    guest, gone = step("guest", "guest", 0, 7), step("leave", "VM-exit", 7, 0)
    reason = find([guest, gone], stale, 7)
    assert reason.text == "nothing sets blue after the guest changed BLUE"
    assert reason.absent and reason.steps == (0,)
    copied = step("leave", "copy", 0, 3, register="lamp.blue", note="in lamp_tick")
    reason = find([guest, copied], stale, 7)
    assert reason.text == "blue is set to 0x3 in lamp_tick, not to what the guest left in BLUE"
    assert reason.steps == (1, 0)
    assert find([copied], stale, 7).text == "blue is set to 0x3 in lamp_tick, which BLUE has not"
    assert find([copied, guest], stale, 7).text.startswith("nothing sets blue after the guest")
    assert find([], stale, 7).text == "blue is not what BLUE has"


def test_a_value_that_is_not_taken_back() -> None:
    refused = step("read", "refused", 7, 7, note="lamp_set")
    back = violation(READ, kind=REFUSED)
    text = "lamp_set refuses 0x7 for BLUE, which the kernel gave itself"
    assert find([refused], back, 0).text == text
    reset = step("put", "WRMSR", 7, 0, line=20)
    reason = find([step("guest", "guest", 0, 7), reset, refused], back, 0)
    assert (reason.text, reason.steps) == (f"{text} after the guest set it", (2, 0))
    reason = find([step("write 1", "emulated", 0, 7, register="ghost.BLUE"), refused], back, 0)
    assert reason.text == f"{text} after the emulated write 1 set it"
    assert find([], back, 0).text == ""


def test_a_value_that_is_not_taken_back_elsewhere() -> None:
    moved = step("read", "moves", 4, 2, register="config.host_width", note="on the other host")
    refused = step("read", "refused", 7, 7, note="lamp_set")
    reason = find([step("guest", "guest", 0, 7), moved, refused], violation(READ, kind=REFUSED), 0)
    assert reason.text.endswith("which the kernel gave itself after the guest set it")
    assert reason.steps == (2, 0, 1)
    assert find([moved, refused], violation(READ, kind=REFUSED), 0).steps == (1, 0)


def test_what_is_emulated_wrongly_is_told_by_its_model() -> None:
    counted = step("emulate", "emulated", 1, 2, register="ghost.BLUE")
    wrong = step("emulate", "miscounts", 1, 2, note="lamp_tick changes BLUE, which is off")
    reason = find([counted, wrong], violation(READ, kind=EMULATED), 1)
    assert (reason.text, reason.steps) == (wrong.note, (1,))
    assert find([counted], violation(READ, kind=EMULATED), 1).text == ""


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


def test_what_userspace_sets_cannot_be_loaded() -> None:
    steps = [
        step("migrate", "emulated", 0x100, 0x100, register="MSR 0x10"),
        step("migrate", "WRMSR", 0, 1, line=10, register="hw.RED"),
        step("migrate", "#GP", 0, 0x100, line=11),
    ]
    reason = find(steps, violation(READ, kind=FAULTS), 0)
    where = "lamp_migrate (switch.c:11) faults: BLUE cannot hold 0x100"
    assert reason.text == f"{where}, which userspace may set" and reason.steps == (2, 0)
    assert find(steps[1:], violation(READ, kind=FAULTS), 0).text == where
    assert find(steps[:2], violation(READ, kind=FAULTS), 0).text == ""
