"""Fits the model of confidence that decides which suggestions are shown while the user types.

    copilot-server --selftest repository tuning/accelerate --context on --json accelerate.json
    python -m benchmarks.fit_gate accelerate.json ...

The repositories must not be those that are reported on. What is printed goes into the model's manifest: the
coefficients, and the probabilities from which a suggestion is shown. ``medium`` keeps 93 % of the suggestions
whose first line is right, so that 90 % are left where others than these repositories lose some, and ``low``
70 %. Both are chosen on probabilities from cross-validation, in which no file is judged by coefficients that
it helped to find.
"""

from __future__ import annotations

import argparse
import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from copilot_server.evaluation.repository.report import read_done

Floats = NDArray[np.float64]

FOLDS = 10
#: The strength of the quadratic penalty on standardized weights.
PENALTY = 2.0
STEPS = 50
#: The share of right suggestions that are shown, by eagerness.
KEPT = {"low": 0.7, "medium": 0.93}


def main() -> None:
    """Fit the model on the reports that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reports", type=Path, nargs="+", help="what --selftest repository wrote as JSON")
    rows = [row for path in parser.parse_args().reports for row in _offered(path)]
    names = sorted(rows[0][1])
    files = [file for file, _, _ in rows]
    values = np.array([[found[name] for name in names] for _, found, _ in rows])
    right = np.array([exact for _, _, exact in rows], np.float64)
    fold = np.array([zlib.crc32(file.encode()) % FOLDS for file in files])
    held_out = cross_validated(values, right, fold)
    print(f"# {len(rows)} suggestions in {len(set(files))} files, {right.mean():.1%} of them right.")
    thresholds = {name: float(np.quantile(held_out[right == 1], 1 - kept)) for name, kept in KEPT.items()}
    for name, threshold in thresholds.items():
        withheld = (held_out[right == 0] < threshold).mean()
        print(f"# {name}: keeps {KEPT[name]:.0%} of the right ones, withholds {withheld:.1%} of the others.")
    for low, high, mean, share, count in reliability(held_out, right):
        print(f"# probability {low:.1f} to {high:.1f}: {mean:.2f} in the mean, {share:.2f} right, of {count}")
    intercept, weights = fitted(values, right)
    print(f"\n[gate]\nintercept = {intercept:.4f}")
    print("\n".join(f"{name} = {threshold:.3f}" for name, threshold in thresholds.items()))
    print("\n[gate.weights]")
    print("\n".join(f"{name} = {weight:.4f}" for name, weight in zip(names, weights, strict=True)))


def _offered(path: Path) -> Iterator[tuple[str, Mapping[str, float], bool]]:
    """Yield the file, the features, and whether it is right, of each suggestion made with context.

    Those that a gate has withheld are among them.
    """
    _, tasks = read_done(path)
    for done in tasks:
        for outcome in done.outcomes:
            if outcome.answer.offered and (outcome.context == "on" or len(done.outcomes) == 1):
                yield f"{path.stem}/{done.task.path}", outcome.answer.confidence, outcome.right


def fitted(values: Floats, right: Floats) -> tuple[float, Floats]:
    """Return the intercept and the weights of a logistic regression with a quadratic penalty.

    By Newton's method (Hastie et al. 2009, "The Elements of Statistical Learning", section 4.4.1), on
    standardized columns of ``values``; the result is for the columns as they are.
    """
    mean, spread = values.mean(axis=0), values.std(axis=0)
    spread[spread == 0] = 1.0
    design = np.column_stack([np.ones(len(values)), (values - mean) / spread])
    penalty = np.diag([0.0] + [PENALTY] * values.shape[1])
    weights = np.zeros(design.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (right - chance) - penalty @ weights
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + penalty
        weights = weights + np.linalg.solve(curvature, gradient)
    scaled = weights[1:] / spread
    return float(weights[0] - scaled @ mean), scaled


def cross_validated(values: Floats, right: Floats, fold: NDArray[np.int64]) -> Floats:
    """Return the probability of each row by a model that was fitted on the other folds."""
    chances = np.zeros(len(values))
    for one in np.unique(fold):
        inside = fold == one
        intercept, weights = fitted(values[~inside], right[~inside])
        chances[inside] = 1 / (1 + np.exp(-(values[inside] @ weights + intercept)))
    return chances


def reliability(
    chances: Floats, right: Floats, bins: Sequence[float] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
) -> Iterator[tuple[float, float, float, float, int]]:
    """Yield for each bin its bounds, the mean probability, the share that is right, and the count."""
    for low, high in itertools.pairwise(bins):
        inside = (chances >= low) & ((chances < high) | (high == bins[-1]))
        if inside.any():
            yield low, high, float(chances[inside].mean()), float(right[inside].mean()), int(inside.sum())


if __name__ == "__main__":
    main()
