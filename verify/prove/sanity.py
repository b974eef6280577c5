"""Whether the model is one that proofs can be made of: closed, total and without faults.

Induction over cycles needs that the hardware's states stay among the possible ones, that every
state has a successor under every relation, and that no path of the kernel's code ends in a fault
(a null pointer, say), as such a path has no state afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from verify.encode import term as t
from verify.encode.switch import STATE, Relation, Switch
from verify.encode.term import Term
from verify.prove.goal import Answer, Goal

_CONSTANT = (STATE, "config/", "init/", "setup/")


def goals(switch: Switch, holding: Sequence[Term]) -> list[Goal]:
    """Goals that must all be unsatisfiable; `holding` is what holds of every host phase."""
    relations = switch.relations()
    result = [_legal_kept(relation, switch, holding) for relation in relations]
    result += _faults(switch, holding)
    inputs = {f"total {relation.name}": relation.assumes for relation in relations}
    for (register, i), read in switch.reads.items():
        inputs[f"total read of {register}[{i}]"] = read.assumes
    for name, assumes in inputs.items():
        stuck = ~t.conj(_with_zero_inputs(assumes))
        if stuck is not t.false:
            result.append(Goal(name, (*holding, stuck)))
    return result


def complaint(checks: Sequence[Goal], answers: Mapping[str, Answer]) -> str:
    """Why no proof can be trusted, or nothing."""
    for goal in checks:
        status = answers[goal.name].status
        if status != "unsat":
            return f"the model is not closed: {goal.name} ({status})"
    return ""


def _legal_kept(relation: Relation, switch: Switch, holding: Sequence[Term]) -> Goal:
    after = {t.var(STATE + c, v.width): v for c, v in relation.post.items()}
    broken = ~t.conj(t.substitute(switch.legal, after))
    name = f"the hardware's state stays possible in {relation.name}"
    return Goal(name, (*holding, *relation.assumes, broken))


def _faults(switch: Switch, holding: Sequence[Term]) -> list[Goal]:
    parts = [("setup", (*switch.config, *switch.pinned), switch.setup_faults)]
    parts += [(r.name, (*holding, *r.assumes), r.faults) for r in switch.relations()]
    result = []
    for name, context, faults in parts:
        if faults:
            places = dict.fromkeys(f"{f.reason} at {f.file}:{f.line}" for f in faults)
            guard = t.disj([fault.guard for fault in faults])
            result.append(Goal(f"{name} without {', '.join(places)}", (*context, guard)))
    return result


def _with_zero_inputs(terms: Sequence[Term]) -> list[Term]:
    """The assumptions where every input is 0: that this is possible shows that some input is."""
    inputs = {
        v: t.const(0, v.width)
        for v in t.free_vars(terms)
        if not str(v.name).startswith(_CONSTANT)
    }
    return t.substitute(list(terms), inputs)
