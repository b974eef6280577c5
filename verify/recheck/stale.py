"""Whether tool, models and sources are still those that proofs are about, where they are found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from verify import __version__
from verify.digest import parts


def problems(manifest: dict[str, Any]) -> Iterator[str]:
    """What has changed since the proofs were made."""
    tool, sources = manifest["tool"], manifest["sources"]
    if tool["version"] != __version__:
        yield f"stale: made by version {tool['version']}, this is {__version__}"
    present = parts()
    for part, digest in tool["parts"].items():
        if part in present and present[part] != digest:
            yield f"stale: {part}/ is not what the proofs were made with"
    root = _reference() if sources["root"] is None else Path(sources["root"])
    if root is None or not root.is_dir():
        return
    for name, digest in sources["lie"].items():
        path = root / name
        if not path.is_file():
            yield f"stale: {path} is gone"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            yield f"stale: {path} is not the file that the proofs are about"


def _reference() -> Path | None:
    """The embedded kernel tree."""
    spec = find_spec("models")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / "reference" / "tree" if places else None
