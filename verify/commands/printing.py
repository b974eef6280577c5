"""Standard output."""

from __future__ import annotations

import os
import sys

from verify.errors import BadInput


def show(text: str) -> None:
    """To standard output; that nobody reads it to the end does not change the verdict."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        silence()
    except OSError as error:
        raise BadInput(f"standard output: cannot be written: {error.strerror}") from None


def silence() -> None:
    """Nobody reads standard output any more; let the flush at exit go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def in_colour() -> bool:
    """Standard output is a terminal whose user wants colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
