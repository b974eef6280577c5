"""The must-find cases of `models/reference/cases`: mistakes, what they break, and right versions.

A case is a file; its name is the file's. Keys, with what may be left out in brackets:

    description, why   one sentence each: the mistake, and how it breaks the property
    base               what the mistake is made in: a name in `bases.toml`
    [[edit]]           the mistake (see verify.source.edit); `tree` limits one to a kind of tree
    [[refutes]]        property, cause (what the text of the trace's cause must contain), [register
                       (of the violation, without an index for any copy)], [under (the values of
                       hardware parameters that break it; under the others it is proved)]
    [[unknown]]        instead, what cannot be told any more: property, reason (what that must
                       contain)
    [twin]             a right version: [description, base, [[twin.edit]]]; without it the base
    [target]           what is checked, when not the usual one
    [trees]            the kinds of tree that it is for, when not all
    [config, hardware] what is fixed for both (as on the command line)
    [pending]          why the tool cannot find it yet
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import models.reference
from verify.errors import BadInput
from verify.request import DEFAULT_TARGET
from verify.source import edit, overlay
from verify.source.edit import Edit
from verify.source.mail import read_input, split_messages
from verify.source.overlay import Overlay, PatchReport
from verify.source.patch import parse_patch
from verify.source.tree import Tree

_REFERENCE = Path(models.reference.__file__).parent
FOLDER = _REFERENCE / "cases"
PATCHES = _REFERENCE / "patches"
BASES = "bases.toml"
KINDS = ("reference", "kernel")

_CASE = {"description", "why", "base", "edit", "refutes", "twin", "trees", "config", "hardware"}
_CASE |= {"pending", "target", "unknown"}
_REFUTES = {"property", "cause", "register", "under"}


@dataclass(frozen=True, slots=True)
class Built:
    """A tree with a recipe's changes. `defines` belong to it (as --define)."""

    tree: Overlay
    patches: tuple[PatchReport, ...]
    defines: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one kind of tree is changed: patches by file name, then edits."""

    patches: tuple[str, ...]
    defines: Mapping[str, str]
    edits: tuple[Edit, ...]

    def build(self, tree: Tree, folders: Sequence[Path] = ()) -> Built:
        """The changed tree. folders: where to look for patches that are not part of the project.

        BadInput when a patch is not there, and as of verify.source.edit.apply.
        """
        texts = [_find(name, folders) for name in self.patches]
        messages = [m for path in texts for m in split_messages(read_input(str(path)), path.name)]
        patched, reports = overlay.apply(tree, [parse_patch(message) for message in messages])
        return Built(edit.apply(patched, self.edits), tuple(reports), self.defines)


Recipes = Mapping[str, Recipe]  # by kind of tree


@dataclass(frozen=True, slots=True)
class Refuted:
    """A property that a mistake breaks, and what its trace must say (see above)."""

    property: str
    cause: tuple[str, ...]
    register: str
    under: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Untold:
    """A property of which a mistake leaves nothing to say, and what the reason must contain."""

    property: str
    reason: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One mistake (see above); `wrong` makes it, `right` makes its twin."""

    name: str
    description: str
    why: str
    refutes: tuple[Refuted, ...]
    unknown: tuple[Untold, ...]
    wrong: Recipes
    right: Recipes
    config: Mapping[str, int]
    hardware: Mapping[str, str]
    target: str = DEFAULT_TARGET
    pending: str = ""

    @property
    def properties(self) -> tuple[str, ...]:
        """What the mistake breaks; the twin keeps it."""
        return (*(r.property for r in self.refutes), *(u.property for u in self.unknown))

    def build(self, tree: Tree, folders: Sequence[Path] = ()) -> Built:
        """The tree with the mistake. BadInput as of Recipe.build."""
        return self._recipe(self.wrong, tree).build(tree, folders)

    def build_right(self, tree: Tree, folders: Sequence[Path] = ()) -> Built:
        """The tree with the right version. BadInput as of Recipe.build."""
        return self._recipe(self.right, tree).build(tree, folders)

    def _recipe(self, recipes: Recipes, tree: Tree) -> Recipe:
        if kind(tree) not in recipes:
            raise BadInput(f"{self.name}: the case is not for {tree.root} ({tree.version})")
        return recipes[kind(tree)]


def kind(tree: Tree) -> str:
    """Which of KINDS a tree is: the embedded one says so in its version."""
    return "reference" if tree.version.endswith("-reference") else "kernel"


def load(folder: Path = FOLDER) -> list[Case]:
    """All cases of a folder, by name. BadInput names the file and the key that is wrong."""
    bases = _bases(folder / BASES)
    paths = sorted(path for path in folder.glob("*.toml") if path.name != BASES)
    return [_case(path, bases) for path in paths]


# Reading --------------------------------------------------------------------------------------


class _Table:
    """A TOML table that is read key by key; `where` names it in messages."""

    def __init__(self, where: str, value: object, keys: set[str]) -> None:
        self.where = where
        if not isinstance(value, dict):
            raise BadInput(f"{where}: not a table")
        self.value: dict[str, Any] = value
        if unknown := sorted(set(self.value) - keys):
            raise BadInput(f"{where}: no such key: {unknown[0]}; use {', '.join(sorted(keys))}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.value.get(key, default)
        if not isinstance(value, str):
            raise BadInput(f"{self.where}: {key} must be a text")
        return value

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        value = self.value.get(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise BadInput(f"{self.where}: {key} must be a list of texts")
        return tuple(value)

    def table(self, key: str, keys: set[str] | None = None) -> _Table:
        value = self.value.get(key, {})
        allowed = keys if keys is not None else set(value) if isinstance(value, dict) else set()
        return _Table(f"{self.where}: {key}", value, allowed)

    def tables(self, key: str, keys: set[str]) -> list[_Table]:
        value = self.value.get(key, [])
        if not isinstance(value, list):
            raise BadInput(f"{self.where}: {key} must be a list of tables")
        return [_Table(f"{self.where}: {key} {n}", v, keys) for n, v in enumerate(value, start=1)]

    def edits(self) -> list[tuple[str, Edit]]:
        """The kind of tree ("" for all) and the edit, for each of `edit`."""
        names = {field.name for field in fields(Edit)}
        found: list[tuple[str, Edit]] = []
        for table in self.tables("edit", names | {"tree"}):
            given = {name: table.text(name) for name in names & set(table.value) - {"nth"}}
            nth = table.value.get("nth", 0)
            tree = table.text("tree", "")
            if not isinstance(nth, int) or tree not in ("", *KINDS):
                raise BadInput(f"{table.where}: nth is a number, tree one of {', '.join(KINDS)}")
            if not {"at", "do"} <= set(given):
                raise BadInput(f"{table.where}: an edit needs at and do")
            try:
                found.append((tree, Edit(**given, nth=nth)))
            except BadInput as error:
                raise BadInput(f"{table.where}: {error}") from None
        return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None


def _bases(path: Path) -> dict[str, Recipes]:
    found: dict[str, Recipes] = {}
    for name, value in _read(path).items():
        table = _Table(f"{path.name}: {name}", value, {"description", "base", "edit", *KINDS})
        table.text("description")
        start: dict[str, Recipe] = {}
        for of in KINDS:
            part = table.table(of, {"patches", "defines"})
            defines = part.table("defines")
            texts = {key: defines.text(key) for key in defines.value}
            start[of] = Recipe(part.texts("patches", ()), texts, ())
        below = _named(found, table) if "base" in table.value else start
        found[name] = _edited(below, table)
    return found


def _named(bases: Mapping[str, Recipes], table: _Table) -> Recipes:
    name = table.text("base")
    if name not in bases:
        raise BadInput(f"{table.where}: no such base: {name}; use one of {', '.join(bases)}")
    return bases[name]


def _edited(below: Recipes, table: _Table, trees: Sequence[str] = KINDS) -> Recipes:
    """The recipes for these kinds of tree with the table's edits added."""
    edits = table.edits()
    return {
        of: replace(r, edits=r.edits + tuple(edit for tree, edit in edits if tree in ("", of)))
        for of, r in below.items()
        if of in trees
    }


def _case(path: Path, bases: Mapping[str, Recipes]) -> Case:
    table = _Table(path.name, _read(path), _CASE)
    twin = table.table("twin", {"description", "base", "edit"})
    trees = table.texts("trees", KINDS)
    if not trees or not set(trees) <= set(KINDS):
        raise BadInput(f"{table.where}: trees are some of {', '.join(KINDS)}")
    config, hardware = table.table("config").value, table.table("hardware")
    if not all(isinstance(value, int) for value in config.values()):
        raise BadInput(f"{table.where}: config gives numbers by name")
    case = Case(
        name=path.stem,
        description=table.text("description"),
        why=table.text("why"),
        refutes=tuple(_refuted(part) for part in table.tables("refutes", _REFUTES)),
        unknown=tuple(
            Untold(part.text("property"), part.texts("reason"))
            for part in table.tables("unknown", {"property", "reason"})
        ),
        wrong=_edited(_named(bases, table), table, trees),
        right=_edited(_named(bases, twin if "base" in twin.value else table), twin, trees),
        config=config,
        hardware={name: hardware.text(name) for name in hardware.value},
        target=table.text("target", DEFAULT_TARGET),
        pending=table.text("pending", ""),
    )
    if not case.properties:
        raise BadInput(f"{table.where}: a case refutes something, or makes it unknown")
    if any(case.wrong[of] == case.right[of] for of in trees):
        raise BadInput(f"{table.where}: the mistake and its twin are the same")
    return case


def _refuted(table: _Table) -> Refuted:
    under = table.table("under")
    refuted = Refuted(
        property=table.text("property"),
        cause=table.texts("cause"),
        register=table.text("register", ""),
        under={name: under.texts(name) for name in under.value},
    )
    if not refuted.cause:
        raise BadInput(f"{table.where}: cause names something")
    return refuted


def _find(name: str, folders: Sequence[Path]) -> Path:
    for folder in (PATCHES, *folders):
        if (folder / name).is_file():
            return folder / name
    looked = ", ".join(str(folder) for folder in (PATCHES, *folders))
    raise BadInput(f"{name}: no such patch in {looked}")
