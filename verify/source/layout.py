"""Where the members of a record are, with bit-fields and unions lowered away.

A record of the IR has one member for each word of storage. A run of bit-fields shares words, named
after the first field with `_bits` behind it. A union with an integer that is as large as the union
(or an aggregate of just one) is that integer; its other views are bits of it. Of another union the
first view is there, and access to the others is outside the subset. Members of anonymous structs
and unions are members of what is around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from verify.ir.types import Array, Int, Member, Pointer, Record, Type
from verify.source.c_type import Signature

Kind = Callable[[], Type]
# A member or an element on the way to a part of a record, and its type.
Step = tuple[str | int, Type]


class Records(Protocol):
    """All records, for layouts that depend on each other."""

    def layout(self, tag: str) -> Layout | None:
        """The layout of a record, None when it is not known."""

    def size_of(self, kind: Type) -> tuple[int, int] | None:
        """Size and alignment of a type in bytes, None when they are not known."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A member as declared: `bits` for a bit-field, `group` for an anonymous struct or union,
    `function` for the type of the function that the member points to, None when not known."""

    name: str
    kind: Kind
    bits: int | None = None
    group: Layout | None = None
    function: Callable[[], Signature | None] | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A member that is a member of the IR's record, too."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Part:
    """A member that is `width` bits, from bit `low`, of the integer at the end of `word`."""

    word: tuple[Step, ...]
    low: int
    width: int
    kind: Int


@dataclass(frozen=True, slots=True)
class Overlay:
    """A member that is an aggregate and starts at bit `low` of the integer at the end of `word`."""

    word: tuple[Step, ...]
    low: int
    kind: Type


@dataclass(frozen=True, slots=True)
class Hidden:
    """A member that cannot be accessed."""

    reason: str


Slot = Whole | Part | Overlay | Hidden


@dataclass(frozen=True, slots=True)
class Measure:
    """Size and alignment in bits, and for each member its first bit, width if it is a bit-field,
    and type."""

    size: int
    align: int
    places: dict[str, tuple[int, int | None, Type]]


class Layout:
    """A struct or union; types of members are looked up when asked for."""

    def __init__(
        self, tag: str, declared: list[Declared], union: bool, packed: bool, records: Records
    ) -> None:
        self.tag = tag
        self.union = union
        self._declared = declared
        self._packed = packed
        self._records = records
        self._measure: Measure | None = None
        self._measured = False
        # The members of the IR's record.
        self.members: dict[str, Kind] = {}
        self.slots: dict[str, Slot] = {}
        # The types of the functions that members point to.
        self.functions = {m.name: m.function for m in declared if m.function is not None}
        if union:
            self._lay_union()
        else:
            self._lay_struct()

    def _lay_struct(self) -> None:
        run: list[Declared] = []
        for member in self._declared:
            if member.bits is not None:
                run.append(member)
                continue
            if run:
                self._lay_bits(run)
                run = []
            self._lay_whole(member)
        if run:
            self._lay_bits(run)

    def _lay_whole(self, member: Declared) -> None:
        if member.group is not None:
            self.members.update(member.group.members)
            self.slots.update(member.group.slots)
        else:
            self.members[member.name] = member.kind
            self.slots[member.name] = Whole(member.name, member.kind)

    def _lay_bits(self, run: list[Declared]) -> None:
        """Words for consecutive bit-fields, as if the first started a word."""
        words: list[list[tuple[str, int, int, Int]]] = []
        starts: list[int] = []
        at = start = end = 0
        for member in run:
            kind = member.kind()
            if not isinstance(kind, Int):
                self.slots[member.name] = Hidden("a bit-field whose type is not known")
                continue
            assert member.bits is not None
            at, unit = place_bits(at, member.bits, kind.width)
            if not member.bits:
                continue
            if words and unit < end:
                start, end = min(start, unit), max(end, unit + kind.width)
            else:
                start, end = unit, unit + kind.width
                words.append([])
                starts.append(start)
            starts[-1] = start
            words[-1].append((member.name, at, member.bits, kind))
            at += member.bits
        for first, word in zip(starts, words, strict=True):
            fields = [field for field in word if field[0]]
            if not fields:
                continue
            width = max(unit_end(at, kind.width) for _, at, _, kind in word) - first
            name, whole = fields[0][0] + "_bits", Int(width, False)
            self.members[name] = lambda kind=whole: kind  # type: ignore[misc]
            for field, at, bits, kind in fields:
                self.slots[field] = Part(((name, whole),), at - first, bits, kind)

    # Unions -----------------------------------------------------------------------------------

    def _lay_union(self) -> None:
        storage = self._storage()
        if storage is None:
            self._lay_views()
            return
        owner, word = storage
        whole = word[-1][1]
        assert isinstance(whole, Int)
        for view in self._declared:
            if view is owner:
                self._lay_whole(view)
            elif view.group is not None:
                measure = view.group.measure()
                for name in view.group.slots:
                    place = measure.places.get(name) if measure else None
                    self.slots[name] = _on(word, *place) if place else Hidden("a union's view")
            else:
                kind = view.kind()
                self.slots[view.name] = _on(word, 0, view.bits, kind)

    def _lay_views(self) -> None:
        """The first view, and those that have the very same type."""
        first: Declared | None = None
        for view in self._declared:
            if first is None:
                first = view
                self._lay_whole(view)
                continue
            names = [view.name] if view.group is None else list(view.group.slots)
            same = view.group is None and first.group is None and view.kind() == first.kind()
            for name in names:
                self.slots[name] = (
                    Whole(first.name, first.kind) if same else Hidden("another view of a union")
                )

    def _storage(self) -> tuple[Declared, tuple[Step, ...]] | None:
        """The view that holds the whole union in one integer, and the way to that.

        An array is preferred, as only arrays can be indexed by what is not constant.
        """
        largest = 0
        best: tuple[tuple[int, int], Declared, tuple[Step, ...]] | None = None
        for view in self._declared:
            if view.bits is not None:
                size = view.bits
            elif view.group is not None:
                measure = view.group.measure()
                if measure is None:
                    return None
                size = measure.size
            else:
                found = self._records.size_of(view.kind())
                if found is None:
                    return None
                size = found[0] * 8
            largest = max(largest, size)
            leaf = None if view.bits is not None else self._leaf(view)
            if leaf and isinstance(leaf[-1][1], Int) and leaf[-1][1].width == size:
                first = leaf[0][1]
                rank = (size, 2 if isinstance(first, Array) else int(isinstance(first, Int)))
                if best is None or rank > best[0]:
                    best = (rank, view, leaf)
        if best is None or best[0][0] < largest:
            return None
        return best[1], best[2]

    def _leaf(self, view: Declared) -> tuple[Step, ...] | None:
        """The way to the only scalar of a view, None when there are several."""
        if view.group is None:
            kind = view.kind()
            rest = self._only(kind)
            return None if rest is None else ((view.name, kind), *rest)
        return only_member(view.group.members, self._only)

    def _only(self, kind: Type) -> tuple[Step, ...] | None:
        if isinstance(kind, Int):
            return ()
        if isinstance(kind, Array) and kind.length == 1:
            rest = self._only(kind.of)
            return None if rest is None else ((0, kind.of), *rest)
        if isinstance(kind, Record):
            layout = self._records.layout(kind.tag)
            return None if layout is None else only_member(layout.members, self._only)
        return None

    # Measures ---------------------------------------------------------------------------------

    def measure(self) -> Measure | None:
        """Sizes and offsets as gcc has them, None when a type is not known."""
        if not self._measured:
            self._measured = True
            self._measure = self._take_measure()
        return self._measure

    def _take_measure(self) -> Measure | None:
        places: dict[str, tuple[int, int | None, Type]] = {}
        at = size = 0
        align = 8
        for member in self._declared:
            inner: Measure | None = None
            if self.union:
                at = 0
            if member.group is not None:
                inner = member.group.measure()
                if inner is None:
                    return None
                width, own = inner.size, inner.align
                kind: Type = Record(member.group.tag)
            else:
                kind = member.kind()
                found = self._records.size_of(kind)
                if found is None:
                    return None
                width, own = found[0] * 8, found[1] * 8
            if member.bits is not None:
                if self._packed or not isinstance(kind, Int):
                    return None
                at, _ = place_bits(at, member.bits, width)
                width = member.bits
                if not member.name:
                    own = 8
            else:
                own = 8 if self._packed else own
                at = -(-at // own) * own
            if inner is not None:
                for name, (low, bits, part) in inner.places.items():
                    places[name] = (at + low, bits, part)
            elif member.name:
                places[member.name] = (at, member.bits, kind)
            align = max(align, own)
            at += width
            size = max(size, at)
        return Measure(-(-size // align) * align, align, places)


class Members(Mapping[str, Member]):
    """The members of the IR's record; their types are looked up when asked for."""

    def __init__(self, kinds: dict[str, Kind]) -> None:
        self._kinds = kinds

    def __getitem__(self, name: str) -> Member:
        return Member(name, self._kinds[name]())

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


def only_member(
    members: dict[str, Kind], only: Callable[[Type], tuple[Step, ...] | None]
) -> tuple[Step, ...] | None:
    """The way to the only scalar of a record."""
    if len(members) != 1:
        return None
    ((name, kind),) = members.items()
    rest = only(kind())
    return None if rest is None else ((name, kind()), *rest)


def place_bits(at: int, bits: int, width: int) -> tuple[int, int]:
    """The first bit of a bit-field that may start at `at`, and of the unit of its type."""
    unit = at // width * width
    if not bits:
        at = -(-at // width) * width
        return at, at
    if at + bits > unit + width:
        unit += width
        at = unit
    return at, unit


def unit_end(at: int, width: int) -> int:
    """Where the unit of a type ends that has a bit."""
    return at // width * width + width


def _on(word: tuple[Step, ...], low: int, bits: int | None, kind: Type) -> Slot:
    """A member at bit `low` of a word."""
    if isinstance(kind, Int):
        return Part(word, low, kind.width if bits is None else bits, kind)
    if isinstance(kind, Pointer):
        return Hidden("a pointer in a union")
    return Overlay(word, low, kind)
