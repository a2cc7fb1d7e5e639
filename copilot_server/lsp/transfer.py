"""How far a transfer of bytes has come, and how long the rest will take."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

#: The speed is that of the last seconds: that of a connection changes.
WINDOW_S = 20.0
#: After how long the speed is believed, in seconds, and how often a message is worth showing.
_BELIEVED_S, _NEWS_S = 2.0, 1.0
_MINUTE_S = 60.0


class Transfer:
    """Counts the bytes of a transfer; the first count is what was there before it began."""

    def __init__(self, description: str, total_bytes: int, clock: Callable[[], float]) -> None:
        """``clock``: the time in seconds, from any beginning."""
        self._description = description
        self._total_bytes = total_bytes
        self._clock = clock
        self._done_bytes = 0
        #: When how many bytes were done, in the last ``WINDOW_S``.
        self._marks: deque[tuple[float, int]] = deque()
        self._shown: tuple[int | None, float] = (None, clock())

    def advance(self, count_bytes: int) -> None:
        """Count more bytes; a negative number takes some back."""
        self._done_bytes += count_bytes
        now_s = self._clock()
        if count_bytes < 0:
            self._marks.clear()
        self._marks.append((now_s, self._done_bytes))
        while len(self._marks) > 2 and self._marks[1][0] < now_s - WINDOW_S:
            self._marks.popleft()

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are there."""
        return 0 < self._total_bytes <= self._done_bytes

    @property
    def percent(self) -> int | None:
        """How much is done; None if the size is not known."""
        return min(100, 100 * self._done_bytes // self._total_bytes) if self._total_bytes else None

    @property
    def left_s(self) -> float | None:
        """How long the rest takes at the present speed; None if that is not known yet."""
        (first_s, first), (last_s, last) = self._marks[0], self._marks[-1]
        if not self._total_bytes or last_s - first_s < _BELIEVED_S or last <= first:
            return None
        return (self._total_bytes - last) * (last_s - first_s) / (last - first)

    @property
    def message(self) -> str:
        """What to show: what is done of what, and the time left."""
        done, total = f"{self._done_bytes / 1e6:,.0f}", f"{self._total_bytes / 1e6:,.0f}"
        amount = f"{done} of {total} MB" if self._total_bytes else f"{done} MB"
        left_s = self.left_s if self._marks else None
        left = "" if left_s is None else f", {_duration(left_s)} left"
        return f"{self._description}: {amount}{left}"

    @property
    def is_news(self) -> bool:
        """Whether the message is worth showing: another percent, or not the same second."""
        now_s, (percent, shown_s) = self._clock(), self._shown
        if percent == self.percent and now_s - shown_s < _NEWS_S:
            return False
        self._shown = self.percent, now_s
        return True


def _duration(time_s: float) -> str:
    """Say how long something takes, as exactly as that can be known."""
    if time_s < _MINUTE_S:
        return f"{max(5, 5 * round(time_s / 5))} s"
    minutes = round(time_s / _MINUTE_S)
    return f"{minutes} min" if minutes < _MINUTE_S else f"{minutes // 60} h {minutes % 60} min"
