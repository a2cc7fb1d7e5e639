"""Paired comparisons against published values, brute force and each other."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.evaluation.paired import Pair, mcnemar_exact, paired_difference, sign_flip_p


@pytest.mark.parametrize(
    ("gained", "lost", "p_value"),
    [
        # By hand from Pascal's triangle.
        (0, 0, 1.0),
        (1, 0, 1.0),
        (0, 6, 2 / 64),
        (2, 8, 2 * (1 + 10 + 45) / 1024),
        (5, 5, 1.0),
        # By R's binom.test: 59 of 100, 15 of 20.
        (59, 41, 0.08863),
        (15, 5, 0.04139),
    ],
)
def test_mcnemar_equals_known_values(gained: int, lost: int, p_value: float):
    assert mcnemar_exact(gained, lost) == pytest.approx(p_value, abs=5e-6)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_twice_the_binomial_tail(gained: int, lost: int):
    flips = gained + lost
    tail = Fraction(sum(comb(flips, i) for i in range(min(gained, lost) + 1)), 2**flips)
    p_value = mcnemar_exact(gained, lost)
    assert p_value == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-12)
    assert p_value == mcnemar_exact(lost, gained)


def test_mcnemar_does_not_overflow():
    assert mcnemar_exact(20_000, 20_000) == 1.0
    assert mcnemar_exact(0, 5_815) == 0.0
    # The normal approximation with continuity correction: z = 199 / sqrt(10000).
    assert mcnemar_exact(4_900, 5_100) == pytest.approx(0.04659, abs=1e-4)


def test_mcnemar_of_nonsense_is_an_error():
    with pytest.raises(ValueError, match="not counts"):
        mcnemar_exact(-1, 3)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9))
def test_flipping_signs_of_single_samples_is_mcnemar(gained: int, lost: int, ties: int):
    differences = [Fraction(1)] * gained + [Fraction(-1)] * lost + [Fraction(0)] * ties
    assert sign_flip_p(differences) == pytest.approx(mcnemar_exact(gained, lost), rel=1e-9)


@pytest.mark.slow
@given(st.lists(st.fractions(-1, 1, max_denominator=6), max_size=9))
def test_sign_flips_equal_trying_them_all(differences: list[Fraction]):
    sums = [
        abs(sum((sign * one for sign, one in zip(signs, differences, strict=True)), Fraction()))
        for signs in product((-1, 1), repeat=len(differences))
    ]
    observed = abs(sum(differences, Fraction()))
    assert sign_flip_p(differences) == pytest.approx(sum(one >= observed for one in sums) / len(sums))


def test_sign_flips_of_a_large_run():
    # 164 problems of 200 samples each: every problem a little better is no chance.
    assert sign_flip_p([Fraction(3, 200)] * 164) == pytest.approx(2 / 2**164)
    assert sign_flip_p([Fraction(1, 2), Fraction(1, 10007), Fraction(1, 10009)]) is None


def _pairs(*, a: list[int], b: list[int], samples: int = 1) -> list[Pair]:
    return [Pair(f"p{i}", samples, x, samples, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]


def test_single_samples_are_tested_by_mcnemar():
    found = paired_difference(_pairs(a=[1, 1, 0, 0, 0, 0, 1, 0], b=[1, 0, 1, 1, 1, 1, 1, 1]))
    assert found.value == pytest.approx(4 / 8)
    assert found.test == "exact McNemar test"
    assert found.p_value == mcnemar_exact(5, 1)
    assert found.low <= found.value <= found.high
    assert (found.tasks, found.problems) == (8, 8)


def test_several_samples_are_tested_by_flipping_whole_problems():
    found = paired_difference(_pairs(a=[0, 1, 2, 3], b=[4, 4, 4, 4], samples=4))
    assert found.value == pytest.approx((4 + 3 + 2 + 1) / 16)
    assert found.test == "exact sign-flip test over problems"
    assert found.p_value == pytest.approx(2 / 2**4)


def test_tasks_of_one_problem_count_as_one():
    apart = [Pair(f"p{i}", 1, 0, 1, 1) for i in range(10)]
    together = [Pair("p", 1, 0, 1, 1)] * 10
    assert paired_difference(apart).p_value == pytest.approx(2 / 2**10)
    assert paired_difference(together).p_value == 1.0
    assert paired_difference(together).value == paired_difference(apart).value == 1.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60))
def test_turning_the_runs_round_turns_the_difference_round(verdicts: list[tuple[bool, bool]]):
    a, b = ([int(one) for one in run] for run in zip(*verdicts, strict=True))
    there, back = paired_difference(_pairs(a=a, b=b)), paired_difference(_pairs(a=b, b=a))
    assert there.value == pytest.approx(-back.value)
    assert there.p_value == back.p_value
    # Two bootstraps with other draws: their ends may lie one step of 1/n apart, and some noise.
    assert there.low == pytest.approx(-back.high, abs=1 / len(verdicts) + 0.02)


def test_the_interval_covers_a_known_difference():
    # d = +1 for 30, -1 for 10, 0 for 60: mean 0.2, sd of the mean sqrt((0.4 - 0.04) / 100) = 0.06.
    found = paired_difference(_pairs(a=[0] * 30 + [1] * 10 + [0] * 60, b=[1] * 30 + [0] * 70))
    assert (found.low, found.high) == pytest.approx((0.2 - 1.96 * 0.06, 0.2 + 1.96 * 0.06), abs=0.01)


def test_a_difference_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="needs tasks"):
        paired_difference([])
    with pytest.raises(ValueError, match="needs tasks"):
        paired_difference([Pair("p", 0, 0, 1, 1)])
