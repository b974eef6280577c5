"""The proofs of a run, in a folder that says what they are about."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from verify import digest, output
from verify.inputs import root
from verify.judged import Judged
from verify.prove import certificate
from verify.report import json
from verify.request import Request
from verify.result import NMI, PROVED, Report
from verify.source.tree import Tree
from verify.target import Target


def certified(
    report: Report,
    judged: Sequence[Judged],
    tree: Tree,
    target: Target,
    request: Request,
    folder: Path,
) -> Report:
    """The report, with its proofs in the folder; in one within those with interrupts."""
    facts = _facts(report, tree, target, request)
    began = time.monotonic()
    proofs = [item for item in judged if item.result.verdict == PROVED]
    if not proofs:
        return report
    parts: dict[str, list[Judged]] = {}
    for item in proofs:
        interrupted = item.result.property.startswith(NMI)
        parts.setdefault(certificate.INTERRUPTED if interrupted else ".", []).append(item)
    texts: dict[str, str] = {}
    for part, items in parts.items():
        context, judgements = items[0].context, [i.judgement for i in items if i.judgement]
        assert context is not None and len(judgements) == len(items)
        found = certificate.files(context, judgements, {**facts, "parts": list(parts)})
        texts |= {f"{part}/{name}": text for name, text in found.items()}
    output.write_folder("--certificates", folder, texts)
    proved = {item.result.property for item in proofs}
    where = str(folder)
    results = (replace(r, certificate=where) if r.property in proved else r for r in report.results)
    seconds = report.seconds + time.monotonic() - began
    return replace(report, results=tuple(results), seconds=seconds)


def _facts(report: Report, tree: Tree, target: Target, request: Request) -> dict[str, Any]:
    """What the proofs are about: tool, input, sources as they lie and as they were checked."""
    whole = json.as_object(report)
    base = root(request).resolve()
    listed = (*target.dialect(request.defines).files, *(framed.file for framed in target.frames))
    files = [f for f in dict.fromkeys(listed) if tree.read(f) is not None]
    return {
        "tool": {**whole["tool"], "parts": digest.parts()},
        "input": whole["input"],
        "assumptions": whole["assumptions"],
        "not_understood": whole["not_understood"],
        "sources": {
            "root": str(base) if request.kernel else None,
            "lie": {f: _file_digest(base / f) for f in files if (base / f).is_file()},
            "checked": {f: tree.digest(f) for f in files},
        },
    }


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
