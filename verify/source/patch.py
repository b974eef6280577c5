"""One message -> the patch in it, however the mail has damaged it.

Damage that is undone here: quoting, comments between quoted lines, lost leading blanks, lost blank
context lines, wrong counts. What can only be told with the tree at hand (wrapped lines, lost
indentation) is left to placing.py. What seems to be missing is recorded, never passed over.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from verify.errors import BadInput
from verify.source import attribution
from verify.source.mail import Message
from verify.source.tree import check_path

LineKind = Literal[" ", "+", "-"]
FileKind = Literal["modify", "new", "delete", "rename", "copy"]

MAX_QUOTE_DEPTH = 20
# Mailers fold between 70 and 80 columns; a line that stays shorter with its next word was not.
MIN_FOLDED = 66
STATEMENT_ENDS = (";", "{", "}", ":", "*/")

_QUOTE = re.compile(r"(?:[ \t]?>)*")
_HUNK = re.compile(r"@@ ?-(\d+)(?:,(\d+))? ?\+(\d+)(?:,(\d+))? ?@@(.*)")
_GIT = re.compile(r"diff --git (\S.*)")
_STAT = re.compile(r"\s*(\S+)\s+\|\s+(\d+)\s*\+*-*\s*")
_TRAILER = re.compile(r"(base-commit|prerequisite-patch-id|change-id): \S+\s*")
_EXTENDED = re.compile(
    r"(new file mode|deleted file mode|rename from|rename to|copy from|copy to) ?(.*)"
)


@dataclass(frozen=True)
class Hunk:
    """One @@ block.

    old_start: its first line in the old file by the @@ line (from 1). header_context: the text
    after the second @@. lines: (kind, text without the kind's column). source_line: where the @@
    line stands in the input. damage: why lines of it seem to be missing, "" when none do. uneven:
    by how many lines its new side lacks more of what the @@ line promises than its old side; a
    context line that starts with an operator and has lost its blanks looks like a changed one,
    and explains one of them.
    """

    old_start: int
    header_context: str
    lines: list[tuple[LineKind, str]]
    source_line: int
    damage: str = ""
    uneven: int = 0


@dataclass
class FilePatch:
    """What one patch does to one file; old_path differs from path in renames and copies only."""

    path: str
    old_path: str
    kind: FileKind
    hunks: list[Hunk] = field(default_factory=list)


@dataclass(frozen=True)
class Missing:
    """Changes of a file that the mail's diffstat counts but its diff does not have."""

    file: str
    reason: str


@dataclass(frozen=True)
class Patch:
    """The patch of one message; notes say what else the message holds that is not used. source: the
    message's. attribution: as of Message, of the mail that has the patch unquoted."""

    subject: str
    message_id: str | None
    files: list[FilePatch]
    missing: list[Missing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    source: str = "input"
    attribution: str = ""


def parse_patch(message: Message) -> Patch:
    """The patch in a message.

    BadInput when there is none, when it is of a kind that is not supported (binary, merge, context
    diff), or when it names a path outside of the tree.
    """
    depth = _depth(message)
    reader = _Reader(message, depth)
    reader.read()
    if not reader.files:
        raise BadInput(f"no diff found in {_where(message)}; give a unified diff or a patch mail")
    missing, notes = _against_stat(reader), _left_out(message, depth)
    return Patch(
        message.subject,
        message.message_id,
        reader.files,
        missing,
        notes,
        message.source,
        _attribution(message, depth),
    )


def _attribution(message: Message, depth: int) -> str:
    """Of the patch: where it is quoted, what stands before the quote."""
    if depth == 0:
        return message.attribution
    quoted = next((i for i, line in enumerate(message.lines) if _depth_of(line) >= depth), 0)
    before = (_unquote(line, depth - 1) for line in message.lines[:quoted])
    return attribution.in_reply([line for line in before if line is not None])


def _where(message: Message) -> str:
    return f'{message.source}: "{message.subject[:100]}"' if message.subject else message.source


def _depth_of(line: str) -> int:
    found = _QUOTE.match(line)
    return found.group().count(">") if found else 0


def _unquote(line: str, depth: int) -> str | None:
    """The line without `depth` quote marks and the blank after them; None if it has fewer."""
    if depth == 0:
        return line
    found = re.match(rf"(?:[ \t]?>){{{depth}}}", line)
    if found is None:
        return None
    rest = line[found.end() :]
    return rest[1:] if rest.startswith(" ") else rest


def _hunk_depths(message: Message) -> dict[int, list[int]]:
    """Quoting depth -> indexes of the @@ lines (or "diff --git" lines) found at that depth."""
    depths: dict[int, list[int]] = {}
    for index, line in enumerate(message.lines):
        if "@@" not in line and "diff --git" not in line:
            continue
        depth = _depth_of(line)
        if depth > MAX_QUOTE_DEPTH:
            raise BadInput(
                f"{message.source}:{message.first_line + index}: quoted more than"
                f" {MAX_QUOTE_DEPTH} deep; give the patch itself"
            )
        text = _unquote(line, depth) or ""
        if _HUNK.match(text) or _GIT.match(text):
            depths.setdefault(depth, []).append(index)
    return depths


def _depth(message: Message) -> int:
    """How deep the patch is quoted: where most of the @@ lines are, the deepest of equals."""
    depths = _hunk_depths(message)
    return max(depths, key=lambda depth: (len(depths[depth]), depth), default=0)


def _left_out(message: Message, depth: int) -> list[str]:
    """Diffs at another quoting depth than the patch: a reviewer's counter-proposal."""
    return [
        f"{message.source}:{message.first_line + indexes[0]}: a second diff, quoted otherwise"
        " than the patch, is not used"
        for other, indexes in sorted(_hunk_depths(message).items())
        if other != depth
    ]


def _against_stat(reader: "_Reader") -> list[Missing]:
    """Files whose diffstat in the mail counts changes that the diff does not have."""
    found: list[Missing] = []
    for path, said in reader.stat.items():
        matching = [f for f in reader.files if f.path == path]
        if path.startswith(".../"):  # a long path, shortened by git
            matching = [f for f in reader.files if f.path.endswith(path[3:])]
        seen = sum(kind != " " for f in matching for hunk in f.hunks for kind, _ in hunk.lines)
        if seen < said and not any(hunk.damage for f in matching for hunk in f.hunks):
            lack = f"{said - seen} of {said} changed lines" if matching else "the diff"
            found.append(Missing(path, f"the mail lacks {lack} that its diffstat counts"))
    return found


class _Reader:
    """Reads the lines of one message, unquoted, from the first to the last."""

    def __init__(self, message: Message, depth: int) -> None:
        self.message = message
        self.depth = depth
        self.lines = [_unquote(line.replace("\xa0", " "), depth) for line in message.lines]
        self.at = 0
        self.files: list[FilePatch] = []
        self.stat: dict[str, int] = {}
        self._goes_on_to = -1
        self._named = False  # the current file has had its --- and +++ lines

    def read(self) -> None:
        while self.at < len(self.lines):
            text = self.lines[self.at]
            if text is None:
                self.at += 1
            elif git := _GIT.match(text):
                self._start_git(git.group(1))
            elif self._names_here(self.at):
                self._start_named()
            elif hunk := _HUNK.match(text):
                self._read_hunk(hunk)
            else:
                self._read_other(text)

    def _fail(self, text: str) -> BadInput:
        line = self.message.first_line + self.at
        return BadInput(f"{self.message.source}:{line}: {text}")

    def _text(self, index: int) -> str:
        return (self.lines[index] or "") if index < len(self.lines) else ""

    def _path(self, name: str) -> str:
        check_path(name, f"{self.message.source}:{self.message.first_line + self.at}")
        return name

    def _names_here(self, index: int) -> bool:
        """A --- and +++ pair, and an @@ after it (to tell it from changed lines of -- and ++)."""
        if not self._text(index).startswith("--- "):
            return False
        new = self._next(index + 1)
        return self._text(new).startswith("+++ ") and (
            _HUNK.match(self._text(self._next(new + 1))) is not None
        )

    def _next(self, index: int) -> int:
        """The first line from index on that is neither blank nor a comment between the quotes."""
        while index < len(self.lines) and not self._text(index).strip():
            index += 1
        return index

    def _start_git(self, names: str) -> None:
        half = len(names) // 2
        old, new = names[:half].strip(), names[half:].strip()
        if '"' in names:
            quoted = re.match(r'("(?:[^"\\]|\\.)*"|\S+) ("(?:[^"\\]|\\.)*"|\S+)$', names)
            old, new = quoted.groups() if quoted else (old, new)
        elif old.partition("/")[2] != new.partition("/")[2]:  # a rename
            parts = re.match(r"(\S+) (\S+)$", names)
            old, new = parts.groups() if parts else (old, new)
        old, new = _strip(_plain(old), _plain(new))
        self.files.append(FilePatch(self._path(new), self._path(old), "modify"))
        self._named = False
        self.at += 1

    def _start_named(self) -> None:
        below = self._next(self.at + 1)
        old, new = (_plain(self._text(n)[4:].split("\t")[0].strip()) for n in (self.at, below))
        kind: FileKind = "modify"
        if old == "/dev/null":
            kind, old = "new", new
        elif new == "/dev/null":
            kind, new = "delete", old
        if kind == "modify":
            old, new = _strip(old, new)
        else:
            old = new = re.sub(r"^[ab]/", "", new)
        old, new = self._path(old), self._path(new)
        if self._named or not self.files or self.files[-1].hunks:
            self.files.append(FilePatch(new, old, kind))
        else:  # the names in full after a "diff --git" line, which may be ambiguous
            file = self.files[-1]
            file.path, file.old_path = new, old
            file.kind = kind if file.kind == "modify" else file.kind
        self._named = True
        self.at = below + 1

    def _read_other(self, text: str) -> None:
        if text.startswith("@@@ "):
            raise self._fail("a merge (combined) diff; give the diff against one parent")
        if text.startswith("*** ") and self._text(self.at + 1).startswith("--- "):
            raise self._fail("a context diff; give a unified one (diff -u)")
        if text.startswith("GIT binary patch") or re.match(r"Binary files .* differ$", text):
            raise self._fail("a binary patch; only text can be checked, leave that file out")
        if self.files and not self.files[-1].hunks and (found := _EXTENDED.match(text)):
            self._extend(self.files[-1], found.group(1), _plain(found.group(2).strip()))
        elif not self.files and (stat := _STAT.fullmatch(text)):
            self.stat[stat.group(1)] = int(stat.group(2))
        self.at += 1

    def _extend(self, file: FilePatch, what: str, name: str) -> None:
        if what == "new file mode":
            file.kind = "new"
        elif what == "deleted file mode":
            file.kind = "delete"
        else:
            file.kind = "rename" if what.startswith("rename") else "copy"
            if what.endswith("from"):
                file.old_path = self._path(name)
            else:
                file.path = self._path(name)

    def _read_hunk(self, header: re.Match[str]) -> None:
        if not self.files:
            raise self._fail("an @@ line before any file name; give the whole diff")
        counter = _Counter(int(header.group(2) or 1), int(header.group(4) or 1))
        start = self.message.first_line + self.at
        self.at += 1
        lines: list[tuple[LineKind, str]] = []
        broken = 0  # the input line where something stands between the hunk's lines
        folded = 0  # the input line where that may be the rest of an added line
        while self.at < len(self.lines):
            text = self.lines[self.at]
            if text is None:
                broken = broken or self.message.first_line + self.at
                if lines and self._may_be_folded(*lines[-1]):
                    folded = folded or self.message.first_line + self.at
                self.at += 1
                continue
            if self._ends(self.at) or (counter.full and not self._goes_on(self.at)):
                break
            self.at += 1
            if text.startswith("\\"):  # "\ No newline at end of file"
                continue
            kind, rest = _split_line(text)
            lines.append((kind, rest))
            counter.add(kind)
        damage = ""
        lacking = counter.uneven and not counter.full
        if lacking and broken:
            damage = f"lines of the hunk are missing (cut at line {broken} of the mail?)"
        elif lacking and self.at >= len(self.lines):
            damage = "lines of the hunk are missing (the input ends in it)"
        elif folded and _open_brackets(lines, "+") != _open_brackets(lines, "-"):
            damage = f"an added line seems to go on at line {folded} of the mail, without a quote"
        context = " ".join(header.group(5).split())
        old_start = int(header.group(1))
        self.files[-1].hunks.append(Hunk(old_start, context, lines, start, damage, counter.uneven))

    def _may_be_folded(self, kind: LineKind, text: str) -> bool:
        """The unquoted line at hand may be the rest of this line, folded after it was quoted."""
        tail = self.message.lines[self.at].split()
        if kind != "+" or not tail or self.lines[self.at - 1] is None:
            return False
        whole = len(text) + 1 + len(tail[0])
        return whole >= MIN_FOLDED and not text.rstrip().endswith(STATEMENT_ENDS)

    def _ends(self, index: int) -> bool:
        """A line that no hunk can go on with, whatever the counts say."""
        text = self._text(index)
        if _GIT.match(text) or _HUNK.match(text) or self._names_here(index):
            return True
        if text.startswith("Index: ") or _TRAILER.fullmatch(text):
            return True
        if text.rstrip() != "--":
            return False
        after = self._text(index + 1).strip()  # git's signature: its version number
        return not after or re.match(r"\d+\.\d+", after) is not None

    def _goes_on(self, index: int) -> bool:
        """The counts are used up, yet changed lines follow: folded lines or wrong counts.

        Unquoted, they have to follow at once: below the patch there may be a list in a letter.
        """
        if index <= self._goes_on_to:  # seen when an earlier line was asked about
            return True
        while index < len(self.lines):
            text = self.lines[index]
            if text is None or (not self.depth and (not text or text[0] not in " +-\\")):
                return False
            if self._ends(index):
                return False
            if text[:1] in ("+", "-"):
                self._goes_on_to = index
                return True
            index += 1
        return False


class _Counter:
    """Keeps the books of a hunk: what its @@ line promises, what has been seen."""

    def __init__(self, old: int, new: int) -> None:
        self.old, self.new = old, new

    def add(self, kind: LineKind) -> None:
        self.old -= kind != "+"
        self.new -= kind != "-"

    @property
    def full(self) -> bool:
        return self.old <= 0 and self.new <= 0

    @property
    def uneven(self) -> int:
        """See Hunk.uneven. Lost (or folded) context changes both counts by the same number."""
        return self.new - self.old


def _split_line(text: str) -> tuple[LineKind, str]:
    """Kind and rest. Without a kind's column it is context that has lost its blanks."""
    if text.startswith("+"):
        return "+", text[1:]
    if text.startswith("-"):
        return "-", text[1:]
    return " ", text[1:] if text.startswith(" ") else text


def _open_brackets(lines: list[tuple[LineKind, str]], wanted: LineKind) -> int:
    return sum(text.count("(") - text.count(")") for kind, text in lines if kind == wanted)


def _plain(name: str) -> str:
    """A file name without git's quotes and escapes."""
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name

    def char(found: re.Match[bytes]) -> bytes:
        code = found.group(1)
        if code.isdigit():
            return bytes([int(code, 8) & 255])
        return {b"t": b"\t", b"n": b"\n"}.get(code, code)

    raw = re.sub(rb"\\([0-7]{3}|.)", char, name[1:-1].encode())
    return raw.decode("utf-8", "replace")


def _strip(old: str, new: str) -> tuple[str, str]:
    """Names without their first folder where that only tells old from new (a/ b/, x.orig/ x/)."""
    (old_top, _, old_rest), (new_top, _, new_rest) = old.partition("/"), new.partition("/")
    if (old_top, new_top) == ("a", "b") or (old_top != new_top and old_rest == new_rest != ""):
        return old_rest, new_rest
    return old, new
