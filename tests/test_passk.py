"""pass@k against its definition, and the interval against published values."""

from __future__ import annotations

from itertools import combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.humaneval.passk import pass_at_k, wilson_interval


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


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [
        # R. G. Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_equals_published_values(passed: int, total: int, low: float, high: float):
    assert wilson_interval(passed, total) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_of_humaneval_at_one_half():
    low, high = wilson_interval(82, 164)
    assert (high - low) / 2 == pytest.approx(0.0756, abs=1e-4)


@given(st.integers(1, 2000), st.data())
def test_wilson_interval_holds_the_proportion(total: int, data: st.DataObject):
    passed = data.draw(st.integers(0, total))
    low, high = wilson_interval(passed, total)
    assert 0 <= low <= passed / total <= high <= 1
    assert low < high


@pytest.mark.parametrize(("passed", "total"), [(0, 0), (2, 1), (-1, 3)])
def test_wilson_interval_of_nonsense_is_an_error(passed: int, total: int):
    with pytest.raises(ValueError, match="not a proportion"):
        wilson_interval(passed, total)
