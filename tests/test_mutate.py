"""verify.mutate: what mutants are made, what becomes of them, and what is remembered of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from hypothesis import given, settings

import models.reference
from tests.report_sample import PROVED, REFUTED, with_results
from tests.test_source_edit import ALARM, TextTree, functions, is_c, plain, words_of
from verify import check, cli, relations
from verify.encode import term as t
from verify.encode.execute import NotUnderstood
from verify.encode.switch import Like, Switch
from verify.errors import BadInput
from verify.mutate import campaign, fate
from verify.mutate.fate import EQUIVALENT, KILLED, SURVIVED, UNDECIDED, Base, Fate
from verify.mutate.operators import CALL, MEMBER, NAME, Mutant, mutants
from verify.mutate.siblings import Subject, siblings
from verify.prove.goal import SAT, Goal
from verify.request import Request
from verify.source.edit_function import Function
from verify.source.program import CProgram

REFERENCE = Path(models.reference.__file__).parent
METRICS = str(REFERENCE / "patches" / "perf-metrics.patch")

# Operators ----------------------------------------------------------------------------------------


def made(text: str, name: str, **instead: str) -> dict[str, tuple[str, str]]:
    """The mutants of a function: changed lines before and after, by id without file and function.
    `instead`: constants that stand for others."""
    found = mutants(
        Function(text, name, "f.c"), "f.c", name, {(NAME, k): v for k, v in instead.items()}
    )
    tree = TextTree(f=text)
    return {m.id.removeprefix(f"f.c:{name}:"): m.difference(tree) for m in found}


GUARDED = """int f(int a)
{
	int b = a ? ONE : 2;

	if (a &&
		b)
		g(a);
	else
		g(b);
	switch (a) {
	case 1:
		g(1);
		break;
	}
	if (a || b || c(a, b))
		return 1;
	return a == 1 && b;
}
"""


def test_each_statement_is_mutated() -> None:
    found = made(GUARDED, "f", ONE="TWO")
    assert found == {
        "1:negate": ("int b = a ? ONE : 2;", "int b = !(a) ? ONE : 2;"),
        "1:replace": ("int b = a ? ONE : 2;", "int b = a ? TWO : 2;"),
        "2:delete": ("if (a && b) g(a); else g(b);", ";"),
        "2:swap": (
            "if (a && b) g(a); else g(b); switch (a) { case 1: g(1); break; }",
            "switch (a) { case 1: g(1); break; } if (a && b) g(a); else g(b);",
        ),
        "2:negate": ("if (a && b)", "if (!(a && b))"),
        "2:always": ("if (a && b)", "if (1 )"),
        "2:never": ("if (a && b)", "if (0 )"),
        "2:always#2": ("if (a &&", "if (1 &&"),
        "2:always#3": ("b)", "1)"),
        "3:delete": ("g(a);", ";"),
        "4:delete": ("g(b);", ";"),
        "5:delete": ("switch (a) { case 1: g(1); break; }", ";"),
        "5:swap": (
            "switch (a) { case 1: g(1); break; } if (a || b || c(a, b)) return 1;",
            "if (a || b || c(a, b)) return 1; switch (a) { case 1: g(1); break; }",
        ),
        "8:delete": ("g(1);", ";"),
        "9:delete": ("break;", ";"),
        "10:delete": ("if (a || b || c(a, b)) return 1;", ";"),
        "10:negate": ("if (a || b || c(a, b))", "if (!(a || b || c(a, b)))"),
        "10:always": ("if (a || b || c(a, b))", "if (1)"),
        "10:never": ("if (a || b || c(a, b))", "if (0 || b || c(a, b))"),
        "10:never#2": ("if (a || b || c(a, b))", "if (a || 0 || c(a, b))"),
        "10:never#3": ("if (a || b || c(a, b))", "if (a || b || 0)"),
        "11:delete": ("return 1;", ";"),
        "12:always": ("return a == 1 && b;", "return 1 && b;"),
        "12:always#2": ("return a == 1 && b;", "return a == 1 && 1;"),
    }


def test_a_member_a_call_and_a_name_are_different_uses() -> None:
    text = "void f(void)\n{\n\tx(x, s->x);\n}\n"
    function = Function(text, "f", "f.c")
    for use, line in ((CALL, "y(x, s->x);"), (NAME, "x(y, s->x);"), (MEMBER, "x(x, s->y);")):
        found = list(mutants(function, "f.c", "f", {(use, "x"): "y"}))
        assert [m.difference(TextTree(f=text)) for m in found if m.operator == "replace"] == [
            ("x(x, s->x);", line)
        ]


def test_a_mutant_leaves_the_tree_and_its_lines_alone() -> None:
    tree = TextTree(alarm=ALARM)
    for mutant in mutants(Function(ALARM, "arm", "alarm.c"), "alarm.c", "arm", {}):
        overlay = mutant.apply(tree)
        text = overlay.read("alarm.c") or ""
        assert tree.read("alarm.c") == ALARM != text
        assert text.count("\n") == ALARM.count("\n")
        start, end = ALARM.index("{\n\tstruct siren"), ALARM.index("static void disarm")
        assert text.startswith(ALARM[:start]) and text.endswith(ALARM[end:])


def test_names_of_swapped_statements_go_back() -> None:
    text = "void f(void)\n{\n\tif (a)\n\t\tg(1);\n\n\th(2);\n}\n"
    (swap,) = (m for m in mutants(Function(text, "f", "f.c"), "f.c", "f", {}) if m.moves)
    assert swap.text(text) == "void f(void)\n{\n\th(2);\n\n\tif (a)\n\t\tg(1);\n}\n"
    # Of the mutant's lines 3, 5 and 6.
    assert swap.before("load/f:0/h:3/x") == "load/f:0/h:6/x"
    assert swap.before("load/f:0/g:6/x~1") == "load/f:0/g:4/x~1"
    assert swap.before("load/a:9/f:3/@5#2/g:6~1/x") == "load/a:9/f:3/@3#2/g:4~1/x"
    # Lines of other functions, and of none.
    assert swap.before("load/h:3/x") == "load/h:3/x"
    assert swap.before("load/f:0/h:3/k:3/x") == "load/f:0/h:6/k:3/x"
    assert swap.before("init/f:3") == "init/f:3"
    assert swap.before("load/f:0/undef/g") == "load/f:0/undef/g"


@given(functions())
@settings(max_examples=150)
def test_mutants_are_c_each_another_one(text: str) -> None:
    function = Function(text, "f", "f.c")
    found = list(mutants(function, "f.c", "f", {}))
    texts = [mutant.text(text) for mutant in found]
    assert len({text, *texts}) == len(texts) + 1
    assert len({mutant.id for mutant in found}) == len(found)
    count = text.count("\n")
    for mutant, after in zip(found, texts, strict=True):
        assert is_c(plain(words_of(after))), mutant
        assert after.count("\n") == count
        if mutant.operator == "swap":
            assert sorted(words_of(after)) == sorted(words_of(text))
            lines = [f"p/f:0/g:{n}/x" for n in range(1, count + 1)]
            moved = {n for first, last, _ in mutant.moves for n in range(first, last + 1)}
            kept = [line for n, line in enumerate(lines, 1) if n in moved]
            assert len({mutant.before(line) for line in kept}) == len(kept)


# Siblings -----------------------------------------------------------------------------------------


def subjects_of(request: Request, *names: str) -> tuple[CProgram, list[Subject]]:
    tree, _, _, program = relations.load(request)
    found = []
    for name in names:
        item = program.function_text(name)
        assert item is not None
        text = tree.read(item.file) or ""
        found.append(Subject(name, item.file, Function(text, name, item.file)))
    return program, found


def test_a_name_gives_way_to_one_of_its_kind() -> None:
    program, subjects = subjects_of(Request(), "kvm_pmu_load_guest_pmcs", "kvm_mediated_pmu_load")
    found = siblings(program, subjects)["kvm_pmu_load_guest_pmcs"]
    assert found == {
        # Arrays of the same records, numbers of counters, members of a counter.
        (MEMBER, "gp_counters"): "fixed_counters",
        (MEMBER, "fixed_counters"): "gp_counters",
        (MEMBER, "nr_arch_gp_counters"): "nr_arch_fixed_counters",
        (MEMBER, "nr_arch_fixed_counters"): "nr_arch_gp_counters",
        (MEMBER, "counter"): "eventsel_hw",
        (MEMBER, "eventsel_hw"): "counter",
        # Functions from an index to a register.
        (CALL, "fixed_counter_msr"): "gp_counter_msr",
        (CALL, "gp_counter_msr"): "gp_eventsel_msr",
        (CALL, "gp_eventsel_msr"): "fixed_counter_msr",
    }


def test_a_register_gives_way_to_another_one() -> None:
    program, subjects = subjects_of(Request(), "intel_mediated_pmu_put")
    found = siblings(program, subjects)["intel_mediated_pmu_put"]
    names = [name for kind, name in found if kind == NAME]
    assert len(names) == 3
    for name in names:
        other = found[NAME, name]
        assert program.constant(name) != program.constant(other) is not None


# Campaigns ----------------------------------------------------------------------------------------


class Oracle:
    """Stands for what is known of a tree; the fate of a mutant depends on its operator."""

    dies = False

    def __init__(self, *_: object) -> None:
        pass

    def fate(self, mutant: Mutant) -> Fate:
        if mutant.operator == "swap" and self.dies:
            os._exit(1)
        if mutant.operator == "negate":
            raise ValueError("no")
        return Fate({"delete": KILLED, "always": SURVIVED}.get(mutant.operator, EQUIVALENT), "p")

    def learn(self, fate: Fate) -> None:
        pass


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(campaign, "Base", Oracle)
    monkeypatch.setattr(check, "check_tree", lambda *_: with_results(PROVED, REFUTED))


def fates(found: campaign.Campaign) -> dict[str, str]:
    return {o.mutant.id: o.fate.kind for o in found.outcomes}


FUNCTION = "kvm_pmu_put_guest_pmcs"


@pytest.mark.usefixtures("oracle")
@pytest.mark.parametrize("jobs", [1, 3])
def test_processes_that_die_leave_a_mutant_undecided(
    jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Oracle, "dies", True)
    found = campaign.run(Request(jobs=jobs, cache=False), [FUNCTION], None, lambda *_: None)
    kinds = {"delete": KILLED, "always": SURVIVED, "replace": EQUIVALENT}
    operators = {o.mutant.operator for o in found.outcomes}
    assert operators == {"delete", "always", "swap", "negate", "replace"}
    for outcome in found.outcomes:
        assert outcome.fate.kind == kinds.get(outcome.mutant.operator, UNDECIDED)
        if outcome.mutant.operator == "negate":
            assert outcome.fate.reason == "internal error: ValueError: no"


@pytest.mark.usefixtures("oracle")
def test_a_process_does_some_mutants_and_what_it_learnt_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Numbered(Oracle):
        learnt: ClassVar[list[Fate]] = []

        def fate(self, mutant: Mutant) -> Fate:
            return Fate(KILLED, f"{os.getpid()} after {len(self.learnt)}")

        def learn(self, fate: Fate) -> None:
            self.learnt.append(fate)

    monkeypatch.setattr(campaign, "Base", Numbered)
    monkeypatch.setattr(campaign, "SOME", 3)
    found = campaign.run(Request(jobs=1, cache=False), [FUNCTION], 8, lambda *_: None)
    told = [outcome.fate.by.split(" after ") for outcome in found.outcomes]
    assert [after for _, after in told] == ["0"] * 3 + ["3"] * 3 + ["6"] * 2
    assert len({process for process, _ in told}) == 3
    assert Numbered.learnt == [outcome.fate for outcome in found.outcomes]


@pytest.mark.usefixtures("oracle")
def test_what_is_known_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    def done(count: int, total: int) -> None:
        seen.append((count, total))
        if count == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        campaign.run(Request(), [FUNCTION], None, done)
    total = seen[0][1]
    known = seen[-1][0]
    seen.clear()
    found = campaign.run(Request(), [FUNCTION], None, lambda c, n: seen.append((c, n)))
    undecided = found.count(UNDECIDED)
    assert 0 < seen[0][0] <= known and seen[-1] == (total, total)
    seen.clear()
    again = campaign.run(Request(), [FUNCTION], None, lambda c, n: seen.append((c, n)))
    assert seen[0] == (total - undecided, total) and fates(again) == fates(found)
    # Another limit on time may give other answers.
    seen.clear()
    campaign.run(Request(timeout=1), [FUNCTION], None, lambda c, n: seen.append((c, n)))
    assert seen[0] == (0, total)
    # Another configuration, too.
    seen.clear()
    campaign.run(
        Request(config={"guest.nested": 0}), [FUNCTION], None, lambda c, n: seen.append((c, n))
    )
    assert seen[0] == (0, total)


@pytest.mark.usefixtures("oracle")
def test_a_limit_spreads_the_mutants() -> None:
    every = campaign.run(Request(), [FUNCTION], None, lambda *_: None)
    some = campaign.run(Request(), [FUNCTION], 4, lambda *_: None)
    ids = list(fates(every))
    assert list(fates(some)) == [ids[i * len(ids) // 4] for i in range(4)]
    assert (some.made, every.made) == (len(ids), len(ids))


@pytest.mark.usefixtures("oracle")
def test_without_patterns_the_switch_is_mutated() -> None:
    found = campaign.run(Request(cache=False), [], None, lambda *_: None)
    names = {outcome.mutant.function for outcome in found.outcomes}
    assert {"kvm_mediated_pmu_load", "kvm_mediated_pmu_put", FUNCTION} <= names
    assert "kvm_pmu_refresh" not in names
    (first,) = campaign.run(Request(), ["kvm_pmu_refresh"], 1, lambda *_: None).outcomes
    assert first.mutant.function == "kvm_pmu_refresh"


@pytest.mark.usefixtures("oracle")
def test_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["mutate", "--function", FUNCTION, "--jobs", "1"]) == 1
    out = capsys.readouterr().out
    assert "1 of 2 properties are proved of it: these can kill" in out
    assert f"{FUNCTION}:10:always, line" in out
    assert "    - if (value)\n    + if (1)\n" in out
    assert "killed by p\n" in out
    assert "  --config room.lamps=2\n" in out
    assert cli.main(["mutate", "--function", FUNCTION, "--jobs", "1", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["input"]["config"] == {"room.lamps": 2}
    assert found["schema"] == "msrproof-mutants/1"
    counts = {kind: found["summary"][kind] for kind in (KILLED, EQUIVALENT, SURVIVED, UNDECIDED)}
    assert sum(counts.values()) == found["summary"]["made"] == len(found["mutants"])
    assert len({mutant["id"] for mutant in found["mutants"]}) == len(found["mutants"])


@pytest.mark.usefixtures("oracle")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--function", "no_such*"], "--function no_such*: matches no function"),
        (["--limit", "0"], "--limit 0: give 1 or more"),
        (["--config", "guest.legs=4"], "--config: no such name: guest.legs"),
        (["--kernel", "/nonexistent"], "no such folder"),
    ],
)
def test_bad_input_is_said_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["mutate", *words]) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1


def test_nothing_is_killed_on_a_tree_of_which_nothing_is_proved() -> None:
    tree, _, target, program = relations.load(Request())
    with pytest.raises(BadInput, match="nothing is proved of it"):
        Base(tree, target, program, with_results(REFUTED), Request())


# Fates --------------------------------------------------------------------------------------------


class Convinced:
    """Proves everything."""

    context = None

    def __init__(self, switch: Any, *_: object) -> None:
        self.switch = switch

    def judge_until_refuted(self, properties: Sequence[Any]) -> list[Any]:
        return [SimpleNamespace(prop=p, verdict="proved", scenario=None) for p in properties]


def examined(
    monkeypatch: pytest.MonkeyPatch,
    *not_understood: NotUnderstood,
    judge: type = Convinced,
    open_: tuple[str, ...] | None = None,
) -> tuple[Fate, list[Sequence[Any]]]:
    """What becomes of a mutant that breaks nothing, and the properties that were asked about. Of
    three, `b` is not proved without it at registers `open_`."""
    asked: list[Sequence[Any]] = []
    context = SimpleNamespace(
        asker=SimpleNamespace(), switch=SimpleNamespace(not_understood=not_understood[:1])
    )
    switch: Any = SimpleNamespace(not_understood=not_understood)
    works = [(switch, [SimpleNamespace(name=n) for n in ("a", "b", "c")])]
    monkeypatch.setattr(fate, "_by_switch", lambda found: works)
    monkeypatch.setattr(fate, "Context", lambda *_, **more: context)
    monkeypatch.setattr(fate, "bads", lambda properties: {})
    monkeypatch.setattr(fate, "_doubt", lambda context: "")
    monkeypatch.setattr(fate, "difference", lambda *_: SimpleNamespace(text="x after put"))
    monkeypatch.setattr(fate, "hunt", lambda s, found, *_: asked.append(found))
    apart = {} if open_ is None else {"b": open_}
    monkeypatch.setattr(relations, "every_property", lambda r, *_: [] if r.apart == apart else None)
    monkeypatch.setattr(fate, "Judge", judge)
    request = Request(patches=(METRICS,))
    tree, _, target, program = relations.load(request)
    verdicts = {"a": "proved", "b": "unknown", "c": "proved"}
    proved: tuple[str, ...] = ()
    results = [
        SimpleNamespace(property=n, verdict=v, open=proved if v == "proved" else open_)
        for n, v in verdicts.items()
    ]
    base = Base(tree, target, program, cast(Any, SimpleNamespace(results=results)), request)
    (mutant, *_) = mutants_of(FUNCTION)
    return base.fate(mutant), asked


def test_only_what_was_proved_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds a broken property is asked of no other; nor is it a kill that nobody proved."""
    found, asked = examined(monkeypatch)
    assert found.kind == SURVIVED
    assert [prop.name for prop in asked[0]] == ["a", "c"]
    found, asked = examined(monkeypatch, open_=("RED",))
    assert found.kind == SURVIVED
    assert [prop.name for prop in asked[0]] == ["a", "b", "c"], "at other registers it is proved"


def test_the_proofs_of_a_mutant_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What solvers have not answered by then is unknown, and no other invariant is looked for."""
    judged = []

    class Asking(Convinced):
        def __init__(self, switch: Any, solve: Any, *more: Any) -> None:
            super().__init__(switch, solve, *more)
            judged.append(switch)
            self.answer = solve([Goal("lamp", (t.var("lamp", 0),))])["lamp"]

        def judge_until_refuted(self, properties: Sequence[Any]) -> list[Any]:
            verdict = "proved" if self.answer.status == SAT else "unknown"
            reason = self.answer.reason
            return [
                SimpleNamespace(prop=p, verdict=verdict, scenario=None, reason=reason)
                for p in properties
            ]

    found, _ = examined(monkeypatch, judge=Asking)
    assert found.kind == SURVIVED and len(judged) == 1
    judged.clear()
    monkeypatch.setattr(fate, "PATIENCE", 0)
    found, _ = examined(monkeypatch, judge=Asking)
    assert found.kind == UNDECIDED and len(judged) == 1
    assert found.reason == "a: a mutant's proofs may not take so long"


def test_a_mutant_that_is_not_understood_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the tree has the same."""
    old = NotUnderstood("a.c", 1, "asm(x)", "inline assembly", t.true)
    new = replace(old, text="1 << -1", reason="a shift by too much")
    found, asked = examined(monkeypatch, old)
    assert found.kind == SURVIVED
    found, asked = examined(monkeypatch, old, replace(old, line=2), new)
    assert found.kind == UNDECIDED and not asked
    assert found.reason == "1 << -1 is not understood: a shift by too much"


def test_what_no_proof_can_be_made_of_is_not_judged_with_interrupts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That takes longer than all the rest, and could at best find a run that breaks something."""
    judged: list[str] = []

    class Doubtful:
        def __init__(self, switch: str, *_: object) -> None:
            self.switch = self.context = switch

        def judge_until_refuted(self, properties: Sequence[Any]) -> list[Any]:
            judged.extend(p.name for p in properties)
            said = {"verdict": "unknown", "reason": "why", "scenario": None}
            return [SimpleNamespace(prop=p, **said) for p in properties]

    prop = SimpleNamespace(name="a"), SimpleNamespace(name="nmi.a")
    works: Any = [("calm", [prop[0]]), ("nmi", [prop[1]])]
    base = cast(Any, SimpleNamespace(killers=["a", "nmi.a"], _lately={}, _solve=None))
    base._killers = lambda properties: Base._killers(base, properties)
    base._said = lambda name, proved: Base._said(base, name, proved)
    base._request = Request()
    monkeypatch.setattr(fate, "Judge", Doubtful)
    for doubtful, expected in (("calm", ["a"]), ("nmi", ["a"]), ("", ["nmi.a", "a"])):
        judged.clear()
        monkeypatch.setattr(fate, "_doubt", lambda context, found=doubtful: context == found)
        found = Base._proved(base, works, [None, None], "x")
        assert (found.kind, found.reason) == (UNDECIDED, f"{expected[0]}: why")
        assert judged == expected


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        ({}, True),
        ({"nmi.a": ("RED",)}, False),
        ({"nmi.a": ("RED",), "a": ("RED", "BLUE")}, True),
        ({"a": ("RED",)}, True),
    ],
)
def test_what_is_proved_with_interrupts_is_proved_without(
    apart: dict[str, tuple[str, ...]], said: bool
) -> None:
    """At the registers of which it was proved."""
    base = cast(Any, SimpleNamespace(_request=Request(apart=apart)))
    assert Base._said(base, "a", {"nmi.a"}) is said
    assert not Base._said(base, "a", {"a"})


def mutants_of(*names: str) -> list[Mutant]:
    program, subjects = subjects_of(Request(patches=(METRICS,)), *names)
    found = siblings(program, subjects)
    return [m for s in subjects for m in mutants(s.function, s.file, s.name, found[s.name])]


KNOWN: dict[str, tuple[str, Callable[[str], bool]]] = {
    # A counter that is not scrubbed.
    "kvm_pmu_put_guest_pmcs:11:delete": (KILLED, lambda by: by.startswith("leak.")),
    # A counter that is not saved.
    "kvm_pmu_put_guest_pmcs:9:delete": (KILLED, lambda by: by == "restore.PMC"),
    # A selector is cleared after its counter is read: one has nothing to do with the other.
    "kvm_pmu_put_guest_pmcs:6:swap": (EQUIVALENT, lambda by: not by),
    # What is written is what is there already.
    "kvm_pmu_load_guest_pmcs:8:always": (EQUIVALENT, lambda by: not by),
    # Between the two an NMI takes the guest's overflow for the host's.
    "perf_load_guest_lvtpc:4:swap": (KILLED, lambda by: by.startswith("nmi.")),
}


@pytest.mark.verdicts
def test_fates_that_are_known() -> None:
    """On the reference tree with the right patch, of which everything is proved."""
    request = Request(patches=(METRICS,), jobs=2)
    tree, patches, target, program = relations.load(request)
    base = Base(tree, target, program, check.check_tree(tree, patches, request), request)
    for name, (kind, by) in KNOWN.items():
        (mutant,) = (m for m in mutants_of(name.partition(":")[0]) if m.id.endswith(f":{name}"))
        found = base.fate(mutant)
        assert found.kind == kind and by(found.by), (name, found)


def test_mutants_are_judged_in_the_configuration_that_is_given() -> None:
    _, _, _, program = relations.load(Request())
    free, fixed = (
        {id(s): s for s, _ in relations.every_property(Request(config=c), program)}.values()
        for c in ({}, {"guest.nested": 0})
    )
    assert len(fixed) == len(free) == 2
    assert not any(switch.pinned for switch in free) and all(switch.pinned for switch in fixed)


@pytest.mark.parametrize(
    "name",
    [
        "kvm_pmu_put_guest_pmcs:11:delete",  # in a step
        "kvm_pmu_load_guest_pmcs:8:always",
        "set_eventsel:1:delete",  # in accesses
    ],
)
def test_what_does_not_run_the_changed_function_is_taken_from_the_tree(name: str) -> None:
    request = Request(patches=(METRICS,))
    tree, _, target, program = relations.load(request)
    known = [work.switch for work in relations.works_of(target, program, request)]
    (mutant,) = (m for m in mutants_of(name.partition(":")[0]) if m.id.endswith(f":{name}"))
    changed = relations.program_of(mutant.apply(tree), target, {})
    like = [Like(switch, mutant.function) for switch in known]
    found, whole = (relations.works_of(target, changed, request, given) for given in (like, ()))
    for work, other, base in zip(found, whole, known, strict=True):
        for field in fields(Switch):
            if field.name != "program":
                assert getattr(work.switch, field.name) == getattr(other.switch, field.name)
        taken = [name for name, part in work.switch.parts.items() if part is base.parts[name]]
        ran = [name for name in base.parts if like[0].runs(base.parts[name].relation.functions)]
        assert ran and sorted((*taken, *ran)) == sorted(base.parts)
