"""The relations of a tree, and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from proofs import catalogue
from verify import frame, replaced, writers
from verify.encode.switch import Like, Switch, build
from verify.encode.system import System
from verify.errors import BadInput
from verify.inputs import find_target, patched, tree_of
from verify.ir.nodes import Function, Unmodelled
from verify.ir.types import VOID
from verify.prove import sanity
from verify.prove.export import export
from verify.prove.property import Property, apart
from verify.request import Request, select
from verify.result import NMI
from verify.source.overlay import PatchReport
from verify.source.program import CProgram
from verify.source.tree import Tree
from verify.target import Target


def program_of(tree: Tree, target: Target, defines: Mapping[str, str]) -> CProgram:
    """What the tree says of the target. BadInput when that is not enough for it."""
    if defines:
        plain = CProgram(tree, target.dialect({}))
        for name in defines:
            if plain.constant(name) is None:
                raise BadInput(f"--define {name}: the tree has no such constant")
    program = CProgram(tree, target.dialect(defines))
    missing = [name for name in target.functions if not _has_head(program.function(name))]
    if missing:
        raise BadInput(
            f"{tree.root} ({tree.version}): no function {', '.join(missing[:3])} that can be read;"
            f" give a kernel tree that has what {target.name} checks"
        )
    return program


def _has_head(function: Function | None) -> bool:
    """Whether models can call it. Of a head that is no C neither parameters nor result are known:
    nothing is left but the whole text."""
    if function is None or function.parameters or function.result != VOID:
        return function is not None
    return not any(isinstance(s, Unmodelled) and s.loc == function.loc for s in function.body)


def load(request: Request) -> tuple[Tree, list[PatchReport], Target, CProgram]:
    """The tree that a request names, with its patches, and the target's program of it. BadInput
    as for `run`."""
    target = find_target(request.target)
    tree, patches = patched(tree_of(request), request.patches)
    return tree, patches, target, program_of(tree, target, request.defines)


@dataclass(frozen=True, slots=True)
class Work:
    """A switch and what is asked of it."""

    switch: Switch
    properties: list[Property]


def works_of(
    target: Target, program: CProgram, request: Request, like: Sequence[Like] = ()
) -> list[Work]:
    """The switch, and the same with interrupts where that is asked for. `like`: those of a tree
    that is much the same."""
    plain = _switch(target, program, request, like[0] if like else None)
    found = catalogue.properties(plain)
    chosen = [prop.name for prop in found]
    if target.interrupted is not None:
        chosen += [NMI + name for name in chosen]
    names = set(select(chosen, request.properties))
    works = [_work(plain, found, names, request)]
    if target.interrupted is not None and any(name.startswith(NMI) for name in names):
        known = like[1] if len(like) > 1 else None
        switch = _switch(target.interrupted, program, request, known, plain.mutable)
        found = [
            replace(prop, name=NMI + prop.name, statement=f"{prop.statement}, whenever an NMI hits")
            for prop in catalogue.properties(switch)
        ]
        works.append(_work(switch, found, names, request))
    return works


def _work(switch: Switch, found: Sequence[Property], names: Set[str], request: Request) -> Work:
    asked = [prop for prop in found if prop.name in names]
    return Work(switch, [apart(prop, request.apart.get(prop.name, ())) for prop in asked])


def _switch(
    target: Target,
    program: CProgram,
    request: Request,
    like: Like | None = None,
    mutable: Set[str] = frozenset(),
) -> Switch:
    watch, cells = catalogue.observers(target, program), catalogue.monitors(target, program)
    known = like.switch.mutable if like else mutable
    switch = build(target, program, watch, cells, request.config, request.hardware, known, like)
    # The rest of the tree is that of the other one.
    others = like.switch.doubt if like else writers.elsewhere(program.tree, program, switch)
    switch.doubt = switch.doubt or others
    return switch


def every_property(
    request: Request, program: CProgram, like: Sequence[Like] = ()
) -> list[tuple[Switch, Property]]:
    """All that can be asked of the tree, each with the relations that it is about. `like`: as for
    works_of."""
    request = replace(request, properties=())
    works = works_of(find_target(request.target), program, request, like)
    return [(work.switch, prop) for work in works for prop in work.properties]


def switch_of(request: Request) -> Switch:
    """The relations of a tree as the user names it.

    BadInput as for `run`, and for a patch of which something cannot be checked.
    """
    tree, patches = patched(tree_of(request), request.patches)
    return _switch(*_whole(tree, patches, request), request)


def exported(request: Request) -> dict[str, System]:
    """The transition systems of the properties, by name. BadInput as for `switch_of`, and where
    nothing could be proved of the tree, whoever does."""
    tree, patches = patched(tree_of(request), request.patches)
    works = works_of(*_whole(tree, patches, request), request)
    for work in works:
        if doubt := sanity.shape(work.switch):
            raise BadInput(f"{tree.root}: {doubt}")
    return _systems(works)


def exported_tree(
    tree: Tree, patches: Sequence[PatchReport], request: Request
) -> dict[str, System]:
    """As `exported`, of a tree to which `patches` have been applied, and good for counterexamples
    whatever could be proved of it."""
    return _systems(works_of(*_whole(tree, patches, request), request))


def _systems(works: Sequence[Work]) -> dict[str, System]:
    found = {}
    for work in works:
        for prop in work.properties:
            systems = export(work.switch, prop)
            for k, system in enumerate(systems):
                found[prop.name if len(systems) == 1 else f"{prop.name}-{k}"] = system
    return found


def _whole(tree: Tree, patches: Sequence[PatchReport], request: Request) -> tuple[Target, CProgram]:
    """What the relations are made from, when they say all of the tree; else BadInput: they cannot
    tell what they leave out."""
    target = find_target(request.target)
    failed = [hunk for patch in patches for hunk in patch.failed]
    if failed:
        raise BadInput(f"--patch: {failed[0].file}:{failed[0].line} does not apply; see check")
    program = program_of(tree, target, request.defines)
    if broken := frame.broken(tree, target, request.defines):
        raise BadInput(f"{tree.root}: {broken}")
    if modelled := replaced.changed(tree, replaced.names(target, program)):
        raise BadInput(f"--patch: changes {modelled}, which the model stands for")
    return target, program
