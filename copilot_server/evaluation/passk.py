"""pass@k and its confidence intervals."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Return the unbiased estimate of pass@k for one problem: 1 - C(n-c, k) / C(n, k).

    It is the chance that at least one of k samples is correct if they are drawn without replacement from
    ``samples`` = n samples of which ``correct`` = c passed. It is computed as a product, since the binomials
    would overflow
    (Chen et al. 2021, "Evaluating Large Language Models Trained on Code", arXiv 2107.03374, section 2.1).

    Raises:
        ValueError: unless 0 <= correct <= samples and 1 <= k <= samples.
    """
    if not (0 <= correct <= samples and 1 <= k <= samples):
        raise ValueError(f"pass@{k} of {correct} correct in {samples} samples is not defined")
    if samples - correct < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(samples - correct + 1, samples + 1))


def bootstrap_interval(
    sums: npt.ArrayLike, counts: npt.ArrayLike, *, seed: int = 0, resamples: int = 10_000
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval over problems of sum(sums) / sum(counts).

    ``sums``, ``counts``: (problems,), what a problem adds up to and over how many tasks or samples. Whole
    problems are drawn with replacement, since the results of one problem are not independent (B. Efron and
    R. J. Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13). Where all problems have the same
    result the interval has no width, which says nothing about other problems.

    The interval does not depend on the order of the problems.

    Raises:
        ValueError: unless there is a problem, both are finite and of one length, and each count is positive.
    """
    problems = np.column_stack([np.asarray(sums, dtype=float), np.asarray(counts, dtype=float)])
    if not (len(problems) and np.isfinite(problems).all() and (problems[:, 1] > 0).all()):
        raise ValueError("The bootstrap needs problems, each with a finite sum and a positive count")
    # How often each different value is drawn is multinomial, which takes far fewer random numbers.
    values, times = np.unique(problems, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(problems), times / len(problems), size=resamples)
    totals = drawn @ values  # (resamples, 2)
    low, high = np.percentile(totals[:, 0] / totals[:, 1], [2.5, 97.5])
    return float(low), float(high)
