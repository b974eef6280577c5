"""Invariants of the host phase, inferred: candidate templates and Houdini.

Candidates come from the shape of the relations, never from names: a kernel cell equals a ghost
when one access writes both; a cell has no bit of a mask when an access that writes it looks at
that mask, or when hardware has the mask; a hardware cell is zero. What speaks of a register that
the guest owns may hold only where the guest's configuration has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from verify.encode import term as t
from verify.encode.switch import CONFIG, STATE, Relation, Switch
from verify.encode.term import Term
from verify.prove.goal import Answer, Goal

GHOST = "ghost."
MONITOR = "monitor."
Solve = Callable[[Sequence[Goal]], Mapping[str, Answer]]


def candidates(switch: Switch) -> list[Term]:
    """Terms over state variables (and constants of the configuration) that may be invariant."""
    hardware = switch.target.host_visible
    state = {c: t.var(STATE + c, v.width) for c, v in switch.initial.items()}
    owned = {
        register.ghost.format(i): switch.reads[register.name, i].enumerated
        for register in switch.target.registers(switch.program)
        for i in range(register.count)
    }
    limits = _masks(switch.legal)
    found: dict[Term, None] = {}

    def add(candidate: Term, *conditions: Term) -> None:
        for condition in (t.true, *conditions):
            guarded = t.disj([t.negate(condition), candidate])
            if guarded.op != "const":
                found[guarded] = None

    for cell in switch.cycle.post:
        if cell.startswith(hardware) and state[cell].width:
            add(state[cell].eq(0))
    for access in switch.accesses:
        written = [c for c in access.post if state[c].width]
        ghosts = [c for c in written if c in owned]
        conditions = [owned[c] for c in ghosts]
        for cell in written:
            if cell.startswith((GHOST, MONITOR, *hardware)):
                continue
            value = state[cell]
            for ghost in ghosts:
                if state[ghost].width == value.width:
                    add(value.eq(state[ghost]), owned[ghost])
            for mask in _masks([access.post[cell]]):
                if mask.width == value.width:
                    add((value & mask).eq(0), *conditions)
                    add((value & ~mask).eq(0), *conditions)
            if cell in switch.cycle.post:
                for mask in limits:
                    if mask.width == value.width:
                        add((value & ~mask).eq(0), *conditions)
    return list(found)


def _masks(terms: Sequence[Term]) -> list[Term]:
    """The constants of the configuration that the terms look at."""
    return [
        v
        for v in t.free_vars(terms)
        if v.width > 1 and str(v.name).startswith((CONFIG, "init/"))
    ]


def _after(relation: Relation, terms: Iterable[Term]) -> list[Term]:
    mapping = {t.var(STATE + c, v.width): v for c, v in relation.post.items()}
    return t.substitute(list(terms), mapping)


def infer(switch: Switch, background: Sequence[Term], solve: Solve) -> list[Term]:
    """The largest subset of the candidates that setup establishes and every relation keeps.

    `background`: what holds of configuration and hardware at the host phase anyway. A solver that
    does not answer drops the candidates of its goal: the result is inductive in any case.
    """
    alive = candidates(switch)
    initial = {t.var(STATE + c, v.width): v for c, v in switch.initial.items()}
    at_start = dict(zip(alive, t.substitute(alive, initial), strict=True))
    at_start = {c: v for c, v in at_start.items() if v is not t.false}
    alive = [c for c in alive if c in at_start]
    alive = _filter(alive, {"initiation": (switch.config, at_start)}, None, solve)
    steps: dict[str, tuple[Sequence[Term], dict[Term, Term]]] = {}
    for relation in switch.relations():
        after = dict(zip(alive, _after(relation, alive), strict=True))
        changed = {c: a for c, a in after.items() if a is not c}
        if changed:
            steps[relation.name] = (relation.assumes, changed)
    return _filter(alive, steps, background, solve)


def _filter(
    alive: list[Term],
    steps: dict[str, tuple[Sequence[Term], dict[Term, Term]]],
    background: Sequence[Term] | None,
    solve: Solve,
) -> list[Term]:
    """Those that hold after every step; before it they do too, with the background, if given."""
    kept = list(alive)
    while True:
        before = () if background is None else (*background, *kept)
        goals, concerned = [], {}
        for name, (assumes, after) in steps.items():
            mine = [c for c in kept if c in after and after[c] is not t.true]
            broken = tuple(t.negate(after[c]) for c in mine)
            goals.append(Goal(name, (*before, *assumes), (), broken))
            concerned[name] = mine
        answers = solve(goals)
        dropped = {c for name, mine in concerned.items() for c in answers[name].not_excluded(mine)}
        if not dropped:
            return kept
        # A weaker hypothesis opens every step again.
        kept = [c for c in kept if c not in dropped]
