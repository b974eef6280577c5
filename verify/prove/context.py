"""What holds at each location of a switch, and questions about one step from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from verify.encode.switch import Relation, Switch
from verify.encode.term import Term, conj
from verify.errors import InternalError
from verify.prove import simulate
from verify.prove.agreement import Agreement, both_runs
from verify.prove.ask import Asker, Question, Solve
from verify.prove.invariant import Fact, Invariant, candidates, guessed, infer, without
from verify.prove.property import READ, Pairing, Property, Violation

START = 12
"""Two runs are tried from one of this many known states."""


class Context:
    """The switch with its inferred invariant; `solve` answers goals by name.

    `background`: what is assumed of configuration and hardware, `also` of the configuration.
    `invariant`: what was inferred, by location; `lost`: what was tried in vain. `wider`: a context
    of the same switch that assumes less. `like`: one of a switch that is much the same: what it
    holds is all that is tried. `part`: one of a switch with a part of this one's runs: what is lost
    there is lost here.
    """

    def __init__(
        self,
        switch: Switch,
        solve: Solve,
        *also: Term,
        wider: Context | None = None,
        like: Context | None = None,
        part: Context | None = None,
    ) -> None:
        names = [relation.name for relation in switch.relations()]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise InternalError(f"relations share a name: {', '.join(sorted(repeated))}")
        self.switch = switch
        self.solve = solve
        self.background = [*switch.config, *switch.pinned, *also, *switch.legal]
        known = wider or like or part
        self.asker: Asker = known.asker if known is not None else Asker(solve)
        self._moves: Mapping[str, simulate.Move] = (
            wider._moves if wider is not None else simulate.moves(switch)
        )
        reached = simulate.states(switch, self._moves, self.background, solve)
        self._starts = reached[switch.home][::START]
        self._part = part
        guesses = guessed(switch, like.invariant) if like is not None else candidates(switch)
        if part is not None:
            guesses = without(guesses, part.lost)
        found = infer(switch, self.background, reached, self.asker, guesses)
        self.invariant: Invariant = found.invariant
        self.lost: Set[Fact] = found.lost
        self._under: dict[Term, Context] = {}
        self._agreements: dict[Pairing, Agreement] = {}
        self._contexts: dict[tuple[Pairing | None, str], tuple[Term, ...]] = {}

    def under(self, condition: Term) -> Context:
        """The same for configurations and hardware for which the condition holds."""
        if condition not in self._under:
            self._under[condition] = Context(self.switch, self.solve, condition, wider=self)
        return self._under[condition]

    def holding(self, location: str) -> tuple[Term, ...]:
        """What holds of configuration and state of one run whenever it is at the location."""
        return (*self.background, *self.invariant[location])

    def agree(self, pair: Pairing, phase: str) -> Pairing:
        """The pairing with what is known of the state where the phase's step starts."""
        step = self.step(phase)
        return self._agreement(pair).at(step.start if step else self.switch.home)

    def violations(self, prop: Property) -> tuple[Sequence[Violation], list[Agreement]]:
        """The property's violations, and the agreements of two runs that they count on."""
        pairs: dict[Pairing, None] = {}

        def agree(pair: Pairing, phase: str) -> Pairing:
            pairs[pair] = None
            return self.agree(pair, phase)

        return prop.violations(agree), [self._agreement(pair) for pair in pairs]

    def _agreement(self, pair: Pairing) -> Agreement:
        if pair not in self._agreements:
            # Taking nothing for granted gives the same when nothing of it is lost.
            found = self._agreement(replace(pair, lasting=())) if pair.lasting else None
            if found is None or not found.has_all(pair.lasting):
                lost = self._part._agreement(pair).lost if self._part is not None else frozenset()
                found = Agreement(
                    self.switch, pair, self.holding, self._moves, self._starts, self.asker, lost
                )
            self._agreements[pair] = found
        return self._agreements[pair]

    def question(self, violation: Violation, *also: Term) -> Question:
        """Can the violation happen in a step in which `also` holds?"""
        assumes = both_runs(violation.assumes, violation.pair)
        term = conj((*also, *assumes, violation.bad))
        return Question(violation.register, self._of(violation), term)

    def _of(self, violation: Violation) -> tuple[Term, ...]:
        """What holds of every step in which the violation is looked for (both runs of it)."""
        key = violation.pair, violation.phase
        if key not in self._contexts:
            step = self.step(violation.phase)
            if step is None:
                # What shows in a read may be in a state from which no step is possible.
                terms = self.holding(self.switch.home)
            else:
                terms = (*self.holding(step.start), *step.assumes)
            self._contexts[key] = both_runs(terms, violation.pair)
        return self._contexts[key]

    def step(self, phase: str) -> Relation | None:
        """The step that a phase belongs to; none for an emulated read, which is at home."""
        return None if phase == READ else self.switch.step(phase)
