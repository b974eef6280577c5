"""What became of the mutants, for a reader and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from verify import __version__
from verify.mutate.campaign import Campaign, Outcome
from verify.mutate.fate import EQUIVALENT, KILLED, SURVIVED, UNDECIDED
from verify.report.plain import clean
from verify.report.words import fixed

SCHEMA = "msrproof-mutants/1"
KINDS = (KILLED, EQUIVALENT, SURVIVED, UNDECIDED)


def render(campaign: Campaign) -> str:
    """The whole report, lines with their ends."""
    return "".join(f"{clean(line)}\n" for line in _lines(campaign))


def _lines(campaign: Campaign) -> Iterator[str]:
    given, results = campaign.report.input, campaign.report.results
    where = f"{given.kernel or 'the embedded reference tree'} ({given.kernel_version})"
    yield f"{given.target} on {where}"
    yield from (f"with {patch.subject or patch.source}" for patch in given.patches)
    yield from (f"  {option} {value}" for option, value in fixed(given))
    proved = sum(result.verdict == "proved" for result in results)
    yield f"{proved} of {len(results)} properties are proved of it: these can kill"
    yield from _table(campaign)
    for kind in (SURVIVED, UNDECIDED):
        found = [outcome for outcome in campaign.outcomes if outcome.fate.kind == kind]
        if found:
            yield ""
            yield f"{kind}:"
            for outcome in found:
                yield from _told(outcome)
    if campaign.left_out:
        yield ""
        yield "not mutated:"
        yield from (f"  {name}: {reason}" for name, reason in campaign.left_out.items())
    yield ""
    total, made = len(campaign.outcomes), campaign.made
    of = f"{total} mutants" if total == made else f"{total} of {made} mutants"
    counts = ", ".join(f"{campaign.count(kind)} {kind}" for kind in KINDS)
    yield f"{of}: {counts} in {campaign.seconds:.0f} s"


def _table(campaign: Campaign) -> Iterator[str]:
    """The mutants of each function by fate, and what killed how many."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for outcome in campaign.outcomes:
        place = (outcome.mutant.file, outcome.mutant.function.partition("@")[0])
        rows.setdefault(place, Counter())[outcome.fate.kind] += 1
    if not rows:
        return
    width = max(len(name) for _, name in rows) + 2
    heads = "  ".join(f"{kind:>10}" for kind in KINDS)
    file = ""
    for (path, name), counts in rows.items():
        if path != file:
            yield ""
            yield f"{path:<{width + 2}}{heads}" if not file else path
            file = path
        cells = "  ".join(f"{counts[kind] or '-':>10}" for kind in KINDS)
        yield f"  {name:<{width}}{cells}"
    yield ""
    killers = Counter(o.fate.by for o in campaign.outcomes if o.fate.kind == KILLED)
    yield from (f"  {count:>5}  killed by {name}" for name, count in killers.most_common())


def _told(outcome: Outcome) -> Iterator[str]:
    mutant = outcome.mutant
    yield f"  {mutant.id}, line {mutant.line}"
    yield f"    - {outcome.old}"
    yield f"    + {outcome.new}"
    yield f"    {outcome.fate.reason}"


def as_json(campaign: Campaign) -> str:
    """The same as an object of the schema msrproof-mutants/1."""
    given = campaign.report.input
    whole = {
        "schema": SCHEMA,
        "tool": {"name": "msrproof", "version": __version__},
        "input": {
            "kernel": given.kernel,
            "kernel_version": given.kernel_version,
            "target": given.target,
            "defines": dict(given.defines),
            "config": dict(given.config),
            "hardware": dict(given.hardware),
            "patches": [{"subject": p.subject, "message_id": p.message_id} for p in given.patches],
        },
        "proved": [r.property for r in campaign.report.results if r.verdict == "proved"],
        "mutants": [_object(outcome) for outcome in campaign.outcomes],
        "left_out": dict(campaign.left_out),
        "summary": {
            **{kind: campaign.count(kind) for kind in KINDS},
            "made": campaign.made,
            "seconds": round(campaign.seconds, 3),
        },
    }
    return json.dumps(whole, indent=2) + "\n"


def _object(outcome: Outcome) -> dict[str, Any]:
    mutant, fate = outcome.mutant, outcome.fate
    return {
        "id": mutant.id,
        "file": mutant.file,
        "function": mutant.function.partition("@")[0],
        "line": mutant.line,
        "operator": mutant.operator,
        "old": outcome.old,
        "new": outcome.new,
        "fate": fate.kind,
        "by": fate.by or None,
        "reason": fate.reason,
        "seconds": round(fate.seconds, 3),
    }
