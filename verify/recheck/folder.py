"""The files of a folder of proofs, and that they are those which the manifest names."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verify.errors import BadInput

SCHEMA = "msrproof-certificate/1"
MANIFEST = "manifest.json"
SEAL = "manifest.json.sha256"
INTERRUPTED = "nmi"
"""The folder in it of the proofs about the switch with interrupts, which is like it."""
MAX_BYTES = 64 << 20
"""Of one file: no certificate is larger."""


@dataclass(slots=True)
class Folder:
    """What was read. `problems`: what makes it another folder than the one that was written."""

    manifest: dict[str, Any]
    texts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def parts(self) -> list[str]:
        """The folders of proofs that were written together, from the one that holds them."""
        return [str(name) for name in self.manifest["parts"]]

    @property
    def obligations(self) -> dict[str, dict[str, Any]]:
        """The facts about each question by its file."""
        return dict(self.manifest["obligations"])

    def proofs(self) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """Each property with the files that prove it."""
        for entry in self.manifest["properties"]:
            yield entry, [*entry["obligations"], entry["premise"]]


def parts(path: Path) -> list[Path]:
    """The folders of proofs that a folder is made of."""
    inner = path / INTERRUPTED
    found = [p for p in (path, inner) if (p / MANIFEST).exists() and not inner.is_symlink()]
    return found or [path]


def opened(path: Path) -> Folder:
    """The folder; BadInput when it is none of proofs at all."""
    if not path.is_dir():
        raise BadInput(f"{path}: no such folder; give one made by check --certificates")
    try:
        if (path / MANIFEST).is_symlink():
            raise BadInput(f"{path / MANIFEST}: a link; use a plain copy")
        data = _read(path / MANIFEST)
        manifest = json.loads(data)
        if manifest["schema"] != SCHEMA:
            raise BadInput(f"{path / MANIFEST}: not of schema {SCHEMA}; use the tool that made it")
        digests = {str(name): str(digest) for name, digest in manifest["files"].items()}
        folder = Folder(manifest)
        folder.problems += _malformed(folder)
    except OSError as error:
        raise BadInput(f"{path / MANIFEST}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadInput(f"{path / MANIFEST}: not a manifest of proofs") from None
    seal = f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}\n".encode()
    if not _is_file(path / SEAL) or _read(path / SEAL) != seal:
        folder.problems.append(f"{MANIFEST}: not the one that {SEAL} is of")
    present = set(_present(path))
    for name in sorted(present - digests.keys() - {MANIFEST, SEAL}):
        folder.problems.append(f"{name}: not in the manifest")
    for name, digest in sorted(digests.items()):
        if name not in present or not _is_file(path / name):
            folder.problems.append(f"{name}: missing")
            continue
        try:
            content = _read(path / name)
        except OSError as error:
            folder.problems.append(f"{name}: cannot be read: {error.strerror}")
            continue
        if hashlib.sha256(content).hexdigest() != digest:
            folder.problems.append(f"{name}: changed since the manifest was written")
        folder.texts[name] = content.decode("utf-8", errors="replace")
    named = {name for name in digests if name.endswith(".smt2")}
    for name in sorted(named ^ folder.obligations.keys()):
        folder.problems.append(f"{name}: no question of the manifest, or without a digest")
    return folder


def _present(path: Path) -> Iterator[str]:
    """The files and links in a folder of proofs, not those of another one in it."""
    others = [part for part in parts(path) if part != path]
    for root, folders, names in os.walk(path):
        links = (f for f in folders if os.path.islink(os.path.join(root, f)))
        for file in (Path(root) / name for name in (*names, *links)):
            if not any(file.is_relative_to(other) for other in others):
                yield file.relative_to(path).as_posix()


def _malformed(folder: Folder) -> list[str]:
    """Raises KeyError, TypeError or AttributeError when the manifest lacks what is used of it."""
    if not folder.manifest["properties"] or not folder.parts:
        return ["the manifest has no proof"]
    found = []
    for entry, files in folder.proofs():
        name = str(entry["property"])
        for file in files:
            if file not in folder.obligations:
                found.append(f"{name}: rests on {file}, which is no question of the manifest")
    for facts in folder.obligations.values():
        if facts["expect"] != ("sat" if facts["kind"] == "premise" else "unsat"):
            found.append("a question of the manifest expects the wrong answer")
    return found


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadInput(f"{path}: larger than {MAX_BYTES >> 20} MiB; no certificate")
    return data
