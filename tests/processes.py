"""The command as a process of its own, and what else runs in its session."""

from __future__ import annotations

import sys
from pathlib import Path

# A job in the background of a shell would pass on that it ignores ^C.
COMMAND = (
    sys.executable,
    "-c",
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from verify.cli import main; sys.exit(main())",
)
"""To run in the project's folder."""

ROOT = Path(__file__).parents[1]


def session(leader: int) -> set[int]:
    """The processes of a session, but for zombies."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, belongs = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(belongs) == leader and state != "Z":
            found.add(int(stat.parent.name))
    return found
