"""verify.crosscheck: the tree's C as gcc compiles it agrees with the interpreter, and mistakes of
either side are found."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import models.reference
from tests import crosscheck_program as small
from verify.cli import main
from verify.crosscheck import native
from verify.crosscheck.compare import Outcome, crosscheck
from verify.crosscheck.cut import cut, without
from verify.crosscheck.emit import standalone
from verify.crosscheck.encode import Encoder, Vocabulary
from verify.crosscheck.guard import refuse
from verify.crosscheck.minimise import minimise
from verify.crosscheck.record import Request, Show
from verify.crosscheck.sample import Case, Sampler, nonzero
from verify.crosscheck.text import render
from verify.crosscheck.unit import Unit, part
from verify.errors import BadInput
from verify.ir.evaluate import Evaluator
from verify.ir.memory import Cells
from verify.ir.nodes import Binary
from verify.ir.word import Word
from verify.source.c_lex import lex
from verify.source.source_file import Item

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on this machine")


def compare(text: str = small.TEXT, runs: int = 400, seed: int = 0) -> Outcome:
    return crosscheck(small.target(), small.program(text), small.dialect(), runs, seed)


# Agreement ------------------------------------------------------------------------------------


@needs_gcc
def test_the_reference_tree_is_what_the_interpreter_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["crosscheck", "--runs", "1000"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1000 runs without a difference")
    assert all(step in out for step in ("setup", "load", "put", "write"))


@needs_gcc
def test_c_of_many_kinds_is_what_is_interpreted() -> None:
    outcome = compare()
    assert outcome.found is None
    assert outcome.same == 400 and outcome.functions == 5


@needs_gcc
@pytest.mark.parametrize("seed", range(2))
def test_random_expressions_are_what_gcc_makes_of_them(seed: int) -> None:
    outcome = compare(expressions(seed), 600, seed)
    assert outcome.found is None, render(outcome)
    assert outcome.same == 600


@needs_gcc
@pytest.mark.kernel
@pytest.mark.parametrize("version", ["7.2", "7.3"])
def test_a_kernel_is_what_is_interpreted(kernel_tree: Callable[[str], Path], version: str) -> None:
    assert main(["crosscheck", "--runs", "500", "--kernel", str(kernel_tree(version))]) == 0


@needs_gcc
@pytest.mark.kernel
def test_the_seed_is_what_is_interpreted(
    kernel_tree: Callable[[str], Path], seed_mail: Path
) -> None:
    tree = ["--kernel", str(kernel_tree("7.2")), "--patch", str(seed_mail)]
    four = ["--define", "KVM_MAX_NR_INTEL_FIXED_COUNTERS=4"]
    assert main(["crosscheck", "--runs", "500", *tree, *four]) == 0


# Differences ----------------------------------------------------------------------------------


@needs_gcc
def test_a_wrong_operator_is_found_and_made_small(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = Evaluator._binary

    def wrong(self: Evaluator, expr: Binary) -> Word:
        value = right(self, expr)
        return value + 1 if expr.op == "-" and expr.type.width == 64 else value

    monkeypatch.setattr(Evaluator, "_binary", wrong)
    assert main(["crosscheck", "--runs", "300"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("a difference, after ")
    _, _, rest = out.partition("every other number is 0):\n")
    numbers, _, traces = rest.partition("the interpreter")
    assert 0 < len(numbers.splitlines()) < 12
    assert "kvm_pmu_refresh(&vmx.vcpu)" in traces
    assert " in C, 0x" in traces.splitlines()[-1] or "where the interpreter has" in traces


@needs_gcc
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("b >> 2;", "(u32)b >> 2;"),
        ("u32 mode:6;", "u32 mode:5;"),
        ("(char)(a >> 3)", "(s8)(a >> 3)"),
        ("case 5 ... 7:", "case 5 ... 6:"),
        ("tell(a, found | BIT(a >> 26));", "tell(a, found); tell(a, found | BIT(a >> 26));"),
        ("COLOUR_BLUE = COLOUR_GREEN + 4", "COLOUR_BLUE = COLOUR_GREEN + 6"),
    ],
)
def test_c_that_is_not_what_was_interpreted_is_found(
    monkeypatch: pytest.MonkeyPatch, right: str, wrong: str
) -> None:
    """gcc gets another text than the front-end had."""
    assert right in small.TEXT
    build = native.build
    before, after = (" ".join(word for word, _, _ in lex(t, 1)) for t in (right, wrong))

    def other(gcc: str, text: str, folder: Path) -> list[Path]:
        assert before in text
        return build(gcc, text.replace(before, after), folder)

    monkeypatch.setattr(native, "build", other)
    outcome = compare(runs=2000)
    assert outcome.found is not None
    assert len(nonzero(outcome.found.case)) <= 6
    assert "difference: " in render(outcome)


def test_most_numbers_become_0_and_the_others_small() -> None:
    cells: Cells = {f"a[{i}]": Word(0x1234 + i, 32) for i in range(20)}
    cells["p"] = "a[0]"
    case = Case("step", cells, {"x": 77, "y": 12, "z": 0})
    tried: list[Case] = []

    def shows(case: Case) -> bool:
        tried.append(case)
        third = case.cells["a[3]"]
        assert isinstance(third, Word)
        return third.value >= 3 and case.inputs["x"] & 8 != 0

    small_case = minimise(case, shows)
    assert nonzero(small_case) == {"cell a[3]": 3, "input x": 8}
    assert small_case.cells["p"] == "a[0]"
    assert len(tried) < 40


# What is not trusted --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('asm("cli");', "asm"),
        ('int f(void) { __asm__ volatile (""); }', "__asm__"),
        ("__attribute__((constructor)) void f(void) { }", "constructor"),
        ('void f(void) __attribute__((packed, section("x")));', "section"),
        ('int x __attribute__((aligned(8), __alias__("y")));', "__alias__"),
        ("\n#pragma weak f\n", "#pragma"),
        ("int f(void) { return __builtin_return_address(0); }", "__builtin_return_address"),
        ("int f(int *p) { return __sync_fetch_and_add(p, 1); }", "__sync_fetch_and_add"),
    ],
)
def test_text_that_could_act_on_its_own_is_refused(text: str, found: str) -> None:
    with pytest.raises(BadInput, match="not compiled here") as refused:
        refuse(text)
    assert found in str(refused.value)


def test_plain_text_is_not_refused() -> None:
    refuse("struct s { int a; } __attribute__((packed, aligned(sizeof(long))));")
    refuse('int f(int a) { return __builtin_ctz(a) + "asm (1)"[0] + asm_count; }')


@needs_gcc
@pytest.mark.parametrize(
    ("harm", "signal"),
    [
        ("{ extern long syscall(long, ...); syscall(39); }", "SIGKILL"),
        ('{ extern int open(const char *, int); open("/etc/passwd", 0); }', "SIGKILL"),
        ("*(int *)8 = 1;", "SIGSEGV"),
    ],
)
def test_compiled_c_can_do_no_harm(tmp_path: Path, harm: str, signal: str) -> None:
    program, words = small.program(), Vocabulary()
    sampler = Sampler(small.target(), program, 0)
    script = sampler.run(Case("arithmetic", {}, {})).script
    assert script is not None
    encoded = Encoder(words).encode(script)
    unit = Unit(small.target(), program, small.dialect(), words)
    text = unit.text() + part("pipe.c") + part("runtime.c")
    place = "narrow += tiny ;"
    assert place in text
    gcc = native.find_gcc()
    for built in native.build(gcc, text, tmp_path):
        assert native.replay(built, [encoded]) is None
    for built in native.build(gcc, text.replace(place, f"{place} {harm}"), tmp_path):
        crash = native.replay(built, [encoded, encoded])
        assert isinstance(crash, native.Crash)
        assert (crash.run, crash.signal) == (0, signal)


def test_without_gcc_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["crosscheck"]) == 3
    out, error = capsys.readouterr()
    assert not out and error.count("\n") == 1 and "no gcc" in error


@needs_gcc
def test_a_tree_that_gcc_does_not_compile_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Unit.text
    monkeypatch.setattr(Unit, "text", lambda self: text(self) + "int f(void) { return 1 +; }\n")
    with pytest.raises(BadInput, match="gcc cannot compile.*expected expression"):
        compare()


@needs_gcc
def test_a_tree_of_which_nothing_can_be_run_comes_to_an_end() -> None:
    text = small.TEXT.replace("u64 found = 0;", "u64 found = 1 / (a - a);")
    text = text.replace("s8 tiny = b;", "s8 tiny = 1 / (b - b);")
    text = text.replace("int i;", "int i = 1 / (a - a);")
    with pytest.raises(BadInput, match="hardly any run comes to its end.*division by zero"):
        compare(text)


@needs_gcc
def test_what_c_gives_no_value_is_not_compared() -> None:
    outcome = compare(small.TEXT.replace("u64 found = 0;", "u64 found;"))
    assert outcome.found is None
    assert outcome.left_out["a local variable is read before it has a value"] > 0


# A counterexample as a program ----------------------------------------------------------------


def _run(source: Path, text: str) -> subprocess.CompletedProcess[str]:
    source.write_text(text, encoding="utf-8")
    program = source.with_suffix("")
    subprocess.run(["gcc", "-w", "-fwrapv", "-funsigned-char", source, "-o", program], check=True)
    return subprocess.run([program], capture_output=True, text=True)


@needs_gcc
def test_a_program_prints_what_happens_and_the_violation(tmp_path: Path) -> None:
    program = small.program()
    case = Case(
        "call branches", {"device.current": "device.counters[1]"}, {"call branches/argument": 9}
    )
    script = Sampler(small.target(), program, 0).run(case).script
    assert script is not None
    told = next(i for i, e in enumerate(script.events) if isinstance(e, Request))
    script.events.insert(told + 1, Show('told "9" 100% of \\ what??/ it knows'))
    violation = "violation: X expected 0x1 observed 0x2"
    text = standalone(small.target(), program, small.dialect(), script, violation)
    ended = _run(tmp_path / "right.c", text)
    assert ended.stdout == f'told "9" 100% of \\ what??/ it knows\n{violation}\n'
    assert ended.returncode == 1
    assert "found | BIT ( a >> 26 )" in text
    ended = _run(tmp_path / "wrong.c", text.replace("found | BIT ( a >> 26 )", "found"))
    assert (ended.stdout, ended.returncode) == ("the compiled C does not follow the trace\n", 2)


def test_a_program_does_not_go_into_the_tree(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for path, found in ((tmp_path / "v.c", "inside the kernel tree"), (tmp_path, "inside")):
        assert main(["check", "--kernel", str(tmp_path), "--emit-c", str(path)]) == 3
        assert f"--emit-c {path}: {found}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@needs_gcc
@pytest.mark.verdicts
@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("order.fixed3-metrics.load", "violation: PERF_METRICS: "),
        ("restore.PERF_METRICS", "violation: PERF_METRICS expected 0x"),
        ("leak.host-guest", "violation: PERF_METRICS expected 0x"),
    ],
)
def test_a_counterexample_is_a_program(tmp_path: Path, name: str, last: str) -> None:
    patch = Path(models.reference.__file__).parent / "patches" / "perf-metrics-wrong-order.patch"
    emitted = tmp_path / "emitted.c"
    arguments = ["--patch", str(patch), "--property", name, "--emit-c", str(emitted)]
    assert main(["check", *arguments]) == 1
    ended = _run(tmp_path / "program.c", emitted.read_text(encoding="utf-8"))
    lines = ended.stdout.splitlines()
    assert ended.returncode == 1 and lines[-1].startswith(last)
    writes = [line for line in lines if line.startswith("WRMSR ")]
    metrics = next(i for i, line in enumerate(writes) if line.startswith("WRMSR PERF_METRICS"))
    assert any(line.startswith("WRMSR FIXED_CTR[3]") for line in writes[metrics:])


# Parts of functions ---------------------------------------------------------------------------

CUT = """
u64 f(int a, u64 b)
{
	u64 c = b + 1, *d = &c;
	int i, e = g(a);

	for (i = 0; i < 3; i++) {
		enter(a);
		b += i;
	}
	if (a)
		return c;
	else
		e = 2;
	b = c;
	enter(a, (e));
	if (b)
		b = e;
	return b + c;
}
"""


def _item(text: str) -> Item:
    tokens = lex(text, 1)
    brace = next(i for i, token in enumerate(tokens) if token[0] == "{")
    return Item("f.c", tokens, brace, True)


def _text(item: Item | None) -> str:
    assert item is not None
    return " ".join(word for word, _, _ in item.tokens)


def test_a_function_is_cut_at_a_call_of_its_own() -> None:
    before = _text(cut(_item(CUT), ".before", "enter", False, set()))
    assert before.endswith("b = c ; enter ( a , ( e ) ) ; return 0 ; }")
    assert before.startswith("u64 f ( int a , u64 b ) { u64 c = b + 1 ,")
    after = _text(cut(_item(CUT), ".after", "enter", False, {"c", "a"}))
    body = "{ u64 c = b + 1 , * d = & c ; if ( b ) b = e ; return b + c ; }"
    assert after == f"u64 f ( int a , u64 b ) {body}"
    assert cut(_item(CUT), ".after", "g", False, set()) is None
    twice = _item(CUT.replace("b = c;", "enter();"))
    assert cut(twice, ".before", "enter", False, set()) is None


@pytest.mark.parametrize(
    ("line", "before", "after"),
    [
        (15, "b = c ;", "X ;"),
        (5, "int i , e = g ( a ) ;", "X ;"),
        (11, "if ( a ) return c", "if ( X ) return c"),
        (9, "b += i ; }", "X ; }"),
        (7, "for (", "for ("),
        (99, "b = c ;", "b = c ;"),
    ],
)
def test_a_statement_that_is_not_understood_is_left_out(line: int, before: str, after: str) -> None:
    whole = _text(_item(CUT))
    assert whole.count(before) == 1
    left = _text(without(_item(CUT), line, lex("X", line)))
    assert left == whole.replace(before, after)


# Random C -------------------------------------------------------------------------------------

TYPES = ("u8", "s8", "u16", "short", "u32", "s32", "u64", "s64", "bool", "char")
LEAVES = (
    "a",
    "d->letter",
    "d->plain",
    "d->mode",
    "d->signed_field",
    "d->flags",
    "d->second",
    "d->counters[1].sign",
    "d->counters[2].kind",
    "d->counters[3].delta",
)


def expressions(seed: int) -> str:
    """The small program with a random expression in each of its functions."""
    chance = random.Random(seed)
    text = small.TEXT
    for name, before in (
        ("arithmetic", "return wide + u"),
        ("fields", "return d->signed_field"),
        ("branches", "return found;"),
    ):
        assert before in text, name
        lines = [_statement(chance, i) for i in range(6)]
        text = text.replace(before, f"{{ {' '.join(lines)} }}\n\t{before}")
    return text


def _statement(chance: random.Random, i: int) -> str:
    place = chance.choice(
        ("d->counters[%d].value", "d->counters[%d].delta", "d->counters[%d].kind")
    ) % (i % 4)
    operator = chance.choice(("=", "+=", "^=", "-=", "|="))
    return f"{place} {operator} {_expression(chance, 4)};"


def _expression(chance: random.Random, depth: int) -> str:
    if not depth or chance.random() < 0.1:
        number = chance.choice(("1", "-1", "0x7fffffff", "0xffffffffu", "1ULL << 40", "'z'", "-5L"))
        return f"({chance.choice((*LEAVES, number))})"
    one, other = _expression(chance, depth - 1), _expression(chance, depth - 1)
    form = chance.randrange(6)
    if form == 0:
        return f"(({chance.choice(TYPES)}){one})"
    if form == 1:
        return f"({chance.choice('~-!')}{one})"
    if form == 2:
        return f"({one} ? {other} : {_expression(chance, depth - 1)})"
    if form == 3:
        return f"({one} {chance.choice(('<<', '>>'))} ({other} & 7))"
    if form == 4:
        return f"({one} {chance.choice(('<', '<=', '==', '!=', '>', '>=', '&&', '||'))} {other})"
    return f"({one} {chance.choice('+-*&|^')} {other})"
