"""The formats of --format, by name; each is a module of this package with `render(report)`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verify.result import Report

FORMATS = ("text", "json", "mail", "html", "sarif", "junit", "ktap", "b4")


def render(report: Report, form: str, width: int, colour: bool) -> str:
    """The report in this format; `width` in columns and `colour` are for a terminal's text."""
    module = import_module(f"verify.report.{form}")
    text = module.render(report, width, colour) if form == "text" else module.render(report)
    return str(text)
