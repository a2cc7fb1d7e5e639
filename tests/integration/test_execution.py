"""Checking samples in the real sandbox while sampling continues."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from copilot_server.evaluation.execution import Checker
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.types import Checked, Sample, Task
from copilot_server.sandbox import Limits, Sandbox, open_sandbox
from tests.support.patience import PATIENCE_S

LIMITS = Limits(timeout_s=PATIENCE_S)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as opened:
        yield opened


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return [problem.task() for problem in load_problems().problems]


def check_all(sandbox: Sandbox, tasks: list[Task], completions: list[str], check: str) -> list[Checked]:
    checker = Checker(tasks, sandbox, check, LIMITS, lambda _: None)
    samples = enumerate(zip(tasks, completions, strict=True))
    checker.submit([Sample(task.task_id, index, 0.0, completion) for index, (task, completion) in samples])
    return checker.results()


@pytest.mark.parametrize("check", ["strict", "upstream"])
def test_canonical_solutions_pass_164_of_164(sandbox: Sandbox, tasks: list[Task], check: str):
    results = check_all(sandbox, tasks, [task.canonical for task in tasks], check)
    assert [one.sample.task_id for one in results if not one.passed] == []
    assert [one.sample.task_id for one in results] == [task.task_id for task in tasks]
    if check == "strict":
        assert all(one.upstream and one.upstream.passed for one in results)
    else:
        assert all(one.upstream is None for one in results)


@pytest.mark.parametrize("check", ["strict", "upstream"])
def test_empty_completions_fail(sandbox: Sandbox, tasks: list[Task], check: str):
    results = check_all(sandbox, tasks[:20], [""] * 20, check)
    assert not any(one.passed for one in results)
    assert "assert candidate(" in results[0].result.assertion + results[0].result.error


@pytest.mark.parametrize(
    "cheat",
    [
        "    pass\n\ndef check(candidate):\n    pass\n",
        "    pass\n\nimport sys\nsys.exit(0)\n",
        "    pass\n\nimport os\nos._exit(0)\n",
        "    raise SystemExit(0)\n",
        "    pass\n\nprint('passed')\nraise SystemExit\n",
    ],
)
def test_cheats_fail_and_pass_with_a_right_body(sandbox: Sandbox, tasks: list[Task], cheat: str):
    harmless = tasks[0].canonical + "\n\ndef check(candidate):\n    raise ValueError\n"
    results = check_all(sandbox, [tasks[0]] * 2, [cheat, harmless], "strict")
    assert [one.passed for one in results] == [False, True]


def test_verdicts_on_which_the_checks_differ_are_kept(sandbox: Sandbox, tasks: list[Task]):
    always = (
        "    class Yes:\n        def __eq__(self, other): return True\n"
        "        def __ne__(self, other): return False\n    return Yes()\n"
    )
    (one,) = check_all(sandbox, tasks[:1], [always], "strict")
    assert not one.passed
    assert one.upstream is not None
    assert one.upstream.passed


def test_identical_programs_run_once(sandbox: Sandbox, tasks: list[Task]):
    results = check_all(
        sandbox, [tasks[0]] * 3, ["    return 1\n", "    return 1\n", "    return 2\n"], "strict"
    )
    assert results[0].result is results[1].result
    assert results[0].result is not results[2].result
    assert [one.sample.index for one in results] == [0, 1, 2]


def test_a_completion_may_replace_what_follows_it(sandbox: Sandbox):
    task = Task("t", "t", "def f():\n    return (1", "))\n", "", "f", "def check(f):\n    assert f() == 1\n")
    checker = Checker([task], sandbox, "strict", LIMITS, lambda _: None)
    checker.submit([Sample("t", index, 0.0, "", replaced=replaced) for index, replaced in enumerate([1, 0])])
    assert [one.passed for one in checker.results()] == [True, False]


def test_verdicts_are_reported_while_programs_are_still_submitted(sandbox: Sandbox, tasks: list[Task]):
    first = threading.Event()
    reported: list[Checked] = []

    def on_checked(one: Checked) -> None:
        reported.append(one)
        first.set()

    checker = Checker(tasks, sandbox, "strict", LIMITS, on_checked)
    checker.submit([Sample(tasks[0].task_id, 0, 0.0, tasks[0].canonical)])
    assert first.wait(timeout=PATIENCE_S), "the first verdict did not come before the second program"
    checker.submit([Sample(tasks[1].task_id, 0, 0.0, "")])
    assert [one.passed for one in checker.results()] == [True, False]
    assert [one.passed for one in reported] == [True, False]


def test_results_are_in_the_order_of_tasks_temperatures_and_indices(sandbox: Sandbox, tasks: list[Task]):
    checker = Checker(tasks[:2], sandbox, "upstream", LIMITS, lambda _: None)
    keys = [(1, 0.0, 0), (0, 0.8, 1), (0, 0.8, 0), (0, 0.2, 0), (0, None, 0)]
    checker.submit([Sample(tasks[task].task_id, index, at, "") for task, at, index in keys])
    results = [one.sample for one in checker.results()]
    assert [(one.task_id, one.temperature, one.index) for one in results] == [
        (tasks[0].task_id, None, 0),
        (tasks[0].task_id, 0.2, 0),
        (tasks[0].task_id, 0.8, 0),
        (tasks[0].task_id, 0.8, 1),
        (tasks[1].task_id, 0.0, 0),
    ]
