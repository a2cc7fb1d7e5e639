"""Choosing among samples by the examples in their prompts: the real sandbox and the real command line."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from copilot_server.errors import ConfigError
from copilot_server.evaluation.benchmarks import BENCHMARKS
from copilot_server.evaluation.options import SelftestOptions, check_options
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.report.console import print_report
from copilot_server.evaluation.report.html import render
from copilot_server.evaluation.report.json_report import from_json, read_report, to_json
from copilot_server.evaluation.scores import VERIFIED, scores_of, verified_scores
from copilot_server.evaluation.types import Checked, Report, Sample, Task, Verification
from copilot_server.evaluation.verification import Position, Verifier, Wanted
from copilot_server.sandbox import ProgramResult, Sandbox, open_sandbox
from tests.support.reports import of_samples

COMMAND = [str(Path(sys.executable).with_name("copilot-server"))]
PROMPT = '''def twice(x):
    """Return x doubled.

    >>> twice(2)
    4
    >>> twice("a")
    'aa'
    """
'''
SILENT = 'def thrice(x):\n    """Return x three times."""\n'
RIGHT, WRONG, HALF = "    return x + x\n", "    return 5\n", "    return x * x if x == 2 else 3\n"
POSITIONS = {"a": Position(PROMPT, ""), "b": Position(PROMPT, ""), "silent": Position(SILENT, "")}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as opened:
        yield opened


def sample(task: str, text: str, index: int = 0, temperature: float = 0.8, logprob: float = -0.5) -> Sample:
    return Sample(task, index, temperature, text, mean_logprob=logprob, tokens=4)


def greedy(task: str, text: str) -> Sample:
    return sample(task, text, temperature=0.0)


def hidden(samples: list[Sample], *, passed: bool) -> list[Checked]:
    return [Checked(one, ProgramResult(passed, "" if passed else "AssertionError", 0.1)) for one in samples]


def drawn_until_done(sandbox: Sandbox, *, passed: bool) -> tuple[list[list[Wanted]], Verification]:
    """Draw for three tasks, of which the second gets no right sample; the hidden tests all say the same."""
    samples = [greedy("a", WRONG), greedy("b", HALF), greedy("silent", WRONG)]
    rounds = []
    with Verifier(POSITIONS, sandbox, 8) as verifier:
        verifier.submit(samples)
        while wanted := verifier.more():
            rounds.append(wanted)
            new = [
                sample(one.task_id, RIGHT if one.task_id == "a" and index == 1 else WRONG, index)
                for one in wanted
                for index in range(one.first, one.first + one.count)
            ]
            verifier.submit(new)
            samples += new
        return rounds, verifier.verification(hidden(samples, passed=passed))


def test_more_is_drawn_only_where_an_example_fails_and_until_one_passes(sandbox: Sandbox):
    rounds, verification = drawn_until_done(sandbox, passed=True)
    assert rounds == [
        [Wanted("a", 0.8, 0, 3), Wanted("b", 0.8, 0, 3)],
        [Wanted("b", 0.8, 3, 4)],
    ]
    by_task = {one.task_id: one for one in verification.choices}
    assert {name: len(one.draws) for name, one in by_task.items()} == {"a": 4, "b": 8, "silent": 1}
    assert by_task["a"].choice.checked.sample.completion == RIGHT
    assert by_task["a"].choice.outcome == "passed"
    # Of those that fail, the one that fails least.
    assert by_task["b"].choice.checked.sample.completion == HALF
    assert by_task["b"].choice.outcome == "failed"
    assert [one.verdict for one in by_task["b"].choice.examples] == ["passed", "failed"]
    assert by_task["silent"].choice.examples == ()
    assert by_task["silent"].choice.outcome == "not checked"


def test_what_the_hidden_tests_say_changes_no_choice(sandbox: Sandbox):
    chosen = [
        [(one.task_id, one.chosen) for one in drawn_until_done(sandbox, passed=passed)[1].choices]
        for passed in (True, False)
    ]
    assert chosen[0] == chosen[1]


def test_a_sample_gets_the_import_that_it_lacked_and_costs_no_other(sandbox: Sandbox):
    text = "    return math.prod((2, x)) if x == 2 else x + x\n"
    drawn = greedy("a", text)
    with Verifier({"a": Position(PROMPT, "")}, sandbox, 8) as verifier:
        verifier.submit([drawn])
        assert verifier.more() == []
        mended = verifier.with_added_imports()
        assert mended == [replace(drawn, completion=f"    import math\n{text}", has_added_imports=True)]
        # The hidden test is asked about both: pass@1 is about the one without the import.
        checked = [*hidden([drawn], passed=False), *hidden(mended, passed=True)]
        (choice,) = verifier.verification(checked).choices
    assert [one.checked.passed for one in choice.draws] == [True]
    assert choice.choice.outcome == "passed"


@pytest.fixture(scope="module")
def report(sandbox: Sandbox) -> Report:
    _, verification = drawn_until_done(sandbox, passed=True)
    *others, last = verification.choices
    (draw,) = last.draws
    lacking = replace(draw.checked, sample=replace(draw.checked.sample, has_added_imports=True))
    last = replace(last, draws=(replace(draw, checked=lacking),))
    verification = replace(verification, choices=(*others, last))
    tasks = [Task(name, name, one.prefix, "", "", "twice", "") for name, one in POSITIONS.items()]
    first = [one.draws[0].checked for one in verification.choices]
    made = of_samples(tasks, first)
    scores = (*scores_of(tasks, first), *verified_scores(tasks, verification))
    return replace(made, scores=scores, verification=verification)


def test_the_score_has_a_name_of_its_own(report: Report):
    named = {one.name: one for one in report.scores}
    assert named[VERIFIED].value == 1.0
    assert named[VERIFIED].note == "4.33 samples a task, at most 8"
    assert to_json(report)["pass_at_k"] == {"0": {"1": 1.0}}


def test_a_report_with_verdicts_can_be_read_back(report: Report):
    assert from_json(json.loads(json.dumps(to_json(report)))) == report


def test_the_page_and_the_terminal_show_examples_and_verdicts(
    report: Report, capsys: pytest.CaptureFixture[str]
):
    page = render(report)
    assert "twice(2)" in page
    assert "Of 3 tasks, 2 have an example" in page
    print_report(report)
    said = capsys.readouterr().out
    assert "checked in 2 of 3 tasks" in said
    assert "13 samples, 4.33 a task" in said
    assert "added to 1 of the samples" in said


def selftest(
    model: Path | str, *arguments: str, benchmark: str = "humaneval"
) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "--model", str(model), "--selftest", benchmark, "--offline", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (SelftestOptions(verify=True, raw=True), "not from the bare model"),
        (SelftestOptions(verify=True, samples=4), "one greedy sample"),
        (SelftestOptions(verify=True, temperatures=(0.2,)), "one greedy sample"),
        (SelftestOptions(verify=True, samples_file=Path("x.jsonl")), "not from a samples file"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: SelftestOptions, said: str):
    with pytest.raises(ConfigError, match=said):
        check_options(options, BENCHMARKS)
    check_options(SelftestOptions(verify=True), BENCHMARKS)


@pytest.mark.model
@pytest.mark.slow
def test_nonsense_for_hidden_tests_gives_the_same_choices(tmp_path: Path):
    """The whole run, twice: with the real tests, and with tests that every solution fails."""
    problems = load_problems().problems[:6]
    choices = []
    for name, test in (("real", None), ("nonsense", "def check(candidate):\n    assert candidate is None\n")):
        file, out = tmp_path / f"{name}.jsonl.gz", tmp_path / f"{name}.json"
        lines = [json.dumps({**vars_of(one), **({"test": test} if test else {})}) for one in problems]
        file.write_bytes(gzip.compress("\n".join(lines).encode()))
        done = selftest(
            "qwen2.5-coder-0.5b", "--verify", "--verify-samples", "4", "--data", str(file), "--json", str(out)
        )
        assert done.returncode == 0, done.stderr
        verification = read_report(out).verification
        assert verification is not None
        choices.append([(one.task_id, one.choice.checked.sample.completion) for one in verification.choices])
        passed = sum(one.choice.checked.passed for one in verification.choices)
        assert (passed > 0) == (test is None)
    assert choices[0] == choices[1]


@pytest.mark.model
@pytest.mark.slow
def test_middles_are_checked_in_the_code_around_them(tmp_path: Path):
    """Of a body of two lines the first, both, or the second is missing."""
    problem = next(one for one in load_problems().problems if one.task_id == "HumanEval/4")
    file, out = tmp_path / "problems.jsonl", tmp_path / "out.json"
    file.write_text(json.dumps(vars_of(problem)), "utf-8")
    done = selftest(
        "qwen2.5-coder-0.5b",
        *("--variant", "multi-line", "--verify", "--verify-samples", "4"),
        *("--data", str(file), "--json", str(out)),
        benchmark="infilling",
    )
    assert done.returncode == 0, done.stderr
    report = read_report(out)
    assert report.verification is not None
    assert len(report.verification.choices) == len(report.tasks) > 0
    for choice in report.verification.choices:
        assert all(draw.examples for draw in choice.draws)
        assert choice.choice.outcome != "not checked"
    assert [one.variant for one in report.scores if one.name == VERIFIED] == ["multi-line"]


def vars_of(problem: object) -> dict[str, str]:
    names = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
    return {name: getattr(problem, name) for name in names}
