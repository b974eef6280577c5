"""Patches applied to a tree in memory; the tree itself stays as it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from typing import NamedTuple

from verify.errors import BadInput
from verify.source.patch import FilePatch, Hunk, Patch
from verify.source.placing import Edit, Page, place, squeezed
from verify.source.scope import hunk_scope
from verify.source.tree import Tree, text_digest


@dataclass(frozen=True)
class FailedHunk:
    """A hunk that was not applied.

    line: where it starts in the old file by its @@ line (from 1; 0 for a change without an @@).
    scope: names of the C definitions it could affect; none means anything in the file.
    """

    file: str
    line: int
    reason: str
    scope: tuple[str, ...]


@dataclass
class PatchReport:
    """What became of one patch; applied counts hunks (a change of a file without hunks as one).
    source and attribution: the patch's."""

    subject: str
    message_id: str | None
    applied: int = 0
    failed: list[FailedHunk] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    source: str = ""
    attribution: str = ""


class _Line(NamedTuple):
    """added: by a patch. cut: the tree's lines before it that patches removed. tail: those after
    it; for the last line of a file only."""

    text: str
    added: bool = False
    cut: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()


class _File:
    """A file's lines, which stay as they are, and what is often asked of them."""

    def __init__(self, lines: list[_Line]) -> None:
        self.lines = lines

    @cached_property
    def text(self) -> str:
        return "".join(line.text + "\n" for line in self.lines)

    @cached_property
    def changed(self) -> list[int]:
        """Indexes of the lines at which a patch added or removed something."""
        return [i for i, (_, added, cut, tail) in enumerate(self.lines) if added or cut or tail]


class Overlay:
    """A tree with patched files in memory. It is a Tree itself."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.root = tree.root
        self.version = tree.version
        self._files: dict[str, _File | None] = {}  # None: removed by a patch

    def read(self, path: str) -> str | None:
        """Text of a file after the patches, None when it is absent (or removed by one)."""
        if path not in self._files:
            return self._tree.read(path)
        file = self._files[path]
        return None if file is None else file.text

    def paths(self, folder: str) -> list[str]:
        """Paths of the C files and headers in a folder and those below, in order."""
        found = {path: True for path in self._tree.paths(folder)}
        for path, file in self._files.items():
            if path.startswith(f"{folder}/") and path.endswith((".c", ".h")):
                found[path] = file is not None
        return sorted(path for path, there in found.items() if there)

    def mark(self, path: str, line: int) -> str | None:
        """ "+" when a patch added this line (from 1) of the read text, else None."""
        if path not in self._files:
            return self._tree.mark(path, line)
        lines = self.lines(path) or []
        return "+" if 1 <= line <= len(lines) and lines[line - 1].added else None

    def digest(self, path: str) -> str:
        """SHA-256 (hex) of the read text. BadInput when the file is absent."""
        return text_digest(self, path)

    def touched(self) -> list[tuple[str, int, int]]:
        """(path, first, last) of each run of changed lines in the read text, from 1, inclusive.

        Where lines were only removed, it is the line that follows them (the last line, if none
        does). A removed or emptied file is (path, 0, 0).
        """
        found: list[tuple[str, int, int]] = []
        for path, file in sorted(self._files.items()):
            if file is None or not file.lines:
                found.append((path, 0, 0))
                continue
            for number in (index + 1 for index in file.changed):
                follows = found and found[-1][0] == path and found[-1][2] == number - 1
                first = found.pop()[1] if follows else number
                found.append((path, first, number))
        return found

    def changed(self, path: str) -> list[int]:
        """Indexes of the lines at which a patch added or removed something."""
        file = self._files.get(path)
        return [] if file is None else file.changed

    def lines(self, path: str) -> list[_Line] | None:
        """The file's lines as they are now; None when it is absent."""
        if path in self._files:
            file = self._files[path]
            return None if file is None else file.lines
        text = self._tree.read(path)
        if text is None:
            return None
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        found = [_Line(line) for line in lines]
        for touched, first, last in self._tree.touched():
            if touched == path:
                for number in range(max(first, 1), last + 1):
                    added = self._tree.mark(path, number) == "+"
                    found[number - 1] = _Line(lines[number - 1], added)
        return found

    def put(self, path: str, lines: list[_Line] | None) -> None:
        """Set a file's lines; None removes it."""
        self._files[path] = None if lines is None else _File(lines)

    def copy(self) -> "Overlay":
        """An overlay of the same tree with the same changes so far."""
        copied = Overlay(self._tree)
        copied._files.update(self._files)
        return copied

    def rewrite(self, path: str, text: str) -> None:
        """Give a file another text; its lines are marked as by a patch that does it."""
        old = self.lines(path) or []
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        self.put(path, _edited(old, [_difference([line.text for line in old], lines)]))


def apply(tree: Tree, patches: Sequence[Patch]) -> tuple[Overlay, list[PatchReport]]:
    """Apply patches in order, each on top of the ones before.

    What does not apply is in the reports. BadInput when nothing applies of all that came from one
    source.
    """
    stages = apply_each(tree, patches)
    return stages[-1] if stages else (Overlay(tree), [])


def apply_each(tree: Tree, patches: Sequence[Patch]) -> list[tuple[Overlay, list[PatchReport]]]:
    """The tree, and the reports so far, after each of the patches; else as `apply`."""
    overlay, reports = Overlay(tree), list[PatchReport]()
    stages = []
    for patch in patches:
        overlay = overlay.copy()
        reports = [*reports, _apply_patch(overlay, patch)]
        stages.append((overlay, reports))
    by_source: dict[str, list[PatchReport]] = {}
    for patch, report in zip(patches, reports, strict=True):
        by_source.setdefault(patch.source, []).append(report)
    for source, found in by_source.items():
        _must_apply(tree, source, found)
    return stages


def _must_apply(tree: Tree, source: str, reports: Sequence[PatchReport]) -> None:
    failed = [hunk for report in reports for hunk in report.failed]
    if not failed or any(report.applied for report in reports):
        return
    some = "; ".join(f"{hunk.file}:{hunk.line}: {hunk.reason}" for hunk in failed[:3])
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    raise BadInput(
        f"{source}: nothing of it applies to {tree.root} ({tree.version}): {some}{more};"
        " give the kernel tree that the patch was made for"
    )


def _apply_patch(overlay: Overlay, patch: Patch) -> PatchReport:
    report = PatchReport(
        patch.subject,
        patch.message_id,
        notes=list(patch.notes),
        source=patch.source,
        attribution=patch.attribution,
    )
    for file in patch.files:
        _apply_file(overlay, file, report)
    report.failed += [FailedHunk(part.file, 0, part.reason, ()) for part in patch.missing]
    return report


def _apply_file(overlay: Overlay, file: FilePatch, report: PatchReport) -> None:
    old = overlay.lines(file.old_path)
    if reason := _obstacle(overlay, file, old):
        for hunk in file.hunks:
            report.failed.append(_failed(file, hunk, reason))
        if not file.hunks:
            report.failed.append(FailedHunk(file.path, 0, reason, ()))
        return
    before = old or []
    edits = _place_all(before, file, report)
    whole = len(edits) == len(file.hunks)
    after = _edited(before, edits)
    if file.kind == "delete":
        if not whole:
            return  # half a removal is none
        rest = file.hunks and any(line.text.strip() for line in after)
        if rest:
            reason = "the file has more lines than the patch removes"
            report.failed += [_failed(file, hunk, reason) for hunk in file.hunks]
            return
        overlay.put(file.path, None)
    elif edits or not file.hunks:
        if file.kind == "rename":
            overlay.put(file.old_path, None)
        overlay.put(file.path, after)
    report.applied += len(edits) if file.hunks else 1


def _obstacle(overlay: Overlay, file: FilePatch, old: list[_Line] | None) -> str:
    """Why nothing can be done to the file; "" when something can."""
    if file.kind == "new":
        if old is None:
            return ""
        added = [text for hunk in file.hunks for kind, text in hunk.lines if kind == "+"]
        same = _content(added) == _content([line.text for line in old])
        return "already applied" if same else "the tree has such a file already"
    if old is None:
        return f"the tree has no file {file.old_path}"
    if file.kind in ("rename", "copy") and overlay.read(file.path) is not None:
        return "the tree has a file of the new name already"
    if file.kind == "modify" and not file.hunks:
        return "the patch shows no change of the file's text"
    return ""


def _content(lines: Sequence[str]) -> list[str]:
    return [squeezed(line) for line in lines if line.strip()]


def _failed(file: FilePatch, hunk: Hunk, reason: str) -> FailedHunk:
    return FailedHunk(file.path, hunk.old_start, reason, hunk_scope(hunk))


def _place_all(lines: list[_Line], file: FilePatch, report: PatchReport) -> list[Edit]:
    """Edits for the hunks that have a place; all are sought in the file as it was before."""
    page = Page([line.text for line in lines])
    edits: list[Edit] = []
    offset = 0  # how far the last hunk was from where its @@ line put it
    for hunk in file.hunks:
        expected = hunk.old_start - 1 + offset
        taken = [(edit.first, edit.last) for edit in edits]
        edit = place(page, hunk, expected, taken)
        if hunk.damage and (isinstance(edit, str) or edit.signs != hunk.uneven or not edit.signs):
            edit = hunk.damage
        if isinstance(edit, str):
            report.failed.append(_failed(file, hunk, edit))
            continue
        offset += edit.first - expected
        edits.append(edit)
    return edits


def _difference(before: list[str], after: list[str]) -> Edit:
    """The change from one text to another, in as few lines as difflib finds."""
    most = min(len(before), len(after))
    first = next((i for i in range(most) if before[i] != after[i]), most)
    same = next((i for i in range(most - first) if before[~i] != after[~i]), most - first)
    last = len(before) - same
    matcher = SequenceMatcher(None, before[first:last], after[first : len(after) - same], False)
    removed: set[int] = set()
    added: list[tuple[int, str]] = []
    for kind, old, old_end, new, new_end in matcher.get_opcodes():
        if kind != "equal":
            removed.update(range(first + old, first + old_end))
            added += [(first + old_end, line) for line in after[first + new : first + new_end]]
    return Edit(first, last, frozenset(removed), added)


def _edited(lines: list[_Line], edits: Sequence[Edit]) -> list[_Line]:
    removed = frozenset[int]().union(*(edit.removed for edit in edits))
    added: dict[int, list[str]] = {}
    for edit in edits:
        for at, text in edit.added:
            added.setdefault(at, []).append(text)
    places = removed.union(added)
    if not places:
        return lines
    # The line after the last place has what was cut before it.
    first, last = min(places), min(max(places) + 1, len(lines))
    result = lines[:first]
    cut: tuple[str, ...] = ()
    for index in range(first, last + 1):
        for text in added.get(index, ()):
            result.append(_Line(text, added=True, cut=cut))
            cut = ()
        if index == len(lines):
            break
        line = lines[index]
        if index in removed:
            # A line that an earlier patch had added never was the tree's.
            cut += (*line.cut, *(() if line.added else (line.text,)), *line.tail)
            continue
        changed = cut or line.tail
        result.append(line._replace(cut=cut + line.cut, tail=()) if changed else line)
        cut = line.tail
    if cut and result:
        result[-1] = result[-1]._replace(tail=cut)
    return result + lines[last + 1 :]
