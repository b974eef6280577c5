"""Mails: however a patch is packed it is the same patch, and however it is broken the tool says so
in one line, and writes nothing."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import quopri
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from proofs.selfcheck import PATCHES
from tests.fuzz.case import Outcome
from tests.fuzz.trees import REFERENCE
from verify.cli import main
from verify.errors import BadInput
from verify.inputs import read_patches
from verify.prove.judge import Judge, Judgement
from verify.prove.property import Property
from verify.report.formats import FORMATS
from verify.source.mail import order_series, split_messages
from verify.source.overlay import Overlay, apply
from verify.source.patch import parse_patch
from verify.source.tree import open_tree

NAMES = ("perf-metrics.patch", "perf-metrics-wrong-order.patch", "perf-metrics-as-posted.patch")


# Packed: the same patch -----------------------------------------------------------------------


def plain(text: str, chance: Random) -> bytes:
    """As it is."""
    return text.encode()


def crlf(text: str, chance: Random) -> bytes:
    """Line ends of the network."""
    return text.replace("\n", "\r\n").encode()


def _headers(coding: str, kind: str = "text/plain; charset=utf-8") -> str:
    return (
        f"From: A <a@example.org>\nSubject: [PATCH] x\nMIME-Version: 1.0\n"
        f"Content-Type: {kind}\nContent-Transfer-Encoding: {coding}\n\n"
    )


def quoted_printable(text: str, chance: Random) -> bytes:
    """Encoded, with spaces and tabs at times."""
    body = quopri.encodestring(text.encode(), quotetabs=chance.random() < 0.5)
    return _headers("quoted-printable").encode() + body


def base64_(text: str, chance: Random) -> bytes:
    """Encoded in lines of some length."""
    data = base64.b64encode(text.encode()).decode()
    width = chance.choice((4, 57, 76, 998))
    rows = [data[i : i + width] for i in range(0, len(data), width)]
    return (_headers("base64") + "\n".join(rows) + "\n").encode()


def multipart(text: str, chance: Random) -> bytes:
    """Within parts of parts, with words or HTML beside it."""
    body = base64_(text, chance).decode() if chance.random() < 0.5 else f"X: y\n\n{text}"
    part = re.sub(r"\A(?:From|Subject|MIME-Version): .*\n", "", body, flags=re.MULTILINE)
    for depth in range(chance.randrange(1, 5)):
        cut = f"=_{depth}_{chance.getrandbits(32)}"
        word = chance.choice(
            ("Content-Type: text/html\n\n<p>hello</p>\n", "Content-Type: text/plain\n\nhello\n")
        )
        kind = f'Content-Type: multipart/mixed; boundary="{cut}"\n\n'
        part = f"{kind}--{cut}\n{word}\n--{cut}\n{part}\n--{cut}--\n"
    return f"From: a@example.org\nSubject: [PATCH] x\nMIME-Version: 1.0\n{part}".encode()


def reply(text: str, chance: Random) -> bytes:
    """Quoted, with comments between the lines of the patch."""
    mark = chance.choice(("> ", ">> ", "> > ", ">"))
    rows = [f"{mark}{row}".rstrip() if not row else f"{mark}{row}" for row in text.split("\n")]
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(rows))
        rows[at:at] = ["", "This looks odd to me.", ""]
    head = "From: b@example.org\nSubject: Re: [PATCH] x\nIn-Reply-To: <1@example.org>\n\n"
    return (head + "\n".join(rows) + "\n").encode()


def mbox(text: str, chance: Random) -> bytes:
    """In a box with others that have no patch."""
    start = "From a@example.org Mon Jan  5 10:00:00 2026\n"
    mails = [f"From: a@example.org\nSubject: [PATCH 1/1] x\n\n{text}"]
    mails += [f"From: c@example.org\nSubject: word {i}\n\nhello\n" for i in range(2)]
    chance.shuffle(mails)
    return "\n".join(start + mail for mail in mails).encode()


PACKED: Sequence[Callable[[str, Random], bytes]] = (
    plain, crlf, quoted_printable, base64_, multipart, reply, mbox,
)  # fmt: skip


def packed(chance: Random) -> Outcome:
    """A patch in some wrapping makes the tree that it makes without."""
    name = chance.choice(NAMES)
    pack = chance.choice(PACKED)
    data = pack(_text(name), chance)
    if chance.random() < 0.3:
        data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    messages = order_series(split_messages(data))
    tree, reports = apply(_tree(), [parse_patch(message) for message in messages])
    failed = [f"{hunk.file}:{hunk.line}: {hunk.reason}" for r in reports for hunk in r.failed]
    if failed:
        return Outcome(pack.__name__, f"{name} does not apply: {failed[0]}")
    expected = _patched(name)
    wrong = [p for p, _, _ in expected.touched() if tree.read(p) != expected.read(p)]
    return Outcome(pack.__name__, f"{name} makes another {wrong[0]}" if wrong else "")


@cache
def _text(name: str) -> str:
    return (PATCHES / name).read_text()


@cache
def _tree() -> Any:
    return open_tree(REFERENCE, ["Makefile"])


@cache
def _patched(name: str) -> Overlay:
    return apply(_tree(), read_patches([str(PATCHES / name)]))[0]


# Broken ---------------------------------------------------------------------------------------

_HEADERS = (
    "Subject: " + "x" * 5000, "Subject: =?utf-8?b?////?=", "Subject: =?x?q?=00=1b?=",
    "Subject:", "Content-Type: multipart/mixed", "Content-Type: multipart/mixed; boundary=",
    "Content-Type:", "Content-Type: text/plain; charset=no-such",
    "Content-Type: message/rfc822", "From: \x1b[2J",
    "Content-Type: text/plain; charset*=utf-16''x",
    "Content-Type: text/plain; charset=utf-7",
    "Content-Type: application/octet-stream; name=\"a/../b\"", "Content-Type: text/html",
    "Content-Type: text/plain; charset=idna", "Content-Type: text/plain; charset=rot13",
    "Content-Type: text/plain; charset=\x00", "Content-Type: text/plain; charset=utf-16",
    "Content-Type: text/plain; charset=base64",
    "Content-Type: text/plain; charset=unicode_escape", "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: x-uuencode", "Message-ID: <",
    "Content-Transfer-Encoding: quoted-printable", "Content-Transfer-Encoding: 8bit;",
    " folded", "Subject: [PATCH 99999999999999999999/1] x", "Subject: [PATCH 0/0]",
    "Message-ID: <a>\x00<b>", "Subject: [PATCH v3 -1/2] x",
    "Subject: Re: Re: Fwd: [PATCH 2/1] x", "MIME-Version: 9.9",
)  # fmt: skip
_NAMES = (
    "../../etc/passwd", "/etc/passwd", "arch/../../x", "a\tb", "\"a\\303\\251.c\"", "",
    "/dev/null", "arch/x86/kvm", "Makefile", "arch/x86/kvm/pmu.c/x", "x" * 300, "\x00",
    "./arch/x86/kvm/pmu.h", "arch//x86/kvm/pmu.c", "ARCH/x86/kvm/pmu.c",
    "arch/x86/kvm/pmu.c ", "\u00e9.c", "~/x", "$HOME", "arch/x86/kvm/vmx/vmx.c",
    "arch/x86/kvm/x86.c", "-rf", "con", "a\\b", "arch/x86/kvm/pmu.h\r",
)  # fmt: skip
_COUNTS = (
    "0",
    "1",
    "2",
    "7",
    "99",
    "99999",
    "999999999999999999999",
    "-1",
    "08",
    "0x1",
    "",
    "\u0663",
)
_LINES = (
    "--- a/x.c", "+++ b/x.c", "--- /dev/null", "+++ /dev/null", "-- ", "--", "@@",
    "@@ -1 +1 @@", "rename from a", "rename to b", "deleted file mode 100644",
    "new file mode 100644", "> ", ">>>", "diff --git a/x b/x",
    "copy from arch/x86/kvm/pmu.c", "copy to arch/x86/kvm/q.c", "\\ No newline",
    "GIT binary patch", "literal 3", "From x Mon Jan  5 10:00:00 2026", "--cut",
    "similarity index", "old mode 100644", "new mode 120000", "index 0..1 160000",
    "Subproject commit a", "+", "-", " ", "+\t/*", "+#if 0", "+{", "-}", "+\x00",
    " arch/x86/kvm/pmu.c | 2 +-", "rename to ../../x", "]", "> " * 30 + "x", "Only in a: b",
    "Index: x", "*** a/x.c", "begin 644 x", "-----BEGIN PGP-----",
)  # fmt: skip


def _some_line(text: str, chance: Random, change: Callable[[list[str], int], None]) -> str:
    rows = text.split("\n")
    change(rows, chance.randrange(len(rows)))
    return "\n".join(rows)


def _like(text: str, chance: Random, pattern: str, by: Callable[[re.Match[str]], str]) -> str:
    """One of the matches replaced."""
    found = list(re.finditer(pattern, text, re.MULTILINE))
    if not found:
        return text
    match = chance.choice(found)
    return text[: match.start()] + by(match) + text[match.end() :]


def broken_text(text: str, chance: Random) -> str:
    """A patch with one thing in it that is not as it should be."""
    pick = chance.choice
    ways: tuple[Callable[[], str], ...] = (
        lambda: _like(text, chance, r"(?<=[-+,])\d+(?=[ ,].*@@)", lambda m: pick(_COUNTS)),
        lambda: _like(text, chance, r"(?<=^(?:---|\+\+\+) [ab]/)\S+", lambda m: pick(_NAMES)),
        lambda: _like(
            text, chance, r"(?<=^(?:---|\+\+\+) )[ab]/", lambda m: pick(("", "/", "../"))
        ),
        lambda: _like(text, chance, r"(?<= [ab]/)\S+", lambda m: pick(_NAMES)),
        lambda: _like(
            text, chance, r"^[-+ ]", lambda m: pick(("-", "+", " ", "", "\t", ">", "\\"))
        ),
        lambda: _some_line(text, chance, lambda rows, at: rows.insert(at, pick(_LINES))),
        lambda: _some_line(text, chance, lambda rows, at: rows.__delitem__(at)),
        lambda: _some_line(text, chance, lambda rows, at: rows.insert(at, rows[at])),
        lambda: _some_line(text, chance, lambda rows, at: rows.insert(0, rows.pop(at))),
        lambda: _some_line(
            text,
            chance,
            lambda rows, at: rows.__setitem__(slice(at, at + 2), ["".join(rows[at : at + 2])]),
        ),
        lambda: _some_line(
            text,
            chance,
            lambda rows, at: rows.__setitem__(at, rows[at][:40] + "\n" + rows[at][40:]),
        ),
        lambda: _some_line(
            text, chance, lambda rows, at: rows.__setitem__(at, " ".join(rows[at].split()))
        ),
        lambda: _some_line(text, chance, lambda rows, at: rows.__setitem__(at, rows[at] * 400)),
        lambda: text[: chance.randrange(len(text))],
        lambda: text[chance.randrange(len(text)) :],
        lambda: text + text,
        lambda: text.replace("\t", "        "),
        lambda: text.replace("\n", "\r"),
        lambda: "\n".join(pick(("> ", ">> ", "", ">")) + row for row in text.split("\n")),
    )
    return pick(ways)()


def broken_bytes(data: bytes, chance: Random) -> bytes:
    """A mail with one thing in it that is not as it should be."""
    at = chance.randrange(len(data) + 1)
    header = chance.choice(_HEADERS).encode()
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: header + b"\n" + data,
        lambda: header + b"\n\n" + data,
        lambda: data.replace(b"\nSubject:", b"\n" + header + b"\nSubject:", 1),
        lambda: data.replace(b"boundary=", b"boundary=" + chance.choice((b"", b'"', b"x;", b"=?"))),
        lambda: data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :],
        lambda: data[:at] + chance.randbytes(chance.randrange(40)) + data[at:],
        lambda: data[:at] + b"\xff\xfe\x80" + data[at:],
        lambda: data[:at] + b"=" + data[at:],
        lambda: data[:at],
        lambda: data + b"\n\n" + data,
        lambda: b"\xef\xbb\xbf" + data,
        lambda: data.replace(b"\n", b"\n\n"),
    )
    return chance.choice(ways)()


def broken(chance: Random) -> Outcome:
    """A broken mail, checked from its bytes to its report."""
    text = _text(chance.choice(NAMES))
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        text = broken_text(text, chance) or text
    data = chance.choice(PACKED)(text, chance)
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        data = broken_bytes(data, chance) or data
    options = ["--format", chance.choice(FORMATS)]
    if chance.random() < 0.9:
        options += ["--property", "order.*"]  # half the encoding, and a tenth of the time
    if chance.random() < 0.05:
        options.append("--compare")
    return checked(data, *options)


def checked(data: bytes, *options: str) -> Outcome:
    """What the command says of these bytes, with solvers that never answer."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / "in"
        path.write_bytes(data)
        words = ["check", "--no-cache", "--patch", str(path), *options]
        out, err = io.StringIO(), io.StringIO()
        with (
            _watching() as written,
            _unanswered(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = main(words)
        left = sorted(os.listdir(folder))
    kind, said = f"status {status}", err.getvalue()
    if status not in (0, 1, 2, 3):
        return Outcome(kind, said)
    if status == 3 and (said.count("\n") != 1 or "\x1b" in said):
        return Outcome(kind, f"not one line: {said!r}")
    if status == 3 and out.getvalue():
        return Outcome(kind, f"a report of bad input: {out.getvalue()[:200]!r}")
    if written or left != ["in"]:
        return Outcome(kind, f"written: {written or left}")
    return Outcome(kind)


@contextlib.contextmanager
def _unanswered() -> Iterator[None]:
    """No solver is asked: mails are the subject."""

    def unknown(judge: Judge, properties: Sequence[Property]) -> list[Judgement]:
        return [Judgement(prop, "unknown", "not asked") for prop in properties]

    with (
        mock.patch.object(Judge, "__init__", lambda judge, switch, solve, part=None: None),
        mock.patch.object(Judge, "context", None, create=True),
        mock.patch.object(Judge, "judge", unknown),
        mock.patch.dict(os.environ, {"MSRPROOF_DEBUG": "1"}),
    ):
        yield


_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = {
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
}
_written: list[str] | None = None


@contextlib.contextmanager
def _watching() -> Iterator[list[str]]:
    """What is written to meanwhile, by anything in this process."""
    global _written
    _hook()
    _written = []
    try:
        yield _written
    finally:
        _written = None


@cache
def _hook() -> None:
    sys.addaudithook(_look)  # for ever: there is no way to take it away


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if _written is None:
        return
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
        _written.append(f"open {arguments[0]}")
    elif event in _CHANGES or event == "subprocess.Popen":
        _written.append(f"{event} {arguments[0]}")


def anything(chance: Random) -> Outcome:
    """A mail that is packed, or one that is broken."""
    try:
        return packed(chance) if chance.random() < 0.25 else broken(chance)
    except BadInput as refusal:  # by packed: the patch is a right one
        return Outcome("refused", f"a packed patch is refused: {refusal}")
