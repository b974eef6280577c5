"""Whether the questions of a folder are those of a proof by induction.

Every question but the premises must be of a known kind, assert nothing that this kind may not, and
end with the goal that is put together here from the manifest's list of relations, cells and
invariants. A symbol must mean the same in all files, and what is called the same in a second run
must be so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from verify.recheck.folder import Folder
from verify.recheck.script import Definition, Script, Strange, flat, read

_SECOND = "'2|"


def problems(folder: Folder) -> Iterator[str]:
    """What is wrong with the questions, one line each."""
    scripts: dict[str, Script] = {}
    for file in folder.obligations:
        try:
            scripts[file] = read(folder.texts[file])
        except Strange as strange:
            yield f"{file}: {strange}"
    if len(scripts) == len(folder.obligations):
        try:
            yield from _Scheme(folder, scripts).problems()
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            yield f"the manifest does not fit the questions: {type(error).__name__}: {error}"


class _Scheme:
    def __init__(self, folder: Folder, scripts: Mapping[str, Script]) -> None:
        self._folder = folder
        self._scripts = scripts
        self._system: dict[str, Any] = folder.manifest["system"]
        self._runs: dict[str, list[str]] = folder.manifest["runs"]
        self._agreements: dict[str, Any] = folder.manifest["agreements"]
        self._symbols: dict[str, Definition] = {}
        self._seen: dict[str, frozenset[str]] = {}

    def problems(self) -> Iterator[str]:
        yield from self._one_meaning()
        for bound in self._system["bounds"]:
            if bound.startswith("(bvule |state/"):
                yield f"the manifest takes a bound of a state cell for granted: {bound[:80]}"
        for name, secret in self._runs.items():
            yield from self._copies(name, frozenset(f"|{v}|" for v in secret))
        for file, facts in self._folder.obligations.items():
            if facts["kind"] != "premise":
                yield from self._question(file, facts)
        for entry, _ in self._folder.proofs():
            yield from self._complete(entry)

    def _one_meaning(self) -> Iterator[str]:
        for file, script in self._scripts.items():
            for name, definition in script.symbols.items():
                if self._symbols.setdefault(name, definition) != definition:
                    yield f"{file}: {name} means something else than in other files"

    # Second runs ------------------------------------------------------------------------------

    def _copies(self, run: str, secret: frozenset[str]) -> Iterator[str]:
        """Whether NAME@run is NAME with other variables."""
        for name, definition in self._symbols.items():
            if not _is_copy(name, run):
                continue
            original = self._symbols.get(_original(name, run))
            if original is None:
                yield f"{name} is a copy of nothing"
                continue
            tokens = tuple(_original(t, run) for t in definition.body)
            if tokens != original.body:
                yield f"{name} is no copy of {_original(name, run)}"
            for token in definition.body:
                if token.endswith(_SECOND):
                    if _original(token, run) not in secret:
                        yield f"{name}: {token} is shared by both runs"
                elif not _is_copy(token, run) and self._variables(token) & secret:
                    yield f"{name}: {token} is not shared by both runs"

    def _variables(self, symbol: str) -> frozenset[str]:
        """The variables on which a symbol depends; none for what is no symbol."""
        stack = [symbol]
        while stack:
            top = stack[-1]
            definition = self._symbols.get(top)
            parts = [] if definition is None else [t for t in definition.body if t != top]
            missing = [t for t in parts if t in self._symbols and t not in self._seen]
            if missing and top not in self._seen:
                stack.extend(missing)
                continue
            stack.pop()
            if definition is None:
                self._seen[top] = frozenset()
            elif not definition.body:
                self._seen[top] = frozenset((top,))
            else:
                self._seen[top] = frozenset().union(*(self._seen.get(t, ()) for t in parts))
        return self._seen[symbol]

    # Questions --------------------------------------------------------------------------------

    def _question(self, file: str, facts: Mapping[str, Any]) -> Iterator[str]:
        *hypotheses, goal = self._scripts[file].asserted
        run = self._run(facts)
        secret = frozenset(self._runs[run]) if run else frozenset[str]()
        allowed = {flat(bound) for bound in self._system["bounds"]}
        allowed |= {flat(text) for text in self._hypotheses(facts, run, secret)}
        for text in hypotheses:
            if text not in allowed:
                yield f"{file}: asserts what this question may not: {text[:80]}"
        if goal != flat(self._goal(facts, run)):
            yield f"{file}: its last assertion is not the goal of this question"
        for name in self._scripts[file].symbols:
            if (
                name.endswith(_SECOND)
                and name.removeprefix("|").removesuffix(_SECOND) not in secret
            ):
                yield f"{file}: {name} belongs to no second run of this question"

    def _location(self, facts: Mapping[str, Any]) -> str | None:
        """Where the state is that a question is about; None before setup."""
        if facts["kind"] == "consecution":
            return str(self._system["relations"][facts["relation"]]["start"])
        location = facts.get("location")
        return None if location is None else str(location)

    def _run(self, facts: Mapping[str, Any]) -> str | None:
        """The second run of a question."""
        if not facts.get("agreement"):
            return None
        location = self._location(facts)
        if location is None:
            location = self._system["home"]
        return str(self._agreements[facts["agreement"]]["at"][location]["run"])

    def _hypotheses(
        self, facts: Mapping[str, Any], run: str | None, secret: frozenset[str]
    ) -> Iterator[str]:
        system, kind, location = self._system, facts["kind"], self._location(facts)
        functions = list(system["setup"])
        if location is not None:
            functions += [*system["host"], *system["invariant"][location]]
        for function in functions:
            yield self._call(function)
            yield self._call(function, secret=secret)
        if location is not None and run:
            for function in self._agreements[facts["agreement"]]["at"][location]["holds"]:
                yield self._call(function)
        if facts.get("relation") is not None:
            assumes = system["relations"][facts["relation"]]["assumes"]
            yield from assumes
            yield from (self._second(symbol, run) for symbol in assumes if run)
        if kind == "safety":
            yield from facts["assumes"]

    def _call(
        self,
        function: str,
        values: Mapping[str, str] | None = None,
        secret: frozenset[str] = frozenset(),
    ) -> str:
        """A function of the state, of the second run's state, or of other values."""
        args = []
        for parameter in self._symbols[function].parameters if function in self._symbols else ():
            name = parameter.strip("|")
            own = f"|{name}{_SECOND}" if name in secret else parameter
            args.append((values or {}).get(name, own))
        return f"({function} {' '.join(args)})" if args else function

    def _goal(self, facts: Mapping[str, Any], run: str | None) -> str:
        system, kind = self._system, facts["kind"]
        start = {f"state/{c}": f"|start/{c}|" for c in system["state"]}
        if kind == "initiation":
            functions = system["invariant"][system["home"]]
            return f"(not {_all(self._call(f, start) for f in functions)})"
        if kind == "consecution":
            name, relation = facts["relation"], system["relations"][facts["relation"]]
            after = {f"state/{c}": f"|after {name}/{c}|" for c in relation["changes"]}
            kept = [*system["host"], *system["invariant"][relation["end"]]]
            return f"(not {_all(self._call(f, after) for f in kept)})"
        if kind == "equal-setup" and run:
            two = {f"state/{c}": self._second(f"|start/{c}|", run) for c in system["state"]}
            return f"(not {self._agree(facts['agreement'], system['home'], start, two, [])})"
        if kind == "equal-step" and run:
            names = [n for n, r in system["relations"].items() if r["start"] == facts["location"]]
            return _any(self._differs(name, facts["agreement"], run) for name in names)
        if kind == "sanity":
            return _any(facts["checks"])
        if kind == "safety":
            return _any(facts["violations"])
        raise ValueError(f"no such kind of question: {kind}")

    def _second(self, symbol: str, run: str) -> str:
        """The symbol of the second run, which is the first one's where nothing differs."""
        copy = f"{symbol[:-1]}@{run}|"
        return copy if copy in self._symbols else symbol

    def _differs(self, relation: str, agreement: str, run: str) -> str:
        """Inputs of the relation after which two runs do not agree as they should."""
        facts = self._system["relations"][relation]
        one, two = {}, {}
        for cell in self._system["state"]:
            name = f"state/{cell}"
            if cell in facts["changes"]:
                one[name] = f"|after {relation}/{cell}|"
                two[name] = self._second(one[name], run)
            else:
                one[name] = f"|{name}|"
                two[name] = f"|{name}{_SECOND}" if name in self._runs[run] else one[name]
        home = facts["end"] == self._system["home"]
        granted = self._agreements[agreement]["lasting"] if home else []
        same = self._agree(agreement, facts["end"], one, two, granted)
        assumes = [*facts["assumes"], *(self._second(a, run) for a in facts["assumes"])]
        return _all([*dict.fromkeys(assumes), f"(not {same})"])

    def _agree(
        self,
        agreement: str,
        location: str,
        one: Mapping[str, str],
        two: Mapping[str, str],
        granted: Sequence[str],
    ) -> str:
        """Two runs with these values agree as they should at the location."""
        place = self._agreements[agreement]["at"][location]
        names = [f"state/{cell}" for cell in self._system["state"] if cell not in granted]
        secret = self._runs[place["run"]]
        same = [f"(= {one[name]} {two[name]})" for name in names if name not in secret]
        values = {**one, **{f"{name}'2": text for name, text in two.items()}}
        return _all([*same, *(self._call(f, values) for f in place["holds"])])

    # Proofs -----------------------------------------------------------------------------------

    def _complete(self, entry: Mapping[str, Any]) -> Iterator[str]:
        """Whether a property's questions are all that its proof needs."""
        name, relations = entry["property"], self._system["relations"]
        asked = [self._folder.obligations[file] for file in entry["obligations"]]
        found = {
            (f["kind"], f.get("relation"), f.get("agreement"), f.get("location")) for f in asked
        }
        needed = [("initiation", None, None, None)]
        needed += [("consecution", relation, None, None) for relation in relations]
        starts = dict.fromkeys(relation["start"] for relation in relations.values())
        for agreement in dict.fromkeys(f["agreement"] for f in asked if f.get("agreement")):
            needed.append(("equal-setup", None, agreement, None))
            needed += [("equal-step", None, agreement, start) for start in starts]
        for question in needed:
            if question not in found:
                yield f"{name}: its proof lacks {' '.join(part for part in question if part)}"
        excluded = {v for facts in asked for v in facts.get("violations", ())}
        for violation in entry["violations"]:
            if violation not in excluded:
                yield f"{name}: nothing excludes {violation}"
        for relation, facts in relations.items():
            for place in (facts["start"], facts["end"], self._system["home"]):
                if place not in self._system["invariant"]:
                    yield f"{relation}: there is no invariant of {place}"
        for facts in asked:
            if facts["kind"] == "safety" and facts["relation"] is not None:
                if relations[facts["relation"]]["start"] != facts["location"]:
                    yield f"{name}: looks for a violation where its step does not start"
            elif facts["kind"] == "safety" and facts["location"] != self._system["home"]:
                yield f"{name}: looks for a violation in a read that is not at home"


def _is_copy(token: str, run: str) -> bool:
    return token.removesuffix("|").endswith(f"@{run}")


def _original(token: str, run: str) -> str:
    """The symbol of the first run."""
    if token.endswith(_SECOND):
        return f"{token.removesuffix(_SECOND)}|"
    if _is_copy(token, run):
        bar = "|" if token.endswith("|") else ""
        return f"{token.removesuffix('|').removesuffix(f'@{run}')}{bar}"
    return token


def _all(items: Iterable[str]) -> str:
    return _joined("and true", items)


def _any(items: Iterable[str]) -> str:
    return _joined("or false", items)


def _joined(head: str, items: Iterable[str]) -> str:
    texts = list(items)
    return f"({head} {' '.join(texts)})" if texts else head.split()[1]
