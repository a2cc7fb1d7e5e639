"""The verdicts as the page orders them."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.evaluation.report.html.outcomes import (
    OTHER,
    Cell,
    cells,
    common_kinds,
    differing,
    kind_of,
    outcomes,
)
from copilot_server.evaluation.types import Checked
from copilot_server.sandbox import ProgramResult
from tests.support.reports import checked, humaneval_tasks, of_samples

TASKS = humaneval_tasks()[:3]


def test_equal_failures_are_counted_once_and_the_most_frequent_come_first():
    samples = [
        checked(TASKS[0], 0, 0.2, failure=1),
        checked(TASKS[0], 1, 0.2, failure=0),
        *(replace(one, sample=replace(one.sample, completion="x")) for one in _three_alike()),
        checked(TASKS[0], 5, 0.2),
        checked(TASKS[1], 0, 0.2),
    ]
    first, second = outcomes(of_samples(TASKS, samples))
    assert (first.samples, first.correct, [failure.times for failure in first.failures]) == (6, 1, [3, 1, 1])
    assert first.failures[0].temperatures == (0.2, 0.8)
    assert (second.samples, second.correct, second.failures) == (1, 1, ())


def _three_alike() -> list[Checked]:
    return [checked(TASKS[0], index, at, failure=0) for index, at in ((2, 0.2), (3, 0.2), (0, 0.8))]


def test_a_cell_has_all_tasks_of_a_problem():
    variants = [replace(TASKS[0], task_id=name) for name in ("a", "b")]
    report = of_samples(variants, [checked(variants[0], 0, 0.0), checked(variants[1], 0, 0.0, failure=0)])
    assert cells(outcomes(report)) == [Cell("HumanEval/0", 2, 2, 1, 1)]


def test_rare_kinds_of_errors_share_a_name():
    assert kind_of("NameError: x") == "NameError"
    assert kind_of(" : x") == OTHER
    many = [checked(TASKS[0], index, 0.0, failure=0) for index in range(15)]
    many = [
        replace(one, result=replace(one.result, error=f"Error{number:02}"))
        for number, one in enumerate([*many, many[0]])
    ]
    kinds = dict(common_kinds(of_samples(TASKS[:1], many)))
    assert kinds.pop(OTHER) == 4
    assert len(kinds) == 12


def test_differing_samples_are_those_with_two_verdicts():
    same = checked(TASKS[0], 0, 0.0, failure=0)
    other = replace(
        checked(TASKS[1], 0, 0.0, failure=0), upstream=ProgramResult(passed=True, error="", wall_s=0)
    )
    assert differing(of_samples(TASKS, [same, other, replace(same, upstream=None)])) == [other]
