"""How well the certainty of a suggestion tells the right ones from the others.

Certainty is from 0 to 1: the probability that the gate of the model's manifest gives, or where there is no
gate, the geometric mean of the probabilities of the first line's tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import get_args

from copilot_server.catalog import Gate
from copilot_server.completion.confidence import threshold
from copilot_server.config import Eagerness
from copilot_server.evaluation.passk import bootstrap_interval
from copilot_server.evaluation.repository.scores import EXACT, KEPT, PRECISION, SHOWN, WITHHELD, contexts_of
from copilot_server.evaluation.repository.types import (
    KINDS,
    Answer,
    Bin,
    Context,
    Done,
    EagernessFigure,
    Kind,
    Outcome,
)

#: The bounds of the bins.
BOUNDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

_Found = Sequence[tuple[str, Outcome]]


def certainty(answer: Answer) -> float:
    """Return how certain a suggestion is."""
    if answer.probability is not None:
        return answer.probability
    return math.exp(min(0.0, answer.confidence.get("mean_logprob", -math.inf)))


def bins(done: Sequence[Done]) -> list[Bin]:
    """Return how often suggestions are right, by their certainty, shown or not."""
    found = []
    for context in contexts_of(done):
        offered = [one for _, one in _offered(done, context)]
        for low, high in pairwise(BOUNDS):
            inside = [
                one
                for one in offered
                if low <= certainty(one.answer) < high or certainty(one.answer) == high == 1.0
            ]
            if inside:
                mean = sum(certainty(one.answer) for one in inside) / len(inside)
                right = sum(one.right for one in inside)
                found.append(Bin(context, low, high, mean, right, len(inside)))
    return found


def withheld_at(done: Sequence[Done], context: Context, kept: float = 0.9) -> float | None:
    """Return the share of wrong suggestions that are less certain than ``kept`` of the right ones.

    It is what a threshold would withhold that is chosen on these very tasks; None without right or without
    wrong ones.
    """
    offered = [one for _, one in _offered(done, context)]
    right = sorted((certainty(one.answer) for one in offered if one.right), reverse=True)
    wrong = [certainty(one.answer) for one in offered if not one.right]
    if not right or not wrong:
        return None
    threshold = right[math.ceil(kept * len(right)) - 1]
    return sum(one < threshold for one in wrong) / len(wrong)


def by_eagerness(done: Sequence[Done], gate: Gate | None) -> list[EagernessFigure]:
    """Return what the gate would show at each eagerness; nothing without a gate."""
    if gate is None:
        return []
    return [
        figure
        for kind in KINDS
        for context in contexts_of(done)
        for eagerness in get_args(Eagerness)
        for figure in _at(done, kind, context, gate, eagerness)
    ]


def _at(
    done: Sequence[Done], kind: Kind, context: Context, gate: Gate, eagerness: Eagerness
) -> Iterator[EagernessFigure]:
    tasks = [one for one in done if one.task.kind == kind]
    everything = [(each.task.path, one) for each in tasks for one in each.outcomes if one.context == context]
    offered = _offered(tasks, context)
    scopes = {id(one): str(each.features.get("scope", "")) for each in tasks for one in each.outcomes}

    def is_shown(one: Outcome) -> bool:
        least = threshold(gate, eagerness, scopes[id(one)])
        return one.answer.offered and certainty(one.answer) >= least

    def is_exact(one: Outcome) -> bool:
        return is_shown(one) and one.right

    for name, found, counts in (
        (EXACT, everything, is_exact),
        (SHOWN, everything, is_shown),
        (PRECISION, [(path, one) for path, one in offered if is_shown(one)], is_exact),
        (WITHHELD, [(path, one) for path, one in offered if not one.right], lambda one: not is_shown(one)),
        (KEPT, [(path, one) for path, one in offered if one.right], is_shown),
    ):
        if found:
            value, low, high = _share([(path, counts(one)) for path, one in found])
            yield EagernessFigure(kind, context, eagerness, name, value, low, high, len(found))


def _share(found: Sequence[tuple[str, bool]]) -> tuple[float, float, float]:
    """Return a share with its 95 % interval over files."""
    paths = dict.fromkeys(path for path, _ in found)
    counts = [sum(path == one for one, _ in found) for path in paths]
    sums = [sum(counted for one, counted in found if one == path) for path in paths]
    return sum(sums) / sum(counts), *bootstrap_interval(sums, counts)


def _offered(done: Sequence[Done], context: Context) -> _Found:
    """Return the suggestions that only their certainty may withhold, with the files of their tasks."""
    return [
        (each.task.path, one)
        for each in done
        for one in each.outcomes
        if one.context == context and one.answer.offered
    ]
