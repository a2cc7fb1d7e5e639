"""Buggy context: the same functions with and without bugs, which their own tests find in the sandbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from copilot_server.errors import DataError
from copilot_server.evaluation.benchmarks import buggy_context
from copilot_server.evaluation.benchmarks.buggy_context import Example, examples
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.types import Checked, Sample, Task
from copilot_server.sandbox import Limits, ProgramResult, Sandbox, open_sandbox

#: Some functions with a bug never end. This is enough time for the others, even on a busy machine.
LIMITS = Limits(timeout_s=10.0)
PROBLEMS = load_problems().problems
BY_ID = {problem.task_id: problem for problem in PROBLEMS}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(limits=LIMITS) as opened:
        yield opened


@pytest.fixture(scope="module")
def pool(sandbox: Sandbox) -> list[Example]:
    return examples(PROBLEMS, sandbox)


@pytest.fixture(scope="module")
def tasks(sandbox: Sandbox) -> list[Task]:
    return buggy_context.tasks(PROBLEMS, sandbox)


class TestExamples:
    def test_there_are_many_and_each_differs_from_its_twin_at_one_position(self, pool: list[Example]):
        assert len(pool) > 100
        for example in pool:
            right, wrong = example.correct.splitlines(), example.buggy.splitlines()
            assert len(right) == len(wrong)
            assert sum(a != b for a, b in zip(right, wrong, strict=True)) == 1

    def test_own_test_tells_them_apart(self, pool: list[Example], sandbox: Sandbox):
        for example in pool[::10]:
            problem = BY_ID[example.problem_id]
            right, wrong = (
                sandbox.submit(replace(problem.task(), prefix=text).program("")).result()
                for text in (example.correct, example.buggy)
            )
            assert right.passed
            assert wrong.error.startswith("AssertionError")


class TestTasks:
    def test_each_problem_three_times(self, tasks: list[Task]):
        assert Counter(task.variant for task in tasks) == {
            "no context": 164,
            "correct context": 164,
            "buggy context": 164,
        }
        assert len({task.task_id for task in tasks}) == len(tasks)

    def test_contexts_are_the_same_functions(self, tasks: list[Task], pool: list[Example]):
        bare, correct, buggy = (
            {task.problem_id: task for task in tasks if task.variant == variant}
            for variant in (buggy_context.NONE, buggy_context.CORRECT, buggy_context.BUGGY)
        )
        for name, problem in BY_ID.items():
            assert bare[name].prefix == problem.prompt
            assert correct[name].prefix.endswith(f"\n\n\n{problem.prompt}")
            right = {one.problem_id for one in pool if one.correct.strip() in correct[name].prefix}
            wrong = {one.problem_id for one in pool if one.buggy.strip() in buggy[name].prefix}
            assert right == wrong
            assert len(right) == 2
            assert name not in right
            assert max(len(correct[name].prefix), len(buggy[name].prefix)) <= buggy_context.MAX_CHARACTERS

    def test_a_seed_gives_the_same_tasks_and_another_gives_others(self, tasks: list[Task], sandbox: Sandbox):
        assert buggy_context.tasks(PROBLEMS, sandbox) == tasks
        other = buggy_context.tasks(PROBLEMS, sandbox, seed=1)
        same = sum(a == b for a, b in zip(tasks[164:], other[164:], strict=True))
        assert same < 10

    def test_canonical_solutions_pass_under_any_context(self, tasks: list[Task], sandbox: Sandbox):
        for check in ("strict", "upstream"):
            chosen = tasks[164:]
            running = [sandbox.submit(task.program(task.canonical), check=check) for task in chosen]
            assert [one.result().error for one in running if not one.result().passed] == []

    def test_too_few_functions_are_an_error(self, sandbox: Sandbox):
        with pytest.raises(DataError, match="No function fits above HumanEval/0"):
            buggy_context.tasks(PROBLEMS[:1], sandbox)


def test_gap_is_paired(tasks: list[Task]):
    failing = {f"HumanEval/{n}/buggy context" for n in range(8)} | {"HumanEval/9/correct context"}
    checked = [
        Checked(
            Sample(task.task_id, 0, 0.0, "x"),
            ProgramResult(task.task_id not in failing, "x" * (task.task_id in failing), 0.0),
        )
        for task in tasks
    ]
    (gap,) = buggy_context.scores(tasks, checked)
    assert gap.value == pytest.approx(7 / 164)
    assert gap.low < gap.value < gap.high
    assert gap.variant == "buggy context"
    assert gap.note == "gained 1, lost 8 of 164; exact McNemar test: p = 0.039"
