"""How long to wait for the next key before the model is asked, where asking costs more than waiting."""

from __future__ import annotations

import time
from collections.abc import Callable

#: A model that answers within this time, in seconds, is asked at every key: what it has read of the prompt
#: stays read, so a generation that the next key ends has cost next to nothing.
FAST_S = 0.5
#: The wait is this many times the time between two keys, so that most next keys fall into it.
GAPS = 1.5
#: The bounds of a wait, in seconds. One that is longer than the upper one would itself be what is slow.
SHORTEST_S, LONGEST_S = 0.1, 0.4
#: Keys further apart than this, in seconds, belong to different bursts; the first of a burst never waits.
BURST_S = 1.0
#: The weight of the newest value in the running means.
_NEWEST = 0.3


class Debounce:
    """Keeps running means of the time between keys, and of what the model takes.

    The idea is Tabby's, whose wait grows with the time between keys as well; but there it never ends.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.enabled = True
        self._clock_s = clock_s
        self._key_s: float | None = None
        self._gap_s = 0.2
        self._latency_s = 0.0

    def key(self) -> float:
        """Count a key, and say how long to wait after it, in seconds."""
        now = self._clock_s()
        gap_s = BURST_S if self._key_s is None else now - self._key_s
        self._key_s = now
        if gap_s >= BURST_S:
            return 0.0
        self._gap_s += _NEWEST * (gap_s - self._gap_s)
        if not self.enabled or self._latency_s <= FAST_S:
            return 0.0
        return min(LONGEST_S, max(SHORTEST_S, GAPS * self._gap_s))

    def answered(self, latency_s: float) -> None:
        """Count a whole answer of the model."""
        self._latency_s += _NEWEST * (latency_s - self._latency_s)
