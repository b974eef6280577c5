"""Names with a line each: what `msrproof list` shows."""

from __future__ import annotations

import models.targets
from verify.inputs import find_target, tree_of
from verify.relations import every_property, program_of
from verify.request import Request


def listing(request: Request, what: str) -> list[tuple[str, str]]:
    """Names with a line each: targets, properties, registers, assumptions."""
    if what == "targets":
        return [(n, models.targets.find(n).title) for n in models.targets.names()]
    target = find_target(request.target)
    if what == "assumptions":
        return [(a.id, a.text) for a in target.assumptions]
    if what == "hardware":
        return [(p.name, f"{' | '.join(p.values)}: {p.text}") for p in target.parameters]
    if what == "config":
        return [(setting.name, setting.text) for setting in target.settings]
    program = program_of(tree_of(request), target, request.defines)
    if what == "registers":
        return [(r.name, f"{r.count} x {r.width} bits") for r in target.registers(program)]
    return [(p.name, p.statement) for _, p in every_property(request, program)]
