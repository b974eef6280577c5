"""Gives added lines back the indentation that a mail has lost. Looks only: C does not care."""

import re
from collections.abc import Sequence

TAB = 8

_LABEL = re.compile(r"(case\b.*|default\s*|[A-Za-z_]\w*):\s*(/\*.*\*/)?$")
_CONTROL = re.compile(r"(if|for|while|switch)\b.*\)$|else$|(\w*for_each\w*)\s*\(.*\)$")


def indented(text: str, before: Sequence[str]) -> str:
    """The added line `text` as it would stand after the lines `before`, in kernel style."""
    text = text.strip()
    if not text or text.startswith("#"):
        return text
    code = [line for line in before if line.strip() and not line.startswith("#")]
    return _blanks(_width_for(text, code)) + text


def width(line: str) -> int:
    """Columns of the white space that a line starts with."""
    text = line.expandtabs(TAB)
    return len(text) - len(text.lstrip())


def retabbed(line: str) -> str:
    """The line with the blanks that it starts with turned to tabs."""
    return _blanks(width(line)) + line.lstrip()


def _blanks(columns: int) -> str:
    return "\t" * (columns // TAB) + " " * (columns % TAB)


def _width_for(text: str, before: list[str]) -> int:
    if not before:
        return 0
    last = before[-1].strip()
    if text.startswith("*"):  # inside a comment
        return width(before[-1]) + (1 if last.startswith("/*") else 0)
    if last.endswith("*/") and not last.startswith("/*"):  # below a long comment
        return width(before[-1]) - 1 if last.startswith("*") else width(before[-1])
    start = _statement(before)
    if (column := _open_bracket(before[start:])) is not None:
        return column
    base = width(before[start])
    if text.startswith("case ") or text.startswith("default:"):
        return _case_width(before, base)
    if last.endswith("{") or _LABEL.match(last) or _CONTROL.match(_one_line(before[start:])):
        return base + (0 if text.startswith(("}", "{")) else TAB)
    if not last.endswith((";", "}", ",", "*/", ")")) and not text.startswith("}"):
        return base + TAB if start == len(before) - 1 else width(before[-1])
    if start and _CONTROL.match(_one_line(_above(before, start))):
        base = width(_above(before, start)[0])  # that was the one statement of an if
    return max(0, base - TAB) if text.startswith("}") else base


def _case_width(before: list[str], base: int) -> int:
    for line in reversed(before):
        text = line.strip()
        if text.startswith(("case ", "default:", "switch ", "switch(")):
            return width(line)
    return base


def _above(before: list[str], start: int) -> list[str]:
    above = before[:start]
    return above[_statement(above) :]


def _one_line(lines: Sequence[str]) -> str:
    return " ".join(line.strip() for line in lines)


def _statement(lines: list[str]) -> int:
    """Index of the first line of the last statement."""
    start = len(lines) - 1
    while start > 0:
        text = lines[start - 1].strip()
        above = _one_line(lines[start:])
        closed = text.endswith((";", "{", "}", "*/")) or _LABEL.match(text)
        if closed or (_CONTROL.match(text) and above.count(")") <= above.count("(")):
            break
        start -= 1
    return start


def _open_bracket(lines: Sequence[str]) -> int | None:
    """Column behind the last bracket that is still open, None if all are closed."""
    columns: list[int] = []
    for line in lines:
        for column, char in enumerate(line.expandtabs(TAB)):
            if char == "(":
                columns.append(column + 1)
            elif char == ")" and columns:
                columns.pop()
    return columns[-1] if columns else None
