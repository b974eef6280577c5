"""The cause of a violation, read from a concrete trace: which step broke it, against which one.

Works on the steps that touch the violated register only; it knows no register.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from verify.ir.interp import Step
from verify.prove.property import CHECK, EMULATED, FAULTS, READ, REFUSED, Violation

READS = ("RDMSR", "RDPMC")
WRITE = "WRMSR"
LOG = "kernel log"
"""What a WARN writes to."""
ACTORS = ("guest", "host")
"""Operations that say who acts, whatever the phase is called."""
INTERRUPT = "NMI"
"""What an interrupt does."""
SWITCH = "switch"
"""The guest goes on with another set of state, or under another rule; the note says which."""
EFFECT = "effect"
"""A change that an access of another register brings about."""
COUNTS = {"count": "{} counts", "overflow": "a counter overflows into {}"}
"""Changes that hardware makes of itself, in words."""
COPY = "copy"
"""A change of the kernel's copy of a register that hardware has; the note says where."""
MOVED = "moves"
"""The machine is another one from now on: what it has instead."""
REFUSAL = "refused"
"""A write is refused; the note says by what."""
FAULT = "#GP"
"""An access faults, and is lost."""
ACCEPTED = "emulated"
"""The kernel has accepted a write; of what is expected, or of what is loaded next."""
MISCOUNTED = "miscounts"
"""Something that is emulated has another effect than it must; the note says which."""
ASKED = "access"
"""What KVM's handlers are asked for; the note says by whom."""
ENTRY = "VM-entry"
"""A change that hardware makes when the guest is entered, to what it was given for that."""
BOUNDARIES = {"enter": ENTRY, "leave": "VM-exit"}
"""Phases in which hardware acts of itself."""


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
    if violation.rule:
        return _broken(steps, violation.rule)
    touching = [i for i, s in enumerate(steps) if s.register == register]
    if violation.kind == REFUSED:
        return _refused(steps, register)
    if violation.kind == FAULTS:
        return _faulting(steps)
    if violation.kind == EMULATED:
        return _emulated(steps)
    if violation.kind == CHECK:
        if violation.follows:
            return _not_followed(steps, violation, touching)
        return _not_kept(steps, violation, touching)
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


def _broken(steps: Sequence[Step], rule: str) -> Reason:
    """What happens at a time at which it should not, or at all: the note says why."""
    found = [i for i, s in enumerate(steps) if s.op == rule]
    if not found:
        return Reason("", ())
    step = steps[found[0]]
    text = f"{_place(step)} accesses {short(step.register)} {step.note}"
    if step.register == LOG:
        return Reason(f"{_place(step)} warns, and a guest can bring that about", (found[0],))
    name = short(step.register)
    # The step before it is the one that breaks the rule.
    writes = [
        i
        for i, s in enumerate(steps[: max(found[0] - 1, 0)])
        if short(s.register) == name and s.before != s.after
    ]
    if step.loc is None and writes:
        # What hardware does of itself is due to what it was given.
        last = steps[writes[-1]]
        text += f", after {_place(last)} set it to {last.after:#x}"
        return Reason(text, (found[0], writes[-1]))
    return Reason(text, (found[0],))


def _refused(steps: Sequence[Step], register: str) -> Reason:
    """What the kernel gave of a register, it does not take back."""
    name = short(register)
    found = [i for i, s in enumerate(steps) if s.op == REFUSAL]
    if not found:
        return Reason("", ())
    step = steps[found[-1]]
    text = f"{step.note} refuses {step.after:#x} for {name}, which the kernel gave itself"
    sets = [
        i
        for i, s in enumerate(steps[: found[-1]])
        if s.register in (register, f"ghost.{name}") and s.before != s.after == step.after
    ]
    moves = [i for i, s in enumerate(steps[: found[-1]]) if s.op == MOVED]
    advice = f"Accept from userspace every value that {name} can have"
    if sets:
        text += f" after {_place(steps[sets[-1]])} set it"
    return Reason(text, (found[-1], *sets[-1:], *moves), advice)


def _faulting(steps: Sequence[Step]) -> Reason:
    """What the kernel has accepted, it cannot load."""
    found = [i for i, s in enumerate(steps) if s.op == FAULT]
    if not found:
        return Reason("", ())
    step = steps[found[-1]]
    name = short(step.register)
    text = f"{_place(step)} faults: {name} cannot hold {step.after:#x}"
    advice = f"Refuse from userspace what {name} cannot hold"
    sets = [i for i, s in enumerate(steps[: found[-1]]) if s.op == ACCEPTED]
    if not sets:
        return Reason(text, (found[-1],), advice)
    text += ", which userspace may set"
    return Reason(text, (found[-1], sets[-1]), advice)


def _emulated(steps: Sequence[Step]) -> Reason:
    """The model of what is emulated says what is wrong."""
    found = [i for i, s in enumerate(steps) if s.op == MISCOUNTED]
    return Reason(steps[found[-1]].note, (found[-1],)) if found else Reason("", ())


def _not_kept(steps: Sequence[Step], violation: Violation, touching: Sequence[int]) -> Reason:
    """What a phase leaves in a cell breaks a rule."""
    name, phase = short(violation.register), violation.phase
    sets = [i for i in touching if steps[i].before != steps[i].after]
    code = phase in ("load", "put")
    missing = f"nothing changes {name}"
    if code:
        missing = f"{phase} does not set {name}{' back' if phase == 'put' else ''}"
    advice = f"Set {name} on {phase}" if code else ""
    if not sets:
        return Reason(f"{missing}: {violation.text}", (), advice, absent=True)
    last = steps[sets[-1]]
    if code and _phase(last) != phase:
        text = f"{missing} after {_place(last)} set it to {last.after:#x}: {violation.text}"
        return Reason(text, (sets[-1],), advice, absent=True)
    text = f"{_place(last)} sets {name} to {last.after:#x}: {violation.text}"
    return Reason(text, (sets[-1],))


def _not_followed(steps: Sequence[Step], violation: Violation, touching: Sequence[int]) -> Reason:
    """A copy of the kernel's does not have the value of its register."""
    name, register = short(violation.register), short(violation.follows)
    copies = [i for i in touching if steps[i].op == COPY]
    sets = [
        i
        for i, s in enumerate(steps)
        if s.register == violation.follows and s.before != s.after and _phase(s) != "leave"
    ]
    if copies and (not sets or copies[-1] > sets[-1]):
        text = f"{name} is set to {steps[copies[-1]].after:#x} {steps[copies[-1]].note}"
        if not sets:
            return Reason(f"{text}, which {register} has not", (copies[-1],))
        text += f", not to what {_place(steps[sets[-1]])} left in {register}"
        return Reason(text, (copies[-1], sets[-1]))
    if sets:
        text = f"nothing sets {name} after {_place(steps[sets[-1]])} changed {register}"
        return Reason(text, (sets[-1],), f"Set {name} to what {register} has", absent=True)
    return Reason(f"{name} is not what {register} has", ())


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
    spoilt = None
    if violation.pair is None:
        spoilt = _copied(steps, name)
    if loads or violation.pair is None:
        spoilt = spoilt or _counted(steps, register, phase)
    if spoilt is not None:
        return spoilt
    if not loads:
        if violation.phase == READ:
            return _answered(steps, name)
        return _not_loaded(steps, register, touching, private)
    last = loads[-1]
    entries = [i for i in touching if i > last and steps[i].op == ENTRY]
    if entries and violation.pair is None:
        return _entered(steps, register, entries[-1], expected)
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


def _entered(steps: Sequence[Step], register: str, entry: int, expected: int) -> Reason:
    """VM-entry loads something else than the guest must find."""
    name = short(register)
    text = f"VM-entry loads {steps[entry].after:#x} into {name}"
    left = [
        i
        for i, s in enumerate(steps[:entry])
        if s.register in (register, f"ghost.{name}") and s.before != s.after == expected
    ]
    if not left:
        return Reason(text, (entry,))
    return Reason(f"{text}, not what {_place(steps[left[-1]])} left in it", (entry, left[-1]))


def _copied(steps: Sequence[Step], name: str) -> Reason | None:
    """Between load and put, the value changed in the kernel's copy alone."""
    copied = [
        i
        for i, s in enumerate(steps)
        if s.op == COPY and s.register == f"ghost.{name}" and s.before != s.after
    ]
    if not copied:
        return None
    last = copied[-1]
    text = f"the kernel's copy of {name} is set {steps[last].note} while the hardware has it"
    saves = [
        i
        for i, s in enumerate(steps)
        if i > last and short(s.register) == name and s.op in READS and _phase(s) == "put"
    ]
    if not saves:
        return Reason(text, (last,))
    return Reason(f"{text}, and {_place(steps[saves[0]])} saves over it", (saves[0], last))


def _counted(steps: Sequence[Step], register: str, load: str) -> Reason | None:
    """Between load and put, the value changed by itself."""
    here = [i for i, s in enumerate(steps) if s.phase == load]
    writes = [i for i in here if steps[i].register == register and steps[i].op == WRITE]
    start = writes[-1] if writes else min(here, default=-1)
    counted = [
        i
        for i, s in enumerate(steps)
        if s.op in COUNTS and s.register == register and (i > start or _phase(s) == "put")
    ]
    if not counted:
        return None
    step = steps[counted[-1]]
    text = f"{COUNTS[step.op].format(short(register))} outside of the guest, up to {_place(step)}"
    return Reason(text, (counted[-1],), "Keep counting off while the host runs")


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
    if step.loc is None and _phase(step) in BOUNDARIES:
        return BOUNDARIES[_phase(step)]
    if step.loc is None and _phase(step).startswith("write"):
        return f"the emulated {_phase(step)}"
    if step.loc is None:
        return f"the {step.op if step.op in ACTORS else _phase(step)}"
    return f"{step.function} ({step.loc.file.rsplit('/', 1)[-1]}:{step.loc.line})"
