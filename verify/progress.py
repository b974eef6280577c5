"""What a run tells of its work while it goes on."""

from __future__ import annotations


class Progress:
    """Listens to a run; this one does nothing with what it hears."""

    def tree(self, number: int, total: int, name: str) -> None:
        """Another of several trees is looked at; `number` counts from 1."""

    def stage(self, name: str) -> None:
        """A stage of the work on a tree begins: read, encode, prove, or "" for none."""

    def asked(self, count: int) -> None:
        """So many questions were put to the solvers."""

    def answered(self) -> None:
        """A solver gave an answer."""
