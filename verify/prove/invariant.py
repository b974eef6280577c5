"""Invariants of the host phase, inferred: candidate templates and Houdini.

Candidates come from the shape of the relations, never from names: a kernel cell equals a ghost
when one transition writes both; a cell has no bit of a mask when a transition that writes it
looks at that mask; a hardware cell is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from verify.encode import term as t
from verify.encode.switch import CONFIG, STATE, Relation, Switch
from verify.encode.term import Term
from verify.prove.goal import Answer, Goal

GHOST = "ghost."
Solve = Callable[[Sequence[Goal]], Mapping[str, Answer]]


def candidates(switch: Switch) -> list[Term]:
    """Terms over state variables (and constants of the configuration) that may be invariant."""
    prefixes = switch.target.host_visible
    found: dict[int, Term] = {}

    def add(candidate: Term) -> None:
        if candidate.op != "const":
            found[candidate.id] = candidate

    state = {c: t.var(STATE + c, v.width) for c, v in switch.initial.items()}
    for relation in switch.relations():
        written = [c for c in relation.post if c in state and state[c].width > 0]
        ghosts = [c for c in written if c.startswith(GHOST)]
        # a whole cycle writes too much to tell which cells belong together
        near = relation is not switch.cycle
        for cell in written:
            if cell.startswith((GHOST, "monitor.")):
                continue
            if cell.startswith(prefixes):
                add(state[cell].eq(0))
                continue
            if not near:
                continue
            for ghost in ghosts:
                if state[ghost].width == state[cell].width:
                    add(state[cell].eq(state[ghost]))
            masks = [
                v
                for v in t.free_vars([relation.post[cell]])
                if v.name.startswith((CONFIG, "init/")) and v.width == state[cell].width
            ]
            for mask in masks:
                add((state[cell] & mask).eq(0))
                add((state[cell] & ~mask).eq(0))
    return list(found.values())


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
    alive = _filter(alive, {"initiation": (switch.config, at_start)}, [], solve)
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
    background: Sequence[Term],
    solve: Solve,
) -> list[Term]:
    kept = list(alive)
    open_steps = set(steps)
    while open_steps:
        goals = []
        for name in sorted(open_steps):
            assumes, after = steps[name]
            broken = [~after[c] for c in kept if c in after and after[c] is not t.true]
            if broken:
                pre = kept if background else []
                goals.append(Goal(name, (*background, *pre, *assumes, t.disj(broken)), None))
        if not goals:
            break
        answers = solve(goals)
        dropped: set[Term] = set()
        for goal in goals:
            answer = answers[goal.name]
            _, after = steps[goal.name]
            mine = [c for c in kept if c in after]
            if answer.status == "unsat":
                continue
            if answer.status == "unknown":
                dropped |= set(mine)
                continue
            values = t.evaluate([after[c] for c in mine], answer.model)
            dropped |= {c for c, value in zip(mine, values, strict=True) if not value}
        if not dropped:
            break
        kept = [c for c in kept if c not in dropped]
        # a weaker hypothesis opens every step again
        open_steps = set(steps)
    return kept
