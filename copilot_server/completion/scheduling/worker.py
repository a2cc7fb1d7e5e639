"""A scheduler's part on the engine thread: it loads the pipeline and completes with it there.

Public methods are for the event loop; those whose names begin with ``_run`` run on the engine thread. What
passes between the two is a ``threading.Event`` (stop decoding) one way and an asyncio future the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from copilot_server.completion.scheduling.engine_thread import JobQueue
from copilot_server.completion.scheduling.read_ahead import Reading
from copilot_server.completion.scheduling.ticket import Superseded, Ticket, new_future, resolve
from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.config import CompletionSettings
from copilot_server.context.document import Document
from copilot_server.engine.base import Cancel
from copilot_server.errors import CopilotServerError, DiskSpaceError, EngineError

logger = logging.getLogger(__name__)

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FREE_DISK_SPACE = "Free some disk space, or set COPILOT_SERVER_HOME to a folder on another disk."
_SEE_LOG = "The log at level DEBUG says more."


class Pipeline(Protocol):
    """What the scheduler needs of ``completion.pipeline.Pipeline``."""

    @property
    def notices(self) -> Sequence[str]:
        """See ``Engine.notices``."""
        ...

    def complete(
        self, request: CompletionRequest, cancel: Cancel, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """Complete on the engine thread, ending soon after ``cancel`` is set.

        ``on_text`` is called after each token with what the model has written so far.
        """
        ...

    def next_requests(
        self, request: CompletionRequest, completion: Completion
    ) -> tuple[CompletionRequest, ...]:
        """Return what is worth prefetching after ``completion``. Fast, and called from any thread."""
        ...

    def configure(self, settings: CompletionSettings) -> None:
        """Complete with other settings from now on. Called on the engine thread."""
        ...

    def lookup(self, request: CompletionRequest) -> Completion | None:
        """Answer without the model, if that can be done. Fast, and called from any thread."""
        ...

    def prepare(self, document: Document) -> Iterator[None]:
        """Get ready for requests, a little at each step. Called on the engine thread."""
        ...

    def read_ahead(self, request: CompletionRequest, cancel: Cancel) -> bool:
        """Read the prompts of what is likely to be requested next, where the cursor rests.

        Called on the engine thread; ends soon after ``cancel`` is set. Returns whether there were any.
        """
        ...

    def watch(self, on_error: Callable[[EngineError | None], None]) -> None:
        """Have ``on_error`` called, from any thread, when the engine fails, and with None once it works."""
        ...


class Worker:
    """Loads a pipeline on the engine thread and completes with it there."""

    def __init__(self, queue: JobQueue, on_latency: Callable[[float], None]) -> None:
        """``on_latency``: called on the engine thread with what each generation took, in seconds."""
        #: Called on the loop when the engine cannot be used, and with None when it can again.
        self.on_engine_error: Callable[[EngineError | None], None] = lambda _error: None
        self._queue = queue
        self._on_latency = on_latency
        self._loads = 0
        # The engine thread alone writes these, each in one step.
        self._pipeline: Pipeline | None = None
        self._failure: CopilotServerError | None = None
        self._running: Ticket | None = None

    @property
    def pipeline(self) -> Pipeline | None:
        """What completes now; None while there is no model."""
        return self._pipeline

    @property
    def failure(self) -> CopilotServerError | None:
        """Why there is no model, once loading has failed."""
        return self._failure

    @property
    def running(self) -> Ticket | None:
        """The request for which the engine is generating; it may end between two looks."""
        return self._running

    def load(self, load: Callable[[], Pipeline]) -> asyncio.Future[None]:
        """As ``Scheduler.load``."""
        self._loads += 1
        loaded: asyncio.Future[None] = new_future()
        self._queue.submit(self._run_load, self._loads, load, loaded)
        return loaded

    def unload(self) -> asyncio.Future[None]:
        """As ``Scheduler.unload``."""
        self._loads += 1
        unloaded: asyncio.Future[None] = new_future()
        self._queue.submit(self._run_unload, self._loads, unloaded, background=True)
        return unloaded

    def configure(self, settings: CompletionSettings) -> None:
        """As ``Scheduler.configure``."""
        self._queue.submit(self._run_configure, settings)

    def prepare(self, document: Document) -> None:
        """As ``Scheduler.prepare``."""
        with contextlib.suppress(RuntimeError):  # the queue is closed
            self._queue.submit(self._run_prepare, document, background=True)

    def complete(self, ticket: Ticket) -> None:
        """Complete a ticket's request and resolve its answer."""
        self._queue.submit(self._run, ticket, background=ticket.request.prefetch)

    def read_ahead(self, reading: Reading) -> None:
        """Read the prompts of a reading's request while nobody waits for the engine."""
        with contextlib.suppress(RuntimeError):  # the queue is closed
            self._queue.submit(self._run_reading, reading, background=True)

    def close(self, timeout_s: float) -> bool:
        """As ``Scheduler.close``."""
        if (running := self._running) is not None:
            running.cancel.set()
        self._queue.close()
        return self._queue.join(timeout_s)

    def release(self) -> None:
        """As ``Scheduler.release``."""
        self._pipeline = None

    def _run_load(self, number: int, load: Callable[[], Pipeline], loaded: asyncio.Future[None]) -> None:
        if number != self._loads:
            resolve(loaded, loaded.cancel)
            return
        self._pipeline, self._failure = None, None
        try:
            self._pipeline = load()
            self._pipeline.watch(partial(self._report, loaded.get_loop(), number))
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: the failure goes to those who wait
            self._failure = failure = _as_server_error(error, "The model could not be loaded")
            resolve(loaded, lambda: loaded.set_exception(failure))
        else:
            resolve(loaded, lambda: loaded.set_result(None))

    def _run_unload(self, number: int, unloaded: asyncio.Future[None]) -> None:
        if number == self._loads:
            self._pipeline, self._failure = None, None
        resolve(unloaded, lambda: unloaded.set_result(None))

    def _report(self, loop: asyncio.AbstractEventLoop, number: int, error: EngineError | None) -> None:
        """Pass on that the engine of a load fails, or works again, if that load is still the last one."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is going down
            loop.call_soon_threadsafe(lambda: number == self._loads and self.on_engine_error(error))

    def _run_configure(self, settings: CompletionSettings) -> None:
        if self._pipeline is not None:
            self._pipeline.configure(settings)

    def _run_prepare(self, document: Document) -> None:
        if self._pipeline is not None:
            self._run_step(self._pipeline, self._pipeline.prepare(document))

    def _run_step(self, pipeline: Pipeline, steps: Iterator[None]) -> None:
        """Take one step, and then let the requests that wait go first."""
        unfinished = object()
        if pipeline is not self._pipeline or next(steps, unfinished) is unfinished:
            return
        with contextlib.suppress(RuntimeError):  # the queue is closed
            self._queue.submit(self._run_step, pipeline, steps, background=True)

    def _run_reading(self, reading: Reading) -> None:
        if self._pipeline is not None and not reading.cancel.is_set():
            reading.begun = True
            try:
                reading.begun = self._pipeline.read_ahead(reading.request, reading.cancel)
            except BaseException as error:  # noqa: BLE001 - the thread's boundary: a request meets it again
                _as_server_error(error, "Reading a prompt ahead failed")
        resolve(reading.ended, lambda: reading.ended.set_result(None))

    def _run(self, ticket: Ticket) -> None:
        if ticket.cancel.is_set():
            resolve(ticket.answer, lambda: ticket.answer.set_exception(Superseded()))
            return
        self._running, ticket.begun = ticket, True
        try:
            completion = self._completed(ticket)
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: only this request fails
            failure = _as_server_error(error, "The completion failed")
            resolve(ticket.answer, lambda: ticket.answer.set_exception(failure))
        else:
            resolve(ticket.answer, lambda: ticket.answer.set_result(completion))
        finally:
            self._running = None

    def _completed(self, ticket: Ticket) -> Completion:
        if self._failure is not None:
            # Each raise would add its frames to the traceback that the error carries.
            raise self._failure.with_traceback(None)
        if self._pipeline is None:
            raise EngineError("No model is loaded.")
        begun_s = time.monotonic()
        completion = self._pipeline.complete(ticket.request, ticket.cancel, ticket.check_typed)
        if completion.source == "model" and not completion.cancelled:
            self._on_latency(time.monotonic() - begun_s)
        # A request that came while this was made for another one has waited for the model all the same.
        return replace(completion, source="model") if completion.source in ("ahead", "cache") else completion


def _as_server_error(error: BaseException, what: str) -> CopilotServerError:
    """Return ``error`` as a CopilotServerError.

    Its own message is logged only at DEBUG, since a library's message may quote the user's text.
    """
    if isinstance(error, CopilotServerError):
        return error
    logger.error("%s: %s", what, type(error).__name__)
    logger.debug("%s", what, exc_info=error)
    if isinstance(error, MemoryError):
        return EngineError(f"{what}: memory ran out.", remedy="Choose a smaller model.")
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return DiskSpaceError(f"{what}: {error.strerror}.", remedy=_FREE_DISK_SPACE)
    if isinstance(error, OSError) and error.strerror:
        return EngineError(f"{what}: {error.strerror}.", remedy=_SEE_LOG)
    return EngineError(f"{what} ({type(error).__name__}).", remedy=_SEE_LOG)
