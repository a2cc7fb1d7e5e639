"""Who may use the model, and when: one engine thread, and the latest request for a document wins.

The event loop owns all the bookkeeping here; the engine thread only loads pipelines and completes. What
passes between the two is a ``threading.Event`` (stop decoding) one way and a settled future the other.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from copilot_server.completion.scheduling.counts import Counts
from copilot_server.completion.scheduling.debounce import Debounce
from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.config import CompletionSettings
from copilot_server.context.document import Document
from copilot_server.engine.base import Cancel
from copilot_server.errors import CopilotServerError, DiskSpaceError, EngineError

logger = logging.getLogger(__name__)

#: How long after an answer nothing is completed ahead. Most keys come sooner, and one that needs the engine
#: would have to wait for the piece of a prompt being read; who takes a suggestion has looked at it longer.
QUIET_S = 0.3
#: How long a generation goes on that nobody waits for any more. Editors cancel a request when a key is typed
#: and only then make the next, whose answer this generation may well be.
LINGER_S = 0.2

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_MAKE_ROOM = "Make room, or set COPILOT_SERVER_HOME to a folder on another disk."


class Pipeline(Protocol):
    """What the scheduler needs of ``completion.pipeline.Pipeline``."""

    def complete(
        self, request: CompletionRequest, cancel: Cancel, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """Complete on the engine thread, ending soon after ``cancel`` is set.

        ``on_text`` is called after each token with what the model has written so far.
        """
        ...

    def ahead(self, request: CompletionRequest, completion: Completion) -> tuple[CompletionRequest, ...]:
        """Say what is worth completing after ``completion`` before anyone asks. Fast, from any thread."""
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

    def watch(self, on_trouble: Callable[[EngineError | None], None]) -> None:
        """Have ``on_trouble`` called, from any thread, when the engine fails, and when it works again."""
        ...


class Superseded(Exception):  # noqa: N818 - the outcome of a request, and no error
    """Nobody waits for this answer any more: a newer request for the document came, or all is closing."""


@dataclass(eq=False, slots=True)
class _Ticket:
    """One request that somebody waits for."""

    request: CompletionRequest
    answer: asyncio.Future[Completion]
    cancel: threading.Event = field(default_factory=threading.Event)
    #: Whether the engine thread has come to it.
    begun: bool = False
    #: What has been typed since, if the generation goes on for a newer request.
    typed: str = ""
    #: The generation that may turn out to be the answer, being made for an older request.
    carrier: _Ticket | None = None

    @property
    def uri(self) -> str:
        """The document that the request is for."""
        return self.request.cursor.document.uri

    def supersede(self, *, carry_on: bool = False) -> None:
        """Answer now; unless the generation is to carry on, the engine ends it at its next token."""
        if not carry_on:
            self.cancel.set()
        if not self.answer.done():
            self.answer.set_exception(Superseded())

    def watch(self, text: str) -> None:
        """Give up a generation once it differs from what is being typed. Called on the engine thread."""
        typed = self.typed
        if not (text.startswith(typed) or typed.startswith(text)):
            self.cancel.set()

    def typed_before(self, request: CompletionRequest) -> str | None:
        """What was typed between this request and a newer one; None if that is not all that was done."""
        if request.invoked or self.request.invoked:
            return None
        older, newer = self.request.cursor, request.cursor
        old, new = older.document, newer.document
        typed = new.text[older.offset : newer.offset]
        if newer.offset < older.offset or len(new.text) != len(old.text) + len(typed):
            return None
        same = (old.uri, old.language_id) == (new.uri, new.language_id)
        same = same and new.text.startswith(older.prefix) and new.text.endswith(older.suffix)
        return typed if same else None


@dataclass(eq=False, slots=True)
class _Ahead:
    """Requests that nobody has made yet, being completed one after the other."""

    requests: tuple[CompletionRequest, ...]
    cancel: threading.Event = field(default_factory=threading.Event)
    task: asyncio.Task[None] | None = None

    def leads_to(self, request: CompletionRequest) -> bool:
        """Whether one of its answers will be the answer to ``request``."""
        return not request.invoked and any(one.cursor == request.cursor for one in self.requests)

    def stop(self) -> None:
        """Free the engine at its next token."""
        self.cancel.set()
        if self.task is not None:
            self.task.cancel()


class Scheduler:
    """Completions for one event loop, made one at a time on a thread of their own.

    A generation carries on for a newer request as long as what is typed is what it writes. While nobody waits
    for an answer, the engine completes ahead what the last answer leads to. Whoever needs the engine ends
    that at once, unless it is the very answer that is asked for.
    """

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        self.debounce = Debounce()
        #: Called when the engine cannot be used, whoever asks for what, and with None when it can again.
        self.on_trouble: Callable[[EngineError | None], None] = lambda _error: None
        self.counts = Counts()
        self._quiet_s = quiet_s
        # An executor of our own: the server's is shared with whatever else blocks.
        self._engine_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._latest: dict[str, _Ticket] = {}
        self._ahead: _Ahead | None = None
        self._jobs: set[concurrent.futures.Future[None]] = set()
        self._loads = 0
        self._closed = False
        # Written by the engine thread alone, each in one step.
        self._pipeline: Pipeline | None = None
        self._failure: CopilotServerError | None = None
        self._running: _Ticket | None = None

    @property
    def pipeline(self) -> Pipeline | None:
        """What completes now; None while there is no model."""
        return self._pipeline

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
        self._stop_ahead()
        self._loads += 1
        loaded: asyncio.Future[None] = _new_future()
        self._enqueue(self._run_load, self._loads, load, loaded)
        return loaded

    def configure(self, settings: CompletionSettings) -> None:
        """Serve the requests made from now on with other settings, by the model that is loaded or loading."""
        self._stop_ahead()
        self._enqueue(self._run_configure, settings)

    def prepare(self, document: Document) -> None:
        """Have the pipeline get ready for requests for ``document``, between others."""
        if not self._closed:
            self._enqueue(self._run_prepare, document)

    async def submit(self, request: CompletionRequest) -> Completion:
        """Complete ``request``, in place of any older request for the same document.

        Cancelling the caller's task stops the decoding soon, unless the next request goes on from it.

        Raises:
            Superseded: a newer request took this one's place, or the scheduler closed.
            CopilotServerError: the model could not be loaded, or this generation failed.
        """
        ticket = self._admit(request)
        try:
            completion = await self._answered(ticket)
        except CopilotServerError:
            self.counts.failed += 1
            raise
        except (Superseded, asyncio.CancelledError):
            self.counts.cancelled(running=ticket.begun)
            raise
        finally:
            if self._latest.get(ticket.uri) is ticket:
                del self._latest[ticket.uri]
            self._release(ticket)
        self.counts.answers[completion.source] += 1
        return completion

    async def _answered(self, ticket: _Ticket) -> Completion:
        wait_s = 0.0 if ticket.request.invoked else self.debounce.key()
        completion = self._lookup(ticket.request)
        if completion is None:
            completion = await self._generated(ticket, wait_s)
        self._look_ahead(ticket, completion)
        return completion

    async def _generated(self, ticket: _Ticket, wait_s: float) -> Completion:
        if self._ahead is not None and not self._ahead.leads_to(ticket.request) and ticket.carrier is None:
            self._stop_ahead()
        if wait_s and ticket.carrier is None:
            await asyncio.wait([ticket.answer], timeout=wait_s)
        if not ticket.answer.done():
            self._enqueue(self._run, ticket)
        return await ticket.answer

    def close(self, timeout_s: float) -> bool:
        """Supersede all requests, take no more, and wait up to ``timeout_s`` for the engine thread.

        Returns:
            False if the thread is still busy, as in an import or a read that cannot be interrupted.
        """
        self._closed = True
        self._stop_ahead()
        for ticket in list(self._latest.values()):
            ticket.supersede()
        if (running := self._running) is not None:  # the engine thread may end it between two looks
            running.cancel.set()
        self._engine_thread.shutdown(wait=False, cancel_futures=True)
        return not concurrent.futures.wait(self._jobs, timeout_s).not_done

    def _admit(self, request: CompletionRequest) -> _Ticket:
        if self._closed:
            raise Superseded
        ticket = _Ticket(request, _new_future())
        ticket.carrier = self._carrier_of(ticket)
        older = self._latest.get(ticket.uri)
        if older is not None:
            older.supersede(carry_on=older is ticket.carrier)
        self._latest[ticket.uri] = ticket
        self.counts.requests += 1
        return ticket

    def _carrier_of(self, ticket: _Ticket) -> _Ticket | None:
        """The generation under way, if it may still turn out to be what this request asks for."""
        running = self._running
        if running is None or running.cancel.is_set():
            return None
        typed = running.typed_before(ticket.request)
        if typed is None:
            if not self._is_wanted(running):
                running.cancel.set()
            return None
        running.typed = typed
        return running

    def _is_wanted(self, ticket: _Ticket) -> bool:
        """Whether somebody waits for this generation, or it is being made ahead."""
        latest = self._latest.get(ticket.uri)
        waited_for = latest is not None and ticket in (latest, latest.carrier)
        return waited_for or ticket.request.ahead

    def _release(self, ticket: _Ticket) -> None:
        """Let go what was done for a request that is answered, failed or cancelled."""
        for one in (ticket, ticket.carrier):
            if one is None or self._is_wanted(one):
                continue
            if one is self._running and not self._latest and not self._closed:
                asyncio.get_running_loop().call_later(LINGER_S, self._drop, one)
            else:
                one.cancel.set()

    def _drop(self, ticket: _Ticket) -> None:
        if not self._is_wanted(ticket):
            ticket.cancel.set()

    def _lookup(self, request: CompletionRequest) -> Completion | None:
        pipeline = self._pipeline
        if pipeline is None or request.invoked:
            return None
        return pipeline.lookup(request)

    def _look_ahead(self, answered: _Ticket, completion: Completion) -> None:
        """Complete what ``completion`` leads to, unless somebody waits for the engine."""
        others_wait = any(ticket is not answered for ticket in self._latest.values())
        if self._pipeline is None or self._closed or others_wait:
            return
        requests = self._pipeline.ahead(answered.request, completion)
        if not requests or (self._ahead is not None and self._ahead.requests == requests):
            return
        self._stop_ahead()
        self._ahead = ahead = _Ahead(requests)
        ahead.task = asyncio.create_task(self._complete_ahead(ahead))

    async def _complete_ahead(self, ahead: _Ahead) -> None:
        """Complete one place after the other, each when whoever has come to wait meanwhile is served.

        A place is worth completing only if nothing is suggested at the one before.
        """
        await asyncio.sleep(self._quiet_s)
        for request in ahead.requests:
            ticket = _Ticket(request, _new_future(), ahead.cancel)
            self._enqueue(self._run, ticket)
            try:
                completion = await ticket.answer
            except CopilotServerError:
                return  # it is told to whoever asks
            finally:
                self.counts.made_ahead += ticket.begun
            if completion.candidates:
                return

    def _stop_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.stop()
            self._ahead = None

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
            self._pipeline.watch(partial(self._tell_trouble, loaded.get_loop(), number))
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: the failure goes to those who wait
            self._failure = failure = _as_ours(error, "The model could not be loaded")
            _settle(loaded, lambda: loaded.set_exception(failure))
        else:
            _settle(loaded, lambda: loaded.set_result(None))

    def _tell_trouble(self, loop: asyncio.AbstractEventLoop, number: int, error: EngineError | None) -> None:
        """Pass on what is wrong with the engine of a load, if that is still the last one."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is going down
            loop.call_soon_threadsafe(lambda: number == self._loads and self.on_trouble(error))

    def _run_configure(self, settings: CompletionSettings) -> None:
        if self._pipeline is not None:
            self._pipeline.configure(settings)

    def _run_prepare(self, document: Document) -> None:
        if self._pipeline is not None:
            self._run_step(self._pipeline, self._pipeline.prepare(document))

    def _run_step(self, pipeline: Pipeline, steps: Iterator[None]) -> None:
        """Take one step, and then let whoever waits go first."""
        unfinished = object()
        if pipeline is not self._pipeline or next(steps, unfinished) is unfinished:
            return
        with contextlib.suppress(RuntimeError):  # the engine thread takes no more: all is closing
            self._enqueue(self._run_step, pipeline, steps)

    def _run(self, ticket: _Ticket) -> None:
        if ticket.cancel.is_set():
            return
        self._running, ticket.begun = ticket, True
        try:
            completion = self._complete(ticket)
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: only this request fails
            failure = _as_ours(error, "The completion failed")
            _settle(ticket.answer, lambda: ticket.answer.set_exception(failure))
        else:
            _settle(ticket.answer, lambda: ticket.answer.set_result(completion))
        finally:
            self._running = None

    def _complete(self, ticket: _Ticket) -> Completion:
        if self._failure is not None:
            # Without what earlier raises hung on it, or it would grow with each request.
            raise self._failure.with_traceback(None)
        if self._pipeline is None:
            raise EngineError("No model is loaded.")
        begun_s = time.monotonic()
        completion = self._pipeline.complete(ticket.request, ticket.cancel, ticket.watch)
        if completion.source == "model" and not completion.cancelled:
            self.debounce.answered(time.monotonic() - begun_s)
        # Whoever came while this was being made for another has waited for the model all the same.
        return replace(completion, source="model") if completion.source in ("ahead", "cache") else completion


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
    if isinstance(error, MemoryError):
        return EngineError(f"{what}: memory ran out.", remedy="Choose a smaller model.")
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return DiskSpaceError(f"{what}: {error.strerror}.", remedy=_MAKE_ROOM)
    if isinstance(error, OSError) and error.strerror:
        return EngineError(f"{what}: {error.strerror}.", remedy="The log at level DEBUG says more.")
    return EngineError(f"{what} ({type(error).__name__}).", remedy="The log at level DEBUG says more.")
