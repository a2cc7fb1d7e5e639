"""An event loop in its own thread, for an engine whose callers wait in theirs."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Container, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

_T = TypeVar("_T")
_Works = weakref.WeakSet[Coroutine[Any, Any, Any]]


class EventLoop:
    """Runs coroutines until it is closed or garbage-collected."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._works: _Works = weakref.WeakSet()
        thread = threading.Thread(target=_run, args=(self._loop, self._works), name=name, daemon=True)
        thread.start()
        self._finalize = weakref.finalize(self, _stop, self._loop, thread)

    def start(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Begin ``work``; cancelling the returned future cancels it."""
        self._works.add(work)
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Cancel everything that runs, and end the thread."""
        self._finalize()


def _run(loop: asyncio.AbstractEventLoop, works: _Works) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(cancel_all(works))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def cancel_all(works: Container[object]) -> None:
    """Cancel the running loop's tasks that run one of ``works``, and wait until they have ended.

    Tasks that these began are theirs to end: if anyone else cancels anyio's tasks before their first step, a
    coroutine is never awaited, and Python warns of it.
    """
    tasks = [task for task in asyncio.all_tasks() if task.get_coro() in works]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    if thread.is_alive():
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(timeout=1.0)
