"""How long to wait for the next key before asking the model, where asking costs more than waiting."""

from __future__ import annotations

import time
from collections.abc import Callable

#: A model that answers within this time, in seconds, is asked at every key: the part of the prompt that it
#: has read stays cached, so a generation that the next key ends has cost next to nothing.
FAST_S = 0.5
#: The wait is this many times the interval between two keys, so that most next keys fall into it.
INTERVALS = 1.5
#: The bounds of a wait, in seconds. A longer wait would itself be the delay that users notice.
SHORTEST_S, LONGEST_S = 0.1, 0.4
#: Keys further apart than this, in seconds, belong to different bursts; the first key of a burst never waits.
BURST_S = 1.0
#: The weight of the newest value in the running means.
_NEWEST = 0.3


class Debounce:
    """Keeps running means of the interval between keys and of the model's latency.

    Tabby's wait grows with the interval between keys as well, but it applies to fast models too.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.enabled = True
        self._clock_s = clock_s
        self._key_s: float | None = None
        self._interval_s = 0.2
        self._latency_s = 0.0

    def key(self) -> float:
        """Count a key, and return how long to wait after it, in seconds."""
        now = self._clock_s()
        interval_s = BURST_S if self._key_s is None else now - self._key_s
        self._key_s = now
        if interval_s >= BURST_S:
            return 0.0
        self._interval_s += _NEWEST * (interval_s - self._interval_s)
        if not self.enabled or self._latency_s <= FAST_S:
            return 0.0
        return min(LONGEST_S, max(SHORTEST_S, INTERVALS * self._interval_s))

    def answered(self, latency_s: float) -> None:
        """Count a completed answer of the model, which took ``latency_s`` seconds."""
        self._latency_s += _NEWEST * (latency_s - self._latency_s)
