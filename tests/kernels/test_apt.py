"""The reader of apt's sources, and what is made of them. No test here uses the network."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels import apt
from tests.kernels.apt import Apt, FetchError, Source, debian_mirrors, parse_deb822, parse_list

_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-./", min_size=1, max_size=12)
_URI = _WORD.map(lambda word: f"http://{word}")
_WORDS = st.lists(_WORD, min_size=1, max_size=3).map(tuple)
_KEYRING = st.none() | _WORD.map(lambda word: f"/{word}.gpg")
_SOURCES = st.lists(st.builds(Source, _URI, _WORDS, _WORDS, _KEYRING), max_size=4)


@given(_SOURCES, st.sampled_from([" ", "\n ", "\n\t"]), st.sampled_from(["", "# remark\n"]))
def test_deb822_reads_back_what_was_written(
    sources: list[Source], separator: str, remark: str
) -> None:
    stanzas = [
        f"Types: deb deb-src\n{remark}URIs: {source.uri}\n"
        f"suites:{separator}{separator.join(source.suites)}\n"
        f"Components: {' '.join(source.components)}\n"
        + (f"Signed-By: {source.signed_by}\n" if source.signed_by else "")
        for source in sources
    ]
    assert parse_deb822("\n".join(stanzas)) == sources


@given(_SOURCES)
def test_one_line_style_reads_back_what_was_written(sources: list[Source]) -> None:
    lines = [
        f"deb {f'[arch=amd64 signed-by={source.signed_by}] ' if source.signed_by else ''}"
        f"{source.uri} {suite} {' '.join(source.components)}  # remark"
        for source in sources
        for suite in source.suites
    ]
    expected = [
        Source(source.uri, (suite,), source.components, source.signed_by)
        for source in sources
        for suite in source.suites
    ]
    assert parse_list("\n".join(lines)) == expected


@pytest.mark.parametrize(
    "stanza",
    [
        "Types: deb-src\nURIs: http://m/debian\nSuites: sid\nComponents: main",
        "Types: deb\nEnabled: no\nURIs: http://m/debian\nSuites: sid\nComponents: main",
        "Types: deb\nSuites: sid\nComponents: main",
        " a continuation of nothing",
    ],
)
def test_deb822_leaves_out_what_gives_no_packages(stanza: str) -> None:
    assert parse_deb822(stanza) == []


def test_a_key_inside_the_file_is_not_taken_for_a_path() -> None:
    text = "Types: deb\nURIs: http://m\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN"
    assert parse_deb822(text)[0].signed_by is None


@pytest.mark.parametrize("line", ["deb-src http://m sid main", "# deb http://m sid main", "deb"])
def test_one_line_style_ignores_other_lines(line: str) -> None:
    assert parse_list(line) == []


def test_only_mirrors_of_debian_main_are_chosen(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text(
        "deb http://vendor/apt vendor-bookworm main\n"
        "deb http://security/debian bookworm-security main\n"
        "deb http://first/debian bookworm main contrib\n"
    )
    (parts / "a.sources").write_text(
        "Types: deb\nURIs: http://first/debian/ http://second/debian\n"
        "Suites: bookworm bookworm-updates\nComponents: main\n"
    )
    (parts / "b.sources").write_text(
        "Types: deb\nURIs: http://third/debian\nSuites: sid\nComponents: contrib\n"
    )
    (parts / "c.list.disabled").write_text("deb http://fourth/debian sid main\n")
    uris = [mirror.uri for mirror in debian_mirrors(tmp_path)]
    assert uris == ["http://first/debian", "http://second/debian"]


def test_a_machine_without_apt_has_no_mirrors(tmp_path: Path) -> None:
    assert debian_mirrors(tmp_path / "absent") == []


def test_the_private_list_changes_only_the_suite_and_keeps_the_key() -> None:
    mirror = Source("http://m/debian", ("bookworm",), ("main", "contrib"), "/k.gpg")
    assert apt.private_list([mirror], trusted=False).splitlines() == [
        "deb [signed-by=/k.gpg] http://m/debian sid main",
        "deb [signed-by=/k.gpg] http://m/debian trixie-backports main",
    ]


class _FakeApt:
    """Stands for apt-get: update complains, download works only from a trusted list."""

    def __init__(self, complaint: str) -> None:
        self.complaint = complaint
        self.calls: list[str] = []

    def __call__(self, command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        lists = cwd if "update" in command else cwd.parent
        trusted = "trusted=yes" in (lists / "sources.list").read_text()
        if "update" in command:
            self.calls.append("trusted update" if trusted else "update")
            return subprocess.CompletedProcess(command, 0, "", "" if trusted else self.complaint)
        self.calls.append("download")
        if trusted:
            (cwd / f"{command[-1]}_1_all.deb").touch()
        return subprocess.CompletedProcess(command, 0 if trusted else 100, "", "E: cannot locate\n")


def _fake(monkeypatch: pytest.MonkeyPatch, complaint: str) -> _FakeApt:
    fake = _FakeApt(complaint)
    monkeypatch.setattr(apt, "run", fake)
    mirror = Source("http://m/debian", ("sid",), ("main",), None)
    monkeypatch.setattr(apt, "debian_mirrors", lambda: [mirror])
    return fake


def test_a_missing_key_is_passed_over_with_a_warning_when_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = _fake(monkeypatch, "W: GPG error: NO_PUBKEY 0123\n")
    files = Apt(tmp_path, allow_unverified=True).download(["tool"], tmp_path / "got")
    assert [file.name for file in files] == ["tool_1_all.deb"]
    assert fake.calls == ["update", "download", "trusted update", "download"]
    assert "NOT verified" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("complaint", "allowed"),
    [("W: GPG error: NO_PUBKEY 0123\n", False), ("W: GPG error: BADSIG 0123\n", True)],
)
def test_nothing_is_trusted_without_leave_or_with_a_wrong_signature(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, complaint: str, allowed: bool
) -> None:
    fake = _fake(monkeypatch, complaint)
    with pytest.raises(FetchError, match="^tool: cannot locate; GPG error: .* 0123$"):
        Apt(tmp_path, allow_unverified=allowed).download(["tool"], tmp_path / "got")
    assert fake.calls == ["update", "download"]


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="^no-such-program is not installed"):
        apt.run(["no-such-program"], tmp_path)
