"""The cause of a violation, read from a concrete trace: which step broke it, against which one.

Works on the values that passed through the violated register only; it knows no register.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify.ir.interp import Step
from verify.prove.property import Violation

READS = ("RDMSR", "RDPMC")


@dataclass(frozen=True, slots=True)
class Reason:
    """What broke it, in words, with the indices of the steps concerned (earlier step last)."""

    text: str
    steps: tuple[int, ...]


def find(steps: Sequence[Step], violation: Violation, observed: int, expected: int) -> Reason:
    """The cause in a trace that ends at the violation."""
    register = violation.register
    if violation.late:
        return _late(steps, register, violation.late)
    changes = [i for i, s in enumerate(steps) if s.register == register and s.before != s.after]
    if not changes:
        return Reason(f"nothing on the way writes {_short(register)}", ())
    last = changes[-1]
    if violation.phase == "put":
        return _left_behind(steps, register, last)
    earlier = [i for i in changes[:-1] if steps[i].after == expected]
    same = [i for i in earlier if steps[i].phase == steps[last].phase]
    if same and _code(steps[last]):
        text = f"{_place(steps[last])} changes {_short(register)} after "
        text += f"{_place(steps[same[-1]])} had set it; it should come before"
        return Reason(text, (last, same[-1]))
    if _code(steps[last]) and _phase(steps[last]) != "put":
        return _saved_wrong(steps, register, last)
    text = f"nothing writes {_short(register)} after {_place(steps[last])}"
    return Reason(text, (last,))


def _late(steps: Sequence[Step], register: str, late: str) -> Reason:
    write = [i for i, s in enumerate(steps) if s.op == "WRMSR" and s.register == register]
    after = [i for i, s in enumerate(steps) if s.op == "WRMSR" and s.register == late]
    if not write or not after:
        return Reason("", ())
    text = f"{_place(steps[after[-1]])} writes {_short(late)} after {_place(steps[write[-1]])} "
    text += f"wrote {_short(register)}"
    return Reason(text, (after[-1], write[-1]))


def _left_behind(steps: Sequence[Step], register: str, last: int) -> Reason:
    if _code(steps[last]) and _phase(steps[last]) == "put":
        scrub = [
            i
            for i, s in enumerate(steps[:last])
            if s.register == register and s.op == "WRMSR" and s.phase == steps[last].phase
        ]
        if scrub:
            text = f"{_place(steps[last])} changes {_short(register)} after "
            text += f"{_place(steps[scrub[-1]])} had scrubbed it"
            return Reason(text, (last, scrub[-1]))
    text = f"put does not scrub {_short(register)} after {_place(steps[last])} changed it"
    return Reason(text, (last,))


def _saved_wrong(steps: Sequence[Step], register: str, restore: int) -> Reason:
    """The value that load wrote was wrong: look at how the put before it saved the register."""
    saves = [
        i
        for i, s in enumerate(steps[:restore])
        if s.register == register and s.op in READS and _phase(s) == "put"
    ]
    if not saves:
        text = f"{_place(steps[restore])} writes {_short(register)}, which put did not save"
        return Reason(text, (restore,))
    save = saves[-1]
    spoilt = [
        i
        for i, s in enumerate(steps[:save])
        if s.register == register and s.before != s.after and s.phase == steps[save].phase
    ]
    if spoilt:
        text = f"{_place(steps[spoilt[-1]])} changes {_short(register)} before "
        text += f"{_place(steps[save])} saves it"
        return Reason(text, (save, spoilt[-1]))
    text = f"{_place(steps[restore])} does not write what {_place(steps[save])} saved"
    return Reason(text, (restore, save))


def _phase(step: Step) -> str:
    return step.phase.rsplit(":", 1)[-1]


def _code(step: Step) -> bool:
    return step.loc is not None


def _short(register: str) -> str:
    return register.split(".", 1)[-1]


def _place(step: Step) -> str:
    if step.loc is None:
        return f"the {_phase(step)}"
    return f"{step.function} ({step.loc.file.rsplit('/', 1)[-1]}:{step.loc.line})"
