"""The scheduler: the latest request of a document wins, and a generation may answer a newer request."""

from __future__ import annotations

import asyncio
import threading

import pytest

from copilot_server.completion.scheduling.scheduler import Scheduler, Superseded
from copilot_server.completion.types import CompletionRequest
from copilot_server.context.document import Cursor, Document
from copilot_server.errors import EngineError
from tests.support.patience import PATIENCE_S
from tests.support.scripted_pipeline import (
    Scripted,
    Writing,
    begin,
    request,
    text_of,
    until,
    until_begun,
)


async def test_a_request_is_completed_on_the_engine_thread(scheduler: Scheduler, pipeline: Scripted) -> None:
    assert await text_of(begin(scheduler, request("a"))) == "a"
    assert len(pipeline.threads) == 1
    assert pipeline.threads != {threading.current_thread().name}


async def test_a_newer_request_for_the_document_cancels_the_running_one(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    older = begin(scheduler, request("slow"))
    await until(pipeline.slow_began)
    newer = begin(scheduler, request("new"))
    with pytest.raises(Superseded):
        await older
    assert await text_of(newer) == "new"
    assert pipeline.cancelled == ["slow"]


async def test_a_newer_request_for_the_document_cancels_the_queued_one(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    running = begin(scheduler, request("slow", "file:///other.py"))
    await until(pipeline.slow_began)
    queued = begin(scheduler, request("old"))
    newer = begin(scheduler, request("new"))
    with pytest.raises(Superseded):
        await queued
    running.cancel()
    assert await text_of(newer) == "new"
    assert pipeline.begun == ["slow", "new"]


async def test_requests_for_different_documents_are_all_answered(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    answers = [begin(scheduler, request(name, f"file:///{name}")) for name in "abc"]
    assert [await text_of(answer) for answer in answers] == ["a", "b", "c"]
    assert len(pipeline.threads) == 1


async def test_cancelling_the_caller_stops_the_decoding(scheduler: Scheduler, pipeline: Scripted) -> None:
    answer = begin(scheduler, request("slow"))
    await until(pipeline.slow_began)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    assert await text_of(begin(scheduler, request("next"))) == "next"
    assert pipeline.cancelled == ["slow"]


async def test_a_failure_is_only_that_requests(scheduler: Scheduler, pipeline: Scripted) -> None:
    with pytest.raises(EngineError, match=r"The completion failed \(ValueError\)") as caught:
        await scheduler.submit(request("boom"))
    assert "in boom" not in str(caught.value)
    assert await text_of(begin(scheduler, request("next"))) == "next"
    assert scheduler.failure is None


async def test_what_can_be_looked_up_needs_no_engine(scheduler: Scheduler, pipeline: Scripted) -> None:
    assert await text_of(begin(scheduler, request("known"))) == "cached"
    assert pipeline.begun == []
    assert await text_of(begin(scheduler, request("known", invoked=True))) == "known"
    assert pipeline.begun == ["known"]


async def test_a_lookup_supersedes_too(scheduler: Scheduler, pipeline: Scripted) -> None:
    older = begin(scheduler, request("slow"))
    await until(pipeline.slow_began)
    assert await text_of(begin(scheduler, request("known"))) == "cached"
    with pytest.raises(Superseded):
        await older


async def test_closing_ends_what_runs_and_what_waits() -> None:
    scheduler, pipeline = Scheduler(quiet_s=0.0), Scripted()
    await scheduler.load(lambda: pipeline)
    running = begin(scheduler, request("slow"))
    await until(pipeline.slow_began)
    queued = begin(scheduler, request("queued", "file:///b.py"))
    await asyncio.sleep(0)
    assert scheduler.close(PATIENCE_S)
    for answer in (running, queued):
        with pytest.raises(Superseded):
            await answer
    with pytest.raises(Superseded):
        await scheduler.submit(request("late"))
    assert pipeline.begun == ["slow"]


async def test_a_generation_carries_on_while_what_it_writes_is_typed(
    scheduler: Scheduler, writing: Writing
) -> None:
    answers = []
    for typed in ("x = ", "x = o", "x = on", "x = one "):
        answers.append(begin(scheduler, request(typed)))
        await until(writing.slow_began)
    writing.write()
    assert await text_of(answers.pop()) == "two three"
    assert writing.begun == ["x = "]
    for older in answers:
        with pytest.raises(Superseded):
            await older


async def test_an_answer_of_a_generation_that_carried_on_has_waited_for_the_model(
    scheduler: Scheduler, writing: Writing
) -> None:
    begin(scheduler, request("x = "))
    await until(writing.slow_began)
    waiting = begin(scheduler, request("x = o"))
    await asyncio.sleep(0)
    writing.write()
    assert (await waiting).source == "model"
    assert (await scheduler.submit(request("x = on"))).source == "cache"


async def test_a_generation_ends_when_something_else_is_typed(scheduler: Scheduler, writing: Writing) -> None:
    begin(scheduler, request("x = "))
    await until(writing.slow_began)
    writing.write(2)  # "on"
    other = begin(scheduler, request("x = of"))
    await asyncio.sleep(0)
    writing.write()
    assert await text_of(other) == "one two three"
    assert (writing.begun, writing.cancelled) == (["x = ", "x = of"], ["x = "])


@pytest.mark.parametrize(
    "other",
    [
        request("y = "),
        request("x ="),
        request("x = o", invoked=True),
        CompletionRequest(Cursor(Document("file:///a.py", "python", "x = oz"), 5)),
        CompletionRequest(Cursor(Document("file:///a.py", "lua", "x = o"), 5)),
    ],
)
async def test_a_generation_for_another_position_ends_at_once(
    scheduler: Scheduler, writing: Writing, other: CompletionRequest
) -> None:
    begin(scheduler, request("x = "))
    await until(writing.slow_began)
    answer = begin(scheduler, other)
    await until_begun(writing, "x = ", other.cursor.prefix)
    assert writing.cancelled == ["x = "]
    writing.write()
    assert await text_of(answer) == "one two three"


async def test_a_request_cancelled_by_the_next_key_is_carried_on(
    scheduler: Scheduler, writing: Writing
) -> None:
    older = begin(scheduler, request("x = "))
    await until(writing.slow_began)
    older.cancel()
    await asyncio.wait([older])
    newer = begin(scheduler, request("x = o"))
    await asyncio.sleep(0)
    writing.write()
    assert await text_of(newer) == "ne two three"
    assert writing.begun == ["x = "]


async def test_a_request_cancelled_for_good_frees_the_engine(scheduler: Scheduler, writing: Writing) -> None:
    for typed in ("x = ", "x = o"):
        cancelled = begin(scheduler, request(typed))
        await until(writing.slow_began)
    cancelled.cancel()
    while not writing.cancelled:
        await asyncio.sleep(0.01)
    assert writing.begun == ["x = "]


async def test_a_cancelled_generation_does_not_keep_another_document_waiting(
    scheduler: Scheduler, writing: Writing
) -> None:
    cancelled = begin(scheduler, request("x = "))
    await until(writing.slow_began)
    cancelled.cancel()
    other = begin(scheduler, request("z = ", "file:///b.py"))
    await until_begun(writing, "x = ", "z = ")
    writing.write()
    assert await text_of(other) == "one two three"


async def test_the_next_key_ends_a_debounce(scheduler: Scheduler, pipeline: Scripted) -> None:
    scheduler.debounce.key = lambda: PATIENCE_S  # type: ignore[method-assign]
    waiting = begin(scheduler, request("old"))
    await asyncio.sleep(0)
    scheduler.debounce.key = lambda: 0.01  # type: ignore[method-assign]
    newer = begin(scheduler, request("new"))
    with pytest.raises(Superseded):
        await waiting
    assert await text_of(newer) == "new"
    assert pipeline.begun == ["new"]
