"""How many candidates are drawn, and which comes first."""

from __future__ import annotations

import pytest

from copilot_server.completion.examples import Example, Verdict, Verdicts
from copilot_server.completion.verification.drawing import BUDGET, best, is_settled, rounds_within


def verdicts(passed: int, failed: int = 0, unchecked: int = 0) -> Verdicts:
    outcomes = ["passed"] * passed + ["failed"] * failed + ["not checked"] * unchecked
    example = Example(line=0, text="f(1) == 2", kind="comparison", session=0, step=0)
    return Verdicts(tuple(Verdict(example, one) for one in outcomes))  # type: ignore[arg-type]


@pytest.mark.parametrize("budget", [0, 1, 2, 3, BUDGET, 30])
def test_rounds_spend_the_budget_and_no_more(budget: int):
    rounds = list(rounds_within(budget))
    assert sum(one.samples for one in rounds) == budget
    assert all(one.samples > 0 for one in rounds)
    assert [one.temperature for one in rounds[:1]] == [0.0] * min(budget, 1)
    assert all(one.temperature > 0 for one in rounds[1:])


@pytest.mark.parametrize(
    ("drawn", "following"), [(0, [1, 3, 4]), (1, [3, 4]), (2, [2, 4]), (6, [2]), (BUDGET, []), (20, [])]
)
def test_after_some_that_are_drawn_the_rounds_end_where_they_would_have(drawn: int, following: list[int]):
    """An editor's first round is another one: a key draws several at once."""
    rounds = list(rounds_within(BUDGET, drawn))
    assert [one.samples for one in rounds] == following
    assert [one.temperature for one in rounds] == [0.0 if one == 1 else 0.8 for one in following]


def test_a_failed_example_asks_for_more_and_one_that_is_not_checked_does_not():
    assert not is_settled([verdicts(2, 1)])
    assert is_settled([verdicts(2, 1), verdicts(2)])
    assert is_settled([verdicts(0, 0, 3)])
    assert is_settled([verdicts(0)])
    assert not is_settled([verdicts(2, 1), verdicts(0, 0, 3)])


@pytest.mark.parametrize(
    ("examined", "certainties", "chosen"),
    [
        # The greedy one stays unless another does better by the examples, however certain that is.
        ([verdicts(2), verdicts(2)], [-0.9, -0.1], 0),
        ([verdicts(1, 1), verdicts(2)], [-0.1, -0.9], 1),
        # One failure is better than two, and a pass better than none checked.
        ([verdicts(0, 2), verdicts(1, 1)], [-0.1, -0.9], 1),
        ([verdicts(0, 1), verdicts(0, 0, 2), verdicts(1, 0, 1)], [-0.1, -0.1, -0.9], 2),
        # Of two others that are alike by the examples, the more certain; then the earlier.
        ([verdicts(0, 2), verdicts(2), verdicts(2)], [-0.1, -0.5, -0.2], 2),
        ([verdicts(0, 2), verdicts(2), verdicts(2)], [-0.1, -0.2, -0.2], 1),
    ],
)
def test_which_comes_first(examined: list[Verdicts], certainties: list[float], chosen: int):
    assert best(examined, certainties) == chosen
