"""verify.explain.tell: what a broken rule leads to, in words."""

from __future__ import annotations

import pytest

from verify.explain.tell import end_state
from verify.target import Parameter

LAMP = Parameter("lamp", "", "param.lamp", ("off", "dim", "on"))
DOOR = Parameter("door", "", "param.door", ("0", "1"))
WALL = Parameter("wall", "", "param.wall", ("0", "1"))


@pytest.mark.parametrize(
    ("consequences", "text"),
    [
        ({}, ""),
        ({"lamp": {"off": "wrong"}, "door": {"0": "wrong"}}, "the end state is wrong"),
        ({"door": {"0": "right", "1": "right"}}, "the end state is right all the same"),
        ({"door": {"0": "unknown"}}, "whether the end state is wrong is not known"),
        (
            {
                "door": {"1": "wrong", "0": "wrong"},
                "lamp": {"on": "wrong", "dim": "right", "off": "wrong"},
            },
            "the end state is wrong only under lamp=off or on",
        ),
        (
            {"door": {"1": "right", "0": "wrong"}, "wall": {"0": "right", "1": "wrong"}},
            "the end state is wrong only under door=0; the end state is wrong only under wall=1",
        ),
        # A value that is not decided may be wrong too.
        (
            {"door": {"0": "wrong", "1": "unknown"}},
            "whether the end state is wrong is not known for all hardware",
        ),
        (
            {"door": {"0": "right", "1": "unknown"}},
            "whether the end state is wrong is not known for all hardware",
        ),
    ],
)
def test_what_a_broken_rule_leads_to(consequences: dict[str, dict[str, str]], text: str) -> None:
    assert end_state(consequences, (LAMP, DOOR, WALL)) == text
