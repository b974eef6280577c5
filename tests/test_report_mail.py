"""verify.report.mail: a reply that can be sent as it is."""

from __future__ import annotations

import email
import email.header
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report_sample import PROVED, REFUTED, REPORT, STEPS, TRACE, UNKNOWN, with_results
from verify.report.mail import WIDTH, render
from verify.result import (
    INTRODUCES,
    LEAVES,
    Cause,
    PatchSummary,
    Report,
    Result,
    Stage,
    Violation,
)
from verify.source import attribution
from verify.source.changes import Change
from verify.source.mail import split_messages
from verify.source.patch import parse_patch


def body(report: Report) -> str:
    text = render(report)
    return text.partition("\n\n")[2] if text.startswith("Subject:") else text


def squeezed(text: str) -> str:
    return " ".join(text.split())


def patched(*patches: PatchSummary) -> Report:
    return replace(REPORT, input=replace(REPORT.input, patches=patches))


def test_the_whole_reply() -> None:
    said = "On Wed, Nov 25, 2026, A Painter wrote:"
    applied = PatchSummary("[PATCH] Lamp: keep BLUE", "1@example.org", 1, (), "lamp.mbox", said)
    report = replace(patched(applied), not_understood=(), results=(REFUTED, PROVED))
    assert render(report).splitlines() == [
        "Subject: Re: [PATCH] Lamp: keep BLUE",
        "In-Reply-To: <1@example.org>",
        "References: <1@example.org>",
        "",
        "msrproof refutes 1 of 2 properties of lamp on 7.2.0 with this patch",
        "(MAX_LAMPS=4, room.lamps=2, dimmer=0).",
        "",
        "On Wed, Nov 25, 2026, A Painter wrote:",
        "> diff --git a/lamp/load.c b/lamp/load.c",
        "> @@ ... @@ static void lamp_load(struct lamp *lamp)",
        ">  \tstruct room *room = lamp->room;",
        ">",
        ">  \tlock(room);",
        "> +\tset_lamp(BLUE, lamp->blue);",
        ">  \tif (lamp->red)",
        ">  \t\tset_lamp(GREEN, 0);",
        ">  \tset_lamp(RED, 0);",
        "",
        "Write BLUE after RED: lamp_load() (load.c:15) clears BLUE.",
        "",
        "Breaks restore.BLUE: the guest finds another colour than it left.",
        "",
        "Depends on red_write: fails under clear, havoc, holds under preserve.",
        "",
        "With room.lamps=2:",
        "",
        "  guest  BLUE 0x0 -> 0xffffffffffffffff",
        "  load   lamp_load() lamp/load.c:12",
        "         + set_lamp(BLUE, lamp->blue);",
        "           WRITE BLUE 0x1 -> 0x7",
        "         lamp_load() lamp/load.c:15",
        "           set_lamp(RED, 0);",
        "           WRITE RED = 0x0 (clears BLUE as well)",
        "  => BLUE: expected 0x7, observed 0x0",
        "",
        "Changed, but no answer depends on it: lamp/room.c:7 paint_room(),",
        "lamp/paint.txt.",
        "",
        "Proved, for any number of switches: restore.RED.",
        "",
        "red_write: hardware behaviour that the model leaves open (msrproof list",
        "hardware).",
        "",
        "Assumes A1.",
        "",
        "Reproduce with msrproof " + render(report).split("Reproduce with msrproof ")[1][:6],
        "",
        "  msrproof check --kernel linux-lamp --target lamp \\",
        "    --define MAX_LAMPS=4 --config room.lamps=2 --hardware dimmer=0 \\",
        "    --patch lamp.mbox",
    ]


def test_all_proved_is_a_short_reply() -> None:
    text = body(replace(REPORT, not_understood=(), results=(PROVED, PROVED)))
    assert text.startswith("msrproof proves all 2 properties of lamp on 7.2.0 with these patches")
    assert "Proved, for any number of switches: restore.RED, restore.RED." in text
    assert "> " not in text and "With " not in text and "hardware behaviour" not in text
    one = squeezed(body(replace(REPORT, results=(PROVED,))))
    assert one.startswith("msrproof proves the property that was asked for of lamp")
    one = squeezed(body(with_results(REFUTED)))
    assert one.startswith("msrproof refutes the property that was asked for of lamp")


def test_what_is_proved_with_nmis_is_named_once() -> None:
    names = ("restore.RED", "restore.BLUE", "nmi.restore.RED", "nmi.leak.RED")
    text = squeezed(body(with_results(*(replace(PROVED, property=name) for name in names))))
    assert "Proved, for any number of switches, with and without NMIs: restore.RED." in text
    assert "Proved, for any number of switches: restore.BLUE, nmi.leak.RED." in text


def test_several_accesses_of_a_line_show_it_once() -> None:
    clears = replace(STEPS[2], op="effect", register="BLUE", before=7)
    text = body(with_results(refuted("a.b", steps=(*STEPS, clears))))
    assert (
        text.count("lamp_load() lamp/load.c:15") == text.count("           set_lamp(RED, 0);") == 1
    )
    assert "           WRITE RED = 0x0 (clears BLUE as well)\n           effect BLUE 0x7" in text


def test_unknown_has_its_reason_once() -> None:
    again = replace(UNKNOWN, property="leak.room-hall")
    text = squeezed(body(with_results(UNKNOWN, again, PROVED)))
    assert text.startswith("msrproof can't tell 2 of 3 properties of lamp")
    assert "it refutes none." in text
    assert "Unknown: leak.room-room, leak.room-hall: no answer in 60 s." in text


def test_hunks_that_do_not_apply_come_first() -> None:
    text = squeezed(body(REPORT))
    assert (
        "A hunk does not apply: lamp/dim.c:40: no such lines. It could affect restore.RED." in text
    )
    assert "A hunk does not apply: lamp/notes.txt: the tree has no file" in text
    assert text.index("A hunk does not apply") < text.index("Write BLUE after RED")


def test_what_is_not_understood_is_said() -> None:
    assert (
        "Not understood, so taken as something that may do anything: lamp/asm.c:3: "
        'asm volatile("glow"); (assembler).' in squeezed(body(REPORT))
    )


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("[PATCH] Lamp", "Re: [PATCH] Lamp"),
        ("Re: RE: [PATCH] Lamp", "Re: [PATCH] Lamp"),
        ("[PATCH] L\u00e4mp", "Re: [PATCH] L\u00e4mp"),
        ("[PATCH] Lamp\r\nBcc: all@example.org", "Re: [PATCH] Lamp  Bcc: all@example.org"),
        ("[PATCH] " + "lamp " * 40 + "end", "Re: [PATCH] " + "lamp " * 40 + "end"),
    ],
)
def test_headers(subject: str, expected: str) -> None:
    text = render(patched(PatchSummary(subject, "1@example.org", 1)))
    assert text.isascii()
    message = email.message_from_string(text)
    assert set(message) == {"Subject", "In-Reply-To", "References"}
    shown = str(email.header.make_header(email.header.decode_header(message["Subject"])))
    assert squeezed(shown) == squeezed(expected)
    assert message["In-Reply-To"] == message["References"] == "<1@example.org>"


@pytest.mark.parametrize("message_id", [None, "", "a b", "a>\nBcc: <b", "a\u00e4@b", "a<b"])
def test_no_headers_without_a_message_to_answer(message_id: str | None) -> None:
    text = render(patched(PatchSummary("[PATCH] Lamp", message_id, 1)))
    assert text.startswith("msrproof ")


def test_a_mail_that_was_read_is_answered() -> None:
    mail = "From: a@example.org\nMessage-ID: <7@example.org>\nSubject: [PATCH] Lamp\n\n+++\n"
    [message] = split_messages(mail.encode())
    text = render(patched(PatchSummary(message.subject, message.message_id, 1)))
    assert text.startswith("Subject: Re: [PATCH] Lamp\nIn-Reply-To: <7@example.org>\n")


def test_the_last_mail_of_a_series_is_answered() -> None:
    text = render(
        patched(
            PatchSummary("[PATCH 1/2] A", "1@example.org", 1),
            PatchSummary("[PATCH 2/2] B", "2@example.org", 1),
            PatchSummary("", None, 1),
        )
    )
    assert text.startswith("Subject: Re: [PATCH 2/2] B\nIn-Reply-To: <2@example.org>\n")


def refuted(name: str, **changes: object) -> Result:
    return replace(REFUTED, property=name, trace=replace(TRACE, **changes))  # type: ignore[arg-type]


def test_properties_that_break_alike_share_a_comment() -> None:
    other = Violation("BLUE", 7, 1, "the room is dark")
    larger = tuple(replace(s, after=s.after and s.after * 2) for s in STEPS)
    report = with_results(
        refuted("restore.BLUE", steps=larger), refuted("leak.BLUE", violation=other)
    )
    text = body(report)
    assert text.count("Write BLUE after RED") == text.count("> diff --git") == 1
    assert "Breaks leak.BLUE: the room is dark.\nBreaks restore.BLUE: the guest finds" in text
    report = with_results(refuted("restore.BLUE"), refuted("nmi.restore.BLUE"))
    assert "Breaks restore.BLUE, nmi.restore.BLUE: the guest finds" in body(report)
    assert "WRITE BLUE 0x1 -> 0x7" in text and "0xe" not in text, "the smaller values are shown"


def test_comments_stand_in_the_order_of_the_patch() -> None:
    late = Change("lamp/off.c", 1, 1, "", ("+\tlate();",))
    step = replace(STEPS[1], file="lamp/off.c", line=1, code="late();")
    cause = Cause("it is late", (0,), "Be early")
    report = with_results(refuted("a.b", steps=(step,), cause=cause), refuted("c.d"))
    changes = (*report.input.changes, late)
    text = body(replace(report, input=replace(report.input, changes=changes)))
    places = [
        text.index(part) for part in ("a/lamp/load.c", "Write BLUE", "a/lamp/off.c", "Be early")
    ]
    assert places == sorted(places)


def test_a_trace_that_the_patch_has_no_part_in_comes_after_the_quotes() -> None:
    step = replace(STEPS[1], patch_line=None, line=99)
    cause = Cause("it is dark", (0,))
    text = body(with_results(REFUTED, refuted("e.f", steps=(step,), cause=cause)))
    assert (
        text.index("> diff") < text.index("Not at a line of the patch:") < text.index("it is dark")
    )
    alone = with_results(refuted("e.f", steps=(step,), cause=cause))
    assert "\n> " not in body(alone) and "Not at a line" not in body(alone)


def test_what_a_patch_leaves_as_it_was_is_only_named() -> None:
    old = replace(refuted("leak.BLUE", cause=Cause("it is dark", (0,))), difference=LEAVES)
    report = with_results(old, replace(REFUTED, difference=INTRODUCES))
    stages = (Stage("base", verdicts={"leak.BLUE": "refuted"}), Stage("Lamp"))
    text = squeezed(body(replace(report, series=stages)))
    assert "leaves open leak.BLUE" in text and "refutes 2 of 2" in text
    assert "it is dark" not in text and "Breaks leak.BLUE" not in text
    assert "Breaks restore.BLUE" in text


def test_phases_and_functions_as_the_list_writes_them() -> None:
    read = replace(STEPS[0], phase="read/BLUE[0]/3", op="refused", note="lamp_set_msr")
    lines = body(with_results(refuted("a.b", steps=(*STEPS, read)))).splitlines()
    assert any(line.startswith("  read   refused BLUE") for line in lines)
    assert any(line.endswith("(lamp_set_msr())") for line in lines)


def test_of_a_long_hunk_only_what_is_near_is_quoted() -> None:
    lines = (*(f"+\tlamp({n});" for n in range(60)),)
    change = Change("lamp/load.c", 1, 1, "", lines)
    step = replace(STEPS[1], line=30)
    report = with_results(refuted("a.b", steps=(step,), cause=Cause("x", (0,))))
    text = body(replace(report, input=replace(report.input, changes=(change,))))
    quoted = [line for line in text.splitlines() if line.startswith("> ")]
    assert "> +\tlamp(29);" in quoted and quoted.count("> [...]") == 2 and len(quoted) < 25


def test_two_vcpus_are_explained() -> None:
    steps = tuple(replace(step, phase=f"A:{step.phase}") for step in STEPS)
    assert "A and B are two vCPUs" in squeezed(body(with_results(refuted("a.b", steps=steps))))
    assert "two vCPUs" not in squeezed(body(REPORT))


def mail(header: str, text: str = "") -> Report:
    """The sample, as an answer to a mail with these lines of its header."""
    lines = (
        f"Message-ID: <7@example.org>\n{header}\n\n{text}--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    )
    [message] = split_messages(lines.encode())
    patch = parse_patch(message)
    summary = PatchSummary(patch.subject, patch.message_id, 1, attribution=patch.attribution)
    return patched(summary)


DATE = "Date: Wed, 3 Jun 2026 23:10:00 -0700"


@pytest.mark.parametrize(
    ("header", "who"),
    [
        ("From: A Painter <a@example.org>", "A Painter"),
        ('From: "Painter, A" <a@example.org>', "Painter, A"),
        ("From: a@example.org", "a@example.org"),
        ("From: a@example.org (A Painter)", "A Painter"),
        ("From: =?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <j@example.org>", "Jurgen Muller"),
        ("From: =?utf-8?b?5byg5LiJ?= <zs@example.org>", "zs@example.org"),
        ("From: A\n Painter <a@example.org>", "A Painter"),
        ("From: =?utf-8?q?A=0D=0ABcc=3A_b=40example.org?= <a@example.org>", "A Bcc: b@example.org"),
        ("From: =?utf-8?q?A=1B=5B2J?= <a@example.org>", "A\\x1b[2J"),
        ("From: " + "A" * 2000 + " <a@example.org>", ""),
        ("From: =?no-such?q?A?= <a@example.org>", "=?no-such?q?A?="),
        ("X-From: nobody", ""),
    ],
)
def test_who_wrote_what_is_quoted(header: str, who: str) -> None:
    text = render(mail(f"{header}\n{DATE}"))
    assert text.isascii()
    assert set(email.message_from_string(text)) == {"Subject", "In-Reply-To", "References"}
    before = squeezed(text.partition("> diff")[0])
    assert before.endswith(f"On Wed, Jun 03, 2026, {who} wrote:" if who else "dimmer=0).")


@pytest.mark.parametrize(
    "date", ["", "Date: ", "Date: yesterday", "Date: Mon, 1 Jan 0000 00:00:00 +9999999"]
)
def test_nobody_is_said_to_have_written_it_when_the_date_is_not_known(date: str) -> None:
    assert "wrote:" not in render(mail(f"From: a@example.org\n{date}".strip()))


@given(st.text(), st.text())
def test_any_sender_and_date(name: str, date: str) -> None:
    said = attribution.of_mail(name, "a@example.org", date)
    assert said == "" or (said.isascii() and "\n" not in said)
    assert attribution.of_mail(name, "a@example.org", DATE[6:]).endswith(" wrote:")


QUOTED = "> --- a/x\n> +++ b/x\n> @@ -1 +1 @@\n> -a\n> +b\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"On 4/24/2026 1:46 AM, A Painter wrote:\n{QUOTED}",
            "On 4/24/2026 1:46 AM, A Painter wrote:",
        ),
        (
            f"Hi!\n\nOn Wed, Jun 3, 2026 at 1:46 AM, A Painter\n<a@example.org> wrote:\n\n{QUOTED}",
            "On Wed, Jun 3, 2026 at 1:46 AM, A Painter <a@example.org> wrote:",
        ),
        (
            "On 5/5/2026, B wrote:\n> On 4/4/2026, A wrote:\n"
            + "".join(f"> {line}\n" for line in QUOTED.splitlines()),
            "On 4/4/2026, A wrote:",
        ),
        (f"A painter wrote in his mail:\n{QUOTED}", ""),
        (QUOTED, ""),
    ],
)
def test_of_a_quoted_patch_the_one_who_quotes_says_who_wrote_it(text: str, said: str) -> None:
    header = f"From: C <c@example.org>\n{DATE}\nSubject: Re: [PATCH] Lamp"
    [message] = split_messages(f"{header}\n\n{text}".encode())
    assert parse_patch(message).attribution == said


def test_patches_of_several_mails_have_no_single_writer() -> None:
    one, two = (PatchSummary("[PATCH]", None, 1, attribution=f"On 1, {x} wrote:") for x in "AB")
    assert "wrote:" not in render(patched(one, two))
    assert render(patched(one, one)).count("wrote:") == 1


@given(st.text(), st.text())
def test_plain_ascii_and_72_columns(subject: str, reason: str) -> None:
    report = with_results(REFUTED, replace(UNKNOWN, reason=reason or "x"))
    report = replace(report, input=replace(report.input, patches=(PatchSummary(subject, None, 1),)))
    text = render(report)
    assert text.isascii()
    for line in text.splitlines():
        assert line == line.rstrip()
        assert len(line) <= WIDTH or " " not in line.strip() or line.startswith("> ")
