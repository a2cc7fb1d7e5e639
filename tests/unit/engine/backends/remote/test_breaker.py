"""The circuit breaker of a remote engine."""

from __future__ import annotations

from copilot_server.engine.backends.remote.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_three_failures_in_a_row_open_the_circuit_and_a_success_between_counts_anew() -> None:
    breaker = Breaker(Clock())
    for _ in range(2):
        breaker.failed("fails", at_once=False)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed("fails", at_once=False)
    assert breaker.state == "closed"
    breaker.failed("fails", at_once=False)
    assert (breaker.state, breaker.problem) == ("open", "fails")


def test_it_stays_open_twice_as_long_after_each_trial_that_fails_up_to_a_limit() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    waits = []
    for _ in range(8):
        breaker.failed("is away", at_once=True)
        breaker.failed("is away", at_once=True)  # of another request that was under way
        waits.append(breaker.waits_s)
        clock.now_s += waits[-1]
        assert breaker.waits_s == 0
        breaker.try_again()
    assert waits == [0.5, 1, 2, 4, 8, 15, 15, 15]
    breaker.succeeded()
    breaker.failed("is away", at_once=True)
    assert breaker.waits_s == 0.5
