"""The cause of a violation, read from a concrete trace: which step broke it, against which one.

Works on the steps that touch the violated register only; it knows no register.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from verify.ir.interp import Step
from verify.prove.property import READ, Violation

READS = ("RDMSR", "RDPMC")
WRITE = "WRMSR"
LOG = "kernel log"
"""What a WARN writes to."""
ACTORS = ("guest", "host")
"""Operations that say who acts, whatever the phase is called."""
LOUD = "access"
"""An event that a rule forbids."""
INTERRUPT = "NMI"
"""What an interrupt does."""
EFFECT = "effect"
"""A change that an access of another register brings about."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What broke it, in words, with the indices of the steps concerned (earlier step last).
    `advice`: what the code should do instead, as an order. `absent`: what broke it is something
    that did not happen after these steps."""

    text: str
    steps: tuple[int, ...]
    advice: str = ""
    absent: bool = False


def find(
    steps: Sequence[Step],
    violation: Violation,
    expected: int,
    private: Set[int] = frozenset(),
) -> Reason:
    """The cause in a trace that ends at the violation. `private`: the steps that carry what the
    other run of two does not have."""
    register = violation.register
    if violation.late:
        return _late(steps, register, violation.late)
    if not register:
        return _loud(steps)
    touching = [i for i, s in enumerate(steps) if s.register == register]
    if violation.phase == "put":
        return _left_behind(steps, register, touching, private)
    return _wrong_value(steps, violation, expected, touching, private)


def _late(steps: Sequence[Step], register: str, late: str) -> Reason:
    write = [i for i, s in enumerate(steps) if s.op == WRITE and s.register == register]
    after = [i for i, s in enumerate(steps) if s.op == WRITE and s.register == late]
    if not write or not after:
        return Reason("", ())
    text = f"{_place(steps[after[-1]])} writes {short(late)} after {_place(steps[write[-1]])} "
    text += f"wrote {short(register)}"
    advice = f"Write {short(register)} after the last write of {short(late)}"
    return Reason(text, (after[-1], write[-1]), advice)


def _loud(steps: Sequence[Step]) -> Reason:
    """An access at a time at which there should be none: the note says why."""
    found = [i for i, s in enumerate(steps) if s.op == LOUD]
    if not found:
        return Reason("", ())
    step = steps[found[0]]
    text = f"{_place(step)} accesses {short(step.register)} {step.note}"
    if step.register == LOG:
        text = f"{_place(step)} warns"
    return Reason(text, (found[0],))


def _changes(steps: Sequence[Step], touching: Sequence[int], private: Set[int]) -> list[int]:
    """The steps that change the register; when some bring the secret in, those alone."""
    changes = [i for i in touching if steps[i].before != steps[i].after]
    return [i for i in changes if i in private] or changes


def _left_behind(
    steps: Sequence[Step], register: str, touching: Sequence[int], private: Set[int]
) -> Reason:
    """What put leaves in a register depends on the guest."""
    changes = _changes(steps, touching, private)
    advice = f"Scrub {short(register)} on put whenever the guest can have changed it"
    if not changes:
        return Reason(f"put does not scrub {short(register)}", (), advice, absent=True)
    last = changes[-1]
    if _phase(steps[last]) == "put":
        scrubs = [
            i
            for i in touching
            if i < last and steps[i].op == WRITE and steps[i].phase == steps[last].phase
        ]
        if scrubs:
            text = f"{_place(steps[last])} changes {short(register)} after "
            text += f"{_place(steps[scrubs[-1]])} had scrubbed it"
            advice = f"Scrub {short(register)} after anything else that changes it"
            return Reason(text, (last, scrubs[-1]), advice)
    text = f"put does not scrub {short(register)} after {_place(steps[last])} changed it"
    return Reason(text, (last,), advice, absent=True)


def _wrong_value(
    steps: Sequence[Step],
    violation: Violation,
    expected: int,
    touching: Sequence[int],
    private: Set[int],
) -> Reason:
    """A register, or KVM's answer to a read of it, has a value that it should not have."""
    register, name = violation.register, short(violation.register)
    phase = next((s.phase for s in reversed(steps) if _phase(s) == "load"), "")
    loads = [i for i in touching if steps[i].phase == phase and steps[i].op == WRITE]
    if not loads:
        if violation.phase == READ:
            return _answered(steps, name)
        return _not_loaded(steps, register, touching, private)
    last = loads[-1]
    after = [
        i
        for i in touching
        if i > last and steps[i].phase == phase and steps[i].before != steps[i].after
    ]
    if after:
        text = f"{_place(steps[after[-1]])} changes {name} after {_place(steps[last])} had set it; "
        advice = f"Write {name} after anything else that changes it"
        return Reason(text + "it should come before", (after[-1], last), advice)
    if violation.pair is not None and steps[last].after != expected:
        return Reason(f"{_place(steps[last])} writes a value of {name} that it should not", (last,))
    return _saved_wrong(steps, register, last)


def _answered(steps: Sequence[Step], name: str) -> Reason:
    """No hardware is involved: the kernel itself mixes values up."""
    text = f"KVM answers a read of {name} with another value than "
    accepted = [
        i for i, s in enumerate(steps) if s.register == f"ghost.{name}" and s.before != s.after
    ]
    if accepted:
        return Reason(text + "the one that it accepted", (accepted[-1],))
    return Reason(text + "the guest left", ())


def _not_loaded(
    steps: Sequence[Step], register: str, touching: Sequence[int], private: Set[int]
) -> Reason:
    name = short(register)
    kept = _changes(steps, touching, private)
    advice = f"Write {name} on load whenever the guest can reach it"
    if not kept:
        text = f"load does not write {name}, nor does anything else on the way"
        return Reason(text, (), advice, absent=True)
    step = steps[kept[-1]]
    what = "changed it" if _code(step) else "left a value in it"
    text = f"load does not write {name} after {_place(step)} {what}"
    return Reason(text, (kept[-1],), advice, absent=True)


def _saved_wrong(steps: Sequence[Step], register: str, restore: int) -> Reason:
    """The value that load wrote was wrong: look at how the put before it saved the register."""
    name = short(register)
    saves = [
        i
        for i, s in enumerate(steps[:restore])
        if s.register == register and s.op in READS and _phase(s) == "put"
    ]
    if not saves:
        text = f"{_place(steps[restore])} writes {name}, which put did not save"
        return Reason(text, (restore,))
    save = saves[-1]
    lost = [
        i
        for i, s in enumerate(steps[:save])
        if s.register == f"ghost.{name}" and _phase(s) == "leave" and s.before != s.after
    ]
    if lost:
        text = f"{_place(steps[save])} saves {name} over what was set in the kernel's copy of it "
        return Reason(text + "while the hardware had it", (save, lost[-1]))
    spoilt = [
        i
        for i, s in enumerate(steps[:save])
        if s.register == register and s.before != s.after and s.phase == steps[save].phase
    ]
    if spoilt:
        text = f"{_place(steps[spoilt[-1]])} changes {name} before "
        text += f"{_place(steps[save])} saves it"
        return Reason(text, (save, spoilt[-1]), f"Save {name} before anything changes it")
    text = f"{_place(steps[restore])} does not write what {_place(steps[save])} saved of {name}"
    return Reason(text, (restore, save))


def _phase(step: Step) -> str:
    return step.phase.rsplit(":", 1)[-1]


def _code(step: Step) -> bool:
    return step.loc is not None


def short(register: str) -> str:
    """A register's name without the model's prefix."""
    return register.split(".", 1)[-1]


def _place(step: Step) -> str:
    if step.loc is None:
        return f"the {step.op if step.op in ACTORS else _phase(step)}"
    return f"{step.function} ({step.loc.file.rsplit('/', 1)[-1]}:{step.loc.line})"
