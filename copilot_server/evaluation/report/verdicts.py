"""The verdicts of the prompts' own examples beside those of the hidden tests, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from copilot_server.completion.examples.types import Outcome
from copilot_server.evaluation.types import Draw, Verification

#: How a report says what the examples say of a sample, in the order of the tables' rows.
SAID: Mapping[Outcome, str] = {"passed": "pass", "failed": "fail", "not checked": "none checked"}


def agreement(draws: Iterable[Draw]) -> Counter[tuple[Outcome, bool]]:
    """Count samples by what the examples say and by whether the hidden test passes.

    A sample that passes the examples and fails the test is one that the examples let through; one that fails
    an example and passes the test is a false alarm.
    """
    return Counter((one.outcome, one.checked.passed) for one in draws)


def drawn(verification: Verification) -> list[Draw]:
    """Return all samples that were drawn."""
    return [draw for choice in verification.choices for draw in choice.draws]


def with_examples(verification: Verification) -> int:
    """Return of how many tasks an example could be checked."""
    return sum(any(draw.outcome != "not checked" for draw in choice.draws) for choice in verification.choices)
