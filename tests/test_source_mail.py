"""verify.source.mail: bytes -> messages."""

import base64
import io
import quopri
import sys
import time
from pathlib import Path

import pytest

from verify.errors import BadInput
from verify.source.mail import Message, order_series, read_input, split_messages

DIFF = """--- a/lamp.c
+++ b/lamp.c
@@ -1,3 +1,4 @@
 int on;
+int dim;
 int off;
 int end;
"""


def mail(subject: str, body: str, headers: str = "") -> str:
    return f"From: Ann <ann@example.org>\nSubject: {subject}\n{headers}\n{body}"


def mbox(*mails: str) -> bytes:
    start = "From ann@example.org Mon Jan  5 10:00:00 2026\n"
    return "\n".join(start + text for text in mails).encode()


def subjects(data: bytes) -> list[str]:
    return [message.subject for message in split_messages(data)]


def test_plain_diff() -> None:
    [message] = split_messages(DIFF.encode(), "x.diff")
    assert (message.subject, message.message_id, message.position) == ("", None, None)
    assert message.lines == DIFF.split("\n")
    assert message.source == "x.diff"


def test_single_mail_with_folded_encoded_subject() -> None:
    text = mail("[PATCH v3 2/5] =?utf-8?q?lamp=3A_d=C3=A9?=\n more", DIFF, "Message-ID: <1@x>\n")
    [message] = split_messages(text.encode())
    assert message.subject == "[PATCH v3 2/5] lamp: d\u00e9 more"
    assert message.message_id == "1@x"
    assert message.position == (2, 5)
    assert message.has_diff


def test_an_endless_subject_is_cut() -> None:
    [message] = split_messages(mail("=?utf-8?q?lamp?= " * 500_000, DIFF).encode())
    assert message.subject.startswith("lamplamp") and len(message.subject) < 1000
    assert message.has_diff


def test_format_patch_file() -> None:
    text = f"From {'a1' * 20} Mon Sep 17 00:00:00 2001\n" + mail("[PATCH] lamp", DIFF)
    [message] = split_messages(text.encode())
    assert message.subject == "[PATCH] lamp"
    assert message.lines[message.lines.index("--- a/lamp.c")] == "--- a/lamp.c"
    # first_line + index is the line in the input, where line 1 is the "From " line.
    assert message.first_line + message.lines.index("--- a/lamp.c") == 5


def test_series_is_put_in_order_and_the_cover_letter_dropped() -> None:
    data = mbox(
        mail("[PATCH v2 2/2] second", DIFF),
        mail("[PATCH v2 0/2] cover", "words\n"),
        mail("[PATCH v2 1/2] first", DIFF),
    )
    assert subjects(data) == ["[PATCH v2 1/2] first", "[PATCH v2 2/2] second"]


def test_two_series_stay_apart() -> None:
    data = mbox(
        mail("[PATCH 2/2] a2", DIFF),
        mail("[PATCH v9 2/2] b2", DIFF),
        mail("[PATCH 1/2] a1", DIFF),
        mail("[PATCH v9 1/2] b1", DIFF),
    )
    assert [s[-2:] for s in subjects(data)] == ["a1", "a2", "b1", "b2"]


def test_ten_comes_after_nine() -> None:
    data = mbox(*(mail(f"[PATCH {n:02d}/10] p{n}", DIFF) for n in (10, 9, 1)))
    assert [s.split()[-1] for s in subjects(data)] == ["p1", "p9", "p10"]


def test_a_lone_cover_letter_stays() -> None:
    assert subjects(mbox(mail("[PATCH 0/2] cover", "words\n"))) == ["[PATCH 0/2] cover"]


def test_a_patch_whose_diff_cannot_be_seen_stays() -> None:
    data = mbox(mail("[PATCH 1/2] one", DIFF), mail("[PATCH 2/2] two", "lost\n"))
    assert len(subjects(data)) == 2


def test_replies_to_a_patch_that_is_there_are_dropped() -> None:
    quoted = "".join(f"> {line}\n" for line in DIFF.splitlines())
    patch, reply = mail("[PATCH] lamp", DIFF), mail("Re: [PATCH] lamp", "fine\n" + quoted)
    assert subjects(mbox(patch, reply)) == ["[PATCH] lamp"]
    assert subjects(mbox(reply, patch)) == ["[PATCH] lamp"]
    short = mail("Re: [PATCH] lamp", "> @@ -1,3 +1,4 @@\n> +int dim;\nno\n")
    assert [m.lines[3] for m in split_messages(mbox(short, reply))] == ["fine"]


def test_order_series_over_several_files() -> None:
    parts = [
        Message(f"[PATCH {n}/2] p", None, (n, 2), DIFF.split("\n"), source=f"{n}.eml")
        for n in (2, 1)
    ]
    assert [m.source for m in order_series(parts)] == ["1.eml", "2.eml"]


def test_archive_page() -> None:
    page = f"\nRe: [PATCH V2 3/4] lamp: dim it\nFrom: Ann\nDate: today\n{DIFF}"
    [message] = split_messages(page.encode())
    assert message.subject == "Re: [PATCH V2 3/4] lamp: dim it"
    assert (message.message_id, message.position) == (None, (3, 4))
    assert message.is_reply
    assert message.first_line == 2


@pytest.mark.parametrize("coding", ["quoted-printable", "base64"])
def test_encoded_mail(coding: str) -> None:
    raw = DIFF.replace("int dim;", 'char *dim = "=d\u00e9";').encode("latin-1")
    body = quopri.encodestring(raw) if coding != "base64" else base64.encodebytes(raw)
    head = f"Content-Type: text/plain; charset=latin-1\nContent-Transfer-Encoding: {coding}\n"
    [message] = split_messages(mail("[PATCH] x", body.decode(), head).encode())
    assert '+char *dim = "=d\u00e9";' in message.lines
    assert " int on;" in message.lines


def multipart(*parts: str) -> bytes:
    body = "".join(f"--cut\n{part}\n" for part in parts) + "--cut--\n"
    head = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=cut\n"
    return mail("[PATCH] x", body, head).encode()


def test_multipart_with_an_attached_patch() -> None:
    attached = base64.encodebytes(DIFF.encode()).decode()
    head = "Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=l.patch\n"
    [message] = split_messages(
        multipart(
            "Content-Type: text/plain\n\nsee below\n",
            "Content-Type: text/html\n\n<b>+int html;</b>\n",
            f"Content-Type: application/octet-stream\n{head}\n{attached}",
        )
    )
    assert "see below" in message.lines
    assert "+int dim;" in message.lines
    assert not any("html" in line for line in message.lines)


def test_html_only_is_refused() -> None:
    with pytest.raises(BadInput, match="HTML"):
        split_messages(multipart("Content-Type: text/html\n\n<b>x</b>\n"))


def test_base64_of_a_binary_is_refused() -> None:
    raw = base64.encodebytes(b"\x7fELF\0\0\0").decode()
    part = f"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n{raw}"
    with pytest.raises(BadInput, match="does not decode"):
        split_messages(multipart(part))


def test_nesting_without_end_is_refused() -> None:
    text = DIFF
    for depth in range(30):
        cut = f"--b{depth}x"
        text = f"Content-Type: multipart/mixed; boundary={cut[2:]}\n\n{cut}\n{text}\n{cut}--\n"
    with pytest.raises(BadInput, match="nests too deep"):
        split_messages(("Subject: x\n" + text).encode())


def test_read_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.diff").write_bytes(DIFF.encode())
    assert read_input(str(tmp_path / "p.diff")) == DIFF.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"+x\n")))
    assert read_input("-") == b"+x\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\x7fELF\x02\x01\0\0", "binary"),
        (b"\x01\x02\x03\x04\x05abc", "binary"),
        (b"\x1f\x8b\x08\0abc", "gzip"),
        ("diff --git".encode("utf-16"), "UTF-16"),
    ],
)
def test_unusable_files(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "p").write_bytes(data)
    with pytest.raises(BadInput, match=why) as caught:
        read_input(str(tmp_path / "p"))
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "p") in str(caught.value)


def test_no_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_input(str(tmp_path / "none"))
    with pytest.raises(BadInput, match="is a folder"):
        read_input(str(tmp_path))
    with pytest.raises(BadInput, match="cannot be read"):
        read_input("a\0b")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(100 << 20)
    start = time.monotonic()
    with pytest.raises(BadInput, match="larger than 16 MiB"):
        read_input(str(tmp_path / "huge"))
    assert time.monotonic() - start < 1


def test_an_endless_device_is_refused() -> None:
    with pytest.raises(BadInput, match="larger than 16 MiB"):
        read_input("/dev/zero")
