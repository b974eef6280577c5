"""Patch input (diff, mail, mbox, archive page, reply) -> messages, decoded and in order."""

import email
import email.errors
import email.header
import email.message
import email.utils
import re
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from verify.errors import BadInput
from verify.source import attribution
from verify.source.tree import decode

MAX_INPUT_BYTES = 16 << 20
MAX_HEADER = 1000
MAX_MIME_PARTS = 100
MAX_MIME_DEPTH = 10

_PACKED = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
}
# An mbox separator; the date keeps prose such as "From here on" out.
_FROM_LINE = re.compile(r"From \S+ .*\d\d:\d\d(:\d\d)? .*\d{4}")
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):(\s|$)")
_MAIL_HEADERS = {
    "from",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "received",
    "return-path",
    "delivered-to",
    "content-type",
}
_REPLY = re.compile(r"^\s*((re|aw|sv|antw|fwd?|wg)\s*(\[\d+\])?:\s*)+", re.I)
_TAGGED = re.compile(r"^\s*((re|aw|sv|antw|fwd?|wg):\s*)*\[[^\]]*\]", re.I)
_POSITION = re.compile(r"\b(\d+)/(\d+)\s*$")
_DIFF = re.compile(r"^[ \t>]*(diff --git |@@ -\d+)", re.M)
_PATCH_TYPES = {"text/x-patch", "text/x-diff", "application/x-patch", "application/mbox"}


@dataclass(frozen=True)
class Message:
    """One mail (or the whole of a plain diff).

    lines: its text, still quoted as it was, without line ends. first_line: where lines[0] stands
    in the input (from 1; in the decoded text if the mail was MIME-encoded). position: (n, m) of
    "[PATCH n/m]". source: what the user called the input. attribution: the line with which a reply
    to it begins what it quotes, plain ASCII; "" when sender or date are not known.
    """

    subject: str
    message_id: str | None
    position: tuple[int, int] | None
    lines: list[str]
    first_line: int = 1
    source: str = "input"
    attribution: str = ""

    @property
    def is_reply(self) -> bool:
        """The subject says that it answers (or forwards) another mail."""
        return _REPLY.match(self.subject) is not None

    @property
    def has_diff(self) -> bool:
        """It seems to hold a diff, quoted or not."""
        return _DIFF.search("\n".join(self.lines)) is not None


def name_of(source: str) -> str:
    """What messages call a patch file; "-" is standard input."""
    return "standard input" if source == "-" else source


def read_input(source: str) -> bytes:
    """Bytes of a patch file; "-" is standard input.

    BadInput when it cannot be read, is empty, larger than 16 MiB (reading stops there) or no text.
    """
    name = name_of(source)
    try:
        if source == "-":
            if sys.stdin is None:
                raise BadInput(f"{name}: is closed; give a file with a patch")
            data = _read_some(sys.stdin.buffer)
        else:
            path = Path(source)
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                raise BadInput(f"{name}: is a folder; give a file with a patch, or - for stdin")
            if stat.S_ISREG(mode) and path.stat().st_size > MAX_INPUT_BYTES:
                raise _too_large(name)
            with path.open("rb") as file:
                data = _read_some(file)
    except FileNotFoundError:
        raise BadInput(f"{name}: no such file; give a file with a patch, or - for stdin") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"{name}: cannot be read: {why}") from None
    if len(data) > MAX_INPUT_BYTES:
        raise _too_large(name)
    _check_text(data, name)
    return data


def split_messages(data: bytes, source: str = "input") -> list[Message]:
    """The messages of a diff, a mail, an mbox or an archive page, in the order to apply them.

    A series is sorted by n of "[PATCH n/m]". Messages without a diff (cover letters, comments)
    are dropped when others have one, and so are replies to a patch that is itself there.
    BadInput when a mail cannot be decoded to text.
    """
    messages: list[Message] = []
    for first_line, lines in _cut_mbox(decode(data).replace("\r\n", "\n").split("\n")):
        messages.append(_read_message(lines, first_line, source))
    return order_series(messages)


def order_series(messages: Iterable[Message]) -> list[Message]:
    """Sort and thin out messages as split_messages does; for patches given in several files."""
    found = list(messages)
    if any(message.has_diff for message in found):
        # A patch mail (n of m, no reply) stays even when its diff cannot be seen: it must be named.
        found = [m for m in found if m.has_diff or _must_have_diff(m)]
    found = _without_echoes(found)
    first: dict[tuple[str, int], int] = {}
    keys: list[tuple[int, int]] = []
    for index, message in enumerate(found):
        if message.position is None:
            keys.append((index, 0))
        else:
            series = (_series_tag(message.subject), message.position[1])
            keys.append((first.setdefault(series, index), message.position[0]))
    order = sorted(range(len(found)), key=lambda index: keys[index])
    return [found[index] for index in order]


def _without_echoes(messages: list[Message]) -> list[Message]:
    """Of a patch and the replies that quote it keep one: the patch, else the fullest reply."""
    rivals: dict[str, list[Message]] = {}
    for message in messages:
        rivals.setdefault(_bare(message.subject), []).append(message)
    best = {subject: max(group, key=_rank) for subject, group in rivals.items()}
    return [
        message
        for message in messages
        if not message.is_reply
        or not _bare(message.subject)
        or best[_bare(message.subject)] is message
    ]


def _must_have_diff(message: Message) -> bool:
    return message.position is not None and message.position[0] > 0 and not message.is_reply


def _rank(message: Message) -> tuple[bool, int]:
    return not message.is_reply, _patch_lines(message)


def _patch_lines(message: Message) -> int:
    return sum(1 for line in message.lines if re.match(r"[ \t>]*[+-]", line))


def _bare(subject: str) -> str:
    return " ".join(_REPLY.sub("", subject).split())


def _series_tag(subject: str) -> str:
    tag = re.match(r"\[([^\]]*)\]", _bare(subject))
    return _POSITION.sub("", tag.group(1)).strip().lower() if tag else ""


def _position(subject: str) -> tuple[int, int] | None:
    for tag in re.findall(r"\[([^\]]*)\]", subject):
        if found := _POSITION.search(tag):
            return int(found.group(1)), int(found.group(2))
    return None


def _read_some(file: BinaryIO) -> bytes:
    return file.read(MAX_INPUT_BYTES + 1)


def _too_large(name: str) -> BadInput:
    return BadInput(f"{name}: larger than {MAX_INPUT_BYTES >> 20} MiB; give only the patch")


def _check_text(data: bytes, name: str) -> None:
    if not data.strip():
        raise BadInput(f"{name}: is empty; give a patch")
    for magic, kind in _PACKED.items():
        if data.startswith(magic):
            raise BadInput(f"{name}: is packed with {kind}; unpack it first")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(f"{name}: is UTF-16 text; save it as UTF-8")
    sample = data[: 1 << 16]
    odd = sum(1 for byte in sample if byte < 9 or (13 < byte < 32 and byte != 27))
    if b"\0" in data or odd * 20 > len(sample):
        raise BadInput(f"{name}: is binary, not text; give a patch as text or a mail")


def _cut_mbox(lines: list[str]) -> Iterable[tuple[int, list[str]]]:
    """(line number of the first line, lines) of each mail; one piece when it is no mbox."""
    starts = [
        index
        for index, line in enumerate(lines)
        if line.startswith("From ")
        and _FROM_LINE.match(line)
        and (index == 0 or not lines[index - 1].strip())
        and index + 1 < len(lines)
        and _HEADER.match(lines[index + 1])
    ]
    if not starts or any(line.strip() for line in lines[: starts[0]]):
        yield 1, lines
        return
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield start + 2, lines[start + 1 : end]


def _read_message(lines: list[str], first_line: int, source: str) -> Message:
    skip = next((index for index, line in enumerate(lines) if line.strip()), 0)
    lines, first_line = lines[skip:], first_line + skip
    if lines and _TAGGED.match(lines[0]):  # an archive page: the subject, then the text
        subject = " ".join(lines[0].split())
        return Message(subject, None, _position(subject), lines, first_line, source)
    if not _is_mail(lines):
        return Message("", None, None, lines, first_line, source)
    mail = email.message_from_string("\n".join(lines))
    subject = _header(mail, "Subject") or ""
    message_id = (_header(mail, "Message-ID") or "").strip("<> ") or None
    message = Message(subject, message_id, _position(subject), lines, first_line, source)
    if mail.is_multipart() or mail.get("Content-Transfer-Encoding") or _is_attachment(mail):
        body = _mime_text(mail, source)
        if body is not None:
            message = replace(message, lines=body.replace("\r\n", "\n").split("\n"), first_line=1)
    name, address = email.utils.parseaddr(str(mail.get("From", ""))[:MAX_HEADER])
    said = attribution.of_mail(_decoded(name), address, _header(mail, "Date"))
    return replace(message, attribution=said)


def _is_mail(lines: list[str]) -> bool:
    """Whether the text starts with a block of mail headers."""
    names: set[str] = set()
    for line in lines:
        if not line.strip():
            break
        if found := _HEADER.match(line):
            names.add(found.group(1).lower())
        elif line[0] not in " \t" or not names:
            break
    return bool(names & _MAIL_HEADERS) and _HEADER.match(lines[0]) is not None


def _header(mail: email.message.Message, name: str) -> str | None:
    found = mail.get(name)
    if found is None:
        return None
    return _decoded(str(found)[:MAX_HEADER])


def _decoded(raw: str) -> str:
    try:
        text = str(email.header.make_header(email.header.decode_header(raw)))
    except (ValueError, LookupError, email.errors.HeaderParseError):  # an unknown charset
        text = raw
    return " ".join(text.split())


def _decode_as(data: bytes, charset: str | None) -> str:
    if charset:
        try:
            return data.decode(charset)
        except (LookupError, UnicodeDecodeError):
            pass
    return decode(data)


def _is_attachment(part: email.message.Message) -> bool:
    name = part.get_filename() or ""
    return part.get_content_type() in _PATCH_TYPES or name.endswith((".patch", ".diff"))


def _mime_text(mail: email.message.Message, source: str) -> str | None:
    """The decoded text of all parts that can hold a patch; None when it needs no decoding."""
    parts = _leaves(mail, source)
    useful = [p for p in parts if p.get_content_type() == "text/plain" or _is_attachment(p)]
    if not useful:
        if any(part.get_content_type() == "text/html" for part in parts):
            raise BadInput(f"{source}: the mail has only HTML text; save it as plain text")
        return None
    texts: list[str] = []
    for part in useful:
        coding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
        if coding in ("quoted-printable", "base64", "x-uuencode", "uuencode", "x-uue"):
            payload = part.get_payload(decode=True)
            if not isinstance(payload, bytes) or b"\0" in payload:
                raise BadInput(f"{source}: a {coding} part of the mail does not decode to text")
            texts.append(_decode_as(payload, part.get_content_charset()))
        else:  # it was text already when the input was decoded
            texts.append(str(part.get_payload()))
    return "\n".join(texts)


def _leaves(mail: email.message.Message, source: str) -> list[email.message.Message]:
    found: list[email.message.Message] = []
    level: list[email.message.Message] = [mail]
    for _ in range(MAX_MIME_DEPTH):
        deeper: list[email.message.Message] = []
        for part in level:
            payload = part.get_payload()
            if isinstance(payload, list):
                deeper.extend(p for p in payload if isinstance(p, email.message.Message))
            else:
                found.append(part)
        if len(found) + len(deeper) > MAX_MIME_PARTS:
            break
        if not deeper:
            return found
        level = deeper
    raise BadInput(f"{source}: the mail nests too deep or has too many parts; save only the patch")
