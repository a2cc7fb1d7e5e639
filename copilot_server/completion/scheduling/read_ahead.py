"""Prompts that are read before anybody asks for a completion, where the cursor rests."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from copilot_server.completion.scheduling.counts import Counts
from copilot_server.completion.scheduling.ticket import new_future
from copilot_server.completion.types import CompletionRequest

#: How long the cursor must have been where it is, in seconds, even if nobody has typed for long: an editor
#: that opens many documents at once reports them one after the other, and only the last one is read.
SETTLE_S = 0.05


@dataclass(eq=False, slots=True)
class Reading:
    """What would be requested where the cursor rests, while its prompt is being read, or will be."""

    request: CompletionRequest
    cancel: threading.Event = field(default_factory=threading.Event)
    #: Done when the engine thread has finished with it.
    ended: asyncio.Future[None] = field(default_factory=new_future)
    #: Whether the engine thread has begun, and there was something to read.
    begun: bool = False
    timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """Free the engine after the piece that it is reading. What it has read is kept."""
        self.cancel.set()
        if self.timer is not None:
            self.timer.cancel()


class ReadAhead:
    """Has the engine read for one scheduler where the cursor rests. For the event loop's thread."""

    def __init__(
        self,
        enqueue: Callable[[Reading], None],
        counts: Counts,
        quiet_s: float,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``enqueue``: has the engine thread read. ``quiet_s``: the pause after a key or an answer."""
        self._enqueue = enqueue
        self._counts = counts
        self._quiet_s = quiet_s
        self._clock_s = clock_s
        self._active_s = float("-inf")
        self._current: Reading | None = None

    def active(self) -> None:
        """Take note that the user has typed, or got an answer, after which the next key is likely to come."""
        self._active_s = self._clock_s()

    def rest(self, request: CompletionRequest) -> None:
        """Read the prompt of ``request`` soon, instead of any other, unless that is under way or done."""
        if self._current is not None and self._current.request == request:
            return
        self.stop()
        self._current = reading = Reading(request)
        reading.timer = asyncio.get_running_loop().call_later(self._wait_s(), self._begin, reading)

    def stop(self) -> None:
        """End the reading at once, and forget it."""
        if self._current is not None:
            self._current.stop()
            self._current = None

    def _wait_s(self) -> float:
        """Return how long to wait from now; a little longer than a prefetch after the same answer."""
        settle_s = min(SETTLE_S, self._quiet_s)
        return max(settle_s, settle_s + self._quiet_s - (self._clock_s() - self._active_s))

    def _begin(self, reading: Reading) -> None:
        reading.ended.add_done_callback(lambda _ended: self._count(reading))
        self._enqueue(reading)

    def _count(self, reading: Reading) -> None:
        self._counts.read_ahead += reading.begun
        self._counts.read_ahead_given_up += reading.begun and reading.cancel.is_set()
