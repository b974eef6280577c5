"""The report as JUnit XML, as Jenkins' and other readers take it.

A property is a test case of its family: refuted is a failure, unknown an error, as it must not
look green.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from verify.report import text, words
from verify.report.plain import clean
from verify.result import REFUTED, UNKNOWN, Report, Result

# What XML 1.0 cannot hold, besides what is cleaned away.
_NONCHARACTER = re.compile("[\ufffe\uffff]")


def render(report: Report) -> str:
    """One test suite, named after the target."""
    given = report.input
    counts = {
        "tests": str(len(report.results)),
        "failures": str(report.count(REFUTED)),
        "errors": str(report.count(UNKNOWN)),
    }
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        {"name": _text(given.target), **counts, "skipped": "0", "time": f"{report.seconds:.3f}"},
    )
    properties = ElementTree.SubElement(suite, "properties")
    facts = [("kernel", given.kernel or "embedded reference tree")]
    facts += [("kernel_version", given.kernel_version)]
    facts += [("patch", patch.subject or patch.source) for patch in given.patches]
    facts += [(option.lstrip("-"), value) for option, value in words.fixed(given)]
    for name, value in facts:
        ElementTree.SubElement(properties, "property", {"name": name, "value": _text(value)})
    for result in report.results:
        _case(suite, given.target, result)
    ElementTree.SubElement(suite, "system-out").text = _lines(
        text.heading(report) + text.footing(report)
    )
    ElementTree.indent(suites)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _case(suite: ElementTree.Element, target: str, result: Result) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": _text(f"{target}.{result.family}"),
            "name": _text(result.property),
            "time": f"{result.seconds:.3f}",
        },
    )
    if result.verdict == REFUTED and result.trace is not None:
        message = result.trace.cause.text or result.trace.violation.text
        if result.difference is not None:
            message = f"{result.difference}: {message}"
        kind, body = "failure", text.render_trace(result)
    elif result.verdict == UNKNOWN:
        message, kind, body = result.reason, "error", result.reason
    else:
        return
    told = ElementTree.SubElement(case, kind, {"type": result.verdict, "message": _text(message)})
    told.text = _lines(body)


def _text(said: str) -> str:
    return _NONCHARACTER.sub("\ufffd", clean(said))


def _lines(said: str) -> str:
    return "\n".join(map(_text, said.split("\n")))
