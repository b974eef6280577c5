"""Reachable violations: setup, one batch of emulated accesses, k rounds, then up to the bad step;
or one more batch, for what shows at home.

Composition is by substitution, so a model of the result is a complete run from a fresh vCPU, with
nothing assumed about the state in between. Names of inputs get a mark of their step (`#0`,
`#1`, ...; a second vCPU's steps are `#B0`, ...), then the mark of the second run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from verify.encode import term as t
from verify.encode.switch import CONFIG, STATE, Relation, Switch, renamed
from verify.encode.term import Term
from verify.prove.property import READ, SECOND, Pairing, Violation

NOBODY = Pairing("", lambda name: False)


@cache
def _with_secret_state(pair: Pairing) -> Pairing:
    return replace(pair, secret=lambda name: name.startswith(STATE) or pair.secret(name))


def anything(pair: Pairing, phase: str) -> Pairing:
    """The pairing for two runs of whose states nothing is known."""
    return _with_secret_state(pair)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run: what happens, and the mark that its inputs carry."""

    kind: str  # setup, access, step
    name: str
    mark: str
    enabled: Term | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A way to a violation: steps, and the assertions whose models are runs that break it.

    `settings`: the configuration of the vCPU that shows the violation, by name. `options`: the
    flags of the steps that may be left out.
    """

    steps: tuple[Step, ...]
    violation: Violation
    assertions: tuple[Term, ...]
    settings: dict[str, Term]

    @property
    def options(self) -> list[Term]:
        """The flags of the steps that may be left out."""
        return [step.enabled for step in self.steps if step.enabled is not None]


class _Run:
    """State terms of one vCPU (both runs of it) while steps are put one after another."""

    def __init__(self, switch: Switch, pair: Pairing, mark: str, shared: Callable[[str], bool]):
        self.switch = switch
        self.pair = pair
        self.mark = mark
        self.shared = shared
        self.assertions: list[Term] = []
        self.steps: list[Step] = [Step("setup", "setup", mark)]
        names = list(switch.initial)
        values = self._constants([switch.initial[n] for n in names])
        self.state = dict(zip(names, values, strict=True))
        self.assume(self._constants([*switch.config, *switch.pinned]))
        self.count = 0

    def _constants(self, terms: Sequence[Term]) -> list[Term]:
        """Configuration of this vCPU: what the platform does not share gets the vCPU's mark."""
        if not self.mark:
            return list(terms)
        return renamed(terms, self.mark, lambda n: not n.startswith(STATE) and not self.shared(n))

    def settings(self) -> dict[str, Term]:
        """The configuration values by name."""
        names = list(self.switch.settings)
        values = self._constants([self.switch.settings[n] for n in names])
        return dict(zip(names, values, strict=True))

    def assume(self, terms: Sequence[Term]) -> None:
        """This holds in both runs."""
        self.assertions += terms
        self.assertions += renamed(terms, SECOND, self.pair.secret)

    def legal(self) -> None:
        """The hardware starts in a possible state."""
        self.assume(self.place(self.switch.legal, ""))

    def second(self, terms: Sequence[Term]) -> list[Term]:
        """The same in the second run."""
        return renamed(terms, SECOND, self.pair.secret)

    def place(self, terms: Sequence[Term], mark: str) -> list[Term]:
        """Terms of a relation (of one or both runs) over this state, its inputs marked."""
        mapping: dict[Term, Term] = {}
        for v in t.free_vars(terms):
            assert v.name is not None
            name = v.name
            base, run = (name.removesuffix(SECOND), SECOND) if name.endswith(SECOND) else (name, "")
            if base.startswith(STATE):
                value = self.state[base.removeprefix(STATE)]
                mapping[v] = self.second([value])[0] if run else value
            elif base.startswith((CONFIG, "init/", "setup/")):
                if self.mark and not self.shared(base):
                    mapping[v] = t.var(base + self.mark + run, v.width, v.hi)
            else:
                mapping[v] = t.var(base + mark + run, v.width, v.hi)
        return t.substitute(list(terms), mapping)

    def add(self, relation: Relation, kind: str, optional: bool) -> None:
        """One more step; an optional one may be left out."""
        mark = self.next_mark()
        self.count += 1
        names = list(relation.post)
        after = self.place([relation.post[n] for n in names], mark)
        assumes = self.place(relation.assumes, mark)
        # How often the guest is entered is for the host to say, what it does there is not.
        name = f"do{mark}" if kind == "access" else f"step/host do{mark}"
        enabled = t.var(name, 0) if optional else None
        if enabled is not None:
            assumes = [~enabled | a for a in assumes]
            after = [t.ite(enabled, a, self.state[n]) for n, a in zip(names, after, strict=True)]
        self.assume(assumes)
        self.state.update(zip(names, after, strict=True))
        self.steps.append(Step(kind, relation.name, mark, enabled))

    def next_mark(self) -> str:
        """The mark of the step that comes next."""
        return f"{self.mark or '#'}{self.count}"

    def prepare(self, cells: frozenset[str]) -> None:
        """Each emulated access that writes one of the cells once, or not."""
        for access in self.switch.accesses:
            if any(cell in cells for cell in access.post):
                self.add(access, "access", True)

    def rounds(self, count: int) -> None:
        """All steps one after another, from home back to it."""
        for _ in range(count):
            for step in self.switch.steps:
                self.add(step, "step", False)

    def finish(self, violations: Sequence[Violation]) -> list[Term]:
        """The steps up to the last one, or the emulated read, and the violations in it."""
        first = violations[0]
        assumes = first.assumes
        if first.phase != READ:
            step = self.switch.step(first.phase)
            for relation in self.switch.before(step):
                self.add(relation, "step", False)
                self._again(relation)
            self._again(step)
            assumes = (*step.assumes, *assumes)
            self.steps.append(Step("step", step.name, self.next_mark()))
        mark = self.next_mark()
        self.assume(self.place(assumes, mark))
        return self.place([v.bad for v in violations], mark)

    def _again(self, step: Relation) -> None:
        """A step that ends where it starts may happen once more."""
        if step.start == step.end != self.switch.home:
            self.add(step, "step", True)


def alike(switch: Switch, violations: Sequence[Violation]) -> list[list[Violation]]:
    """The violations in groups that show in the same runs."""
    groups: dict[tuple[int, str, tuple[int, ...]], list[Violation]] = {}
    for v in violations:
        step = READ if v.phase == READ else switch.step(v.phase).name
        key = (id(v.pair), step, tuple(a.id for a in v.assumes))
        groups.setdefault(key, []).append(v)
    return list(groups.values())


def alone(
    switch: Switch,
    violations: Sequence[Violation],
    cycles: int,
    accesses: bool = True,
    between: bool = False,
) -> list[Scenario]:
    """Each of some `alike` violations after `cycles` rounds of the same vCPU, and before those, and
    before a read, any `accesses` that can matter; also `between` those rounds and the last one."""
    pair = violations[0].pair or NOBODY
    run = _Run(switch, pair, "", lambda n: True)
    run.legal()
    if accesses:
        run.prepare(_concerned(switch, violations, cycles))
    run.rounds(cycles)
    if accesses and cycles and (between or violations[0].phase == READ):
        run.prepare(_concerned(switch, violations, 0))
    if pair.lasting:
        # What the runs share by definition must still be equal after the prefix.
        for name, value in run.state.items():
            if name.startswith(pair.lasting):
                (other,) = run.second([value])
                if other is not value:
                    run.assertions.append(value.eq(other))
    return _scenarios(run, None, violations)


def chained(
    switch: Switch, first: Pairing, violations: Sequence[Violation], cycles: int
) -> list[Scenario]:
    """One vCPU makes a round with a secret; then another vCPU on the same CPU observes some `alike`
    violations, after `cycles` rounds of its own."""
    a = _Run(switch, first, "", lambda n: True)
    a.legal()
    a.prepare(_concerned(switch, violations, cycles + 1))
    a.rounds(1)
    hide = violations[0].pair or NOBODY
    b = _Run(switch, hide, "#B", switch.target.platform)
    # the second vCPU is made before; its own accesses change no hardware
    b.prepare(_concerned(switch, violations, cycles))
    for name in b.state:
        if name.startswith(switch.target.host_visible):
            b.state[name] = a.state[name]
    b.pair = Pairing(hide.title, lambda n: first.secret(n) if "#B" not in n else hide.secret(n))
    b.rounds(cycles)
    return _scenarios(b, a, violations)


def _scenarios(run: _Run, before: _Run | None, violations: Sequence[Violation]) -> list[Scenario]:
    """The violations in the last step of a run, after another vCPU's run."""
    settings = run.settings()
    bads = run.finish(violations)
    steps = (*(before.steps if before else ()), *run.steps)
    common = (*(before.assertions if before else ()), *run.assertions)
    return [
        Scenario(steps, violation, (*common, bad), settings)
        for violation, bad in zip(violations, bads, strict=True)
    ]


def _concerned(switch: Switch, violations: Sequence[Violation], cycles: int) -> frozenset[str]:
    """The state cells on which violations can depend, up to the accesses before the cycles."""
    terms = [term for v in violations for term in (v.bad, *v.assumes)]
    steps = switch.steps * cycles
    if violations[0].phase != READ:
        last = switch.step(violations[0].phase)
        steps = [*steps, *switch.before(last), last]
        terms += last.assumes
    cells = _cells(terms)
    for step in reversed(steps):
        cells |= _cells([step.post[c] for c in cells if c in step.post])
    while True:
        read = {
            cell
            for access in switch.accesses
            for cell in _cells([access.post[c] for c in access.post if c in cells])
        }
        if read <= cells:
            return frozenset(cells)
        cells |= read


def _cells(terms: Sequence[Term]) -> set[str]:
    names = (str(v.name).removesuffix(SECOND) for v in t.free_vars(terms))
    return {name.removeprefix(STATE) for name in names if name.startswith(STATE)}
