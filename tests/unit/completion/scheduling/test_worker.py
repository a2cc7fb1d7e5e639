"""A scheduler's part on the engine thread: loading, preparing, and several sessions on one thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from copilot_server.completion.scheduling.scheduler import Scheduler, Superseded
from copilot_server.context.document import Document
from copilot_server.errors import CopilotServerError, EngineError, ModelError
from tests.support.patience import PATIENCE_S
from tests.support.scripted_pipeline import (
    Scripted,
    Sessions,
    Writing,
    begin,
    request,
    text_of,
    until,
    until_begun,
)


def held_load(pipeline: Scripted) -> tuple[threading.Event, Callable[[], Scripted]]:
    released = threading.Event()

    def load() -> Scripted:
        assert released.wait(PATIENCE_S)
        return pipeline

    return released, load


async def test_requests_wait_while_the_model_loads(scheduler: Scheduler) -> None:
    released, load = held_load(Scripted())
    scheduler.load(load)
    older = begin(scheduler, request("old"))
    newer = begin(scheduler, request("new"))
    cancelled = begin(scheduler, request("other", "file:///b.py"))
    with pytest.raises(Superseded):
        await older
    cancelled.cancel()
    assert not newer.done()
    released.set()
    assert await text_of(newer) == "new"


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (ModelError("No such model.", remedy="Pull it."), "No such model. Pull it."),
        (OSError("secret"), "The model could not be loaded (OSError)."),
        (SystemExit(1), "The model could not be loaded (SystemExit)."),
    ],
)
async def test_a_load_that_fails_is_reported_to_each_request(
    scheduler: Scheduler, raised: BaseException, message: str
) -> None:
    def load() -> Scripted:
        raise raised

    with pytest.raises(CopilotServerError):
        await scheduler.load(load)
    for _ in range(2):
        with pytest.raises(CopilotServerError) as caught:
            await scheduler.submit(request("a"))
        assert str(caught.value).startswith(message)
    assert scheduler.failure is caught.value


async def test_a_load_after_one_that_failed_is_used(scheduler: Scheduler, pipeline: Scripted) -> None:
    def fail() -> Scripted:
        raise ModelError("No such model.")

    with pytest.raises(ModelError):
        await scheduler.load(fail)
    await scheduler.load(lambda: pipeline)
    assert scheduler.failure is None
    assert await text_of(begin(scheduler, request("a"))) == "a"


async def test_a_load_that_a_newer_one_replaces_before_it_begins_is_skipped(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    released, load = held_load(pipeline)
    calls: list[str] = []

    def loading(name: str) -> Callable[[], Scripted]:
        return lambda: calls.append(name) or pipeline

    scheduler.load(load)
    await asyncio.sleep(0)
    skipped = scheduler.load(loading("skipped"))
    last = scheduler.load(loading("last"))
    released.set()
    await last
    assert skipped.cancelled()
    assert calls == ["last"]


async def test_without_a_model_a_request_says_so(scheduler: Scheduler) -> None:
    with pytest.raises(EngineError, match="No model is loaded"):
        await scheduler.submit(request("a"))


async def test_closing_does_not_wait_for_a_load() -> None:
    scheduler = Scheduler(quiet_s=0.0)
    released, load = held_load(Scripted())
    scheduler.load(load)
    assert not scheduler.close(0.0)
    released.set()


async def test_a_document_is_prepared_between_requests(scheduler: Scheduler, pipeline: Scripted) -> None:
    slow = begin(scheduler, request("slow"))
    await until(pipeline.slow_began)
    scheduler.prepare(Document("file:///b.py", "python", "b"))
    answer = begin(scheduler, request("new"))
    assert await text_of(answer) == "new"
    await until_begun(pipeline, "slow", "b one", "new", "b two")
    with pytest.raises(Superseded):
        await slow


async def test_sessions_share_one_thread_and_nothing_else(sessions: Sessions) -> None:
    one, other = Scripted(), Scripted()
    await sessions.load(one, other)
    same = request("a")
    answers = [begin(scheduler, same) for scheduler in (sessions.one, sessions.other)]
    assert [await text_of(answer) for answer in answers] == ["a", "a"]  # neither superseded the other
    assert one.threads == other.threads
    assert (sessions.one.counts.requests, sessions.other.counts.requests) == (1, 1)


async def test_sessions_take_turns(sessions: Sessions) -> None:
    one, other = Scripted(), Scripted()
    one.begun = other.begun
    await sessions.load(one, other)
    running = begin(sessions.one, request("slow"))
    await until(one.slow_began)
    waiting = [begin(sessions.one, request(f"one {n}", f"file:///{n}")) for n in range(3)]
    await asyncio.sleep(0)
    waiting.append(begin(sessions.other, request("other")))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(*waiting)
    assert one.begun == ["slow", "other", "one 0", "one 1", "one 2"]


async def test_a_generation_that_nobody_waits_for_yields_to_another_session(sessions: Sessions) -> None:
    one = Writing()  # would linger for the next key
    await sessions.load(one, Scripted())
    cancelled = begin(sessions.one, request("x = "))
    await until(one.slow_began)
    answer = begin(sessions.other, request("b"))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await text_of(answer) == "b"
    assert one.cancelled == ["x = "]


async def test_a_generation_that_is_waited_for_does_not_yield(sessions: Sessions) -> None:
    one = Writing()
    await sessions.load(one, Scripted())
    waiting = begin(sessions.one, request("x = "))
    await until(one.slow_began)
    answer = begin(sessions.other, request("b"))
    await asyncio.sleep(0)
    one.write()
    assert await text_of(waiting) == "one two three"
    assert await text_of(answer) == "b"
    assert one.cancelled == []


async def test_a_session_that_closes_leaves_the_others_alone(sessions: Sessions) -> None:
    one, other = Scripted(), Scripted()
    await sessions.load(one, other)
    running = begin(sessions.one, request("slow"))
    await until(one.slow_began)
    waiting = begin(sessions.other, request("b"))
    await asyncio.sleep(0)
    assert sessions.one.close(PATIENCE_S)
    with pytest.raises(Superseded):
        await running
    assert await text_of(waiting) == "b"
    assert await text_of(begin(sessions.other, request("c"))) == "c"
