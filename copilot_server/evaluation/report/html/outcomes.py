"""The verdicts ordered for the page: by problem, and the failures of each task."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from copilot_server.evaluation.types import Checked, Report, Task

#: The most tasks that are shown with their failures, and the most failures of each. The rest is counted.
MAX_TASKS, MAX_FAILURES = 400, 6
#: The most kinds of errors to choose from, since a program can raise anything. The others share one name.
_MAX_KINDS = 12
_MAX_KIND = 40
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """A completion that failed, and the number of samples that have it; ``first`` is the first of them."""

    first: Checked
    times: int
    temperatures: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task with its numbers of samples and of passes, and its different failures by falling frequency."""

    task: Task
    samples: int
    correct: int
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A problem: the samples of all its tasks, and the index in ``outcomes`` of its first failed task."""

    problem_id: str
    tasks: int
    samples: int
    correct: int
    failed: int | None


def outcomes(report: Report) -> list[Outcome]:
    """Return the outcome of each task that has samples, in the report's order."""
    by_task: defaultdict[str, list[Checked]] = defaultdict(list)
    for one in report.samples:
        by_task[one.sample.task_id].append(one)
    return [_outcome(task, by_task[task.task_id]) for task in report.tasks if task.task_id in by_task]


def _outcome(task: Task, samples: list[Checked]) -> Outcome:
    alike: defaultdict[tuple[str, int, str], list[Checked]] = defaultdict(list)
    for one in samples:
        if not one.passed:
            alike[one.sample.completion, one.sample.replaced, one.result.error].append(one)
    failures = [
        Failure(
            same[0],
            len(same),
            tuple(sorted({one.sample.temperature for one in same if one.sample.temperature is not None})),
        )
        for same in sorted(alike.values(), key=len, reverse=True)
    ]
    return Outcome(task, len(samples), sum(one.passed for one in samples), tuple(failures))


def cells(found: list[Outcome]) -> list[Cell]:
    """Return the problems, in the order of their first tasks."""
    by_problem: defaultdict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(found):
        by_problem[one.task.problem_id].append(index)
    return [
        Cell(
            problem_id,
            len(indices),
            sum(found[index].samples for index in indices),
            sum(found[index].correct for index in indices),
            next((index for index in indices if found[index].failures), None),
        )
        for problem_id, indices in by_problem.items()
    ]


def kind_of(error: str) -> str:
    """Return the kind of an error without its message, such as ``NameError``."""
    return error.partition(":")[0].strip()[:_MAX_KIND] or OTHER


def common_kinds(report: Report) -> list[tuple[str, int]]:
    """Return the kinds of errors with their numbers of samples, the most frequent first."""
    kinds = Counter(kind_of(one.result.error) for one in report.samples if not one.passed)
    most = [(kind, times) for kind, times in kinds.most_common(_MAX_KINDS) if kind != OTHER]
    rest = kinds.total() - sum(times for _, times in most)
    return [*most, *([(OTHER, rest)] if rest else [])]


def differing(report: Report) -> list[Checked]:
    """Return the samples with different verdicts by the rules of the original harness and by ours."""
    return [one for one in report.samples if one.upstream is not None and one.upstream.passed != one.passed]
