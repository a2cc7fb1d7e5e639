"""Snoozing, and its end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from copilot_server.lsp.snooze import Snooze

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that somebody else moves on, as a machine's is while the machine sleeps."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


async def test_it_ends_by_itself() -> None:
    ended = asyncio.Event()
    snooze = Snooze(ended.set)
    assert (snooze.until, snooze.shown) == (None, None)
    snooze.start(60)
    assert snooze.until is not None
    assert not ended.is_set()
    snooze.start(0.001)
    async with asyncio.timeout(30):
        await ended.wait()
    assert snooze.until is None


async def test_whoever_resumes_is_not_told_that_it_ended() -> None:
    ended = asyncio.Event()
    snooze = Snooze(ended.set)
    for minutes in (0.001, 60):
        snooze.start(minutes)
        snooze.start(0)
        assert snooze.until is None
    twin = asyncio.Event()
    other = Snooze(twin.set)
    other.start(0.002)
    async with asyncio.timeout(30):
        await twin.wait()  # by now the first would have ended too
    assert not ended.is_set()


async def test_the_time_is_shown_with_the_date_unless_it_is_today() -> None:
    snooze = Snooze(lambda: None, Clock())
    snooze.start(65)
    assert (snooze.until, snooze.shown) == (NOON + timedelta(minutes=65), "13:05")
    snooze.start(24 * 60)
    assert snooze.shown == "2026-03-02 12:00"
    snooze.close()


async def test_a_machine_that_slept_past_the_time_has_resumed() -> None:
    clock = Clock()
    snooze = Snooze(lambda: None, clock)
    snooze.start(60)
    clock.time += timedelta(minutes=59)
    assert snooze.until is not None
    clock.time += timedelta(minutes=1)
    assert snooze.until is None
    snooze.close()
