"""Contracts of what is not executed: guest, host perf, userspace and helpers of the kernel."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def prelude(*names: str) -> str:
    """The C text of this folder's headers, one after another."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
