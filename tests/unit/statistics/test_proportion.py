"""Wilson's interval against published values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.statistics.proportion import wilson_interval


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        # R. G. Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_equals_published_values(count: int, total: int, low: float, high: float):
    assert wilson_interval(count, total) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_of_humaneval_at_one_half():
    low, high = wilson_interval(82, 164)
    assert (high - low) / 2 == pytest.approx(0.0756, abs=1e-4)


@given(st.integers(1, 2000), st.data())
def test_the_interval_holds_the_proportion(total: int, data: st.DataObject):
    count = data.draw(st.integers(0, total))
    low, high = wilson_interval(count, total)
    assert 0 <= low <= count / total <= high <= 1
    assert low < high


@pytest.mark.parametrize(("count", "total"), [(0, 0), (2, 1), (-1, 3)])
def test_the_interval_of_nonsense_is_an_error(count: int, total: int):
    with pytest.raises(ValueError, match="not a proportion"):
        wilson_interval(count, total)
