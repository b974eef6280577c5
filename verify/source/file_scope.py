"""What is known at file scope, as far as expressions ask."""

from __future__ import annotations

from typing import Protocol

from verify.ir.nodes import Const, Expr
from verify.ir.types import Type
from verify.source.c_type import Signature
from verify.source.declare import Types


class FileScope(Types, Protocol):
    """What is known at file scope."""

    def enumerator(self, name: str) -> Const | None:
        """An enumeration constant."""

    def object(self, name: str) -> Type | None:
        """The type of an object."""

    def object_name(self, name: str, file: str) -> str:
        """The name for what an object's name means in a file."""

    def function_name(self, name: str, file: str) -> str:
        """The name for what a function's name means in a file."""

    def signature(self, name: str) -> Signature | None:
        """The type of a function."""

    def table(self, tag: str) -> str | None:
        """The initialised variable that every record with this tag stands for."""

    def entry(self, variable: str, member: str) -> Expr | None:
        """What a member of an initialised variable holds, None when it is not given."""

    def is_type(self, name: str) -> bool:
        """Whether a name is a typedef's."""

    def define(self, name: str, kind: Type, initial: dict[str, Const] | None, const: bool) -> None:
        """A function has an object of its own (`static`)."""

    def note_implicit(self, name: str) -> None:
        """A function without a prototype is called."""
