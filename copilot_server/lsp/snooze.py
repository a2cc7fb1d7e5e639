"""Snoozing: for some time nothing is suggested while the user types."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

#: How often the clock is read, in seconds. The event loop's own clock stands still while a machine sleeps.
_LOOK_S = 30.0


def local_time() -> datetime:
    """Return the time with the offset of the local time zone."""
    return datetime.now(UTC).astimezone()


class Snooze:
    """Whether suggestions are snoozed, and until when. For one thread: the event loop's."""

    def __init__(self, on_end: Callable[[], None], now: Callable[[], datetime] = local_time) -> None:
        """``on_end``: called when the time has come, not when the user resumes earlier."""
        self._on_end = on_end
        self._now = now
        self._until: datetime | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def until(self) -> datetime | None:
        """When suggestions come again, in local time; None if they are not snoozed."""
        return self._until if self._until is not None and self._now() < self._until else None

    @property
    def shown(self) -> str | None:
        """The same for people: the time, and the date unless it is today."""
        until = self.until
        if until is None:
            return None
        is_today = until.date() == self._now().date()
        return until.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")

    def start(self, minutes: float) -> None:
        """Snooze from now on, in place of what held before; 0 resumes."""
        self.close()
        if minutes > 0:
            self._until = self._now() + timedelta(minutes=minutes)
            self._wait()

    def close(self) -> None:
        """Resume, and wait for nothing."""
        self._until = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        """Look again when the time has come, or earlier."""
        if self.until is None or self._until is None:
            self.close()
            self._on_end()
            return
        left_s = (self._until - self._now()).total_seconds()
        self._timer = asyncio.get_running_loop().call_later(min(max(left_s, 0.0), _LOOK_S), self._wait)
