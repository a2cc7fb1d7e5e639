"""What the scheduler completes before anybody asks for it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from copilot_server.completion.scheduling.scheduler import Scheduler
from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.config import CompletionSettings
from copilot_server.context.document import Document
from copilot_server.engine.base import Cancel
from tests.support.patience import PATIENCE_S
from tests.support.scripted_pipeline import (
    OnText,
    Scripted,
    Sessions,
    begin,
    load_leading_to,
    request,
    text_of,
    until,
    until_begun,
)


async def test_what_an_answer_leads_to_is_prefetched(scheduler: Scheduler) -> None:
    pipeline = await load_leading_to(scheduler, {"a": ["b"]})
    assert await text_of(begin(scheduler, request("a"))) == "a"
    await until_begun(pipeline, "a", "b")
    answer = await scheduler.submit(request("b"))
    assert (answer.source, pipeline.begun) == ("ahead", ["a", "b"])


async def test_the_next_position_is_prefetched_only_if_nothing_is_suggested_at_the_one_before(
    scheduler: Scheduler,
) -> None:
    pipeline = await load_leading_to(scheduler, {"a": ["empty", "b", "never"], "c": []})
    await scheduler.submit(request("a"))
    await until_begun(pipeline, "a", "empty", "b")
    await scheduler.submit(request("c"))
    assert pipeline.begun == ["a", "empty", "b", "c"]


async def test_a_newer_request_ends_a_prefetch(scheduler: Scheduler) -> None:
    pipeline = await load_leading_to(scheduler, {"a": ["slow", "never"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    assert await text_of(begin(scheduler, request("new", "file:///b.py"))) == "new"
    assert pipeline.cancelled == ["slow"]
    assert pipeline.begun == ["a", "slow", "new"]


async def test_a_request_for_the_same_position_does_not_end_a_prefetch(scheduler: Scheduler) -> None:
    pipeline = await load_leading_to(scheduler, {"a": ["slow", "b"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    waiting = begin(scheduler, request("b"))
    for _ in range(10):  # the scheduler takes the request, and would set the event
        await asyncio.sleep(0)
    assert not pipeline.slow_cancel.is_set()
    waiting.cancel()
    invoked = begin(scheduler, request("b", invoked=True))  # wants more than one candidate
    assert await text_of(invoked) == "b"
    assert pipeline.cancelled == ["slow"]


async def test_a_request_that_waits_for_a_prefetch_has_waited_for_the_model(scheduler: Scheduler) -> None:
    began, released = threading.Event(), threading.Event()

    class Held(Scripted):
        def complete(self, request: CompletionRequest, cancel: Cancel, on_text: OnText = None) -> Completion:
            if request.prefetch:
                began.set()
                assert released.wait(PATIENCE_S)
            return super().complete(request, cancel, on_text)

    pipeline = Held({"a": ["b"]})
    await scheduler.load(lambda: pipeline)
    await scheduler.submit(request("a"))
    await until(began)
    waiting = begin(scheduler, request("b"))
    await asyncio.sleep(0)
    released.set()
    assert (await waiting).source == "model"
    assert pipeline.begun == ["a", "b"]


async def test_nothing_is_prefetched_while_a_request_waits(scheduler: Scheduler) -> None:
    pipeline = await load_leading_to(scheduler, {"a": ["never"], "b": ["c"]})
    first = begin(scheduler, request("a", "file:///a.py"))
    second = begin(scheduler, request("b", "file:///b.py"))
    assert [await text_of(first), await text_of(second)] == ["a", "b"]
    await until_begun(pipeline, "a", "b", "c")


async def test_an_answer_that_was_looked_up_starts_a_prefetch_too(scheduler: Scheduler) -> None:
    pipeline = await load_leading_to(scheduler, {"known": ["a"]})
    await scheduler.submit(request("known"))
    await until_begun(pipeline, "a")


async def test_typing_what_was_suggested_does_not_end_a_prefetch(scheduler: Scheduler) -> None:
    pipeline = await load_leading_to(scheduler, {"a": ["slow"], "known": ["slow"], "known too": ["b"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    await scheduler.submit(request("known"))
    assert not pipeline.slow_cancel.is_set()
    await scheduler.submit(request("known too"))  # something else is to come
    await until_begun(pipeline, "a", "slow", "b")
    assert pipeline.cancelled == ["slow"]


async def test_a_prefetch_that_fails_is_not_reported(scheduler: Scheduler) -> None:
    pipeline = await load_leading_to(scheduler, {"a": ["boom", "never"]})
    await scheduler.submit(request("a"))
    await until_begun(pipeline, "a", "boom")
    assert await text_of(begin(scheduler, request("b"))) == "b"
    assert pipeline.begun == ["a", "boom", "b"]


async def test_other_settings_and_other_models_do_not_wait_for_a_prefetch(scheduler: Scheduler) -> None:
    pipeline = await load_leading_to(scheduler, {"a": ["slow"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    settings = CompletionSettings(candidates=2)
    scheduler.configure(settings)
    assert await text_of(begin(scheduler, request("b"))) == "b"
    assert (pipeline.cancelled, pipeline.settings) == (["slow"], settings)
    pipeline.slow_began.clear()
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    await scheduler.load(Scripted)
    assert pipeline.cancelled == ["slow", "slow"]


async def test_closing_ends_a_prefetch() -> None:
    scheduler = Scheduler(quiet_s=0.0)
    pipeline = await load_leading_to(scheduler, {"a": ["slow"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    assert scheduler.close(PATIENCE_S)
    assert pipeline.cancelled == ["slow"]


@pytest.mark.parametrize(
    ("quiet_s", "begun"), [(PATIENCE_S, ["a", "b one", "b two"]), (0.0, ["a", "next", "b one", "b two"])]
)
async def test_nothing_is_prefetched_until_there_is_a_pause(quiet_s: float, begun: list[str]) -> None:
    scheduler = Scheduler(quiet_s)
    pipeline = await load_leading_to(scheduler, {"a": ["next"]})
    await scheduler.submit(request("a"))
    for _ in range(3):
        await asyncio.sleep(0)  # without a pause, a prefetch is queued by now
    scheduler.prepare(Document("file:///b.py", "python", "b"))  # waits its turn behind it
    await until_begun(pipeline, *begun)
    assert scheduler.close(PATIENCE_S)


async def test_a_prefetch_that_typing_cancels_ends_and_can_be_made_again(scheduler: Scheduler) -> None:
    class Diverging(Scripted):
        def complete(self, request: CompletionRequest, cancel: Cancel, on_text: OnText = None) -> Completion:
            if request.prefetch and not self.slow_began.is_set():
                self.begun.append("prefetch")
                self.slow_began.set()
                assert on_text is not None
                while not cancel.is_set():
                    on_text("something else than what is typed")
                return Completion((), "model", "causal", cancelled=True)
            return super().complete(request, cancel, on_text)

    pipeline = Diverging({"known": ["x = ", "next"]})
    await scheduler.load(lambda: pipeline)
    await scheduler.submit(request("known"))
    await until(pipeline.slow_began)
    assert await text_of(begin(scheduler, request("x = 1"))) == "x = 1"
    async with asyncio.timeout(PATIENCE_S):
        while len(asyncio.all_tasks()) > 1:  # only the test itself
            await asyncio.sleep(0.001)
    assert pipeline.begun == ["prefetch", "x = 1"]
    await scheduler.submit(request("known"))
    await until_begun(pipeline, "prefetch", "x = 1", "x = ")


async def test_a_prefetch_yields_to_another_session(sessions: Sessions) -> None:
    one = Scripted({"a": ["slow"]})
    await sessions.load(one, Scripted())
    await sessions.one.submit(request("a"))
    await until(one.slow_began)
    assert await text_of(begin(sessions.other, request("b"))) == "b"
    assert one.cancelled == ["slow"]
