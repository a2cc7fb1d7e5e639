"""What the scheduler counts."""

from __future__ import annotations

import asyncio

import pytest

from copilot_server.completion.scheduling.scheduler import Scheduler
from copilot_server.errors import EngineError
from tests.support.scripted_pipeline import (
    Scripted,
    begin,
    load_leading_to,
    request,
    text_of,
    until,
    until_begun,
)


async def test_requests_cancelled_before_and_after_the_engine_began_are_counted_apart(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    running = begin(scheduler, request("slow", "file:///other.py"))
    await until(pipeline.slow_began)
    superseded, cancelled = begin(scheduler, request("old")), begin(scheduler, request("x", "file:///x.py"))
    newer = begin(scheduler, request("new"))
    await asyncio.wait([superseded])
    cancelled.cancel()
    await asyncio.wait([cancelled])
    counts = scheduler.counts
    assert (counts.cancelled_waiting, counts.cancelled_running) == (2, 0)
    running.cancel()
    assert await text_of(newer) == "new"
    assert (counts.cancelled_waiting, counts.cancelled_running) == (2, 1)
    assert (counts.requests, counts.answers) == (4, {"model": 1})


async def test_every_request_is_counted_once_with_its_outcome(scheduler: Scheduler) -> None:
    pipeline = await load_leading_to(scheduler, {"a": ["b"]})
    await scheduler.submit(request("a"))
    await until_begun(pipeline, "a", "b")
    for text in ("b", "known", "c"):
        await scheduler.submit(request(text))
    with pytest.raises(EngineError):
        await scheduler.submit(request("boom"))
    counts = scheduler.counts
    assert counts.answers == {"model": 3, "ahead": 1}  # this pipeline calls what it looks up "model"
    assert (counts.requests, counts.failed, counts.prefetches) == (5, 1, 1)
    assert counts.cancelled_waiting + counts.cancelled_running == 0


async def test_a_copy_of_the_counts_does_not_change(scheduler: Scheduler, pipeline: Scripted) -> None:
    before, live = scheduler.counts.copy(), scheduler.counts
    await scheduler.submit(request("a"))
    assert (before.requests, before.answers) == (0, {})
    assert (live.requests, live.answers) == (1, {"model": 1})
