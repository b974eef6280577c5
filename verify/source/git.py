"""Commits of a git repository as trees. It is only read, and nothing of it is run.

Plumbing commands look at objects: no checkout, no index, no hook, no filter, no replaced object,
nothing fetched (of a partial clone). The user's own configuration of git stays in force, as the
say on whose repositories are trusted is in it (safe.directory).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from verify.errors import BadInput
from verify.source.tree import MAX_FILE_BYTES, check_path, decode, makefile_version, text_digest

_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager")
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that touches certain files. `parents`: the nearest ones that do, too, or the first
    ones outside of the range."""

    hash: str
    parents: tuple[str, ...]
    subject: str


class Repository:
    """A repository, or the top of a work tree of one. `close` it after use.

    BadInput for what is none, and whenever git cannot do what is asked.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise BadInput(f"{root}: no such folder; give the top folder of a git repository")
        self.root = str(root)
        self._environment = _environment(root)
        self._objects: subprocess.Popen[bytes] | None = None
        self._git("rev-parse", "--git-dir")

    def close(self) -> None:
        """End git's process, if there is one."""
        if self._objects is not None:
            self._objects.kill()
            self._objects.communicate()
            self._objects = None

    def range(self, text: str) -> tuple[str, str]:
        """The commits A and B of `A..B` (an empty one is HEAD); where they have parted, A is where
        that was."""
        old, dots, new = text.partition("..")
        if not dots or new.startswith(".") or any(n.startswith(("-", "^")) for n in (old, new)):
            raise BadInput(f"--git {text}: not a range of commits; give it as OLD..NEW")
        base, tip = self._commit(old or "HEAD"), self._commit(new or "HEAD")
        base = self._git("merge-base", base, tip).split()[0]
        if base == tip:
            raise BadInput(f"--git {text}: no commit is in this range")
        return base, tip

    def _commit(self, name: str) -> str:
        return self._git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}",
            otherwise=f"--git: no such commit in {self.root}: {name}",
        ).strip()  # fmt: skip

    def commits(self, base: str, tip: str, paths: Sequence[str]) -> list[Commit]:
        """Those reachable from tip but not from base that touch a path, parents first."""
        text = self._git(
            "rev-list", "--topo-order", "--reverse", "--full-history", "--simplify-merges",
            "--parents", tip, f"^{base}", "--", *(f":(literal,top){path}" for path in paths),
        )  # fmt: skip
        lines = [line.split() for line in text.splitlines()]
        return [Commit(name, tuple(parents), self.subject(name)) for name, *parents in lines]

    def touched(self, base: str, tip: str) -> list[str]:
        """All paths that any of the commits touches which `commits` looks at."""
        commits = self._git("rev-list", tip, f"^{base}")
        text = self._git(
            "diff-tree", "--stdin", "-m", "-r", "-z", "--name-only", "--no-commit-id",
            "--no-renames", "--no-ext-diff", given=commits,
        )  # fmt: skip
        return sorted({*text.split("\0")} - {""})

    def subject(self, commit: str) -> str:
        """The first line of a commit's message."""
        message = decode(self.object(commit)[1]).partition("\n\n")[2].lstrip("\n")
        return message.partition("\n")[0]

    def tree(self, commit: str) -> GitTree:
        """The tree of a commit, by its full hash."""
        return GitTree(self, commit)

    def names(self, commit: str, path: str) -> bool:
        """The commit has such a path, whether its content is there or not."""
        return bool(self._git("ls-tree", "--full-tree", commit, f":(literal){path}").strip())

    def paths(self, commit: str, folder: str) -> list[str]:
        """All paths in a folder of a commit and those below, in order."""
        text = self._git(
            "ls-tree", "-r", "-z", "--full-tree", "--name-only", commit, f":(literal){folder}"
        )
        return sorted({*text.split("\0")} - {""})

    def object(self, name: str) -> tuple[str, bytes]:
        """Kind and content of an object; kind "missing", "dangling", "symlink" or the like when
        there is none. BadInput when it is larger than a source file can be."""
        process = self._reader()
        try:
            self._stream(process.stdin).write(f"{name}\n".encode())
            self._stream(process.stdin).flush()
            out = self._stream(process.stdout)
            words = out.readline().split()
            if not words:
                raise BadInput(f"{self.root}: git ended early; see git fsck")
            if words[-1] == b"missing":
                return "missing", b""
            size = int(words[-1])
            if size > MAX_FILE_BYTES:
                self.close()
                limit = f"{MAX_FILE_BYTES >> 20} MiB"
                raise BadInput(f"{name}: larger than {limit}; not a source file")
            data = out.read(size + 1)[:size]
        except (OSError, ValueError) as error:
            self.close()
            raise BadInput(f"{self.root}: {name}: git cannot read it: {error}") from None
        return words[-2].decode("ascii", "replace"), data

    @staticmethod
    def _stream(stream: IO[bytes] | None) -> IO[bytes]:
        assert stream is not None
        return stream

    def _reader(self) -> subprocess.Popen[bytes]:
        if self._objects is None:
            self._objects = subprocess.Popen(
                self._command("cat-file", "--batch", "--follow-symlinks"),
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._objects

    def _command(self, *words: str) -> list[str]:
        return ["git", "-C", self.root, *_SAFE, *words]

    def _git(self, *words: str, otherwise: str = "", given: str = "") -> str:
        """What git prints. BadInput with its complaint, or with `otherwise`, when it fails."""
        try:
            done = subprocess.run(
                self._command(*words),
                env=self._environment,
                input=given.encode(),
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise BadInput(f"git: cannot be run: {error.strerror}; install it") from None
        except ValueError:  # what is no text for a command line
            raise BadInput(otherwise or f"{self.root}: git takes no such name") from None
        if done.returncode:
            said = decode(done.stderr).strip().splitlines() or [f"{words[0]} finds nothing"]
            raise BadInput(otherwise or f"{self.root}: git: {said[0][:_SHOWN]}")
        return decode(done.stdout)


def _environment(root: Path) -> dict[str, str]:
    """The user's, without what would have git look elsewhere, write, fetch, or ask."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(("GIT_CONFIG", "GIT_EXEC_PATH"))
    }
    return {
        **kept,
        "GIT_CEILING_DIRECTORIES": str(root.resolve().parent),
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


class GitTree:
    """The source text of a commit, without patches (see verify.source.tree.Tree)."""

    def __init__(self, repository: Repository, commit: str) -> None:
        self.root = f"{repository.root} at {commit[:12]}"
        self._repository = repository
        self._commit = commit
        self._texts: dict[str, str | None] = {}
        self.version = makefile_version(self.read("Makefile") or "")

    def read(self, path: str) -> str | None:
        """Text of a file (UTF-8, else Latin-1), None when absent.

        BadInput for a path that leads outside of the tree or a file that cannot be read.
        """
        if path not in self._texts:
            self._texts[path] = self._load(path)
        return self._texts[path]

    def _load(self, path: str) -> str | None:
        check_path(path, self.root)
        if "\n" in path:
            return None
        kind, data = self._repository.object(f"{self._commit}:{path}")
        if kind == "missing" and self._repository.names(self._commit, path):
            raise BadInput(f"{path}: its content is not in {self._repository.root}; see git fsck")
        if kind in ("symlink", "loop"):
            raise BadInput(f"{path}: a symbolic link that leads out of {self.root}, or nowhere")
        return decode(data) if kind == "blob" else None

    def paths(self, folder: str) -> list[str]:
        """Paths of the C files and headers in a folder and those below, in order."""
        paths = self._repository.paths(self._commit, folder)
        return [path for path in paths if path.endswith((".c", ".h"))]

    def mark(self, path: str, line: int) -> str | None:
        """Always None: no patch has touched this tree."""
        return None

    def digest(self, path: str) -> str:
        """SHA-256 (hex) of the read text. BadInput when the file is absent."""
        return text_digest(self, path)

    def touched(self) -> list[tuple[str, int, int]]:
        """Nothing: no patch has touched this tree."""
        return []
