"""A pytest plugin: verdicts that a project expects, kept in a manifest, are tests.

A file named msrproof.toml (or as the ini option `msrproof_manifests` says: shell patterns of file
names) is collected. Each of its checks is a test that fails when any answer is another one than
expected, for better or for worse:

    [[check]]
    name = "metrics on 7.2"
    kernel = "linux-7.2"             # from the manifest's folder; the embedded tree without it
    patches = ["metrics.patch"]      # from the manifest's folder
    define = {NAME = "4"}            # as are config and hardware: see msrproof check --help
    property = ["restore.*"]         # all, without it
    timeout = 60                     # seconds for one question
    marks = ["slow"]                 # markers of the test
    expect = {"*" = "proved", "leak.*" = "refuted"}    # the last that matches counts
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from verify.errors import BadInput

if TYPE_CHECKING:
    from verify.request import Request
    from verify.result import Result

MANIFEST = "msrproof.toml"
_KEYS = {
    "name": str,
    "kernel": str,
    "patches": list,
    "target": str,
    "define": dict,
    "config": dict,
    "hardware": dict,
    "property": list,
    "timeout": (int, float),
    "marks": list,
    "expect": dict,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini option."""
    parser.addini("msrproof_manifests", "file names of msrproof's manifests", "args", [MANIFEST])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A manifest, if the file is one."""
    patterns = parent.config.getini("msrproof_manifests")
    if any(fnmatchcase(file_path.name, pattern) for pattern in patterns):
        found: Manifest = Manifest.from_parent(parent, path=file_path)
        return found
    return None


@dataclass(frozen=True, slots=True)
class Check:
    """One table of a manifest. `expect`: verdicts by pattern of the property's name."""

    name: str
    request: Request
    marks: tuple[str, ...]
    expect: Mapping[str, str]


class Drift(Exception):
    """The answers are not the expected ones; what differs, a line each."""


class Manifest(pytest.File):
    """A manifest; what is wrong with it is an error of collection."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its checks."""
        try:
            checks = read(self.path)
        except BadInput as error:
            raise self.CollectError(str(error)) from None
        for check in checks:
            item: Verdicts = Verdicts.from_parent(self, name=check.name, check=check)
            yield item


class Verdicts(pytest.Item):
    """A check, run when it is its turn."""

    def __init__(self, *, check: Check, **given: Any) -> None:
        super().__init__(**given)
        self.check = check
        for mark in check.marks:
            self.add_marker(mark)

    def runtest(self) -> None:
        """Drift when an answer is another one than expected; BadInput as of check.run."""
        from verify.check import run

        found = drift(run(self.check.request).results, self.check.expect)
        if found:
            raise Drift("\n".join(found))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Drift and bad input in words, the rest as ever."""
        if isinstance(excinfo.value, Drift | BadInput):
            return f"{self.check.name}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the test is."""
        return self.path, None, self.name


def drift(results: Sequence[Result], expect: Mapping[str, str]) -> list[str]:
    """A line for each answer that is not the expected one, and for what is expected of nothing."""
    found = []
    for result in results:
        patterns = [p for p in expect if fnmatchcase(result.property, p)]
        if not patterns:
            found.append(f"{result.property}: no verdict is expected of it, found {result.verdict}")
        elif result.verdict != (expected := expect[patterns[-1]]):
            why = f" ({result.reason})" if result.reason else ""
            found.append(f"{result.property}: expected {expected}, found {result.verdict}{why}")
    names = [result.property for result in results]
    for pattern in expect:
        if not any(fnmatchcase(name, pattern) for name in names):
            found.append(f"{pattern}: expected {expect[pattern]}, but it was not checked")
    return found


def read(path: Path) -> list[Check]:
    """The checks of a manifest. BadInput says what is wrong in it."""
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
    tables = whole.get("check")
    if set(whole) != {"check"} or not isinstance(tables, list):
        raise BadInput(f"{path}: give [[check]] tables, and nothing else")
    checks = [_check(path, number, table) for number, table in enumerate(tables, start=1)]
    names = [check.name for check in checks]
    if len(set(names)) < len(names):
        raise BadInput(f"{path}: two checks have the same name")
    return checks


def _check(path: Path, number: int, table: Any) -> Check:
    from verify.request import DEFAULT_TARGET, DEFAULT_TIMEOUT, Request
    from verify.result import VERDICTS

    where = f"{path}: check {number}"
    if not isinstance(table, dict):
        raise BadInput(f"{where}: not a table")
    for key, value in table.items():
        if key not in _KEYS:
            raise BadInput(f"{where}: no such key: {key}; use {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]):  # type: ignore[arg-type]
            raise BadInput(f"{where}: {key}: not what it takes: {value!r}")
    for key in ("patches", "property", "marks"):
        if not all(isinstance(value, str) for value in table.get(key, ())):
            raise BadInput(f"{where}: {key}: give texts")
    name, expect = table.get("name", f"check {number}"), table.get("expect", {})
    for pattern, verdict in expect.items():
        if verdict not in VERDICTS:
            raise BadInput(f"{where}: expect {pattern}: use one of {', '.join(VERDICTS)}")
    if not expect:
        raise BadInput(f"{where}: expect: give verdicts by pattern")
    kernel = table.get("kernel")
    request = Request(
        kernel=None if kernel is None else path.parent / kernel,
        patches=tuple(str(path.parent / patch) for patch in table.get("patches", ())),
        target=table.get("target", DEFAULT_TARGET),
        properties=tuple(table.get("property", ())),
        defines={k: str(v) for k, v in table.get("define", {}).items()},
        config=_numbers(where, table.get("config", {})),
        hardware={k: str(v) for k, v in table.get("hardware", {}).items()},
        timeout=float(table.get("timeout", DEFAULT_TIMEOUT)),
        jobs=1 if "PYTEST_XDIST_WORKER" in os.environ else len(os.sched_getaffinity(0)),
    )
    return Check(name, request, tuple(table.get("marks", ())), expect)


def _numbers(where: str, given: Mapping[str, Any]) -> dict[str, int]:
    for name, value in given.items():
        if not isinstance(value, int):
            raise BadInput(f"{where}: config {name}: give a number")
    return dict(given)
