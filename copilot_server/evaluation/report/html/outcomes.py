"""What came of the samples, put in order for the page: by problem, and the failures of each task."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from copilot_server.evaluation.results import Checked, Report
from copilot_server.evaluation.tasks import Task

#: So many tasks are shown with their failures, and so many different failures of each; the rest are counted.
MAX_TASKS, MAX_FAILURES = 400, 6
#: Kinds of errors to choose among; the rarer ones go by one name. A program can raise what it likes.
_MAX_KINDS = 12
_MAX_KIND = 40
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """A completion that failed, once for all samples that have it; ``first`` is the first of them."""

    first: Checked
    times: int
    temperatures: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task: how many samples were drawn and passed, and its different failures, the most frequent first."""

    task: Task
    drawn: int
    correct: int
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A problem: its tasks' samples together, and the place among ``outcomes`` of its first failed task."""

    problem_id: str
    tasks: int
    drawn: int
    correct: int
    failed: int | None


def outcomes(report: Report) -> list[Outcome]:
    """What came of each task that has samples, in the report's order."""
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
    """The problems, in the order in which their first tasks come."""
    by_problem: defaultdict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(found):
        by_problem[one.task.problem_id].append(place)
    return [
        Cell(
            problem_id,
            len(places),
            sum(found[place].drawn for place in places),
            sum(found[place].correct for place in places),
            next((place for place in places if found[place].failures), None),
        )
        for problem_id, places in by_problem.items()
    ]


def kind_of(error: str) -> str:
    """An error without what it says, as ``NameError``."""
    return error.partition(":")[0].strip()[:_MAX_KIND] or OTHER


def common_kinds(report: Report) -> list[tuple[str, int]]:
    """The kinds of errors and how many samples failed by each, the most frequent first."""
    kinds = Counter(kind_of(one.result.error) for one in report.samples if not one.passed)
    most = [(kind, times) for kind, times in kinds.most_common(_MAX_KINDS) if kind != OTHER]
    rest = kinds.total() - sum(times for _, times in most)
    return [*most, *([(OTHER, rest)] if rest else [])]


def differing(report: Report) -> list[Checked]:
    """The samples of which the original harness's rules and ours say different things."""
    return [one for one in report.samples if one.upstream is not None and one.upstream.passed != one.passed]
