"""Finds where a hunk belongs in a file: by content, white space and blank lines ignored."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Literal

from verify.source.indent import indented, retabbed, width
from verify.source.patch import MIN_FOLDED, STATEMENT_ENDS, Hunk, LineKind
from verify.source.scope import defined_name

MAX_FUZZ = 2
# Lines of a mail that may have been one.
MAX_FOLDS = 3
# How far back the indentation of an added line may depend on what is above it.
LOOK_BACK = 60

_HEAD = re.compile(r"[A-Za-z_$]")
_LABEL = re.compile(r"\w+:\s*($|/[/*])")


@dataclass(frozen=True)
class Edit:
    """What a placed hunk does, by line indexes (from 0) of the file as it was before.

    first, last: the half-open range of lines that it was matched with. added: (index of the line
    to insert before, text), in order. signs: how many lines of the hunk that looked removed were
    context, less those that looked added.
    """

    first: int
    last: int
    removed: frozenset[int]
    added: list[tuple[int, str]]
    signs: int = 0


class Page:
    """A file's lines, prepared for matching."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.solid: list[int] = []
        self.norms: list[str] = []
        self.places: dict[str, list[int]] = {}
        """Indexes in `norms` of each text."""
        for index, line in enumerate(lines):
            if norm := squeezed(line):
                self.places.setdefault(norm, []).append(len(self.norms))
                self.solid.append(index)
                self.norms.append(norm)

    @cached_property
    def _heads(self) -> list[int]:
        # Most lines are indented.
        lines = enumerate(self.lines)
        return [index for index, line in lines if line[:1].strip() and _is_head(line)]

    def head(self, index: int) -> str:
        """The line, before lines[index], that git would name in an @@ line; "" if none."""
        at = bisect_left(self._heads, index)
        return squeezed(self.lines[self._heads[at - 1]]) if at else ""

    def has_head(self, context: str) -> bool:
        return any(_is_same_head(squeezed(self.lines[index]), context) for index in self._heads)


@dataclass(frozen=True)
class _Item:
    """A line of a hunk; norm is "" for a blank one."""

    kind: LineKind
    text: str
    norm: str

    @property
    def column(self) -> str:
        """The line as context: its sign, if it has one, is then a part of it."""
        return self.text if self.kind == " " else self.kind + self.text

    @property
    def sign(self) -> int:
        """What it adds to Edit.signs when it is context."""
        return {" ": 0, "-": 1, "+": -1}[self.kind]


@dataclass(frozen=True)
class _Step:
    """What becomes of one solid line of the file, or an insertion, or a blank line of the hunk."""

    what: Literal["keep", "cut", "add", "blank", "cut blank"]
    solid: int
    text: str
    sign: int = 0  # by it, see Edit.signs


@dataclass(frozen=True)
class _Fit:
    """A way to lay a hunk on the file: solid lines [first, last), steps, and how strained."""

    first: int
    last: int
    strain: int
    steps: list[_Step] = field(compare=False)

    @property
    def signs(self) -> int:
        """See Edit.signs."""
        return sum(step.sign for step in self.steps)


def squeezed(text: str) -> str:
    """The text with each run of white space as one blank, none at the ends."""
    bare = text.strip()
    return bare if bare.isprintable() and "  " not in bare else " ".join(bare.split())


def place(page: Page, hunk: Hunk, expected: int, taken: Sequence[tuple[int, int]]) -> Edit | str:
    """Where the hunk goes, or the reason why it goes nowhere.

    expected: index of the line where it should start. taken: line ranges of the file that other
    hunks of the same patch have matched. Of several places that fit, those under the function
    named in the @@ line come first, then the nearest to expected.
    """
    items = [_Item(kind, text, squeezed(text)) for kind, text in hunk.lines]
    if not any(item.kind != " " for item in items):
        return "the hunk changes nothing"
    if not page.solid and not any(item.kind != "+" and item.norm for item in items):
        return _edit(page, _Fit(0, 0, 0, [_Step("add", 0, item.text) for item in items]))
    if not any(item.kind != "+" and item.norm for item in items):
        return "it has no context lines to place it by"
    if sum(1 for item in items if item.kind != "+" and item.norm) > MAX_FOLDS * len(page.solid):
        return "it has more lines than the file"
    chooser = _Chooser(page, hunk.header_context, expected, taken)
    if found := _choose(page, items, chooser, lambda fit: fit.signs == hunk.uneven):
        return found
    # The counts may be plainly wrong; but where blanks are lost they are what tells "++i" of the
    # context from an added "+i".
    if hunk.uneven and (found := _choose(page, items, chooser, lambda fit: _has_blanks(page, fit))):
        return found
    adds = any(item.kind == "+" and item.norm for item in items)
    results = _levels(page, items, applied=True)
    if adds and any(chooser.allowed(fits, fuzz) for fuzz, _, fits in results):
        return "already applied"
    return _mismatch(page, items)


def _choose(
    page: Page, items: list[_Item], chooser: "_Chooser", accepts: Callable[[_Fit], bool]
) -> Edit | str | None:
    """The best of the accepted places; a reason why none may be taken; None if there is none."""
    adds = any(item.kind == "+" and item.norm for item in items)
    for fuzz, strained, candidates in _levels(page, items):
        fits = chooser.allowed([fit for fit in candidates if accepts(fit)], fuzz)
        if fuzz == 0:
            done = _applied_places(page, items, chooser)
            tried = strained or fits
            if done and tried and not any(chooser.under_head(fit) for fit in fits):
                return "already applied"
            if adds and any(_overlap(fit, other) for fit in fits for other in done):
                return "already applied"
        places = {fit.first for fit in fits}
        if fuzz and len(places) > 1:
            return f"fits {len(places)} places once its outer context is dropped"
        if fits:
            return _edit(page, min(fits, key=chooser.distance))
    return None


class _Chooser:
    """Judges the places that fit."""

    def __init__(
        self, page: Page, context: str, expected: int, taken: Sequence[tuple[int, int]]
    ) -> None:
        self._page, self._expected, self._taken = page, expected, taken
        self._context = squeezed(context)
        self._has_head = bool(self._context) and page.has_head(self._context)

    def under_head(self, fit: _Fit) -> bool:
        """It stands under the line that the hunk's @@ line names (no such line: anywhere does)."""
        if not self._has_head:
            return True
        return _is_same_head(self._page.head(self._page.solid[fit.first]), self._context)

    def distance(self, fit: _Fit) -> tuple[int, int]:
        return fit.strain, abs(self._page.solid[fit.first] - self._expected)

    def allowed(self, fits: Sequence[_Fit], fuzz: int) -> list[_Fit]:
        """Fits on lines that are free; if any are under the named head, or if fuzzy, only those."""
        free = [fit for fit in fits if not self._is_taken(fit)]
        if fuzz and self._context and not self._has_head:
            return []
        named = [fit for fit in free if self.under_head(fit)]
        return named if named or fuzz else free

    def _is_taken(self, fit: _Fit) -> bool:
        solid = self._page.solid
        first, last = solid[fit.first], solid[fit.last - 1] + 1
        return any(first < end and start < last for start, end in self._taken)


def _levels(
    page: Page, items: list[_Item], applied: bool = False
) -> Iterator[tuple[int, bool, list[_Fit]]]:
    """(fuzz, strained, fits): the whole hunk, then with folded lines, then with less outer context.

    applied: look for the hunk's result instead of what it starts from.
    """
    for fuzz, shorter in _shortened(items):
        wanted = _as_applied(shorter) if applied else shorter
        for strained in (False, True):
            yield fuzz, strained, _fits(page, wanted, strained)


def _shortened(items: list[_Item]) -> Iterator[tuple[int, list[_Item]]]:
    yield 0, items
    for fuzz in range(1, MAX_FUZZ + 1):
        drops = [
            (lead, trail)
            for lead in range(fuzz + 1)
            for trail in range(fuzz + 1)
            if max(lead, trail) == fuzz
        ]
        for lead, trail in sorted(drops, key=sum):
            trimmed = _trim(items, lead)
            shorter = trimmed and _trim(trimmed[::-1], trail)
            if shorter:
                yield fuzz, shorter[::-1]


def _trim(items: list[_Item], count: int) -> list[_Item] | None:
    """Items without the first `count` solid context lines; None if they are needed.

    One line of context has to stay next to an insertion, or it could go anywhere.
    """
    at = 0
    for _ in range(count):
        while at < len(items) and items[at].kind == " " and not items[at].norm:
            at += 1
        if at == len(items) or items[at].kind != " ":
            return None
        at += 1
    rest = items[at:]
    first = next((item for item in rest if item.norm), None)
    if first is None or (count and first.kind == "+"):
        return None
    return rest


def _fits(page: Page, items: list[_Item], strained: bool) -> list[_Fit]:
    """All places where the items fit. Strained: folded lines and lost columns are tried too."""
    heads: list[str] = []
    for item in items:
        if strained and item.norm and item.kind != " ":
            heads.append(squeezed(item.kind + item.text))
        if item.norm and item.kind != "+":
            heads.append(item.norm)
            break
    starts: Iterable[int] = page.places.get(heads[-1], ())
    if strained:
        near = tuple(heads)
        starts = (start for start, norm in enumerate(page.norms) if norm.startswith(near))
    return [fit for start in starts for fit in _lay(page, items, start, strained)]


def _lay(page: Page, items: list[_Item], start: int, strained: bool) -> list[_Fit]:
    """Lay the items on the solid lines from `start`: the least strained way to each possible end.

    reached[i] maps a solid line to the best way to get there with the first i items used.
    """
    nothing = _Step("blank", start, "")
    reached: dict[int, dict[int, tuple[int, int, int, _Step]]] = {
        0: {start: (0, 0, start, nothing)}
    }
    furthest = 0
    for index in range(len(items)):
        if index > furthest:
            return []
        for at, (strain, *_) in reached.get(index, {}).items():
            for used, taken, cost, step in _moves(page, items, index, at, strained):
                ways = reached.setdefault(index + used, {})
                furthest = max(furthest, index + used)
                if at + taken not in ways or ways[at + taken][0] > strain + cost:
                    ways[at + taken] = (strain + cost, index, at, step)
    fits: list[_Fit] = []
    for end, (strain, *_) in reached.get(len(items), {}).items():
        steps: list[_Step] = []
        index, at = len(items), end
        while index:
            _, index, at, step = reached[index][at]
            steps.append(step)
        if end > start:
            fits.append(_Fit(start, end, strain, steps[::-1]))
    return fits


def _moves(
    page: Page, items: list[_Item], index: int, at: int, strained: bool
) -> Iterator[tuple[int, int, int, _Step]]:
    """(items used, solid lines used, strain, step) for each way to go on."""
    item = items[index]
    here = page.norms[at] if at < len(page.norms) else None
    if item.kind == "+":
        yield 1, 0, 0, _Step("add", at, item.text)
    elif not item.norm:
        yield 1, 0, 0, _Step("blank" if item.kind == " " else "cut blank", at, "")
    elif item.norm == here:
        yield 1, 1, 0, _Step("keep" if item.kind == " " else "cut", at, item.text)
    if not strained or not item.norm:
        return
    keep: Literal["keep", "cut"] = "cut" if item.kind == "-" else "keep"
    if item.kind != " " and squeezed(item.column) == here:
        # The line starts with an operator and has lost the blanks before it.
        yield 1, 1, 3, _Step("keep", at, item.column, item.sign)
    joined, sign = item.text, 0
    for used, tail in enumerate(items[index + 1 : index + MAX_FOLDS], start=2):
        if not tail.norm:
            return
        folded = _was_folded(joined, tail.column)
        joined, sign = f"{joined.rstrip()} {tail.column.lstrip()}", sign + tail.sign
        cost = 1 if tail.kind == " " else 3
        if item.kind != "+" and squeezed(joined) == here:
            yield used, 1, cost, _Step(keep, at, item.text, sign)
        elif item.kind == "+" and folded and tail.kind == " ":
            yield used, 0, cost + 1, _Step("add", at, joined)


def _was_folded(text: str, tail: str) -> bool:
    """The next word had no room on the line, and the line is no complete statement."""
    whole = len(text) + 1 + len(tail.split()[0])
    return whole >= MIN_FOLDED and not text.rstrip().endswith(STATEMENT_ENDS)


def _as_applied(items: list[_Item]) -> list[_Item]:
    """The hunk's result, all of it as context."""
    return [_Item(" ", item.text, item.norm) for item in items if item.kind != "-"]


def _applied_places(page: Page, items: list[_Item], chooser: _Chooser) -> list[_Fit]:
    """Where the file has the hunk's result already."""
    after = [item for item in _as_applied(items) if item.norm]
    if len(after) < 2:
        return []
    fits = _fits(page, after, strained=False)
    return [fit for fit in fits if chooser.under_head(fit)]


def _overlap(one: _Fit, other: _Fit) -> bool:
    return one.first < other.last and other.first < one.last


def _mismatch(page: Page, items: list[_Item]) -> str:
    for wanted in ("-", " "):
        for item in items:
            if item.kind == wanted and item.norm and item.norm not in page.places:
                return f'the file has no line "{item.norm}"'
    return "its lines are in the file, but not together"


def _edit(page: Page, fit: _Fit) -> Edit:
    """Turn steps on solid lines into an edit of the file's lines, blank ones included."""
    solid, lines = page.solid, page.lines
    start = solid[fit.first] if solid else 0
    lead = list(takewhile(lambda step: step.what not in ("keep", "cut"), fit.steps))
    blanks = sum(step.what != "add" for step in lead)
    above = solid[fit.first - 1] + 1 if fit.first else 0
    at = max(above, start - blanks)
    restore = _restorer(page, fit)
    before = list(lines[max(0, at - LOOK_BACK) : at])
    removed: set[int] = set()
    added: list[tuple[int, str]] = []
    for step in fit.steps:
        if step.what == "add":
            before.append(restore(step.text, before))
            added.append((at, before[-1]))
            continue
        if step.what in ("keep", "cut"):
            at = solid[step.solid]
        elif at >= len(lines) or lines[at].strip():
            continue  # a blank line that the file has not got
        if step.what in ("cut", "cut blank"):
            removed.add(at)
        else:
            before.append(lines[at])
        at += 1
    last = solid[fit.last - 1] + 1 if fit.last else 0
    return Edit(start, last, frozenset(removed), added, fit.signs)


def _restorer(page: Page, fit: _Fit) -> Callable[[str, Sequence[str]], str]:
    """How added lines get their indentation back, told by what became of the matched lines'."""
    matched = _indented_pairs(page, fit)
    if any(_lead(mine) == _lead(theirs) for mine, theirs in matched):
        return lambda text, before: text
    if any(width(mine) == width(theirs) for mine, theirs in matched):
        return lambda text, before: retabbed(text)
    if matched or any(re.match(r" [^ *]", step.text) for step in fit.steps if step.what == "add"):
        return indented  # a single blank is what mailers leave of tabs
    return lambda text, before: text


def _indented_pairs(page: Page, fit: _Fit) -> list[tuple[str, str]]:
    """(the file's line, the hunk's) for the matched lines that the file has indented."""
    matched = [step for step in fit.steps if step.what in ("keep", "cut")]
    pairs = [(page.lines[page.solid[step.solid]], step.text) for step in matched]
    return [pair for pair in pairs if width(pair[0])]


def _has_blanks(page: Page, fit: _Fit) -> bool:
    """The hunk still has the blanks that its lines start with, or none that could be lost."""
    return all(width(text) for _, text in _indented_pairs(page, fit))


def _lead(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _is_same_head(line: str, context: str) -> bool:
    """The line starts what an @@ line names; its signature may have changed since."""
    name = defined_name(context)
    return line.startswith(context) or (name is not None and defined_name(line) == name)


def _is_head(line: str) -> bool:
    return _HEAD.match(line) is not None and _LABEL.match(line) is None
