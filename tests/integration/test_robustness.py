"""Robustness: the canonical solutions of changed prompts pass in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from copilot_server.evaluation.benchmarks import robustness
from copilot_server.evaluation.problems import load_problems
from copilot_server.sandbox import Check, Limits, Sandbox, open_sandbox
from tests.support.patience import PROGRAM_S

ALL = robustness.tasks(load_problems().problems)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(limits=Limits(timeout_s=PROGRAM_S)) as opened:
        yield opened


@pytest.mark.parametrize("check", ["strict", "upstream"])
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.long), 5])
def test_canonical_solutions_pass(sandbox: Sandbox, check: Check, every: int):
    chosen = ALL[::every]
    running = [sandbox.submit(task.program(task.canonical), check=check) for task in chosen]
    failed = [
        (task.task_id, one.result().error)
        for task, one in zip(chosen, running, strict=True)
        if not one.result().passed
    ]
    assert failed == []


def test_a_wrong_completion_fails_each_variant(sandbox: Sandbox):
    wrong = [task.program("qqq + 1\n") for task in ALL if task.problem_id == "HumanEval/0"]
    assert len(wrong) == 8
    assert not any(sandbox.submit(program).result().passed for program in wrong)


def test_ceiling_is_what_a_perfect_model_gets_as_served(sandbox: Sandbox):
    tasks = [one for one in ALL if one.problem_id in {"HumanEval/0", "HumanEval/1", "HumanEval/2"}]
    scores = robustness.scores(tasks, [], sandbox)
    ceilings = {one.variant: one.value for one in scores if one.name == "ceiling: canonical as served"}
    assert {ceilings[name] for name in robustness.VARIANTS if name != "mid-word"} == {1.0}
    # There a suggestion is a single line, which is enough for HumanEval/2 only.
    assert 0 < ceilings["mid-word"] <= 1
