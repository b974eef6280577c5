"""A made-up report with one of everything, for the tests of printers and command line."""

from __future__ import annotations

from dataclasses import replace

from verify.result import (
    Cause,
    FailedHunk,
    Input,
    NotUnderstood,
    Outside,
    PatchSummary,
    Report,
    Result,
    Stage,
    Trace,
    TraceStep,
    Turn,
    Violation,
)
from verify.source.changes import Change
from verify.target import Assumption

STEPS = (
    TraceStep("guest", None, None, None, None, "guest", "BLUE", 0, 0xFFFF_FFFF_FFFF_FFFF),
    TraceStep(
        "load",
        "lamp/load.c",
        12,
        "lamp_load",
        "\tset_lamp(BLUE, lamp->blue);",
        "WRITE",
        "BLUE",
        1,
        7,
        "",
        "+",
    ),
    TraceStep(
        "load",
        "lamp/load.c",
        15,
        "lamp_load",
        "\tset_lamp(RED, 0);",
        "WRITE",
        "RED",
        0,
        0,
        "clears BLUE as well",
    ),
)
TRACE = Trace(
    {"room.lamps": 2, "red_write": "clear"},
    STEPS,
    Violation("BLUE", 7, 0, "the guest finds another colour than it left"),
    Cause("lamp_load (load.c:15) clears BLUE", (2, 1), "Write BLUE after RED"),
    True,
    ("room.lamps",),
)
REFUTED = Result(
    "restore.BLUE",
    "restore",
    "refuted",
    seconds=0.1234,
    variants={
        "red_write": {"preserve": "proved", "clear": "refuted", "havoc": "refuted"},
        "dimmer": {"0": "refuted", "1": "refuted"},
    },
    trace=TRACE,
    statement="BLUE at entry is as the guest left it",
)
PROVED = Result(
    "restore.RED",
    "restore",
    "proved",
    seconds=0.05,
    statement="RED at entry is as the guest left it",
)
UNKNOWN = Result(
    "leak.room-room",
    "leak",
    "unknown",
    "no answer in 60 s",
    60.0,
    statement="no room sees another's light",
)
REPORT = Report(
    Input(
        "linux-lamp",
        "7.2.0",
        "lamp",
        {"MAX_LAMPS": "4"},
        {"room.lamps": 2},
        {"dimmer": "0"},
        (
            PatchSummary(
                "[PATCH 1/2] Lamp: keep BLUE",
                "1@example.org",
                3,
                (
                    FailedHunk("lamp/dim.c", 40, "no such lines", ("restore.RED",)),
                    FailedHunk("lamp/notes.txt", 0, "the tree has no file lamp/notes.txt"),
                ),
                "lamp.mbox",
            ),
            PatchSummary("", None, 1, source="standard input"),
        ),
        (
            Change(
                "lamp/load.c",
                9,
                9,
                "static void lamp_load(struct lamp *lamp)",
                (
                    " \tstruct room *room = lamp->room;",
                    " ",
                    " \tlock(room);",
                    "+\tset_lamp(BLUE, lamp->blue);",
                    " \tif (lamp->red)",
                    " \t\tset_lamp(GREEN, 0);",
                    " \tset_lamp(RED, 0);",
                ),
            ),
        ),
        outside=(Outside("lamp/room.c", 7, "paint_room"), Outside("lamp/paint.txt")),
    ),
    (Assumption("A1", "only one hand is at the switch"),),
    (
        NotUnderstood(
            "lamp/asm.c",
            3,
            'asm volatile("glow");',
            "assembler",
            ("restore.BLUE", "restore.RED", "leak.room-room"),
        ),
    ),
    (REFUTED, PROVED, UNKNOWN),
    61.5,
)


COMPARED = replace(
    REPORT,
    input=replace(REPORT.input, compare=True),
    results=(
        replace(REFUTED, base="proved", difference="introduces"),
        replace(PROVED, base=None, difference="keeps"),
        replace(UNKNOWN, base="refuted", difference="unknown"),
    ),
    series=(
        Stage("base", None, {"restore.BLUE": "proved", "restore.GONE": "proved"}),
        Stage("[PATCH 1/2] Lamp: keep BLUE", None, {}, "no function lamp_load"),
        Stage(
            "Lamp: dim",
            "0123456789abcdef0123456789abcdef01234567",
            {"restore.BLUE": "refuted", "leak.room-room": "unknown"},
        ),
    ),
    turns=(Turn("restore.BLUE", "introduces", (1, 2)),),
)
"""The sample beside the tree before, with a series of which one patch cannot be checked."""


def with_results(*results: Result) -> Report:
    """The sample with these results instead."""
    return replace(REPORT, results=results)
