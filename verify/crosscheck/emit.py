"""A counterexample as a C program: the tree's functions, the run that breaks the property, and
what it must print."""

from __future__ import annotations

from collections.abc import Mapping

from verify.crosscheck.encode import Encoder, Vocabulary
from verify.crosscheck.guard import refuse
from verify.crosscheck.record import Incomparable, Recorder, Script
from verify.crosscheck.unit import Unit, part
from verify.errors import BadInput
from verify.explain.replay import Replay, again
from verify.ir.contract import Contract
from verify.ir.interp import Inputs, Step
from verify.ir.program import Dialect, Program
from verify.prove.reach import Scenario
from verify.result import Result
from verify.source.program import CProgram
from verify.target import Target

_ABOUT = """\
/*
 * {property} of {title}
 * is broken by {tree}.
 *
 * The functions below are that tree's, and under its licence. What they ask of the hardware and of
 * the rest of the kernel is answered as msrproof's models did when the counterexample was found;
 * the program ends with status 2 should they ask for anything else. It prints the accesses and
 * the violation, with status 1:
 *
 *     gcc -std=gnu11 -fno-strict-aliasing -fwrapv -funsigned-char -w -o violation FILE
 *     ./violation
 */
"""


def emit(
    target: Target,
    program: CProgram,
    defines: Mapping[str, str],
    scenario: Scenario,
    model: Mapping[str, int],
    monitors: Mapping[str, int],
    shown: Replay,
    result: Result,
    tree: str,
) -> str:
    """The text of the program for a refuted property. BadInput when it cannot be written."""
    script = Script()
    machines: list[Recorder] = []

    def make(
        program: Program,
        contracts: Mapping[str, Contract],
        objects: Mapping[str, str],
        inputs: Inputs,
        cells: Mapping[str, int],
    ) -> Recorder:
        machines.append(Recorder(program, contracts, objects, inputs, cells, script, _told))
        return machines[-1]

    again(target, program, scenario, model, monitors, shown.second, make)
    try:
        for machine in machines:
            machine.finish()
    except Incomparable as reason:
        raise BadInput(f"--emit-c: {result.property}: no program can be made: {reason}") from None
    tree = tree.replace("*/", "* /").replace("\n", " ")
    about = _ABOUT.format(property=result.property, title=target.title, tree=tree)
    return about + standalone(target, program, target.dialect(defines), script, _violation(result))


def standalone(
    target: Target, program: CProgram, dialect: Dialect, script: Script, violation: str
) -> str:
    """A program that replays a script, then prints the violation and ends with status 1."""
    encoder = Encoder(Vocabulary())
    words = encoder.words_of(script)
    unit = Unit(target, program, dialect, encoder.words)
    text = unit.text()
    refuse(unit.expanded())
    rows = [", ".join(f"{w:#x}UL" for w in words[i : i + 8]) for i in range(0, len(words), 8)]
    numbers = ",\n\t".join(rows)
    lines = "".join(f"\t{_quoted(line)},\n" for line in encoder.words.lines)
    data = (
        f"static const cross_word cross_script[] = {{\n\t{numbers}\n}};\n"
        f"static const char *const cross_lines[] = {{\n{lines}\t0\n}};\n"
        f"static const char *const cross_violation = {_quoted(violation)};\n"
    )
    return text + data + part("embedded.c") + part("runtime.c")


def _told(step: Step) -> str | None:
    """The line for a step, None for one that a reader has no use for."""
    if step.phase == "setup" or (step.loc is None and step.before == step.after):
        return None
    where = f"{step.function} ({step.loc.file}:{step.loc.line})" if step.loc else step.phase
    register = step.register.removeprefix("hw.")
    values = f"{step.before:#x}"
    if step.before != step.after:
        values += f" -> {step.after:#x}"
    note = f" ({step.note})" if step.note else ""
    return f"{step.op} {register} {values}{note}  {where}"


def _violation(result: Result) -> str:
    assert result.trace is not None
    found = result.trace.violation
    if found.expected is None or found.observed is None:
        return f"violation: {found.register}: {found.text}"
    return f"violation: {found.register} expected {found.expected:#x} observed {found.observed:#x}"


def _quoted(text: str) -> str:
    """A C string."""
    plain = text.encode("ascii", "replace").decode()
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '"'
