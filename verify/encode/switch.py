"""A switch as transition relations: setup, one load/put cycle, and every emulated access.

State cells are the kernel and hardware cells that some relation changes; every other cell keeps
its value from setup and is a constant of the configuration. The relations are functional (each
changed cell is a term over the state before and the inputs), hence total where the environment's
assumptions on inputs can be met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from verify.encode import term as t
from verify.encode.execute import DEFINED, Executor, Fault, NotUnderstood, Pointer
from verify.encode.term import Term
from verify.errors import BadInput
from verify.ir.program import Program
from verify.request import require_known
from verify.target import Item, Observation, Phase, Target

STATE = "state/"
MONITOR = "monitor."
CONFIG = DEFINED
Cells = dict[str, Term]


@dataclass(frozen=True, slots=True)
class Relation:
    """One transition between two locations: `post` gives the cells that it changes, `assumes`
    restricts its inputs. Where a fault happens there is no state after it, whatever `post` says.
    `functions`: those of the tree that it runs."""

    name: str
    post: Cells
    assumes: tuple[Term, ...]
    faults: tuple[Fault, ...] = ()
    start: str = ""
    end: str = ""
    functions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Point:
    """The state after a phase of a step, what the guest can observe or reach there, and by
    property what is to be checked."""

    step: str
    cells: Cells
    observed: tuple[Observation, ...]
    reachable: tuple[Observation, ...]
    items: Mapping[str, Sequence[Item]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read:
    """An emulated read at the host phase: the kernel answers, with what value, and what that must
    be; `assumes` restricts the read's inputs, and a read that meets one of `faults` has no value.
    """

    accepted: Term
    value: Term
    expected: Term
    assumes: tuple[Term, ...]
    faults: tuple[Fault, ...] = ()
    functions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Part:
    """A relation with all that it changes, and what was not understood of it."""

    relation: Relation
    not_understood: tuple[NotUnderstood, ...]


@dataclass(slots=True)
class Switch:
    """All relations of one target on one tree.

    `config` constrains the configuration constants; `pinned` holds what the user fixed, which are
    among others the parameters in `hardware`; `settings` are the named configuration values;
    `legal` holds of the hardware state variables; `enumerated` tells by register copy whether the
    guest has it, `reads` gives the emulated reads by register copy and way to read it. `points` has
    the states after each phase; the guest may look around at the `observed` ones, and has just come
    in at the `entries`. `mutable`: the cells that were taken as no constants. `active`: the switch
    does anything for this vCPU. A fresh vCPU is at `home`, and `steps` lead from there back to it.
    `parts` has the relations by name as they were made, each from the cells at its `start`.
    `doubt`: what else changes what the relations read, so that no proof can be made of them.
    """

    target: Target
    program: Program
    config: list[Term] = field(default_factory=list)
    pinned: list[Term] = field(default_factory=list)
    settings: dict[str, Term] = field(default_factory=dict)
    initial: Cells = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)
    observed: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    home: str = ""
    steps: list[Relation] = field(default_factory=list)
    accesses: list[Relation] = field(default_factory=list)
    enumerated: dict[tuple[str, int], Term] = field(default_factory=dict)
    reads: dict[tuple[str, int, int], Read] = field(default_factory=dict)
    legal: list[Term] = field(default_factory=list)
    active: Term = t.true
    not_understood: list[NotUnderstood] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    setup_faults: tuple[Fault, ...] = ()
    setup_functions: frozenset[str] = frozenset()
    hardware: frozenset[str] = frozenset()
    mutable: frozenset[str] = frozenset()
    start: Mapping[str, Term | Pointer] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    doubt: str = ""

    def relations(self) -> list[Relation]:
        """Every transition."""
        return [*self.steps, *self.accesses]

    def locations(self) -> list[str]:
        """Where states are described, home first."""
        return list(dict.fromkeys((self.home, *(step.start for step in self.steps))))

    def step(self, phase: str) -> Relation:
        """The step that a phase belongs to."""
        name = self.points[phase].step
        return next(step for step in self.steps if step.name == name)

    def before(self, step: Relation) -> list[Relation]:
        """The steps that lead from home to this one."""
        return self.steps[: self.steps.index(step)]


Observer = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Like:
    """A switch of a tree that differs in the body of one `function` (as the IR names it) alone, and
    is asked about in the same way."""

    switch: Switch
    function: str

    def runs(self, functions: Iterable[str]) -> bool:
        """The function, or a part of it, is one of these."""
        plain = self.function.partition("@")[0]
        return any(name.partition("@")[0] == plain for name in functions)


def build(
    target: Target,
    program: Program,
    observers: Sequence[Observer],
    monitors: Mapping[str, int],
    config: Mapping[str, int],
    hardware: Mapping[str, str],
    mutable: Set[str] = frozenset(),
    like: Like | None = None,
) -> Switch:
    """Run the target's models and the tree's functions symbolically.

    `mutable`: cells that are known to change, which saves finding that out. `like`: what does not
    run the function that differs is taken from there. `observers` with their `monitors` cells
    (name -> width) watch the hardware accesses. Raises BadInput when a name in `config` or
    `hardware` or one of its values is not known.
    """
    switch = Switch(target, program)
    switch.home = target.steps(program)[0].start
    phases = [phase for step in target.steps(program) for phase in step.phases]
    switch.observed = tuple(phase.name for phase in phases if phase.observed)
    switch.entries = tuple(phase.name for phase in phases if phase.entry)
    cells = {**target.cells(program), **monitors}
    machine = Executor(program, target.contracts(program), target.objects, cells)
    machine.begin_phase("setup")
    target.setup(program, machine)
    for name in monitors:
        machine.set(name, t.const(0, monitors[name]))
    machine.settle()
    for setting in target.settings:
        switch.settings[setting.name] = setting.read(machine)
    after_setup = {c: v for c, v in machine.cells.items() if not c.startswith("%")}
    switch.config += machine.assumptions
    switch.setup_faults = tuple(machine.faults)
    switch.setup_functions = frozenset(machine.functions)
    changing = {*mutable, *(c for c in cells if c in monitors or target.mutable(c))}
    while found := _run(switch, machine, after_setup, changing, observers, monitors, like):
        changing |= found
    switch.mutable = frozenset(changing)
    _slice(switch)
    switch.not_understood = list(machine.not_understood_places) + switch.not_understood
    _pin(switch, config, hardware)
    return switch


def _run(
    switch: Switch,
    after: Executor,
    after_setup: Mapping[str, Term | Pointer],
    mutable: set[str],
    observers: Sequence[Observer],
    monitors: Mapping[str, int],
    like: Like | None,
) -> set[str]:
    """Fill the relations, taking cells outside `mutable` and the target's prefixes as constant;
    the cells that turned out to change although they were taken as constant."""
    target = switch.target
    start: dict[str, Term | Pointer] = {}
    switch.initial = {}
    for cell, value in after_setup.items():
        if isinstance(value, Pointer):
            start[cell] = value
        elif cell in mutable or target.mutable(cell):
            start[cell] = t.var(STATE + cell, value.width)
            switch.initial[cell] = value
        else:
            start[cell] = value
    for cell in mutable:
        if cell not in start:
            # never set by setup: any initial value
            value = after.get(cell)
            start[cell] = t.var(STATE + cell, value.width)
            switch.initial[cell] = value
    switch.start = start
    found: set[str] = set()
    if like is not None and (like.runs(switch.setup_functions) or start != like.switch.start):
        like = None

    def begin(phase: str) -> Executor:
        machine = after.fork()
        machine.cells.clear()
        machine.cells.update(start)
        machine.assumptions.clear()
        machine.not_understood_places.clear()
        machine.begin_phase(phase)
        return machine

    def finish(machine: Executor, name: str, leads: tuple[str, str]) -> Relation:
        post: Cells = {}
        for cell, value in machine.cells.items():
            if cell.startswith("%"):
                continue
            before = start.get(cell)
            if before is None:
                before = after.initial_value(cell)
            if value is before or value == before:
                continue
            if isinstance(value, Pointer):
                # Relations have numbers only. A run in which it matters does not repeat.
                switch.doubt = f"{name} changes the pointer {cell}, which is not modelled"
                continue
            if cell not in switch.initial:
                found.add(cell)
            post[cell] = value
        assumes, faults = tuple(machine.assumptions), tuple(machine.faults)
        made = Relation(name, post, assumes, faults, *leads, frozenset(machine.functions))
        switch.parts[name] = Part(made, tuple(machine.not_understood_places))
        return made

    def known(name: str) -> Relation | None:
        if like is None or like.runs(like.switch.parts[name].relation.functions):
            return None
        switch.parts[name] = like.switch.parts[name]
        return switch.parts[name].relation

    switch.points, switch.steps, switch.parts = {}, [], {}
    for step in target.steps(switch.program):
        if like is not None and (relation := known(step.name)) is not None:
            switch.steps.append(relation)
            for phase in step.phases:
                switch.points[phase.name] = like.switch.points[phase.name]
            continue
        machine = begin(step.name)
        machine.observers.extend(observers)
        for name, width in monitors.items():
            machine.set(name, t.const(0, width))
        for phase in step.phases:
            machine.begin_phase(phase.name)
            phase.run(machine)
            switch.points[phase.name] = _point(step.name, machine, target, phase)
        switch.steps.append(finish(machine, step.name, (step.start, step.end)))
    if found:
        return found
    switch.accesses = []
    for access in target.accesses(switch.program):
        if (relation := known(access.name)) is not None:
            switch.accesses.append(relation)
            continue
        machine = begin(access.name)
        machine.observers.extend(observers)
        access.run(machine)
        switch.accesses.append(finish(machine, access.name, (switch.home, switch.home)))
    if found:
        return found
    for register in target.registers(switch.program):
        for i in range(register.count):
            switch.enumerated[register.name, i] = register.enumerated(begin("has"), i)
            for k, read in enumerate(register.ways):
                key = (register.name, i, k)
                if like is not None and not like.runs(like.switch.reads[key].functions):
                    switch.reads[key] = like.switch.reads[key]
                    continue
                machine = begin(register.read_phase(i, k))
                accepted, value, expected = read(machine, i)
                assumes, faults = tuple(machine.assumptions), tuple(machine.faults)
                ran = frozenset(machine.functions)
                switch.reads[key] = Read(accepted, value, expected, assumes, faults, ran)
    machine = begin("legal")
    switch.legal = [target.legal(machine)]
    switch.active = target.active(begin("active"))
    parts = switch.parts.values()
    switch.not_understood = [place for part in parts for place in part.not_understood]
    made: list[Relation | Read] = [*(part.relation for part in parts), *switch.reads.values()]
    switch.functions.update(switch.setup_functions, *(each.functions for each in made))
    return set()


def _slice(switch: Switch) -> None:
    """Drop the cells on which nothing depends that a property can speak of: hardware, expected
    values, what the guest observes, reads, assumptions and faults."""
    terms = [term for r in switch.relations() for term in (*r.assumes, *_guards(r.faults))]
    terms += [*switch.enumerated.values(), switch.active]
    for read in switch.reads.values():
        terms += [read.accepted, read.value, read.expected]
        terms += [*read.assumes, *_guards(read.faults)]
    for point in switch.points.values():
        terms += [x for o in (*point.observed, *point.reachable) for x in (o.visible, o.value)]
        items = [item for found in point.items.values() for item in found]
        terms += [x for item in items for x in (item.when, item.found, item.expected)]
    kept = _cells_of(terms)
    # The cells of the models are what properties speak of.
    kept |= {cell for cell in switch.initial if cell in switch.target.cells(switch.program)}
    while True:
        ends = [r.post[c] for r in switch.relations() for c in r.post if c in kept]
        ends += [p.cells[c] for p in switch.points.values() for c in p.cells if c in kept]
        more = _cells_of(ends) - kept
        if not more:
            break
        kept |= more
    kept |= {cell for cell in switch.initial if cell.startswith(MONITOR)}
    switch.initial = {c: v for c, v in switch.initial.items() if c in kept}
    switch.steps = [_only(step, kept) for step in switch.steps]
    switch.accesses = [_only(access, kept) for access in switch.accesses]


def _only(relation: Relation, cells: set[str]) -> Relation:
    return replace(relation, post={c: v for c, v in relation.post.items() if c in cells})


def _guards(faults: Sequence[Fault]) -> list[Term]:
    return [fault.guard for fault in faults]


def _cells_of(terms: Iterable[Term]) -> set[str]:
    names = (str(v.name) for v in t.free_vars(terms))
    return {name.removeprefix(STATE) for name in names if name.startswith(STATE)}


def _point(step: str, machine: Executor, target: Target, phase: Phase) -> Point:
    cells = {
        c: v for c, v in machine.cells.items() if isinstance(v, Term) and not c.startswith("%")
    }
    checks = [check for check in target.checks if check.phase == phase.name]
    items = {check.property: tuple(check.items(machine)) for check in checks}
    if not phase.observed:
        return Point(step, cells, (), (), items)
    observed, reachable = tuple(target.observe(machine)), tuple(target.reachable(machine))
    return Point(step, cells, observed, reachable, items)


def _pin(switch: Switch, config: Mapping[str, int], hardware: Mapping[str, str]) -> None:
    for name, number in config.items():
        require_known("--config", name, switch.settings)
        value = switch.settings[name]
        limit = 1 if value.width == 0 else (1 << value.width) - 1
        if not 0 <= number <= limit:
            raise BadInput(f"--config {name}={number}: out of range 0..{limit}")
        fixed = (t.true if number else t.false) if value.width == 0 else number
        switch.pinned.append(value.eq(fixed))
    parameters = {p.name: p for p in switch.target.parameters}
    for name, choice in hardware.items():
        require_known("--hardware", name, parameters)
        require_known(f"--hardware {name}", choice, parameters[name].values)
        switch.pinned.append(parameter_is(switch, name, choice))
    switch.hardware = frozenset(hardware)


def parameter_is(switch: Switch, name: str, choice: str) -> Term:
    """The hardware parameter has this value."""
    parameter = next(p for p in switch.target.parameters if p.name == name)
    cells = switch.target.cells(switch.program)
    return t.var("init/" + parameter.cell, cells[parameter.cell]).eq(parameter.values.index(choice))


def renamed(terms: Iterable[Term], suffix: str, select: Callable[[str], bool]) -> list[Term]:
    """The terms with every selected variable replaced by a copy of another run or step."""
    terms = list(terms)
    named = [(v, v.name or "") for v in t.free_vars(terms)]
    mapping = {v: t.var(name + suffix, v.width, v.hi) for v, name in named if select(name)}
    return t.substitute(terms, mapping) if mapping else terms
