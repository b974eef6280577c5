"""What a switch is to the tool: the interface that `models/targets` implement.

The engine reads a `Target` and knows nothing else of the domain. All functions take the machine
they run on; they are guarded-command models (see `verify.ir.machine`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from verify.ir.contract import Contract
from verify.ir.machine import Machine
from verify.ir.program import Dialect, Program


@dataclass(frozen=True, slots=True)
class Setting:
    """A configuration value that `--config` can fix: its name, meaning, and how to read it from
    the state after setup (bit vector or truth value). `usual`: what most machines or guests have;
    a counterexample takes it when it can.
    """

    name: str
    text: str
    read: Callable[[Machine], Any]
    usual: int | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A hardware fact that is not known: `cell` holds the index of one of `values`."""

    name: str
    text: str
    cell: str
    values: tuple[str, ...]


EmulatedRead = Callable[[Machine, int], tuple[Any, Any, Any]]
"""Runs the kernel's read path for copy i of a register: (accepted, value, what it must be)."""


@dataclass(frozen=True, slots=True)
class Register:
    """A register that the guest owns across switches.

    `cell` and `ghost` name the hardware cell and the expected value of copy i with `{}` for i.
    `enumerated(m, i)`: the guest's configuration has copy i. `switched`: hardware holds the
    guest's value while it runs, else what `loaded` (a kernel cell) says, and only emulated reads
    show the guest's. `reads`: every way to read copy i that the kernel answers. `migrations`: reads
    by userspace and writes of the result, with 1 for a write that is refused and 0 expected;
    `moves` are those to another machine.
    `arrivals`: writes of any value by userspace and loads after them, with 1 for a load that faults
    and 0 expected. `events`: things that the kernel emulates, with what they make of the register
    and what they must.
    """

    name: str
    count: int
    cell: str
    ghost: str
    width: int
    switched: bool
    enumerated: Callable[[Machine, int], Any]
    reads: Sequence[EmulatedRead]
    loaded: str = ""
    migrations: Sequence[EmulatedRead] = ()
    moves: Sequence[EmulatedRead] = ()
    arrivals: Sequence[EmulatedRead] = ()
    events: Sequence[EmulatedRead] = ()

    @property
    def ways(self) -> list[EmulatedRead]:
        """All reads, and after them migrations, moves, arrivals and events."""
        return [run for runs, _ in self._kinds() for run in runs]

    def _kinds(self) -> list[tuple[Sequence[EmulatedRead], str]]:
        moved = (*self.migrations, *self.moves, *self.arrivals)
        return [(self.reads, "read"), (moved, "migrate"), (self.events, "emulate")]

    def read_phase(self, i: int, way: int) -> str:
        """The name of the phase in which copy i is read in one of the ways."""
        every = [kind for runs, kind in self._kinds() for _ in runs]
        name = f"{every[way]}/{self.name}[{i}]"
        return f"{name}/{way}" if way else name


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a step. `observed`: the guest may look around at its end; `entry`: it is the
    VM-entry."""

    name: str
    run: Callable[[Machine], None]
    observed: bool = False
    entry: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A transition from one location to another: what happens between two points at which the
    state can be described. A step that ends where it starts may happen any number of times."""

    name: str
    start: str
    end: str
    phases: Sequence[Phase]


@dataclass(frozen=True, slots=True)
class Observation:
    """Something an observer can read: which register copy, whether it is open, its value."""

    register: str
    visible: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Access:
    """An emulated access of userspace or guest while the switch is put: one transition."""

    name: str
    run: Callable[[Machine], None]


@dataclass(frozen=True, slots=True)
class Ordering:
    """A rule on the hardware accesses of one phase: when `first` and `second` (register cells)
    are both written, the last write of `second` comes after the last write of `first`."""

    property: str
    phase: str
    first: str
    second: str
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """A hardware access or another thing that happens: `op` to a register (or "kernel log")."""

    op: str
    register: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Watch:
    """A rule on what happens, not on what is left: `bad(m, event)` gives under which flags an event
    breaks the property, each with a note. `steps`: where it is watched (all, when empty);
    `accesses`: also in emulated accesses."""

    property: str
    statement: str
    text: str
    bad: Callable[[Machine, Event], Sequence[tuple[Any, str]]]
    steps: tuple[str, ...] = ()
    accesses: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """What a cell must hold: `found` is `expected`, when `when` holds. `follows`: the register of
    which a cell of the kernel must have the value."""

    cell: str
    when: Any
    found: Any
    expected: Any
    follows: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A rule on what a phase leaves: all of the items. `prepared`: there are none before some
    access that KVM emulates."""

    property: str
    statement: str
    text: str
    phase: str
    items: Callable[[Machine], Sequence[Item]]
    prepared: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """In which order a function of the kernel makes its calls: what the steps of a switch rest on,
    read from the tree.

    An automaton that runs along each path of `function` in `file`, from its `start`. `calls`: which
    event a call is (none for ""), by its name as in the source without blanks, the one with its
    first argument before the plain one (`f(x)`, `f`); `if(CONDITION)` is that of a branch that is
    taken, `if(!(CONDITION))` of one that is not. `moves`: the state after an event; in any other
    state the event breaks the frame. States are named as one says it: "with interrupts on". `ends`:
    where the function may return. `reached`: a state that some path must have. `closed`: in these
    states, no calls but those that are events or `harmless`, for which the model stands.
    """

    file: str
    function: str
    calls: Mapping[str, str]
    start: str
    moves: Mapping[tuple[str, str], str]
    ends: Set[str]
    reached: str
    closed: Set[str] = frozenset()
    harmless: Set[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Callers:
    """Which functions in `folder` and in the target's files may make certain `calls`, named as in
    the source; nothing else there may speak of them, but to declare or define them."""

    calls: tuple[str, ...]
    functions: tuple[str, ...]
    folder: str


@dataclass(frozen=True, slots=True)
class Idioms:
    """How a kernel speaks of memory: regular expressions for the names of what only `reads` what it
    is given the address of, or an array; of what `writes` its first argument, and of what `fills`
    it, a whole record perhaps; of attributes of functions that run `once`, when a module is loaded
    or unloaded; and of macros that make an object a `parameter`, with the mode last."""

    reads: str
    writes: str
    fills: str
    once: str
    parameter: str


@dataclass(frozen=True, slots=True)
class Writers:
    """Who may write what the switch reads, besides the functions that the model runs or stands for:
    nobody in `folder` and in the target's files, but in what is `beside` (no vCPU of this target
    runs it), and for the functions that are `known` to, with the names of what they write. Nor may
    anyone in `folder` call one of the `instructions` for one of its registers, by number, or a
    function that the model runs and that writes, unless `known` has that; `through` are the ways
    to speak of such a member of a table, with {} for its name. `idioms`: what counts as a write.
    """

    folder: str
    beside: tuple[str, ...]
    known: Mapping[str, Set[str]]
    instructions: Mapping[str, Set[int]]
    through: tuple[str, ...]
    idioms: Idioms


@dataclass(frozen=True, slots=True)
class Assumption:
    """A fact that the model takes for granted, by id, as printed to the user."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What the hardware does, as the models have it: by id, in words, from which `source`, and how
    sure that is. `registers`: prefixes of the cells that it is about, all when there are none."""

    id: str
    text: str
    source: str
    confidence: str
    registers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """One switch.

    `required`: files, and `functions`: what the models call, without which a tree is none for this
    target. `setup` builds a vCPU after creation, CPUID configuration and reset from inputs; it
    leaves every kernel cell that the phases read defined. `steps`: what one switch does, in order,
    from the location where a fresh vCPU is back to it. The kernel's functions take turns with
    hardware, and with host and guest, which may do any number of things at once. `active(m)`: the
    switch does anything for this vCPU, which its configuration says.
    `accesses`: every emulated access, where a fresh vCPU is. `mutable(cell)`: phases or accesses
    may write the cell (checked: a write elsewhere is found and added).
    `observe(m)`: what the guest can read directly right after entry; `reachable(m)`: what it can
    read, write or let count. `host_visible`: prefixes of the cells that anyone can read after
    put. `entered(cells)`: the guest is in. `legal(m)`: which hardware states are possible at all
    (reserved bits are 0, values within widths); it must be kept by every phase and holds initially.
    `counting(m)`: (register copy, flag, why) for all that can count: it counts now. `counters`:
    the cells of registers that must be quiet while they are accessed.
    `platform(input)`: this input of setup is the same for all vCPUs of a machine. `transient`:
    kernel objects that every cycle or access sets before it uses them. `replaced`:
    functions of the kernel that the model stands for, besides those with contracts. `frames`: in
    which order the kernel takes the steps, `callers`: who else may not, and `writers`: who may not
    write what the steps read; nothing is proved of a kernel where that is not so. `orderings`,
    `watches` and `checks` are the rules of this switch, besides those that every switch has.
    `interrupted`: the same switch with interrupts before any of its instructions, for the
    properties in their nmi form.
    `from_guest(m)`: the emulated access that runs is the guest's, not userspace's.
    """

    name: str
    title: str
    required: tuple[str, ...]
    functions: tuple[str, ...]
    dialect: Callable[[Mapping[str, str]], Dialect]
    objects: Mapping[str, str]
    cells: Callable[[Program], Mapping[str, int]]
    contracts: Callable[[Program], Mapping[str, Contract]]
    settings: Sequence[Setting]
    parameters: Sequence[Parameter]
    registers: Callable[[Program], Sequence[Register]]
    setup: Callable[[Program, Machine], None]
    steps: Callable[[Program], Sequence[Step]]
    active: Callable[[Machine], Any]
    accesses: Callable[[Program], Sequence[Access]]
    mutable: Callable[[str], bool]
    observe: Callable[[Machine], Sequence[Observation]]
    reachable: Callable[[Machine], Sequence[Observation]]
    host_visible: tuple[str, ...]
    legal: Callable[[Machine], Any]
    counting: Callable[[Machine], Sequence[tuple[str, Any, str]]]
    counters: Callable[[Program], Sequence[str]]
    entered: Callable[[Mapping[str, Any]], Any]
    platform: Callable[[str], bool]
    transient: tuple[str, ...]
    replaced: tuple[str, ...]
    orderings: Sequence[Ordering]
    watches: Sequence[Watch] = ()
    checks: Sequence[Check] = ()
    frames: Sequence[Frame] = ()
    callers: Sequence[Callers] = ()
    writers: Writers | None = None
    interrupted: Target | None = None
    from_guest: Callable[[Machine], Any] = lambda m: m.flag(True)
    assumptions: Sequence[Assumption] = field(default_factory=tuple)
    facts: Sequence[Fact] = ()
