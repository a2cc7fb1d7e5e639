"""Comparing two runs: the rows, the warnings, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from copilot_server.errors import DataError
from copilot_server.evaluation.compare import compare
from copilot_server.evaluation.paired import mcnemar_exact
from copilot_server.evaluation.types import Report
from tests.support.reports import a_report, checked, humaneval_tasks, of_samples

TASKS = humaneval_tasks()[:40]


def _report(
    passed: Sequence[int], *, temperature: float | None = 0.0, tasks: Sequence[object] = TASKS
) -> Report:
    """A run with one sample of each task, which solves the tasks at these indices."""
    drawn = [
        checked(task, 0, temperature, failure=None if index in passed else 0)
        for index, task in enumerate(tasks)
    ]
    return of_samples(tasks, drawn, temperatures=() if temperature is None else (temperature,))


def test_the_difference_is_of_pairs():
    found = compare(_report(range(20)), _report(range(2, 30)))
    (row,) = found.rows
    assert (row.pass_at_1_a, row.pass_at_1_b) == (0.5, 0.7)
    assert row.difference.value == pytest.approx(0.2)
    assert row.difference.p_value == mcnemar_exact(10, 2)
    assert row.gained == tuple(f"HumanEval/{i}" for i in range(20, 30))
    assert row.lost == ("HumanEval/0", "HumanEval/1")
    assert found.warnings == ()
    assert not found.worse


def test_a_run_beside_itself_does_not_differ():
    report = a_report(samples=5, temperatures=(0.2, 0.8))
    found = compare(report, report)
    assert [(row.temperature_a, row.temperature_b) for row in found.rows] == [(0.2, 0.2), (0.8, 0.8)]
    for row in found.rows:
        assert (row.difference.value, row.difference.low, row.difference.high) == (0, 0, 0)
        assert row.difference.p_value == 1.0
        assert row.gained == row.lost == ()


def test_several_rows_are_more_chances_to_look_worse():
    def both(passed: Sequence[int]) -> Report:
        tasks = [
            replace(task, task_id=f"{task.task_id}/{v}", variant=v) for v in ("x", "y") for task in TASKS
        ]
        return _report([*passed, *range(40, 80)], tasks=tasks)

    found = compare(both(range(40)), both(range(6, 40)))
    assert [row.variant for row in found.rows] == ["x", "y"]
    assert found.rows[0].difference.p_value == mcnemar_exact(0, 6)
    assert found.rows[1].difference.value == 0
    assert not found.worse
    assert compare(both(range(40)), both(range(7, 40))).worse


def test_runs_over_other_tasks_are_compared_over_those_that_both_have():
    found = compare(_report(range(20)), _report(range(5), tasks=TASKS[:10]))
    (row,) = found.rows
    assert row.difference.tasks == 10
    assert (row.pass_at_1_a, row.pass_at_1_b) == (1.0, 0.5)
    assert found.warnings == ("The runs have 40 and 10 tasks; the 10 that both have are compared.",)


def test_what_else_differs_is_said():
    a = _report(range(20))
    other = replace(a.protocol, check="upstream", prompt="causal", max_new_tokens=512, data="HumanEval+")
    changed = [replace(TASKS[0], test="def check(candidate): pass\n"), *TASKS[1:]]
    b = replace(_report(range(20), temperature=0.8, tasks=changed), protocol=other)
    warnings = " ".join(compare(a, b).warnings)
    for said in (
        "1 of the tasks have other prompts or tests, the first is 'HumanEval/0'",
        "check differs: 'strict' and 'upstream'",
        "prompt differs: 'chat-prefill' and 'causal'",
        "max_new_tokens differs: 256 and 512",
        "data differs: 'HumanEval' and 'HumanEval+'",
        "The temperature differs: 0 and 0.8",
    ):
        assert said in warnings


def test_runs_that_share_nothing_are_refused():
    with pytest.raises(
        DataError, match=r"no task in common: one is 'humaneval' over 40 tasks .*HumanEval/100"
    ):
        compare(_report(()), _report((), tasks=humaneval_tasks()[100:120]))
    grid, cold = a_report(TASKS, samples=2, temperatures=(0.2, 0.8)), _report(())
    with pytest.raises(DataError, match=r"no temperature in common: 0\.2, 0\.8 and 0\."):
        compare(grid, cold)
    with pytest.raises(DataError, match="no temperature in common"):
        compare(cold, replace(cold, samples=()))


def test_samples_of_no_known_temperature_are_compared():
    found = compare(_report(range(20), temperature=None), _report(range(21), temperature=None))
    assert found.rows[0].gained == ("HumanEval/20",)
