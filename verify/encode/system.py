"""Transition systems for other engines, and their three formats.

A run is a sequence of states, each with inputs of its own. Nothing restricts the inputs and every
state has a successor: what a model assumes is part of its bad states, so that a bad state counts
also when nothing could follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verify.encode import term as t
from verify.encode.smtlib import Speller, Text, sort, symbol
from verify.encode.term import Term

CHOICE = t.var("choice", 16)


@dataclass(frozen=True, slots=True)
class System:
    """`state`: by name the variable; `initial` and `next` give its value at first (any, when it is
    missing) and after a step (the same), as terms over constants, state and inputs. All other
    variables are inputs. `bad`: what must never hold, by name. `choices`: what each value of the
    input CHOICE, from 0 on, makes of a step; other values make nothing of it.
    """

    title: str
    state: Mapping[str, Term]
    initial: Mapping[str, Term]
    next: Mapping[str, Term]
    bad: Mapping[str, Term]
    choices: Sequence[str] = ()

    def inputs(self) -> list[Term]:
        """The variables that take any value in each state, by name."""
        terms = [*self.next.values(), *self.bad.values()]
        found = {str(v.name): v for v in t.free_vars(terms) if v.name not in self.state}
        return [found[name] for name in sorted(found)]

    def heading(self) -> list[str]:
        """Comments, for every format."""
        choices = (f"; {CHOICE.name} {k}: {name}" for k, name in enumerate(self.choices))
        return [f"; {self.title}", *choices]


def to_vmt(system: System) -> str:
    """The system as VMT: SMT-LIB definitions with annotations :next, :init, :trans and
    :invar-property (the negation of a bad state), see vmt-lib.fbk.eu."""
    speller = Speller()
    start = [_equal(speller, system.state[n], value) for n, value in system.initial.items()]
    steps = []
    for name, variable in system.state.items():
        value = speller.spell(system.next.get(name, variable))
        steps.append(Text(f"(= {symbol(name + '.next')} {value})", value.names))
    bad = {name: speller.spell(term) for name, term in system.bad.items()}
    variables = [speller.spell(v) for v in (*system.state.values(), *system.inputs())]
    lines = [*system.heading(), "(set-logic QF_BV)"]
    lines += [
        f"(declare-const {symbol(name + '.next')} {sort(v.width)})"
        for name, v in system.state.items()
    ]
    lines += speller.commands([*variables, *start, *steps, *bad.values()])
    lines += [
        f"(define-fun {symbol(f'.next {i}')} () {sort(v.width)}"
        f" (! {symbol(name)} :next {symbol(name + '.next')}))"
        for i, (name, v) in enumerate(system.state.items())
    ]
    lines.append(f"(define-fun .init () Bool (! {_conjunction(start)} :init true))")
    lines.append(f"(define-fun .trans () Bool (! {_conjunction(steps)} :trans true))")
    for i, (name, text) in enumerate(bad.items()):
        lines.append(f"; {name}")
        lines.append(
            f"(define-fun {symbol(f'.good {i}')} () Bool (! (not {text}) :invar-property {i}))"
        )
    return "\n".join(lines) + "\n"


def to_horn(system: System) -> str:
    """The system as constrained Horn clauses (SMT-LIB 2, logic HORN): satisfiable when no bad state
    can be reached."""
    names = list(system.state)
    sorts = " ".join(sort(v.width) for v in system.state.values())
    here = f"(reached {' '.join(map(symbol, names))})"
    lines = [
        *system.heading(),
        "; sat: no bad state can be reached",
        "(set-logic HORN)",
        f"(declare-fun reached ({sorts}) Bool)",
    ]
    speller = Speller()
    start = [_equal(speller, system.state[n], value) for n, value in system.initial.items()]
    lines.append(_clause(system, speller, start, here, _conjunction(start)))
    speller = Speller()
    ends = [speller.spell(system.next.get(name, v)) for name, v in system.state.items()]
    after = f"(reached {' '.join(end.text for end in ends)})"
    lines.append(_clause(system, speller, ends, after, here))
    for name, term in system.bad.items():
        speller = Speller()
        bad = speller.spell(term)
        lines += [f"; {name}", _clause(system, speller, [bad], "false", f"(and {here} {bad})")]
    lines.append("(check-sat)")
    return "\n".join(lines) + "\n"


def _clause(system: System, speller: Speller, texts: list[Text], head: str, premise: str) -> str:
    body = speller.closed(texts, f"(=> {premise} {head})")
    variables = [*system.state.values(), *system.inputs()]
    bound = " ".join(f"({symbol(str(v.name))} {sort(v.width)})" for v in variables)
    return f"(assert (forall ({bound}) {body}))"


def _equal(speller: Speller, variable: Term, value: Term) -> Text:
    left, right = speller.spell(variable), speller.spell(value)
    return Text(f"(= {left} {right})", left.names | right.names)


def _conjunction(texts: list[Text]) -> str:
    return f"(and true {' '.join(text.text for text in texts)})" if texts else "true"
