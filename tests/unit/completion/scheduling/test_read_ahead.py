"""What the engine reads while the cursor rests, and what ends that."""

from __future__ import annotations

import asyncio
import threading

import pytest

from copilot_server.completion.scheduling.counts import Counts
from copilot_server.completion.scheduling.read_ahead import SETTLE_S, ReadAhead, Reading
from copilot_server.completion.scheduling.scheduler import Scheduler
from copilot_server.config import CompletionSettings
from tests.support.patience import PATIENCE_S
from tests.support.scripted_pipeline import (
    Scripted,
    Sessions,
    Writing,
    begin,
    load_leading_to,
    request,
    text_of,
    until,
    until_read,
)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def test_the_prompt_where_the_cursor_rests_is_read(scheduler: Scheduler, pipeline: Scripted) -> None:
    scheduler.read_ahead(request("a"))
    await until_read(pipeline, "a")
    assert pipeline.begun == []
    await counted(scheduler, 1, given_up=0)


async def test_of_many_positions_that_are_reported_at_once_the_last_one_is_read(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    for number in range(20):
        scheduler.read_ahead(request(f"{number}", f"file:///{number}.py"))
    await until_read(pipeline, "19")
    scheduler.read_ahead(request("twin"))  # had the others been queued, they would have come before it
    await until_read(pipeline, "19", "twin")


async def test_a_position_is_read_once(scheduler: Scheduler, pipeline: Scripted) -> None:
    for _ in range(3):
        scheduler.read_ahead(request("a"))
        await until_read(pipeline, "a")
    scheduler.read_ahead(request("b"))
    await until_read(pipeline, "a", "b")


async def test_a_key_that_needs_the_engine_ends_the_reading(scheduler: Scheduler, pipeline: Scripted) -> None:
    scheduler.read_ahead(request("long"))
    await until(pipeline.slow_began)
    assert await text_of(begin(scheduler, request("key"))) == "key"
    assert pipeline.cancelled == ["long"]
    await until_read(pipeline, "long", "key")  # after the answer, that position's
    await counted(scheduler, 2, given_up=1)


async def test_a_key_before_the_reading_begins_keeps_it_from_beginning(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    scheduler.read_ahead(request("never"))
    assert await text_of(begin(scheduler, request("key"))) == "key"
    await until_read(pipeline, "key")


async def test_a_request_that_is_answered_without_the_engine_moves_the_reading_on(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    scheduler.read_ahead(request("long"))
    await until(pipeline.slow_began)
    assert await text_of(begin(scheduler, request("known"))) == "cached"
    await until_read(pipeline, "long", "known")
    assert pipeline.cancelled == ["long"]


async def test_another_position_ends_the_reading_of_the_one_before(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    scheduler.read_ahead(request("long", "file:///a.py"))
    await until(pipeline.slow_began)
    scheduler.read_ahead(request("b", "file:///b.py"))
    await until_read(pipeline, "long", "b")
    assert pipeline.cancelled == ["long"]


async def test_a_position_whose_reading_was_given_up_is_read_when_the_cursor_is_back(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    scheduler.read_ahead(request("long"))
    await until(pipeline.slow_began)
    scheduler.read_ahead(None)
    scheduler.read_ahead(request("long"))
    await until_read(pipeline, "long", "long")


async def test_nothing_is_read_while_a_request_waits(scheduler: Scheduler, writing: Writing) -> None:
    waiting = begin(scheduler, request("x = "))
    await until(writing.slow_began)
    scheduler.read_ahead(request("never"))
    writing.write()
    assert await text_of(waiting) == "one two three"
    await until_read(writing, "x = ")


async def test_nothing_is_read_before_there_is_a_model(scheduler: Scheduler) -> None:
    pipeline, released = Scripted(), threading.Event()

    def load() -> Scripted:
        assert released.wait(PATIENCE_S)
        return pipeline

    loaded = scheduler.load(load)
    scheduler.read_ahead(request("never"))
    released.set()
    await loaded
    scheduler.read_ahead(request("a"))
    await until_read(pipeline, "a")


async def test_a_reading_that_fails_is_not_reported(scheduler: Scheduler, pipeline: Scripted) -> None:
    scheduler.read_ahead(request("boom"))
    await until_read(pipeline, "boom")
    assert await text_of(begin(scheduler, request("a"))) == "a"


async def test_other_settings_and_other_models_do_not_wait_for_a_reading(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    scheduler.read_ahead(request("long"))
    await until(pipeline.slow_began)
    scheduler.configure(CompletionSettings(candidates=2))
    scheduler.read_ahead(request("a"))
    await until_read(pipeline, "long", "a")
    pipeline.slow_began.clear()
    scheduler.read_ahead(request("long again"))
    await until(pipeline.slow_began)
    await scheduler.load(Scripted)
    assert pipeline.cancelled == ["long", "long again"]


async def test_closing_ends_a_reading() -> None:
    scheduler = Scheduler(quiet_s=0.0)
    pipeline = await load_leading_to(scheduler, {})
    scheduler.read_ahead(request("long"))
    await until(pipeline.slow_began)
    assert scheduler.close(PATIENCE_S)
    assert pipeline.cancelled == ["long"]


async def test_a_reading_yields_to_another_session(sessions: Sessions) -> None:
    one = Scripted()
    await sessions.load(one, Scripted())
    sessions.one.read_ahead(request("long"))
    await until(one.slow_began)
    assert await text_of(begin(sessions.other, request("b"))) == "b"
    assert one.cancelled == ["long"]


@pytest.mark.parametrize(("uri", "ends"), [("file:///a.py", False), ("file:///b.py", True)])
async def test_a_cursor_that_leaves_its_line_ends_a_prefetch(
    scheduler: Scheduler, uri: str, ends: bool
) -> None:
    pipeline = await load_leading_to(scheduler, {"a": ["slow"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    scheduler.read_ahead(request("a further on", uri))
    assert pipeline.slow_cancel.is_set() == ends
    scheduler.read_ahead(request("b\nand below"))
    assert pipeline.slow_cancel.is_set()


@pytest.mark.parametrize(
    ("since_active_s", "wait_s"), [(None, SETTLE_S), (0.0, 0.3 + SETTLE_S), (0.25, 0.1), (5.0, SETTLE_S)]
)
async def test_the_wait_is_for_a_pause_after_keys_and_answers(
    since_active_s: float | None, wait_s: float
) -> None:
    clock = Clock()
    ahead = ReadAhead(lambda _reading: None, Counts(), 0.3, clock)
    if since_active_s is not None:
        ahead.active()
        clock.now_s += since_active_s
    assert ahead._wait_s() == pytest.approx(wait_s)


async def test_a_reading_that_was_stopped_before_it_began_is_not_counted() -> None:
    counts, enqueued = Counts(), list[Reading]()
    ahead = ReadAhead(enqueued.append, counts, 0.0)
    for begun in (False, True):
        ahead.rest(request("a"))
        while not enqueued:
            await asyncio.sleep(0)
        reading = enqueued.pop()
        ahead.stop()
        reading.begun = begun
        reading.ended.set_result(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (counts.read_ahead, counts.read_ahead_given_up) == (int(begun), int(begun))


async def counted(scheduler: Scheduler, read_ahead: int, *, given_up: int) -> None:
    """Wait until so many readings have been counted."""
    async with asyncio.timeout(PATIENCE_S):
        while scheduler.counts.read_ahead != read_ahead:
            await asyncio.sleep(0.001)
    assert scheduler.counts.read_ahead_given_up == given_up
