"""A circuit breaker: an engine that has failed is left alone for a while, and then tried by one request.

Source: Nygard, "Release It!", chapter "Stability Patterns"; the names are his.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]

#: So many failures one after the other open the circuit; what cannot be reached at all does at once.
FAILURES_TO_OPEN = 3
#: How long it stays open, in seconds: twice as long after each trial that fails.
SHORTEST_OPEN_S, LONGEST_OPEN_S = 0.5, 15.0


class Breaker:
    """Whether one engine may be asked. ``clock`` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.state: State = "closed"
        #: What is wrong, while the circuit is not closed.
        self.trouble = ""
        self._clock = clock
        self._failures = 0
        self._open_s = SHORTEST_OPEN_S
        self._trial_at_s = 0.0

    @property
    def waits_s(self) -> float:
        """Seconds until a trial is due; 0 where one is, or none is needed."""
        return max(0.0, self._trial_at_s - self._clock()) if self.state == "open" else 0.0

    def try_again(self) -> None:
        """Let one request through: the engine says that it is well."""
        self.state = "half-open"

    def succeeded(self) -> None:
        """Close the circuit."""
        self.state, self.trouble = "closed", ""
        self._failures, self._open_s = 0, SHORTEST_OPEN_S

    def failed(self, trouble: str, *, at_once: bool) -> None:
        """Count a failure, which may open the circuit; ``at_once``: it does."""
        self._failures += 1
        if self.state == "open":
            return  # of several requests under way at once, the first that fails counts
        if self.state == "closed" and not at_once and self._failures < FAILURES_TO_OPEN:
            return
        if self.state == "half-open":
            self._open_s = min(2 * self._open_s, LONGEST_OPEN_S)
        self.state, self.trouble = "open", trouble
        self._trial_at_s = self._clock() + self._open_s
