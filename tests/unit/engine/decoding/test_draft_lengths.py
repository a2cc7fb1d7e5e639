"""How many drafts are verified: by what steps cost, and by how often drafts were right."""

from __future__ import annotations

import pytest

from copilot_server.engine.decoding.draft_lengths import (
    DECLINED,
    LONGEST_MATCH,
    DraftLengths,
    DraftRates,
    PlannedStep,
    StepTimes,
)


def worthwhile(lengths: DraftLengths, matched: int = 4) -> int:
    """How many drafts a step of one candidate verifies."""
    return lengths.worthwhile(matched, PlannedStep(tokens=1, expected=1.0))


@pytest.mark.parametrize(
    ("further_s", "least", "most"), [(0.0, 15, 15), (0.002, 2, 14), (0.01, 1, 2), (0.02, 0, 0)]
)
def test_the_dearer_a_token_the_shorter_the_drafts(further_s: float, least: int, most: int):
    lengths = DraftLengths(15, StepTimes(0.02, further_s))
    assert least <= worthwhile(lengths) <= most


def test_a_draft_is_worthwhile_as_long_as_the_tokens_per_second_rise():
    times, rates = StepTimes(0.02, 0.004), DraftRates()
    speeds, expected, likely = [1 / times.of(1)], 1.0, 1.0
    for drafts in range(1, 12):
        likely *= rates.of(3 + drafts - 1)
        expected += likely
        speeds.append(expected / times.of(1 + drafts))
    assert worthwhile(DraftLengths(15, times), matched=3) == max(range(12), key=lambda drafts: speeds[drafts])


def test_drafts_that_are_right_make_longer_ones_and_wrong_ones_none():
    lengths = DraftLengths(15, StepTimes(0.02, 0.01))
    before = worthwhile(lengths)
    for _ in range(100):
        lengths.record(matched=4, drafted=6, right=6)
    assert worthwhile(lengths) > before
    for _ in range(300):
        lengths.record(matched=4, drafted=6, right=0)
    assert worthwhile(lengths) == 0


def test_what_was_never_right_is_tried_again_now_and_then():
    lengths = DraftLengths(15, StepTimes(0.02, 0.006))
    for _ in range(300):
        lengths.record(matched=4, drafted=2, right=0)
    assert [worthwhile(lengths) for _ in range(2 * DECLINED)] == 2 * [*(DECLINED - 1) * [0], 1]


def test_what_was_measured_on_a_busy_machine_is_corrected():
    lengths = DraftLengths(15, StepTimes(0.04, 0.06))
    drafted = []
    for _ in range(40 * DECLINED):
        drafted.append(worthwhile(lengths))
        lengths.record_step(1 + drafted[-1], 0.02 + 0.003 * drafted[-1])
        lengths.record(matched=4, drafted=drafted[-1], right=drafted[-1])
    assert sum(drafted[:DECLINED]) == 1
    assert min(drafted[-DECLINED:]) > 1


def test_without_times_a_draft_is_as_long_as_its_match():
    lengths = DraftLengths(8)
    assert [worthwhile(lengths, matched) for matched in (2, 5, 20)] == [2, 5, 8]
    assert worthwhile(DraftLengths(0), 5) == worthwhile(DraftLengths(0, StepTimes(1.0, 0.0)), 5) == 0


def test_candidates_share_the_most_drafts_of_a_step():
    lengths, step = DraftLengths(8), PlannedStep(tokens=2, expected=2.0)
    assert lengths.worthwhile(20, step, sharing=2) == 4
    lengths.add(20, 3, step)
    assert (step.tokens, step.drafted) == (5, 3)
    assert 2.0 < step.expected < 5.0
    assert lengths.worthwhile(20, step) == 5


def test_what_follows_a_wrong_draft_tells_nothing():
    rates = DraftRates()
    before = [rates.of(matched) for matched in range(2, LONGEST_MATCH + 1)]
    rates.record(matched=2, drafted=4, right=1)
    after = [rates.of(matched) for matched in range(2, LONGEST_MATCH + 1)]
    assert after[0] > before[0]
    assert after[1] < before[1]
    assert after[2:] == before[2:]


def test_times_follow_the_machine():
    times = StepTimes(0.02, 0.02)
    for _ in range(200):
        times.record(1, 0.04)
        times.record(4, 0.046)
    assert times.alone_s == pytest.approx(0.04, rel=0.05)
    assert times.further_s == pytest.approx(0.002, rel=0.3)


def test_a_disturbance_changes_little():
    times = StepTimes(0.02, 0.004)
    times.record(1, 9.0)
    times.record(200, 9.0)  # which read a prompt
    assert times.of(1) < 0.0221
