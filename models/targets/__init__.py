"""The switches that can be checked, one module each with a `TARGET`."""

from __future__ import annotations

import importlib
import pkgutil

from verify.target import Target


def names() -> list[str]:
    """The names of all targets."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def find(name: str) -> Target:
    """The target of one of `names()`; KeyError for another."""
    if name not in names():
        raise KeyError(name)
    module = importlib.import_module(f"models.targets.{name.replace('-', '_')}")
    target: Target = module.TARGET
    return target
