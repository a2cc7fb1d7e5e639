"""What is said about a transfer: how much of it is done, and how long the rest takes."""

from __future__ import annotations

import pytest

from copilot_server.lsp.transfer import WINDOW_S, Transfer

MB = 10**6


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def moved(clock: Clock, transfer: Transfer, *steps_mb: int, step_s: float = 1.0) -> Transfer:
    """Count each step, of which each has taken ``step_s``."""
    for step_mb in steps_mb:
        clock.now_s += step_s
        transfer.advance(step_mb * MB)
    return transfer


def test_the_message_has_bytes_and_the_time_left(clock: Clock):
    transfer = Transfer("Fetching it", 500 * MB, clock)
    transfer.advance(0)
    assert transfer.message == "Fetching it: 0 of 500 MB"
    moved(clock, transfer, 5, 5, 5, 5)
    assert (transfer.message, transfer.percent) == ("Fetching it: 20 of 500 MB, 2 min left", 4)
    assert transfer.left_s == pytest.approx(96)


def test_what_was_here_before_counts_as_done_and_not_as_fast(clock: Clock):
    transfer = Transfer("Fetching it", 500 * MB, clock)
    transfer.advance(400 * MB)
    moved(clock, transfer, 1, 1, 1, 1)
    assert transfer.left_s == pytest.approx(96)
    assert transfer.percent == 80


def test_the_speed_is_that_of_the_last_seconds(clock: Clock):
    transfer = Transfer("Fetching it", 10_000 * MB, clock)
    transfer.advance(0)
    moved(clock, transfer, *[100] * 10)
    moved(clock, transfer, *[1] * (int(WINDOW_S) + 2))
    assert transfer.left_s == pytest.approx((10_000 - 1000 - WINDOW_S - 2) / 1)


def test_a_source_that_begins_again_is_measured_again(clock: Clock):
    transfer = Transfer("Fetching it", 100 * MB, clock)
    transfer.advance(0)
    moved(clock, transfer, 10, 10, 10, -30)
    assert (transfer.percent, transfer.left_s) == (0, None)
    moved(clock, transfer, 10, 10)
    assert transfer.left_s == pytest.approx(8)


def test_an_unknown_size_has_neither_percent_nor_time(clock: Clock):
    transfer = Transfer("Fetching it", 0, clock)
    transfer.advance(0)
    moved(clock, transfer, 5, 5, 5)
    assert (transfer.message, transfer.percent, transfer.is_complete) == ("Fetching it: 15 MB", None, False)


def test_news_is_another_percent_or_another_second(clock: Clock):
    transfer = Transfer("Fetching it", 1000 * MB, clock)
    transfer.advance(0)
    assert transfer.is_news
    transfer.advance(1)
    assert not transfer.is_news
    transfer.advance(10 * MB)
    assert transfer.is_news
    moved(clock, transfer, 1)
    assert transfer.is_news


@pytest.mark.parametrize(
    ("rest_mb", "said"), [(1, "5 s left"), (42, "40 s left"), (600, "10 min left"), (9000, "2 h 30 min left")]
)
def test_a_time_is_said_as_exactly_as_it_can_be_known(clock: Clock, rest_mb: int, said: str):
    transfer = Transfer("Fetching it", (3 + rest_mb) * MB, clock)
    transfer.advance(0)
    assert moved(clock, transfer, 1, 1, 1).message.endswith(said)
