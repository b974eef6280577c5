"""Debian packages from the machine's own mirror, without touching the machine's apt state.

The mirror is read from the machine's apt sources; only the suite is changed. Lists, cache and
sources live in a private folder, so no privilege is needed.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SUITES = ("sid", "trixie-backports")
"""Where linux-source-7.2, linux-source-7.3 and cbmc are found."""

# An entry for one of these with component main is taken for a mirror of Debian. Other archives
# use these names too, so all such entries are offered to apt, which finds those that serve SUITES.
_DEBIAN_SUITES = {
    *("oldoldstable", "oldstable", "stable", "testing", "unstable", "sid"),
    *("bullseye", "bookworm", "trixie", "forky", "duke"),
}
_ARCHIVE_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MISSING_KEY = ("NO_PUBKEY", "Missing key")
_TIMEOUT = 600  # seconds, for one run of apt


class FetchError(Exception):
    """Something could not be had; the text is one line: what and why."""


@dataclass(frozen=True)
class Source:
    """One archive of apt's sources: where it is, what is taken from it and who signs it."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str | None


def parse_list(text: str) -> list[Source]:
    """The binary archives of a one-line-style file (sources.list(5)); other lines are ignored."""
    found = []
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        kind, _, rest = line.partition(" ")
        if kind != "deb":
            continue
        rest = rest.strip()
        options = ""
        if rest.startswith("["):
            options, _, rest = rest[1:].partition("]")
        words = rest.split()
        if len(words) < 2:
            continue
        settings = dict(option.partition("=")[::2] for option in options.split())
        signed_by = settings.get("signed-by")
        found.append(Source(words[0], (words[1],), tuple(words[2:]), signed_by))
    return found


def parse_deb822(text: str) -> list[Source]:
    """The enabled binary archives of a deb822-style file (sources.list(5)), one per URI."""
    found = []
    for stanza in _stanzas(text):
        enabled = stanza.get("enabled", "yes").lower() not in ("no", "false", "0")
        if not enabled or "deb" not in stanza.get("types", "").split():
            continue
        signed_by = stanza.get("signed-by", "")
        found += [
            Source(
                uri,
                tuple(stanza.get("suites", "").split()),
                tuple(stanza.get("components", "").split()),
                # A key may also stand in the file itself; only a path can be passed on.
                signed_by if signed_by.startswith("/") else None,
            )
            for uri in stanza.get("uris", "").split()
        ]
    return found


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    stanza: dict[str, str] = {}
    field = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield stanza
            stanza, field = {}, ""
        elif line[0].isspace():
            if field:
                stanza[field] = f"{stanza[field]} {line.strip()}".strip()
        else:
            name, _, value = line.partition(":")
            field = name.strip().lower()
            stanza[field] = value.strip()


def debian_mirrors(etc: Path = Path("/etc/apt")) -> list[Source]:
    """The mirrors of Debian main that this machine uses, each once, in the order of its files."""
    parts = etc / "sources.list.d"
    files = [etc / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))]
    mirrors: dict[str, Source] = {}
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for source in parse_deb822(text) if file.suffix == ".sources" else parse_list(text):
            if "main" in source.components and _DEBIAN_SUITES.intersection(source.suites):
                mirrors.setdefault(source.uri.rstrip("/"), source)
    return list(mirrors.values())


def private_list(mirrors: Sequence[Source], *, trusted: bool) -> str:
    """The text of a sources.list that offers SUITES of each of `mirrors`.

    `trusted` switches the check of the archive's signature off.
    """
    return "".join(
        f"deb {_options(mirror, trusted)}{mirror.uri} {suite} main\n"
        for mirror in mirrors
        for suite in SUITES
    )


def _options(mirror: Source, trusted: bool) -> str:
    if trusted:
        return "[trusted=yes] "
    if mirror.signed_by:
        return f"[signed-by={mirror.signed_by}] "
    return f"[signed-by={_ARCHIVE_KEYRING}] " if _ARCHIVE_KEYRING.exists() else ""


class Apt:
    """apt-get with a private state under `work`, an existing folder, on the machine's mirrors.

    Signatures are verified. When the machine lacks the archive's key - and only then, a wrong
    signature is never accepted - `allow_unverified` lets a download go on with a warning on
    stderr; not to be used for anything that is executed.

    Raises FetchError when there is no mirror or no apt-get.
    """

    def __init__(self, work: Path, *, allow_unverified: bool = False) -> None:
        self._mirrors = debian_mirrors()
        if not self._mirrors:
            raise FetchError("the apt sources of this machine name no mirror of Debian main")
        self._work = work
        # apt gives up root for its downloads and needs a way to its folders.
        work.chmod(0o711)
        for folder in ("lists/partial", "cache/archives/partial"):
            (work / folder).mkdir(parents=True)
        # A mirror may lack a suite, so what update says only counts when a download fails.
        self._complaints = self._update(trusted=False)
        self._may_trust = allow_unverified and any(
            sign in self._complaints for sign in _MISSING_KEY
        )

    def download(self, packages: Sequence[str], into: Path) -> list[Path]:
        """The .deb files of `packages`, as apt chooses from SUITES, in the new folder `into`.

        Raises FetchError.
        """
        into.mkdir(parents=True)
        result = self._run(["download", *packages], cwd=into)
        if result.returncode and self._may_trust:
            self._may_trust = False
            print(
                "warning: this machine has no key of the Debian archive; "
                "what is fetched now is NOT verified",
                file=sys.stderr,
            )
            self._complaints = self._update(trusted=True)
            result = self._run(["download", *packages], cwd=into)
        if result.returncode:
            reasons = [_first_error(text) for text in (result.stderr, self._complaints)]
            raise FetchError(f"{' '.join(packages)}: {'; '.join(filter(None, reasons))}")
        return sorted(into.glob("*.deb"))

    def _update(self, *, trusted: bool) -> str:
        text = private_list(self._mirrors, trusted=trusted)
        (self._work / "sources.list").write_text(text, encoding="utf-8")
        return self._run(["update"], cwd=self._work).stderr

    def _run(self, arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        settings = {
            "Dir::Etc::sourcelist": self._work / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": self._work / "lists",
            "Dir::Cache": self._work / "cache",
            "Acquire::Retries": 2,
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return run(["apt-get", "-q", *options, *arguments], cwd)


def run(command: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `command` in `cwd` with English messages; any exit status is the caller's business.

    Raises FetchError when the program is missing or takes more than ten minutes.
    """
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise FetchError(f"{command[0]} is not installed on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{command[0]} took more than {_TIMEOUT} s") from error


def _first_error(messages: str) -> str:
    """The first error of apt's `messages`, else its first warning, else nothing."""
    for sign in ("E: ", "W: "):
        for line in messages.splitlines():
            if line.startswith(sign):
                return line.removeprefix(sign).strip()
    return ""
