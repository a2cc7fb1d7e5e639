"""The fourth stage of a run: pass@k with confidence intervals, and how well samples can be ranked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from copilot_server.evaluation.options import default_ks
from copilot_server.evaluation.passk import bootstrap_interval, pass_at_k
from copilot_server.evaluation.types import Checked, Choice, Score, Task, Verification
from copilot_server.statistics.proportion import wilson_interval

#: Ways to choose one of a task's samples without tests (Chen et al. 2021, section 3.3).
RANKINGS = ("mean log-probability", "sum of log-probabilities", "random", "oracle")


@dataclass(frozen=True, slots=True)
class Group:
    """The samples of a task at one temperature."""

    task: Task
    temperature: float | None
    samples: tuple[Checked, ...]

    @property
    def correct(self) -> int:
        """The number of samples that passed."""
        return sum(one.passed for one in self.samples)

    def pass_at(self, k: int) -> float:
        """Return the unbiased estimate of pass@k for the task."""
        return pass_at_k(len(self.samples), self.correct, k)


def grouped(tasks: Sequence[Task], checked: Iterable[Checked]) -> dict[tuple[str, float | None], list[Group]]:
    """Return the groups of each variant and temperature, in the order of ``tasks`` and of ``checked``."""
    by_task: defaultdict[str, dict[float | None, list[Checked]]] = defaultdict(dict)
    for one in checked:
        by_task[one.sample.task_id].setdefault(one.sample.temperature, []).append(one)
    cells: defaultdict[tuple[str, float | None], list[Group]] = defaultdict(list)
    for task in tasks:
        for temperature, samples in by_task[task.task_id].items():
            cells[task.variant, temperature].append(Group(task, temperature, tuple(samples)))
    return dict(cells)


def scores_of(tasks: Sequence[Task], checked: Sequence[Checked], ks: Sequence[int] = ()) -> list[Score]:
    """Return pass@k and the rankings of each variant and temperature.

    The k are those of ``ks`` or, without them, of ``default_ks``, up to the number of samples.
    """
    cells = grouped(tasks, checked).values()
    return [score for groups in cells for score in (*_pass_at(groups, ks), *_rankings(groups))]


#: What choosing by the examples in the prompts comes to. It is no pass@1: the samples have been looked at.
VERIFIED = "after checking examples: passes"


def verified_scores(tasks: Sequence[Task], verification: Verification) -> list[Score]:
    """Return for each variant how many of the chosen samples pass the hidden test, and the samples drawn."""
    by_id = {task.task_id: task for task in tasks}
    cells: defaultdict[str, list[Choice]] = defaultdict(list)
    for one in verification.choices:
        cells[by_id[one.task_id].variant].append(one)
    return [_verified(by_id, choices, verification.budget) for choices in cells.values()]


def _verified(by_id: Mapping[str, Task], choices: Sequence[Choice], budget: int) -> Score:
    groups = [Group(by_id[one.task_id], None, (one.choice.checked,)) for one in choices]
    score = mean_score(VERIFIED, groups, partial(Group.pass_at, k=1))
    drawn = sum(len(one.draws) for one in choices) / len(choices)
    return replace(score, note=f"{drawn:.2f} samples a task, at most {budget}")


def best_temperatures(scores: Sequence[Score]) -> list[str]:
    """Return a sentence for each k with its best temperature (Chen et al. 2021, figure 5)."""
    sentences = []
    for name in dict.fromkeys(score.name for score in scores if score.name.startswith("pass@")):
        rivals = [score for score in scores if score.name == name and not score.variant]
        if len(rivals) > 1:
            best = max(rivals, key=lambda score: score.value)
            sentences.append(f"{name} is best at temperature {best.temperature:g}: {best.value:.1%}.")
    return sentences


def best_pass_at_1(scores: Sequence[Score]) -> float:
    """Return pass@1 at its best temperature, which is the one that a user would choose.

    Where the benchmark has variants, it is that of the first one.
    """
    rivals = [one for one in scores if one.name == "pass@1"]
    return max(one.value for one in rivals if one.variant == rivals[0].variant)


def _pass_at(groups: Sequence[Group], ks: Sequence[int]) -> Iterator[Score]:
    fewest = min(len(group.samples) for group in groups)
    for k in ks or default_ks(fewest):
        if k <= fewest:
            yield mean_score(f"pass@{k}", groups, partial(Group.pass_at, k=k))


def mean_score(name: str, groups: Sequence[Group], value: Callable[[Group], float]) -> Score:
    """Return the mean of ``value`` over the tasks, with its 95 % confidence interval over problems.

    The interval is Wilson's where each problem has one task with one sample. Otherwise it is a bootstrap over
    problems, since the tasks and samples of one problem are not independent.
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
    """For each ranking, the chance that the sample which it puts first passes."""
    samples = [one.sample for group in groups for one in group.samples]
    several = min(len(group.samples) for group in groups) > 1
    if not several or any(sample.mean_logprob is None or sample.tokens is None for sample in samples):
        return
    for ranking in RANKINGS:
        yield mean_score(f"ranking: {ranking}", groups, partial(_first_passes, ranking=ranking))


def _first_passes(group: Group, ranking: str) -> float:
    if ranking == "random":
        return group.pass_at(1)
    if ranking == "oracle":
        return float(group.correct > 0)
    logprob = _mean_logprob if ranking == RANKINGS[0] else _logprob_sum
    # An empty suggestion is never put before one that has text.
    best = max(group.samples, key=lambda one: (bool(one.sample.completion.strip()), logprob(one)))
    return float(best.passed)


def _mean_logprob(one: Checked) -> float:
    return one.sample.mean_logprob or 0.0


def _logprob_sum(one: Checked) -> float:
    return _mean_logprob(one) * (one.sample.tokens or 0)
