"""What makes a counterexample easy to read: the wishes that its model should meet, in order.

Usual configurations first, then few steps, then events that do not happen, then values that are
alike in both runs, then zeros.
"""

from __future__ import annotations

from verify.encode import term as t
from verify.encode.switch import CONFIG, Switch
from verify.encode.term import Term
from verify.prove.property import SECOND
from verify.prove.reach import Scenario


def wishes(switch: Switch, scenario: Scenario) -> tuple[Term, ...]:
    """The wishes for a model of the scenario, the most important first."""
    # What setup makes of the configuration follows from the rest.
    variables = [v for v in t.free_vars(scenario.assertions) if not _is_derived(str(v.name))]
    by_name = {str(v.name): v for v in variables}
    options = {id(option) for option in scenario.options}
    flags = [v for v in variables if not v.width and id(v) not in options]
    values = [v for v in variables if v.width]
    first = [v for v in values if str(v.name).startswith("init/")]
    twins = [(v, by_name.get(str(v.name).removesuffix(SECOND))) for v in variables]
    found = [
        *_usual(switch, scenario),
        *(~option for option in scenario.options),
        *(v.eq(0) for v in first),
        *(~flag for flag in flags),
        *(v.eq(twin) for v, twin in twins if twin is not None and twin is not v),
        *(v.eq(0) for v in values),
    ]
    return tuple(wish for wish in dict.fromkeys(found) if wish.op != "const")


def _is_derived(name: str) -> bool:
    return name.startswith(CONFIG)


def _usual(switch: Switch, scenario: Scenario) -> list[Term]:
    result = []
    for setting in switch.target.settings:
        if setting.usual is not None:
            value = scenario.settings[setting.name]
            usual = (t.true if setting.usual else t.false) if not value.width else setting.usual
            result.append(value.eq(usual))
    return result
