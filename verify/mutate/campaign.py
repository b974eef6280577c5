"""All mutants of a tree, each in one of several processes; what is known of them is kept."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from multiprocessing.connection import Connection, wait

from verify import cache, check, relations, replaced
from verify.encode.switch import Switch
from verify.errors import BadInput
from verify.mutate.fate import UNDECIDED, Base, Fate
from verify.mutate.operators import Mutant, mutants
from verify.mutate.siblings import Subject, siblings
from verify.request import Request
from verify.result import Report
from verify.source.edit_function import Function
from verify.source.program import CProgram
from verify.source.tree import Tree

SOME = 12
"""Mutants of one process, which keeps all the terms that it makes until it ends."""
Done = Callable[[int, int], None]
"""Told how many mutants of how many have met their fate."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A mutant, its changed lines before and after, and what became of it."""

    mutant: Mutant
    old: str
    new: str
    fate: Fate


@dataclass(frozen=True, slots=True)
class Campaign:
    """`report`: on the tree itself. `outcomes`: in the order of the mutants. `left_out`: functions
    that could not be mutated, with the reason. `made`: how many mutants there are without a
    limit."""

    report: Report
    outcomes: Sequence[Outcome]
    left_out: Mapping[str, str]
    made: int
    seconds: float

    def count(self, kind: str) -> int:
        """How many mutants met this fate."""
        return sum(outcome.fate.kind == kind for outcome in self.outcomes)


def run(request: Request, functions: Sequence[str], limit: int | None, done: Done) -> Campaign:
    """Mutate the functions whose names match one of the patterns, of all that the model runs; if
    there are none, those that a switch runs. `limit`: so many mutants, evenly spread over all.

    BadInput as of check.run, for a hunk that does not apply, for a pattern that matches nothing,
    and when nothing is proved of the tree itself.
    """
    began = time.monotonic()
    tree, patches, target, program = relations.load(request)
    for patch in patches:
        for hunk in patch.failed:
            raise BadInput(f"{hunk.file}:{hunk.line}: this hunk does not apply: {hunk.reason}")
    switches = list({id(s): s for s, _ in relations.every_property(request, program)}.values())
    modelled = replaced.names(target, program)
    subjects, left_out = _subjects(tree, program, _names(switches, functions), modelled)
    found = siblings(program, subjects)
    made = [
        mutant
        for subject in subjects
        for mutant in mutants(subject.function, subject.file, subject.name, found[subject.name])
    ]
    chosen = made
    if limit is not None and limit < len(made):
        chosen = [made[i * len(made) // limit] for i in range(limit)]
    report = check.check_tree(tree, patches, request)
    # What the answers depend on, but for the mutant.
    files = target.dialect(request.defines).files
    texts = [f"{path}\n{tree.read(path)}" for path in files]
    given = (request.defines, request.config, request.hardware)
    options = [target.name, *(repr(sorted(g.items())) for g in given), repr(request.timeout)]
    options += [switch.doubt for switch in switches]
    ground = cache.digest([*options, *texts])
    keys = [_key(ground, mutant) for mutant in chosen]
    fates = {k: fate for k, key in enumerate(keys) if request.cache and (fate := _known(key))}
    left = [k for k in range(len(chosen)) if k not in fates]
    done(len(fates), len(chosen))
    if left:
        base = Base(tree, target, program, report, request)
        with closing(_in_processes(base, chosen, left, request.jobs)) as results:
            for k, fate in results:
                fates[k] = fate
                if request.cache and fate.kind != UNDECIDED:
                    cache.keep(keys[k], json.dumps(asdict(fate)), cache.FATES)
                done(len(fates), len(chosen))
    outcomes = [Outcome(m, *m.difference(tree), fates[k]) for k, m in enumerate(chosen)]
    return Campaign(report, outcomes, left_out, len(made), time.monotonic() - began)


def _names(switches: Sequence[Switch], patterns: Sequence[str]) -> list[str]:
    """Functions by their names in the IR."""
    steps = {name for s in switches for step in s.steps for name in step.functions}
    if not patterns:
        return sorted(steps)
    every = steps.union(*(r.functions for s in switches for r in s.relations()))
    every = every.union(*(s.setup_functions for s in switches))
    for pattern in patterns:
        if not any(_fits(name, pattern) for name in every):
            raise BadInput(f"--function {pattern}: matches no function that the model runs")
    return sorted(name for name in every if any(_fits(name, p) for p in patterns))


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name.partition("@")[0], pattern)


def _subjects(
    tree: Tree, program: CProgram, names: Sequence[str], modelled: Set[str]
) -> tuple[list[Subject], dict[str, str]]:
    """The functions, file by file, and why others are left out."""
    found: list[Subject] = []
    left_out: dict[str, str] = {}
    for name in names:
        item = program.function_text(name)
        text = tree.read(item.file) if item is not None else None
        if item is None or text is None:
            left_out[name] = "it is not the tree's own"
            continue
        if name in modelled:
            left_out[name] = "the model stands for it"
            continue
        try:
            function = Function(text, name.partition("@")[0], item.file)
        except BadInput as error:
            left_out[name] = str(error)
            continue
        found.append(Subject(name, item.file, function))
    return sorted(found, key=lambda s: (s.file, s.function.span(s.function.body))), left_out


# What is known already ------------------------------------------------------------------------


def _key(ground: str, mutant: Mutant) -> str:
    text = f"{ground}\n{mutant.id}\n{mutant.splices!r}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _known(key: str) -> Fate | None:
    text = cache.find(key, cache.FATES)
    try:
        return None if text is None else Fate(**json.loads(text))
    except (TypeError, ValueError):
        return None


# Processes ------------------------------------------------------------------------------------


class _Worker:
    """A fork of this process, which has all that is known of the tree."""

    def __init__(self, base: Base, chosen: Sequence[Mutant], others: Sequence[_Worker]) -> None:
        self.connection, there = multiprocessing.Pipe()
        self.mutant: int | None = None
        self.given = 0
        ours = [self.connection, *(other.connection for other in others)]
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=_work, args=(base, chosen, there, ours), daemon=True)
        self._process.start()
        there.close()

    def give(self, mutant: int) -> None:
        self.mutant = mutant
        self.given += 1
        self.connection.send(mutant)

    def end(self) -> None:
        self.connection.close()
        self._process.terminate()
        self._process.join()


def _work(
    base: Base, chosen: Sequence[Mutant], connection: Connection, ours: Sequence[Connection]
) -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    for other in ours:
        other.close()
    try:
        while True:
            mutant = chosen[connection.recv()]
            try:
                fate = base.fate(mutant)
            except Exception as error:
                # One mutant that the tool cannot bear must not end all others' examination.
                fate = Fate(UNDECIDED, reason=f"internal error: {type(error).__name__}: {error}")
            connection.send(fate)
    except (EOFError, OSError):
        return


def _in_processes(
    base: Base, chosen: Sequence[Mutant], left: Sequence[int], jobs: int
) -> Generator[tuple[int, Fate], None, None]:
    """The mutants left to do, each with its fate, as they come."""
    waiting = list(reversed(left))
    workers: list[_Worker] = []
    try:
        for _ in range(min(jobs, len(waiting))):
            workers.append(_Worker(base, chosen, workers))
            workers[-1].give(waiting.pop())
        while workers:
            ready = wait([worker.connection for worker in workers])
            for worker in [w for w in workers if w.connection in ready]:
                assert worker.mutant is not None
                full = worker.given == SOME
                try:
                    fate: Fate = worker.connection.recv()
                except (EOFError, OSError):
                    full = True
                    fate = Fate(UNDECIDED, reason="the process that did it has died")
                base.learn(fate)
                yield worker.mutant, fate
                if waiting and not full:
                    worker.give(waiting.pop())
                    continue
                worker.end()
                workers.remove(worker)
                if waiting:
                    workers.append(_Worker(base, chosen, workers))
                    workers[-1].give(waiting.pop())
    finally:
        for worker in workers:
            worker.end()
