"""Two runs over the same tasks: how much they differ, and on which tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from copilot_server.errors import DataError
from copilot_server.evaluation.paired import Pair, PairedDifference, paired_difference
from copilot_server.evaluation.types import Report, Task

SIGNIFICANCE = 0.05

#: A difference is the model's only if these are the same in both runs.
_SETTINGS = ("benchmark", "data", "prompt", "check", "top_p", "max_new_tokens", "dtype", "sandbox")
#: The texts that identify a task. Its canonical solution does not change a score.
_TASK_TEXTS = ("prefix", "suffix", "test", "entry_point", "setup")

Tallies = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Row:
    """One part of both runs: a variant at a temperature of each, which is None if the samples do not say.

    Attributes:
        gained: the tasks that the second run passed at least once and the first never.
        lost: the reverse.
    """

    variant: str
    temperature_a: float | None
    temperature_b: float | None
    pass_at_1_a: float
    pass_at_1_b: float
    difference: PairedDifference
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side. ``warnings`` names other differences that may explain those of the scores."""

    rows: tuple[Row, ...]
    warnings: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Whether the second run is significantly worse in a row, with Bonferroni's correction."""
        return any(
            row.difference.value < 0
            and row.difference.p_value is not None
            and row.difference.p_value * len(self.rows) < SIGNIFICANCE
            for row in self.rows
        )


def compare(a: Report, b: Report) -> Comparison:
    """Compare two runs over the tasks that both have.

    Raises:
        DataError: they share no task or no temperature.
    """
    tasks = _shared_tasks(a, b)
    rows = [
        _row(variant, group, temperatures, (a, b))
        for temperatures in _temperatures(a, b)
        for variant, group in _by_variant(tasks).items()
    ]
    return Comparison(tuple(row for row in rows if row is not None), tuple(_warnings(a, b, tasks)))


def _shared_tasks(a: Report, b: Report) -> list[Task]:
    ids_b = {task.task_id for task in b.tasks}
    shared = [task for task in a.tasks if task.task_id in ids_b]
    if shared:
        return shared
    raise DataError(
        f"The runs have no task in common: one is {_description(a)}, the other {_description(b)}.",
        remedy="Compare runs of one benchmark over one problem set.",
    )


def _description(report: Report) -> str:
    first = repr(report.tasks[0].task_id) if report.tasks else "none"
    asked = report.protocol
    return f"{asked.benchmark!r} over {len(report.tasks)} tasks of {asked.data!r} (first {first})"


def _temperatures(a: Report, b: Report) -> list[tuple[float | None, float | None]]:
    """Return the temperatures of both runs in pairs that are compared."""
    of_a, of_b = (list(dict.fromkeys(one.sample.temperature for one in report.samples)) for report in (a, b))
    shared = [one for one in of_a if one in of_b]
    if shared:
        return [(one, one) for one in shared]
    if len(of_a) == len(of_b) == 1:
        return [(of_a[0], of_b[0])]
    listed = " and ".join(", ".join(map(degrees, ones)) or "no samples" for ones in (of_a, of_b))
    raise DataError(f"The runs have no temperature in common: {listed}.", remedy="Run both at one of them.")


def _by_variant(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    variants: defaultdict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        variants[task.variant].append(task)
    return dict(variants)


def _row(
    variant: str,
    tasks: Sequence[Task],
    temperatures: tuple[float | None, float | None],
    reports: tuple[Report, Report],
) -> Row | None:
    of_a, of_b = (_tallies(report, at) for report, at in zip(reports, temperatures, strict=True))
    both = [task for task in tasks if task.task_id in of_a and task.task_id in of_b]
    if not both:
        return None
    pairs = [Pair(task.problem_id, *of_a[task.task_id], *of_b[task.task_id]) for task in both]
    passed = [(task.task_id, of_a[task.task_id][1] > 0, of_b[task.task_id][1] > 0) for task in both]
    return Row(
        variant,
        *temperatures,
        sum(pair.correct_a / pair.samples_a for pair in pairs) / len(pairs),
        sum(pair.correct_b / pair.samples_b for pair in pairs) / len(pairs),
        paired_difference(pairs),
        gained=tuple(name for name, in_a, in_b in passed if in_b and not in_a),
        lost=tuple(name for name, in_a, in_b in passed if in_a and not in_b),
    )


def _tallies(report: Report, temperature: float | None) -> Tallies:
    """Return how many samples each task has at a temperature, and how many of them passed."""
    tallies: defaultdict[str, list[bool]] = defaultdict(list)
    for one in report.samples:
        if one.sample.temperature == temperature:
            tallies[one.sample.task_id].append(one.passed)
    return {task_id: (len(passed), sum(passed)) for task_id, passed in tallies.items()}


def _warnings(a: Report, b: Report, tasks: Sequence[Task]) -> Iterator[str]:
    if len(tasks) < max(len(a.tasks), len(b.tasks)):
        sizes = f"{len(a.tasks)} and {len(b.tasks)}"
        yield f"The runs have {sizes} tasks; the {len(tasks)} that both have are compared."
    others = {task.task_id: task for task in b.tasks}
    changed = [task for task in tasks if _texts(task) != _texts(others[task.task_id])]
    if changed:
        yield f"{len(changed)} of the tasks have other prompts or tests, the first is {changed[0].task_id!r}."
    for name in _SETTINGS:
        one, other = getattr(a.protocol, name), getattr(b.protocol, name)
        if one != other:
            yield f"{name} differs: {one!r} and {other!r}."
    for temperature_a, temperature_b in _temperatures(a, b):
        if temperature_a != temperature_b:
            yield f"The temperature differs: {degrees(temperature_a)} and {degrees(temperature_b)}."


def _texts(task: Task) -> tuple[str, ...]:
    return tuple(getattr(task, name) for name in _TASK_TEXTS)


def degrees(temperature: float | None) -> str:
    """Return a temperature for people."""
    return "not said" if temperature is None else f"{temperature:g}"
