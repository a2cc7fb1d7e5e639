"""What checked samples amount to, against values worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from copilot_server.evaluation.scores import best_temperatures, scores_of
from copilot_server.evaluation.types import Checked, Sample, Score, Task
from copilot_server.sandbox import ProgramResult
from copilot_server.statistics.proportion import wilson_interval


def task(name: str, variant: str = "", problem: str = "") -> Task:
    return Task(name, problem or name, "", "", "", "f", "", variant=variant)


def checked(
    name: str,
    passed: Sequence[bool],
    *,
    temperature: float | None = 0.8,
    logprobs: Sequence[float | None] = (),
    tokens: Sequence[int] = (),
    texts: Sequence[str] = (),
) -> list[Checked]:
    count = len(passed)
    return [
        Checked(
            Sample(
                task_id=name,
                index=index,
                temperature=temperature,
                completion=(texts or ["x"] * count)[index],
                mean_logprob=(logprobs or [None] * count)[index],
                tokens=(tokens or [None] * count)[index],
            ),
            ProgramResult(one, "" if one else "AssertionError", 0.01),
        )
        for index, one in enumerate(passed)
    ]


def values(scores: Sequence[Score]) -> dict[str, float]:
    return {score.name: pytest.approx(score.value) for score in scores}


def test_pass_at_k_is_the_mean_of_the_unbiased_estimates():
    tasks = [task("a"), task("b")]
    samples = checked("a", [True, False, False, False]) + checked("b", [True, True, False, False])
    scores = scores_of(tasks, samples, (1, 2, 10))
    # By hand: pass@2 of 1 in 4 is 1 - C(3,2)/C(4,2) = 1/2, of 2 in 4 it is 1 - 1/6.
    assert values(scores) == {"pass@1": 0.375, "pass@2": (1 / 2 + 5 / 6) / 2}
    assert all(score.low <= score.value <= score.high for score in scores)
    assert [score.tasks for score in scores] == [2, 2]


@pytest.mark.parametrize(
    ("samples", "ks"), [(1, [1]), (5, [1, 5]), (10, [1, 10]), (99, [1, 10, 99]), (200, [1, 10, 100, 200])]
)
def test_the_default_k_is_the_papers_and_the_number_of_samples(samples: int, ks: list[int]):
    scores = scores_of([task("a")], checked("a", [True] * samples))
    assert [score.name for score in scores] == [f"pass@{k}" for k in ks]


def test_one_sample_a_problem_has_wilsons_interval():
    samples = [one for n in range(10) for one in checked(str(n), [n < 4], temperature=0.0)]
    (score,) = scores_of([task(str(n)) for n in range(10)], samples, (1, 10))
    assert (score.low, score.high) == wilson_interval(4, 10)


def test_tasks_of_one_problem_widen_the_interval():
    """100 tasks that come in 4 problems know less than 100 problems do."""
    samples = [one for n in range(100) for one in checked(str(n), [n % 100 < 50], temperature=0.0)]
    alone = scores_of([task(str(n)) for n in range(100)], samples, (1,))[0]
    together = scores_of([task(str(n), problem=str(n // 25)) for n in range(100)], samples, (1,))[0]
    assert alone.value == together.value == 0.5
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_variants_and_temperatures_are_scored_apart():
    tasks = [task("a", "CRLF"), task("b", "tabs")]
    samples = [
        *checked("a", [True], temperature=0.2),
        *checked("a", [False], temperature=0.8),
        *checked("b", [True], temperature=0.2),
    ]
    scored = {(score.variant, score.temperature): score.value for score in scores_of(tasks, samples, (1,))}
    assert scored == {("CRLF", 0.2): 1.0, ("CRLF", 0.8): 0.0, ("tabs", 0.2): 1.0}


def test_too_few_samples_for_k_give_no_score():
    samples = checked("a", [True, False]) + checked("b", [True])
    assert list(values(scores_of([task("a"), task("b")], samples, (1, 2)))) == ["pass@1"]


def test_rankings():
    tasks = [task("a"), task("b")]
    samples = [
        # The mean is right, the sum prefers the short one.
        *checked("a", [True, False], logprobs=[-0.1, -0.2], tokens=[100, 2]),
        # An empty suggestion has nothing against it, and is never shown.
        *checked("b", [False, True], logprobs=[0.0, -0.5], tokens=[0, 4], texts=["", "x"]),
    ]
    scored = values(scores_of(tasks, samples, (1,)))
    assert scored == {
        "pass@1": 0.5,
        "ranking: mean log-probability": 1.0,
        "ranking: sum of log-probabilities": 0.5,
        "ranking: random": 0.5,
        "ranking: oracle": 1.0,
    }


def test_foreign_samples_are_not_ranked():
    scored = values(scores_of([task("a")], checked("a", [True, False], temperature=None), (1,)))
    assert list(scored) == ["pass@1"]


def test_the_best_temperature_for_each_k():
    def score(name: str, temperature: float, value: float) -> Score:
        return Score(name, value, 0, 1, 164, temperature=temperature)

    scores = [
        *(score("pass@1", 0.2, 0.5), score("pass@1", 0.8, 0.4)),
        *(score("pass@5", 0.2, 0.6), score("pass@5", 0.8, 0.7)),
    ]
    assert best_temperatures(scores) == [
        "pass@1 is best at temperature 0.2: 50.0%.",
        "pass@5 is best at temperature 0.8: 70.0%.",
    ]
    assert best_temperatures(scores[:1]) == []
