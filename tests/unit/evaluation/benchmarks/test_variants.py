"""Variants of the same problems, paired by problem."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copilot_server.evaluation.benchmarks.variants import (
    as_variant,
    by_temperature,
    difference,
    gained_and_lost,
    pairs,
)
from copilot_server.evaluation.types import Checked
from tests.support.reports import checked, humaneval_tasks

PLAIN, OTHER = "plain", "other"
TASKS = [as_variant(task, name) for name in (PLAIN, OTHER) for task in humaneval_tasks()[:10]]


def samples(failing: set[str], temperature: float = 0.0) -> list[Checked]:
    return [checked(task, 0, temperature, failure=0 if task.task_id in failing else None) for task in TASKS]


def cells(failing: set[str]):
    ((_, found),) = by_temperature(TASKS, samples(failing))
    return found


def test_a_variant_has_a_task_of_its_own_for_each_problem():
    first = TASKS[10]
    assert (first.task_id, first.problem_id, first.variant) == ("HumanEval/0/other", "HumanEval/0", "other")
    assert replace(first, task_id="HumanEval/0", variant="") == humaneval_tasks()[0]


def test_temperatures_are_kept_apart():
    found = list(by_temperature(TASKS, samples(set(), 0.2) + samples(set(), 0.8)))
    assert [temperature for temperature, _ in found] == [0.2, 0.8]
    assert [list(variants) for _, variants in found] == [[PLAIN, OTHER]] * 2


def test_a_difference_is_paired():
    found = cells({f"HumanEval/{n}/other" for n in range(4)} | {"HumanEval/9/plain"})
    score = difference("drop", found, OTHER, PLAIN)
    assert score is not None
    assert (score.name, score.variant, score.tasks) == ("drop", OTHER, 10)
    assert score.value == pytest.approx(0.3)
    assert score.note.startswith("gained 1, lost 4 of 10; exact McNemar test: p = ")
    assert gained_and_lost(pairs(found, OTHER, PLAIN)) == "gained 1, lost 4 of 10"


def test_without_common_problems_there_is_no_difference():
    found = {PLAIN: cells(set())[PLAIN], OTHER: {}}
    assert difference("drop", found, OTHER, PLAIN) is None
