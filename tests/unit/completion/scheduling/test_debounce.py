"""How long is waited for the next key."""

from __future__ import annotations

import pytest

from copilot_server.completion.scheduling.debounce import (
    BURST_S,
    FAST_S,
    INTERVALS,
    LONGEST_S,
    SHORTEST_S,
    Debounce,
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def waits(latency_s: float, gap_s: float, *, keys: int = 50, enabled: bool = True) -> list[float]:
    """What each of so many keys waits, with a model that takes so long."""
    clock = Clock()
    debounce = Debounce(clock)
    debounce.enabled = enabled
    found = []
    for _ in range(keys):
        found.append(debounce.key())
        debounce.answered(latency_s)
        clock.now_s += gap_s
    return found


def test_a_fast_model_never_waits() -> None:
    assert set(waits(FAST_S, 0.1)) == {0.0}
    assert max(waits(FAST_S * 2, 0.1)) > 0


def test_the_wait_follows_the_typing() -> None:
    assert waits(2.0, 0.15)[-1] == pytest.approx(INTERVALS * 0.15, rel=0.01)
    assert waits(2.0, 0.01)[-1] == SHORTEST_S
    assert waits(2.0, 0.9)[-1] == LONGEST_S


def test_the_first_key_of_a_burst_never_waits() -> None:
    assert waits(2.0, 0.15)[0] == 0.0
    assert set(waits(2.0, BURST_S)) == {0.0}


def test_it_can_be_switched_off() -> None:
    assert set(waits(2.0, 0.15, enabled=False)) == {0.0}
