"""pass@k against its definition, and the bootstrap against drawing problem by problem."""

from __future__ import annotations

from itertools import combinations
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.evaluation.passk import bootstrap_interval, pass_at_k


@pytest.mark.parametrize("samples", range(1, 7))
def test_is_the_chance_that_a_draw_holds_a_correct_sample(samples: int):
    for correct in range(samples + 1):
        for k in range(1, samples + 1):
            draws = [min(draw) < correct for draw in combinations(range(samples), k)]
            assert pass_at_k(samples, correct, k) == pytest.approx(sum(draws) / len(draws))


@given(st.integers(1, 400), st.data())
def test_equals_the_binomials(samples: int, data: st.DataObject):
    correct = data.draw(st.integers(0, samples))
    k = data.draw(st.integers(1, samples))
    exact = 1 - comb(samples - correct, k) / comb(samples, k)
    assert pass_at_k(samples, correct, k) == pytest.approx(exact, abs=1e-12)


def test_pass_at_1_is_the_share_of_correct_samples():
    assert pass_at_k(200, 57, 1) == pytest.approx(0.285)
    assert pass_at_k(1, 1, 1) == 1.0
    assert pass_at_k(1, 0, 1) == 0.0


@pytest.mark.parametrize(
    ("samples", "correct", "k"), [(1, 2, 1), (1, -1, 1), (5, 2, 6), (5, 2, 0), (0, 0, 1)]
)
def test_pass_at_k_of_nonsense_is_an_error(samples: int, correct: int, k: int):
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(samples, correct, k)


def test_bootstrap_interval_equals_drawing_problem_by_problem():
    # Efron and Tibshirani's law school data (1993, table 3.1), the LSAT scores; their mean is 600.27.
    lsat = np.array([576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594])
    drawn = np.random.default_rng(1).choice(lsat, size=(200_000, len(lsat)))
    low, high = bootstrap_interval(lsat, np.ones(len(lsat)))
    assert (low, high) == pytest.approx(np.percentile(drawn.mean(axis=1), [2.5, 97.5]), abs=1.0)


def test_bootstrap_interval_of_a_proportion_is_about_the_binomial_one():
    low, high = bootstrap_interval([1] * 82 + [0] * 82, [1] * 164)
    half_width = 1.96 * sqrt(0.25 / 164)
    assert (low, high) == pytest.approx((0.5 - half_width, 0.5 + half_width), abs=0.007)


def test_bootstrap_interval_draws_whole_problems():
    # 100 tasks: as ten problems that each came out alike they are worth ten, not a hundred.
    low, high = bootstrap_interval([10, 0] * 5, [10] * 10)
    one_low, one_high = bootstrap_interval([1, 0] * 50, [1] * 100)
    assert high - low > 2.5 * (one_high - one_low)


def test_bootstrap_interval_weighs_problems_by_their_tasks():
    # Problem a: 9 of 9; b: 0 of 1. A resample is a+a, a+b or b+b: 1, 0.9 or 0.
    assert bootstrap_interval([9, 0], [9, 1]) == (0.0, 1.0)
    low, high = bootstrap_interval([9] * 50 + [0] * 50, [9] * 50 + [1] * 50)
    assert low < 0.9 < high
    assert (high - low) < 0.1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(5, 9)), min_size=1, max_size=40), st.data())
def test_bootstrap_interval_is_the_same_in_any_order(problems: list[tuple[int, int]], data: st.DataObject):
    sums, counts = zip(*problems, strict=True)
    low, high = bootstrap_interval(sums, counts, resamples=500)
    shares = [correct / tasks for correct, tasks in problems]
    assert min(shares) - 1e-12 <= low <= high <= max(shares) + 1e-12
    sums, counts = zip(*data.draw(st.permutations(problems)), strict=True)
    assert bootstrap_interval(sums, counts, resamples=500) == (low, high)


@pytest.mark.parametrize(
    ("sums", "counts"), [([], []), ([1], [0]), ([float("nan")], [1]), ([1, 2], [1]), ([1], [float("inf")])]
)
def test_bootstrap_interval_of_nonsense_is_an_error(sums: list[float], counts: list[float]):
    with pytest.raises(ValueError, match=r"bootstrap needs|must match"):
        bootstrap_interval(sums, counts)
