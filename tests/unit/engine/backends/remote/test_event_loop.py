"""The event loop of the remote engine ends what it runs, in order and without a warning."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Container, Coroutine
from concurrent.futures import CancelledError
from typing import Any

import anyio
import pytest

from copilot_server.engine.backends.remote.event_loop import EventLoop, cancel_all


def test_a_task_is_run_and_its_result_or_error_returned() -> None:
    async def fails() -> None:
        raise ValueError("no")

    loop = EventLoop("test")
    assert loop.start(asyncio.sleep(0, "done")).result() == "done"
    with pytest.raises(ValueError, match="no"):
        loop.start(fails()).result()
    loop.close()


@pytest.mark.parametrize("end", [EventLoop.close, lambda _loop: None], ids=["closed", "owner gone"])
def test_what_runs_is_cancelled_at_the_end(end: Callable[[EventLoop], None]) -> None:
    begun, cleaned = threading.Event(), threading.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    loop = EventLoop("test")
    future = loop.start(work())
    assert begun.wait(60)
    assert not cleaned.is_set()
    end(loop)
    del loop
    gc.collect()
    assert cleaned.wait(60)
    with pytest.raises(CancelledError):
        future.result()


async def cancel_everything(_works: Container[object]) -> None:
    """As ``asyncio.run`` does."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def end_at_once(end: Callable[[Container[object]], Awaitable[None]]) -> None:
    """End work that has just begun another task, as connecting does in httpx; that has had no step yet."""

    async def connects() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)

    work = connects()
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    await end({work})
    assert task.cancelled()


def run_collected(work: Coroutine[Any, Any, None]) -> None:
    """Run it, and have told what it leaves behind."""
    asyncio.run(work)
    gc.collect()


def test_what_the_work_has_begun_is_left_to_it() -> None:
    run_collected(end_at_once(cancel_all))


def test_what_the_work_has_begun_and_others_cancel_is_warned_of() -> None:
    with pytest.warns(RuntimeWarning, match="never awaited"):
        run_collected(end_at_once(cancel_everything))
