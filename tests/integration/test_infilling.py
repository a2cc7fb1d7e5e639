"""Infilling: the scores beside pass@k, and the bounds, which run programs in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from copilot_server.evaluation.benchmarks import infilling
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.types import Checked, Sample, Score, Task
from copilot_server.sandbox import Limits, ProgramResult, Sandbox, open_sandbox
from tests.support.patience import PROGRAM_S

ALL = infilling.tasks(load_problems().problems, multi_line_subset=None)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(limits=Limits(timeout_s=PROGRAM_S)) as opened:
        yield opened


def of(kind: str, tasks: Sequence[Task] = ALL) -> list[Task]:
    return [task for task in tasks if task.variant == kind]


def checked(task: Task, completion: str, *, passed: bool = False, replaced: int = 0) -> Checked:
    sample = Sample(task.task_id, 0, 0.0, completion, replaced=replaced)
    return Checked(sample, ProgramResult(passed, "" if passed else "x", 0.0))


def named(scores: Sequence[Score], name: str, variant: str) -> Score:
    return next(score for score in scores if (score.name, score.variant) == (name, variant))


class TestScores:
    def test_count_matches_of_each_variant(self, sandbox: Sandbox):
        tasks = [of("single-line")[0], of("single-line")[20], of("random-span")[0]]
        samples = [checked(task, task.canonical.strip()) for task in tasks[:1]]
        samples += [checked(task, "pass") for task in tasks[1:]]
        scores = infilling.scores(tasks, samples, sandbox)
        match = named(scores, "exact match", "single-line")
        assert (match.value, match.tasks, match.temperature) == (0.5, 2, 0.0)
        assert match.low <= 0.5 <= match.high
        assert named(scores, "exact match", "random-span").value == 0.0
        assert named(scores, "floor: canonical middle", "single-line").value == 1.0
        assert named(scores, "floor: empty middle", "single-line").value == 0.0

    @pytest.mark.parametrize(
        "every", [pytest.param(1, id="all", marks=pytest.mark.long), pytest.param(40, id="some")]
    )
    def test_floors_are_where_they_should_be(self, sandbox: Sandbox, every: int):
        scores = infilling.scores(ALL[::every], [], sandbox)
        for kind in infilling.KINDS:
            assert named(scores, "floor: canonical middle", kind).value == 1.0
            assert named(scores, "floor: empty middle", kind).value < 0.15
        # Middles of whole lines are suggested whole, except the few that open a bracket.
        assert named(scores, "ceiling: canonical middle as served", "single-line").value > 0.9
        if every == 1:
            assert round(named(scores, "floor: empty middle", "single-line").value, 3) == 0.026
