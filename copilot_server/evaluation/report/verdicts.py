"""The verdicts of the prompts' own examples beside those of the hidden tests, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from copilot_server.evaluation.types import Draw, Verification

#: What the examples of its prompt say about a sample.
Said = Literal["pass", "fail", "none checked"]

#: In the order of the tables' rows.
SAID: tuple[Said, ...] = ("pass", "fail", "none checked")


def said(draw: Draw) -> Said:
    """Return what the examples say about a sample."""
    if draw.fails_example:
        return "fail"
    return "pass" if draw.passes_examples else "none checked"


def agreement(draws: Iterable[Draw]) -> Counter[tuple[Said, bool]]:
    """Count samples by what the examples say and by whether the hidden test passes.

    A sample that passes the examples and fails the test is one that the examples let through; one that fails
    an example and passes the test is a false alarm.
    """
    return Counter((said(one), one.checked.passed) for one in draws)


def drawn(verification: Verification) -> list[Draw]:
    """Return all samples that were drawn."""
    return [draw for choice in verification.choices for draw in choice.draws]


def with_examples(verification: Verification) -> int:
    """Return of how many tasks an example could be checked."""
    return sum(any(said(draw) != "none checked" for draw in choice.draws) for choice in verification.choices)
