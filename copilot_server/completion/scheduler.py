"""Who may use the model, and when: one engine thread, and the latest request for a document wins.

The event loop owns all the bookkeeping here; the engine thread only loads pipelines and completes. What
passes between the two is a ``threading.Event`` (stop decoding) one way and a settled future the other.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.config import CompletionSettings
from copilot_server.engine.base import Cancel
from copilot_server.errors import CopilotServerError, EngineError

logger = logging.getLogger(__name__)


class Pipeline(Protocol):
    """What the scheduler needs of ``completion.pipeline.Pipeline``."""

    def complete(self, request: CompletionRequest, cancel: Cancel) -> Completion:
        """Complete on the engine thread, ending soon after ``cancel`` is set."""
        ...

    def configure(self, settings: CompletionSettings) -> None:
        """Complete with other settings from now on. Called on the engine thread."""
        ...

    def lookup(self, request: CompletionRequest) -> Completion | None:
        """Answer without the model, if that can be done. Fast, and called from any thread."""
        ...


class Superseded(Exception):  # noqa: N818 - the outcome of a request, and no error
    """Nobody waits for this answer any more: a newer request for the document came, or all is closing."""


@dataclass(eq=False, slots=True)
class _Ticket:
    """One request that somebody waits for."""

    request: CompletionRequest
    answer: asyncio.Future[Completion]
    cancel: threading.Event = field(default_factory=threading.Event)

    def supersede(self) -> None:
        """Answer now; the engine notices at its next token, or when this one's turn comes."""
        self.cancel.set()
        if not self.answer.done():
            self.answer.set_exception(Superseded())


class Scheduler:
    """Completions for one event loop, made one at a time on a thread of their own."""

    def __init__(self) -> None:
        # An executor of our own: the server's is shared with whatever else blocks.
        self._engine_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._latest: dict[str, _Ticket] = {}
        self._jobs: set[concurrent.futures.Future[None]] = set()
        self._loads = 0
        self._closed = False
        # Written by the engine thread alone, each in one step.
        self._pipeline: Pipeline | None = None
        self._failure: CopilotServerError | None = None

    @property
    def failure(self) -> CopilotServerError | None:
        """Why there is no model, once loading has failed."""
        return self._failure

    def load(self, load: Callable[[], Pipeline]) -> asyncio.Future[None]:
        """Call ``load`` on the engine thread and serve from what it returns.

        The pipeline so far is let go first, so that two models never share the memory. Requests made from
        now on wait for the new one. A load that has not begun when the next is asked for is skipped.

        Returns:
            A future, done when the load is over; it holds the CopilotServerError if it failed.
        """
        self._loads += 1
        loaded: asyncio.Future[None] = _new_future()
        self._enqueue(self._run_load, self._loads, load, loaded)
        return loaded

    def configure(self, settings: CompletionSettings) -> None:
        """Serve the requests made from now on with other settings, by the model that is loaded or loading."""
        self._enqueue(self._run_configure, settings)

    async def submit(self, request: CompletionRequest) -> Completion:
        """Complete ``request``, in place of any older request for the same document.

        Cancelling the caller's task stops the decoding at its next token.

        Raises:
            Superseded: a newer request took this one's place, or the scheduler closed.
            CopilotServerError: the model could not be loaded, or this generation failed.
        """
        ticket = self._admit(request)
        try:
            hit = self._lookup(request)
            if hit is not None:
                return hit
            self._enqueue(self._run, ticket)
            return await ticket.answer
        finally:
            # Answered, failed or cancelled: in each case nothing more is wanted of the engine.
            ticket.cancel.set()
            if self._latest.get(request.cursor.document.uri) is ticket:
                del self._latest[request.cursor.document.uri]

    def close(self, timeout_s: float) -> bool:
        """Supersede all requests, take no more, and wait up to ``timeout_s`` for the engine thread.

        Returns:
            False if the thread is still busy, as in an import or a read that cannot be interrupted.
        """
        self._closed = True
        for ticket in list(self._latest.values()):
            ticket.supersede()
        self._engine_thread.shutdown(wait=False, cancel_futures=True)
        return not concurrent.futures.wait(self._jobs, timeout_s).not_done

    def _admit(self, request: CompletionRequest) -> _Ticket:
        if self._closed:
            raise Superseded
        ticket = _Ticket(request, _new_future())
        older = self._latest.get(request.cursor.document.uri)
        if older is not None:
            older.supersede()
        self._latest[request.cursor.document.uri] = ticket
        return ticket

    def _lookup(self, request: CompletionRequest) -> Completion | None:
        pipeline = self._pipeline
        if pipeline is None or request.invoked:
            return None
        return pipeline.lookup(request)

    def _enqueue(self, job: Callable[..., None], *args: object) -> None:
        future = self._engine_thread.submit(job, *args)
        self._jobs.add(future)
        future.add_done_callback(self._jobs.discard)

    # From here on: the engine thread.

    def _run_load(self, number: int, load: Callable[[], Pipeline], loaded: asyncio.Future[None]) -> None:
        if number != self._loads:
            _settle(loaded, loaded.cancel)
            return
        self._pipeline, self._failure = None, None
        try:
            self._pipeline = load()
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: the failure goes to those who wait
            self._failure = failure = _as_ours(error, "The model could not be loaded")
            _settle(loaded, lambda: loaded.set_exception(failure))
        else:
            _settle(loaded, lambda: loaded.set_result(None))

    def _run_configure(self, settings: CompletionSettings) -> None:
        if self._pipeline is not None:
            self._pipeline.configure(settings)

    def _run(self, ticket: _Ticket) -> None:
        if ticket.cancel.is_set():
            return
        try:
            completion = self._complete(ticket)
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: only this request fails
            failure = _as_ours(error, "The completion failed")
            _settle(ticket.answer, lambda: ticket.answer.set_exception(failure))
        else:
            _settle(ticket.answer, lambda: ticket.answer.set_result(completion))

    def _complete(self, ticket: _Ticket) -> Completion:
        if self._failure is not None:
            # Without what earlier raises hung on it, or it would grow with each request.
            raise self._failure.with_traceback(None)
        if self._pipeline is None:
            raise EngineError("No model is loaded.")
        return self._pipeline.complete(ticket.request, ticket.cancel)


def _new_future() -> asyncio.Future[Any]:
    """Make a future that is no mistake to leave unread: its reader may have gone."""
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


def _settle(future: asyncio.Future[Any], settle: Callable[[], object]) -> None:
    """Call ``settle`` on the future's loop, unless somebody has settled it or the loop has ended."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: the server is going down
        future.get_loop().call_soon_threadsafe(lambda: future.done() or settle())


def _as_ours(error: BaseException, what: str) -> CopilotServerError:
    """Make ``error`` one of our tree.

    Its own words go to DEBUG alone: a library's message may quote the text that it failed on.
    """
    if isinstance(error, CopilotServerError):
        return error
    logger.error("%s: %s", what, type(error).__name__)
    logger.debug("%s", what, exc_info=error)
    return EngineError(f"{what} ({type(error).__name__}).", remedy="The log at level DEBUG says more.")
