"""Whether the model is one that proofs can be made of: closed, total and without faults.

Induction over cycles needs that the hardware's states stay among the possible ones, that every
state has a successor under every relation, and that no path of the kernel's code ends in a fault
(a null pointer, say), as such a path has no state afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from verify.encode import term as t
from verify.encode.execute import Fault
from verify.encode.objects import root
from verify.encode.switch import MONITOR, STATE, Relation, Switch
from verify.encode.term import Term
from verify.prove.ask import Question
from verify.prove.goal import UNSAT, Answer
from verify.prove.slices import conjuncts

_CONSTANT = (STATE, "config/", "init/", "setup/")


def questions(switch: Switch, holding: Callable[[str], tuple[Term, ...]]) -> list[Question]:
    """Nothing of this may be possible; `holding` gives what holds at a location."""
    result = []
    for relation in switch.relations():
        name, context = relation.name, holding(relation.start)
        for cells, illegal in _illegal(relation, switch):
            asked = f"the hardware's state stays possible in {name} ({cells})"
            result.append(Question(asked, context, illegal))
        result.append(Question(f"total {name}", context, _stuck(relation.assumes)))
        if relation.faults:
            fault = t.conj([*relation.assumes, _fault(relation.faults)])
            result.append(Question(f"{name} {_without(relation.faults)}", context, fault))
    context = holding(switch.home)
    for (register, i, way), read in switch.reads.items():
        name = f"read {way} of {register}[{i}]"
        result.append(Question(f"total {name}", context, _stuck(read.assumes)))
        if read.faults:
            fault = t.conj([*read.assumes, _fault(read.faults)])
            result.append(Question(f"{name} {_without(read.faults)}", context, fault))
    if switch.setup_faults:
        setup = (*switch.config, *switch.pinned)
        name = f"setup {_without(switch.setup_faults)}"
        result.append(Question(name, setup, _fault(switch.setup_faults)))
    return result


def shape(switch: Switch) -> str:
    """Why the relations are not of the form that proofs count on, or nothing: emulated accesses
    leave what everyone can see alone, and what a vCPU changes else is its own, and changed by
    nothing else."""
    if switch.doubt:
        return switch.doubt
    target = switch.target
    own = {*target.cells(switch.program), *target.transient}
    for relation in switch.relations():
        for cell in relation.post:
            if cell not in own and not cell.startswith(MONITOR):
                if root(cell) not in target.objects:
                    return f"{cell}, which {relation.name} changes, is shared between vCPUs"
    for access in switch.accesses:
        seen = [c for c in access.post if c.startswith(switch.target.host_visible)]
        if seen:
            return f"{access.name} changes {seen[0]}, which only a switch may change"
    return ""


def complaint(asked: Sequence[Question], answers: Sequence[Answer]) -> str:
    """Why no proof can be trusted, or nothing."""
    for question, answer in zip(asked, answers, strict=True):
        if answer.status != UNSAT:
            return f"the model is not closed: {question.name} ({answer.status})"
    return ""


def _illegal(relation: Relation, switch: Switch) -> list[tuple[str, Term]]:
    """For each part of what is possible that the relation breaks it, with the cells concerned."""
    after = {t.var(STATE + c, v.width): v for c, v in relation.post.items()}
    parts = [part for term in switch.legal for part in conjuncts(term)]
    ends = zip(parts, t.substitute(parts, after), strict=True)
    # What is not changed is legal as it was before.
    return [
        (_changed(start, after), t.conj([*relation.assumes, t.negate(end)]))
        for start, end in ends
        if end is not start
    ]


def _changed(term: Term, after: Mapping[Term, Term]) -> str:
    cells = [str(v.name).removeprefix(STATE) for v in t.free_vars([term]) if v in after]
    return ", ".join(cells)


def _without(faults: Sequence[Fault]) -> str:
    places = dict.fromkeys(f"{f.reason} at {f.file}:{f.line}" for f in faults)
    return f"without {', '.join(places)}"


def _fault(faults: Sequence[Fault]) -> Term:
    return t.disj([fault.guard for fault in faults])


def _stuck(assumes: Sequence[Term]) -> Term:
    return t.negate(t.conj(_with_zero_inputs(assumes)))


def _with_zero_inputs(terms: Sequence[Term]) -> list[Term]:
    """The assumptions where every input is 0: that this is possible shows that some input is."""
    inputs = {
        v: t.const(0, v.width) for v in t.free_vars(terms) if not str(v.name).startswith(_CONSTANT)
    }
    return t.substitute(list(terms), inputs)
