"""What checked samples amount to: pass@k with its interval, and what a ranking of samples is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from copilot_server.evaluation.options import default_ks
from copilot_server.evaluation.passk import bootstrap_interval, pass_at_k, wilson_interval
from copilot_server.evaluation.results import Checked, Score
from copilot_server.evaluation.tasks import Task

#: How to choose one of a task's samples when there are no tests to tell (Chen et al. 2021, section 3.3).
RANKINGS = ("mean log-probability", "sum of log-probabilities", "random", "oracle")


@dataclass(frozen=True, slots=True)
class Group:
    """A task's samples at one temperature."""

    task: Task
    temperature: float | None
    samples: tuple[Checked, ...]

    @property
    def correct(self) -> int:
        """How many of them passed."""
        return sum(one.passed for one in self.samples)

    def pass_at(self, k: int) -> float:
        """The unbiased estimate of pass@k for the task."""
        return pass_at_k(len(self.samples), self.correct, k)


def grouped(tasks: Sequence[Task], checked: Iterable[Checked]) -> dict[tuple[str, float | None], list[Group]]:
    """The groups of each variant and temperature, in the order of ``tasks`` and of falling first sight."""
    by_task: defaultdict[str, dict[float | None, list[Checked]]] = defaultdict(dict)
    for one in checked:
        by_task[one.sample.task_id].setdefault(one.sample.temperature, []).append(one)
    cells: defaultdict[tuple[str, float | None], list[Group]] = defaultdict(list)
    for task in tasks:
        for temperature, samples in by_task[task.task_id].items():
            cells[task.variant, temperature].append(Group(task, temperature, tuple(samples)))
    return dict(cells)


def scores_of(tasks: Sequence[Task], checked: Sequence[Checked], ks: Sequence[int] = ()) -> list[Score]:
    """pass@k of each variant and temperature, for those ``ks`` that there are samples enough for.

    Without ``ks``, for those of ``default_ks``.
    """
    cells = grouped(tasks, checked).values()
    return [score for groups in cells for score in (*_pass_at(groups, ks), *_rankings(groups))]


def best_temperatures(scores: Sequence[Score]) -> list[str]:
    """A sentence for each k: the temperature that did best, as in the paper's figure 5."""
    sentences = []
    for name in dict.fromkeys(score.name for score in scores if score.name.startswith("pass@")):
        rivals = [score for score in scores if score.name == name and not score.variant]
        if len(rivals) > 1:
            best = max(rivals, key=lambda score: score.value)
            sentences.append(f"{name} is best at temperature {best.temperature:g}: {best.value:.1%}.")
    return sentences


def _pass_at(groups: Sequence[Group], ks: Sequence[int]) -> Iterator[Score]:
    fewest = min(len(group.samples) for group in groups)
    for k in ks or default_ks(fewest):
        if k <= fewest:
            yield mean_score(f"pass@{k}", groups, partial(Group.pass_at, k=k))


def mean_score(name: str, groups: Sequence[Group], value: Callable[[Group], float]) -> Score:
    """The mean over the tasks of ``value``, with its 95 % interval over problems.

    Wilson's where each problem gave one yes or no; else a bootstrap over the problems, since what came of one
    problem is not independent.
    """
    values: defaultdict[str, list[float]] = defaultdict(list)
    for group in groups:
        values[group.task.problem_id].append(value(group))
    sums = np.array([sum(one) for one in values.values()])
    counts = np.array([float(len(one)) for one in values.values()])
    if counts.max() == 1 and all(len(group.samples) == 1 for group in groups):
        low, high = wilson_interval(round(sums.sum()), len(sums))
    else:
        low, high = bootstrap_interval(sums, counts)
    first = groups[0]
    mean = float(sums.sum() / counts.sum())
    return Score(name, mean, low, high, len(groups), first.task.variant, first.temperature)


def _rankings(groups: Sequence[Group]) -> Iterator[Score]:
    """The chance that the sample which each ranking would show passes."""
    samples = [one.sample for group in groups for one in group.samples]
    several = min(len(group.samples) for group in groups) > 1
    if not several or any(sample.mean_logprob is None or sample.tokens is None for sample in samples):
        return
    for ranking in RANKINGS:
        yield mean_score(f"ranking: {ranking}", groups, partial(_shown_passes, ranking=ranking))


def _shown_passes(group: Group, ranking: str) -> float:
    if ranking == "random":
        return group.pass_at(1)
    if ranking == "oracle":
        return float(group.correct > 0)
    of = _mean_logprob if ranking == RANKINGS[0] else _logprob_sum
    # An empty suggestion is never shown before one with something in it.
    best = max(group.samples, key=lambda one: (bool(one.sample.completion.strip()), of(one)))
    return float(best.passed)


def _mean_logprob(one: Checked) -> float:
    return one.sample.mean_logprob or 0.0


def _logprob_sum(one: Checked) -> float:
    return _mean_logprob(one) * (one.sample.tokens or 0)
