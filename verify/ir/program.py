"""What the front-end gives to the executors: a program whose parts are lowered on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from verify.ir.nodes import Const, Function
from verify.ir.types import RecordDef, Type


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a target wants its tree read. All of it comes from `models/`, none from the tree.

    `files`: where definitions are looked up, in order; the first definition wins.
    `config`: values of CONFIG_* (absent means not set).
    `prelude`: C text with `#define`s that override the tree's macros and with prototypes and
    typedefs of what contracts implement.
    `defines`: `--define` overrides of constants, by macro name.
    `tables`: global objects that stand for a constant initialiser elsewhere in the tree (op
    tables): name of the object -> name of the initialised variable.
    `splits`: functions of which models call the parts before and after a call (see
    `verify.ir.split`), as name -> callee.
    """

    files: tuple[str, ...]
    config: dict[str, str]
    prelude: str
    defines: dict[str, str]
    tables: dict[str, str]
    splits: dict[str, str] = field(default_factory=dict)


class Program(Protocol):
    """Lowered C of one tree. Look-ups of what the tree does not define give None."""

    def function(self, name: str) -> Function | None:
        """The function with its body, from the dialect's files or the prelude; or a part of one
        that the dialect splits, by its name with `.before` or `.after`."""
        ...

    def record(self, tag: str) -> RecordDef:
        """The members of a struct; KeyError when the tree does not define it."""
        ...

    def type_of(self, text: str) -> Type:
        """The type that a C type name stands for, such as `struct kvm_vcpu`."""
        ...

    def object_type(self, name: str) -> Type | None:
        """The type of a file-scope object."""
        ...

    def initialiser(self, name: str) -> dict[str, Const] | None:
        """The values of a `const` object by path from it ("" for a scalar), whatever it does not
        name being zero."""
        ...

    def constant(self, text: str) -> int | None:
        """The value of a constant C expression, such as a macro of the tree's headers."""
        ...

    def line(self, file: str, line: int) -> str:
        """The tree's own text of a line, without surrounding white space."""
        ...

    def sources(self) -> Sequence[tuple[str, int, int]]:
        """File, first and last line of every function, record and macro used so far."""
        ...
