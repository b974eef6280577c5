"""Where C's paths meet: a scope of the store, and the names of inputs along each way to it."""

from __future__ import annotations

from verify.encode.names import Counts, Places, join
from verify.encode.store import Outcome, Store
from verify.encode.term import Term


class Join:
    """A place where paths meet again, from here on. See `Store.open`, whose scope it holds."""

    __slots__ = ("_depth", "_names", "_start", "_store", "_ways", "scope")

    def __init__(self, store: Store, names: Places) -> None:
        self._store = store
        self._names = names
        self.scope = store.open()
        self._depth = names.depth
        self._start: Counts = names.counts
        names.counts = dict(names.counts)
        self._ways: list[tuple[tuple[Term, ...], Counts]] = []

    def _counts(self) -> Counts:
        return dict(self._names.counts_at(self._depth))

    def park(self) -> None:
        """This path goes to the end, and nothing happens on it before."""
        store = self._store
        if not store.dead:
            self._ways.append((tuple(store.path[self.scope.path_length :]), self._counts()))
            store.park(self.scope)

    def park_where(self, condition: Term) -> None:
        """Where `condition` is true this path goes to the end; else it goes on."""
        store = self._store
        way = (*store.path[self.scope.path_length :], condition)
        self._ways.append((way, self._counts()))
        store.park_where(self.scope, condition)

    def reset(self) -> None:
        """Go back to the start, to take another way."""
        self._store.reset(self.scope)
        self._names.counts = dict(self._start)

    def quiet(self) -> bool:
        """Nothing has happened but that one condition was pushed."""
        return self._store.quiet(self.scope) and self._names.counts == self._start

    def cancel(self) -> None:
        """It turned out that paths do not part."""
        self._store.cancel(self.scope)
        self._names.counts = self._start

    def add_quiet(self, condition: Term) -> None:
        """On the way where `condition` is true nothing happens."""
        self._ways.append(((condition,), dict(self._start)))
        self.scope.outcomes.append(Outcome((condition,), {}))

    def take(self) -> tuple[Outcome, Counts] | None:
        """The current path, to `enter` with it later; the store goes back to the start."""
        taken = None
        if not self._store.dead:
            taken = self._store.outcome(self.scope), self._names.counts
        self.reset()
        return taken

    def enter(self, ways: list[tuple[Outcome, Counts]]) -> None:
        """Go on from the start as one path for all of these."""
        self._store.enter([outcome for outcome, _ in ways])
        if ways:
            self._names.counts = join([(outcome.path, counts) for outcome, counts in ways])
            if len(ways) > 1:
                self._names.counts = dict(self._names.counts)

    def start(self, condition: Term) -> tuple[Outcome, Counts]:
        """The way that starts here, where `condition` is true."""
        return Outcome((condition,), {}), dict(self._start)

    def close(self, keep: bool = False) -> None:
        """Go on as one path; locals declared since end unless kept."""
        self.park()
        if self._ways:
            self._names.counts = join(self._ways)
        self._store.close(self.scope, keep)
