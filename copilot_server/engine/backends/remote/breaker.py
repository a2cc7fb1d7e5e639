"""A circuit breaker: an engine that failed gets no requests for a while, and then a single one as a trial.

Source: Nygard, "Release It!", chapter "Stability Patterns", from which the names are taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]

#: How many consecutive failures open the circuit; an engine that cannot be reached opens it at once.
FAILURES_TO_OPEN = 3
#: How long it stays open, in seconds; the time doubles after each failed trial.
SHORTEST_OPEN_S, LONGEST_OPEN_S = 0.5, 15.0


class Breaker:
    """Whether one engine may be asked. ``clock`` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.state: State = "closed"
        #: What is wrong, while the circuit is not closed.
        self.problem = ""
        self._clock = clock
        self._failures = 0
        self._open_s = SHORTEST_OPEN_S
        self._trial_at_s = 0.0

    @property
    def waits_s(self) -> float:
        """Seconds until a trial is due; 0 if one is due now, or none is needed."""
        return max(0.0, self._trial_at_s - self._clock()) if self.state == "open" else 0.0

    def try_again(self) -> None:
        """Let one request through, since the engine reports that it works."""
        self.state = "half-open"

    def succeeded(self) -> None:
        """Close the circuit."""
        self.state, self.problem = "closed", ""
        self._failures, self._open_s = 0, SHORTEST_OPEN_S

    def failed(self, problem: str, *, at_once: bool) -> None:
        """Count a failure, which may open the circuit, and does so if ``at_once``."""
        self._failures += 1
        if self.state == "open":
            return  # of several requests in flight, only the first failure counts
        if self.state == "closed" and not at_once and self._failures < FAILURES_TO_OPEN:
            return
        if self.state == "half-open":
            self._open_s = min(2 * self._open_s, LONGEST_OPEN_S)
        self.state, self.problem = "open", problem
        self._trial_at_s = self._clock() + self._open_s
