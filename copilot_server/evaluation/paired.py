"""Paired tests: how much two runs over the same tasks differ, and whether that could be chance."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from copilot_server.evaluation.passk import bootstrap_interval

#: The exact distribution is not computed if it takes more additions. Runs with 200 samples of each of 164
#: problems take 5 million.
_MAX_ADDITIONS = 20_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """One task in two runs: how many samples each run has, and how many of them passed."""

    problem_id: str
    samples_a: int
    correct_a: int
    samples_b: int
    correct_b: int

    @property
    def difference(self) -> Fraction:
        """The second run's pass@1 of the task minus the first's."""
        return Fraction(self.correct_b, self.samples_b) - Fraction(self.correct_a, self.samples_a)


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """pass@1 of the second run minus that of the first, with its 95 % bootstrap interval over problems.

    ``p_value`` is two-sided and comes from ``test``. It is None if the exact distribution is too large.
    """

    value: float
    low: float
    high: float
    tasks: int
    problems: int
    test: str
    p_value: float | None


def paired_difference(pairs: Sequence[Pair]) -> PairedDifference:
    """Compare two runs over the tasks that both have.

    The test is McNemar's where each problem has one task with one sample in each run. Otherwise the test
    flips the signs of the differences of whole problems, since the samples and tasks of one problem are not
    independent.

    Raises:
        ValueError: there are no pairs, or one has no samples.
    """
    if not pairs or any(min(pair.samples_a, pair.samples_b) < 1 for pair in pairs):
        raise ValueError("A paired difference needs tasks, each with a sample in both runs")
    by_problem: defaultdict[str, list[Fraction]] = defaultdict(list)
    for pair in pairs:
        by_problem[pair.problem_id].append(pair.difference)
    sums = [sum(differences, Fraction()) for differences in by_problem.values()]
    counts = [len(differences) for differences in by_problem.values()]
    low, high = bootstrap_interval([float(one) for one in sums], counts)
    single = len(pairs) == len(sums) and all(pair.samples_a == pair.samples_b == 1 for pair in pairs)
    return PairedDifference(
        value=float(sum(sums, Fraction()) / len(pairs)),
        low=low,
        high=high,
        tasks=len(pairs),
        problems=len(sums),
        test="exact McNemar test" if single else "exact sign-flip test over problems",
        p_value=mcnemar_exact(sums.count(Fraction(1)), sums.count(Fraction(-1)))
        if single
        else sign_flip_p(sums),
    )


def mcnemar_exact(gained: int, lost: int) -> float:
    """Return the exact two-sided p-value of McNemar's test, given the counts on which two runs differ.

    If neither run were better, each of the ``gained + lost`` tasks would be gained or lost like the toss of
    a fair coin. The p-value is the chance of a split at least as uneven (Q. McNemar 1947, "Note on the
    sampling error of the difference between correlated proportions or percentages", Psychometrika 12; exact
    by the binomial distribution). The sums are integers, so nothing overflows.

    Raises:
        ValueError: a count is negative.
    """
    if min(gained, lost) < 0:
        raise ValueError(f"{gained} gained and {lost} lost are not counts")
    flips = gained + lost
    term = tail = 1
    for i in range(min(gained, lost)):
        term = term * (flips - i) // (i + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << flips))


def sign_flip_p(differences: Iterable[Fraction]) -> float | None:
    """Return the exact two-sided p-value of the paired randomization test.

    If neither run were better, each difference could just as well have the other sign (R. A. Fisher 1935,
    "The Design of Experiments", section 21). The p-value is the share of all 2**n choices of signs whose sum
    is at least as far from 0. For differences of -1, 0 and 1 this is McNemar's exact test. It is None where
    the distribution of the sum is too large to compute.
    """
    different = [one for one in differences if one]
    scale = math.lcm(*(one.denominator for one in different))
    steps = [abs(int(one * scale)) for one in different]
    reach = sum(steps)
    if reach * len(steps) > _MAX_ADDITIONS:
        return None
    # chances[i]: the probability that the flipped differences add up to i.
    chances = np.ones(1)
    for step in steps:
        flipped = np.zeros(len(chances) + step)
        flipped[: len(chances)] = chances / 2
        flipped[step:] += chances / 2
        chances = flipped
    observed = abs(int(sum(different, Fraction()) * scale))
    outside = (reach - observed) // 2  # flipping more than that brings the sum closer to 0
    return min(1.0, 2 * float(chances[: outside + 1].sum()))
