"""Variants of the same problems, and how they differ problem by problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from copilot_server.evaluation.paired import Pair, PairedDifference, paired_difference
from copilot_server.evaluation.scores import Group, grouped
from copilot_server.evaluation.types import Checked, Score, Task

#: The groups of one temperature, by variant and problem.
Cells = Mapping[str, Mapping[str, Group]]


def as_variant(task: Task, variant: str) -> Task:
    """Return a problem's task as that of a variant in which each problem has one task."""
    return replace(task, task_id=f"{task.problem_id}/{variant}", variant=variant)


def by_temperature(
    tasks: Sequence[Task], checked: Sequence[Checked]
) -> Iterator[tuple[float | None, dict[str, dict[str, Group]]]]:
    """Yield the groups of each temperature, by variant and problem."""
    found: dict[float | None, dict[str, dict[str, Group]]] = {}
    for (variant, temperature), groups in grouped(tasks, checked).items():
        found.setdefault(temperature, {})[variant] = {one.task.problem_id: one for one in groups}
    yield from found.items()


def pairs(cells: Cells, a: str, b: str) -> list[Pair]:
    """Return the problems for which both variants have samples."""
    first, second = cells.get(a, {}), cells.get(b, {})
    return [
        Pair(name, len(one.samples), one.correct, len(second[name].samples), second[name].correct)
        for name, one in first.items()
        if name in second
    ]


def difference(name: str, cells: Cells, variant: str, other: str) -> Score | None:
    """Return pass@1 of ``other`` minus that of ``variant``, as a score of ``variant``; None without pairs."""
    paired = pairs(cells, variant, other)
    if not paired:
        return None
    result = paired_difference(paired)
    temperature = next(iter(cells[variant].values())).temperature
    note = f"{gained_and_lost(paired)}; {p_value(result)}"
    return Score(name, result.value, result.low, result.high, len(paired), variant, temperature, note)


def gained_and_lost(paired: Sequence[Pair]) -> str:
    """Return on how many problems the first of each pair did better, and on how many worse."""
    better = sum(one.difference < 0 for one in paired)
    worse = sum(one.difference > 0 for one in paired)
    return f"gained {better}, lost {worse} of {len(paired)}"


def p_value(result: PairedDifference) -> str:
    """Return the test and the p-value of a difference, for people."""
    return f"{result.test}: " + ("not computed" if result.p_value is None else f"p = {result.p_value:.2g}")
