"""Variants of the same problems: how far one is from another, problem by problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from copilot_server.evaluation.paired import Pair, PairedDifference, paired_difference
from copilot_server.evaluation.results import Checked, Score
from copilot_server.evaluation.scores import Group, grouped
from copilot_server.evaluation.tasks import Task

#: The groups of one temperature: of each variant, by problem.
Cells = Mapping[str, Mapping[str, Group]]


def as_variant(task: Task, variant: str) -> Task:
    """A problem's task under the name of a variant, of which each problem has one task."""
    return replace(task, task_id=f"{task.problem_id}/{variant}", variant=variant)


def by_temperature(
    tasks: Sequence[Task], checked: Sequence[Checked]
) -> Iterator[tuple[float | None, dict[str, dict[str, Group]]]]:
    """The groups of each temperature, by variant and problem."""
    found: dict[float | None, dict[str, dict[str, Group]]] = {}
    for (variant, temperature), groups in grouped(tasks, checked).items():
        found.setdefault(temperature, {})[variant] = {one.task.problem_id: one for one in groups}
    yield from found.items()


def pairs(cells: Cells, a: str, b: str) -> list[Pair]:
    """The problems that both variants have samples of."""
    first, second = cells.get(a, {}), cells.get(b, {})
    return [
        Pair(name, len(one.samples), one.correct, len(second[name].samples), second[name].correct)
        for name, one in first.items()
        if name in second
    ]


def difference(name: str, cells: Cells, variant: str, other: str) -> Score | None:
    """pass@1 of ``other`` less that of ``variant``, as a score of ``variant``; None without pairs."""
    paired = pairs(cells, variant, other)
    if not paired:
        return None
    result = paired_difference(paired)
    temperature = next(iter(cells[variant].values())).temperature
    note = f"{told(paired)}; {p_value(result)}"
    return Score(name, result.value, result.low, result.high, len(paired), variant, temperature, note)


def told(paired: Sequence[Pair]) -> str:
    """On how many problems the first of the pairs did better, and on how many worse."""
    better = sum(one.difference < 0 for one in paired)
    worse = sum(one.difference > 0 for one in paired)
    return f"gained {better}, lost {worse} of {len(paired)}"


def p_value(result: PairedDifference) -> str:
    """Whether a difference could be chance, in words."""
    return f"{result.test}: " + ("not computed" if result.p_value is None else f"p = {result.p_value:.2g}")
