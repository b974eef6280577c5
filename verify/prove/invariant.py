"""Invariants of the host phase, inferred: candidate templates and Houdini.

Candidates come from the shape of the relations, never from names: a kernel cell equals a ghost
when one access writes both; a cell has no bit of a mask when an access that writes it looks at
that mask, or when hardware has the mask; a hardware cell is zero. What speaks of a register that
the guest owns may hold only where the guest's configuration has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from verify.encode import term as t
from verify.encode.switch import CONFIG, MONITOR, STATE, Cells, Switch
from verify.encode.term import Term
from verify.prove import simulate
from verify.prove.ask import Solve
from verify.prove.goal import Goal
from verify.prove.slices import Slices, conjuncts

GHOST = "ghost."

Candidate = tuple[Term, ...]
"""Something that may be invariant, and weaker forms to try when it is not."""


def candidates(switch: Switch) -> list[Candidate]:
    """Over state variables and constants of the configuration."""
    hardware = switch.target.host_visible
    state = {c: t.var(STATE + c, v.width) for c, v in switch.initial.items()}
    owned = {
        register.ghost.format(i): switch.enumerated[register.name, i]
        for register in switch.target.registers(switch.program)
        for i in range(register.count)
    }
    limits = _limits(switch.legal)
    found: dict[Candidate, None] = {}

    def add(candidate: Term, *conditions: Term) -> None:
        forms = [t.disj((t.negate(condition), candidate)) for condition in conditions]
        chain = [form for form in (candidate, *forms) if form.op != "const"]
        if chain:
            found[tuple(dict.fromkeys(chain))] = None

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
                # Without the register nothing changes.
                add(value.eq(switch.initial[cell]), t.negate(owned[ghost]))
            for mask in _masks([access.post[cell]]):
                if mask.width == value.width:
                    add((value & mask).eq(0), *conditions)
                    add((value & ~mask).eq(0), *conditions)
            for source in _cells_in(switch.cycle.post.get(cell)):
                for mask in limits.get(source, ()):
                    if mask.width == value.width:
                        add((value & ~mask).eq(0), *conditions)
    return list(found)


def _limits(legal: Sequence[Term]) -> dict[str, list[Term]]:
    """The masks that limit hardware cells, by cell."""
    result: dict[str, list[Term]] = {}
    for term in legal:
        for part in term.args if term.op == "and" else (term,):
            for cell in _cells_in(part):
                result.setdefault(cell, []).extend(_masks([part]))
    return result


def _cells_in(term: Term | None) -> list[str]:
    """The state cells that a term looks at."""
    names = () if term is None else (str(v.name) for v in t.free_vars([term]))
    return [name.removeprefix(STATE) for name in names if name.startswith(STATE)]


def _masks(terms: Sequence[Term]) -> list[Term]:
    """The constants of the configuration that the terms look at."""
    return [
        v for v in t.free_vars(terms) if v.width > 1 and str(v.name).startswith((CONFIG, "init/"))
    ]


def _substituted(terms: Sequence[Term], cells: Cells) -> list[Term]:
    return t.substitute(list(terms), {t.var(STATE + c, v.width): v for c, v in cells.items()})


def infer(switch: Switch, background: Sequence[Term], solve: Solve) -> list[Term]:
    """Candidates, each in its strongest form, that setup establishes and every relation keeps.

    `background`: what holds of configuration and hardware at the host phase anyway. A candidate
    of which a solver does not answer is dropped: the result is inductive in any case.
    """
    reached = simulate.states(switch, background, solve)
    open_ = _weakened(candidates(switch), reached)
    # What is shown of each candidate, and from which others.
    shown: dict[Term, frozenset[Term]] = {}
    while True:
        kept = [chain[0] for chain in open_]
        left = [term for term in kept if not shown.get(term, _MISSING) <= set(kept)]
        lost = _lost(switch, background, kept, left, shown, solve)
        if not lost:
            return kept
        open_ = [chain[1:] if chain[0] in lost else chain for chain in open_]
        open_ = _weakened([chain for chain in open_ if chain], reached)


_MISSING = frozenset((t.false,))
"""Not shown yet: this is no candidate."""


def _lost(
    switch: Switch,
    background: Sequence[Term],
    kept: Sequence[Term],
    left: Sequence[Term],
    shown: dict[Term, frozenset[Term]],
    solve: Solve,
) -> set[Term]:
    """Those `left` that are not shown to hold from setup on and to be kept, with all `kept` as the
    hypothesis; notes in `shown` of which of those the others made use."""
    start = _substituted(left, switch.initial)
    broken = _broken(switch, left)
    slices = Slices((*background, *kept))
    parts = [slices.around(term) for term in broken]
    near = [t.conj((*part, term)) for part, term in zip(parts, broken, strict=True)]
    goals = [
        Goal("setup", (*switch.config, *switch.pinned), (), tuple(map(t.negate, start))),
        Goal("near", (), (), tuple(near)),
    ]
    answers = solve(goals)
    lost = set(answers["setup"].not_excluded(left))
    far = answers["near"].not_excluded(range(len(left)))
    whole = Goal("relations", (*background, *kept), (), tuple(broken[i] for i in far))
    lost |= {left[i] for i in solve([whole])["relations"].not_excluded(far)}
    owner = {part: term for term in kept for part in conjuncts(term)}
    for i, (term, part) in enumerate(zip(left, parts, strict=True)):
        used = kept if i in far else [owner[p] for p in part if p in owner]
        shown[term] = frozenset(used)
    return lost


def _weakened(chains: Sequence[Candidate], reached: Sequence[simulate.State]) -> list[Candidate]:
    """The candidates without the forms that are false in a reachable state."""
    terms = list(dict.fromkeys(form for chain in chains for form in chain))
    wrong: set[Term] = set()
    for state in reached:
        left = [term for term in terms if term not in wrong]
        wrong |= {f for f, holds in zip(left, t.evaluate(left, state), strict=True) if not holds}
    found = (tuple(form for form in chain if form not in wrong) for chain in chains)
    return list(dict.fromkeys(chain for chain in found if chain))


def _broken(switch: Switch, kept: Sequence[Term]) -> list[Term]:
    """For each candidate, that a relation breaks it."""
    ways: list[list[Term]] = [[] for _ in kept]
    for relation in switch.relations():
        ends = _substituted(kept, relation.post)
        for before, after, way in zip(kept, ends, ways, strict=True):
            # The negation of what is unchanged contradicts the context: not worth a question.
            if after is not before:
                way.append(t.conj((*relation.assumes, t.negate(after))))
    return [t.disj(way) for way in ways]
