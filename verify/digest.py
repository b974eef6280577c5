"""Digests of this tool's own parts, by which a proof tells what it was made with."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

PARTS = ("verify", "models", "proofs")


def parts() -> dict[str, str]:
    """SHA-256 (hex) of each part that can be found, over the names and bytes of its code."""
    found = {}
    for part in PARTS:
        spec = find_spec(part)
        if spec is None or not spec.submodule_search_locations:
            continue
        root = Path(next(iter(spec.submodule_search_locations)))
        state = hashlib.sha256()
        for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".h")):
            for data in (path.relative_to(root).as_posix().encode(), path.read_bytes()):
                state.update(len(data).to_bytes(8, "little"))
                state.update(data)
        found[part] = state.hexdigest()
    return found
