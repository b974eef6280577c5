"""Progress on a terminal, and the times of the stages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from verify.progress import Progress
from verify.report.plain import clean

_OFTEN = 0.1


class Timer(Progress):
    """Adds up the seconds of each stage, over all trees, and counts the questions."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.questions = 0
        self.open = 0
        self._name, self._since = "", time.monotonic()

    def stage(self, name: str) -> None:
        """The last one ends here."""
        now = time.monotonic()
        if self._name:
            spent = self.seconds.get(self._name, 0.0)
            self.seconds[self._name] = spent + now - self._since
        self._name, self._since = name, now

    def asked(self, count: int) -> None:
        """Nothing is known of how many will follow."""
        self.open += count

    def answered(self) -> None:
        """One less is open."""
        self.open -= 1
        self.questions += 1

    @property
    def doing(self) -> str:
        """The stage, and how many questions are open in it."""
        return f"{self._name}, questions open: {self.open}" if self.open else self._name

    def told(self) -> str:
        """A line for each stage."""
        if not self.seconds:
            return "msrproof: an earlier answer was used\n"
        lines = [f"msrproof: {name:<8} {spent:8.2f} s" for name, spent in self.seconds.items()]
        lines.append(f"msrproof: questions to solvers: {self.questions}")
        return "".join(f"{line}\n" for line in lines)


@contextmanager
def watching(shown: bool) -> Iterator[Timer]:
    """A timer; with `shown`, what it hears is shown on standard error, and gone at the end."""
    if not shown:
        yield Timer()
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    class Shown(Timer):
        """A line of what is done now; no thread keeps it up, as solvers are forked meanwhile."""

        def __init__(self, live: Live) -> None:
            super().__init__()
            self.live, self.where, self.last = live, "", 0.0

        def tree(self, number: int, total: int, name: str) -> None:
            self.where = f"{number} of {total}: {clean(name)}: "
            self.update(0.0)

        def stage(self, name: str) -> None:
            super().stage(name)
            self.update(0.0)

        def answered(self) -> None:
            super().answered()
            self.update(_OFTEN)

        def update(self, pause: float) -> None:
            now = time.monotonic()
            if now - self.last >= pause:
                self.last = now
                text = Text(f"{self.where}{self.doing}", no_wrap=True, overflow="ellipsis")
                self.live.update(text, refresh=True)

    console = Console(stderr=True)
    with Live(
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:
        yield Shown(live)
