"""Which request reaches the engine, and when: the latest request for a document wins.

Every editor's session has a scheduler, on the one event loop of the process. All of them may share one
``EngineThread``; each keeps its own requests, counts, debounce and pipeline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from copilot_server.completion.scheduling.counts import Counts
from copilot_server.completion.scheduling.debounce import Debounce
from copilot_server.completion.scheduling.engine_thread import EngineThread
from copilot_server.completion.scheduling.prefetch import QUIET_S, Prefetcher
from copilot_server.completion.scheduling.read_ahead import ReadAhead
from copilot_server.completion.scheduling.ticket import Superseded, Ticket
from copilot_server.completion.scheduling.worker import Pipeline, Worker
from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.config import CompletionSettings
from copilot_server.context.document import Document
from copilot_server.errors import CopilotServerError, EngineError

__all__ = ["LINGER_S", "Pipeline", "Scheduler", "Superseded"]

#: How long a generation goes on that nobody waits for any more, in seconds. Editors cancel a request when a
#: key is typed and only then make the next one, whose answer this generation may well be.
LINGER_S = 0.2


class Scheduler:
    """Completions for one session, made one at a time on the engine thread.

    A generation carries on for a newer request as long as what the user types is what it writes. While nobody
    waits for an answer, the engine prefetches what the last answer leads to, and reads the prompt of the
    position where the cursor rests. A request that needs the engine ends both at once, but for a prefetch of
    the very answer that it asks for.
    """

    def __init__(self, quiet_s: float = QUIET_S, engine_thread: EngineThread | None = None) -> None:
        """``engine_thread``: one to share with other schedulers of this event loop; by default its own."""
        self.debounce = Debounce()
        self.counts = Counts()
        self._own_thread = EngineThread() if engine_thread is None else None
        thread = engine_thread or self._own_thread
        assert thread is not None  # noqa: S101 - for the type checker
        self._queue = thread.queue(self._yield_engine)
        self._worker = Worker(self._queue, self.debounce.answered)
        self._prefetcher = Prefetcher(self._worker.complete, self.counts, quiet_s)
        self._read_ahead = ReadAhead(self._worker.read_ahead, self.counts, quiet_s)
        self._latest: dict[str, Ticket] = {}
        self._closed = False

    @property
    def on_engine_error(self) -> Callable[[EngineError | None], None]:
        """Called on the loop when the engine cannot be used, and with None when it can again."""
        return self._worker.on_engine_error

    @on_engine_error.setter
    def on_engine_error(self, on_error: Callable[[EngineError | None], None]) -> None:
        self._worker.on_engine_error = on_error

    @property
    def pipeline(self) -> Pipeline | None:
        """What completes now; None while there is no model."""
        return self._worker.pipeline

    @property
    def failure(self) -> CopilotServerError | None:
        """Why there is no model, once loading has failed."""
        return self._worker.failure

    def load(self, load: Callable[[], Pipeline]) -> asyncio.Future[None]:
        """Call ``load`` on the engine thread and serve from what it returns.

        The scheduler lets its pipeline go first, so that two models of one session never share the memory.
        Requests made from now on wait for the new pipeline. A load that has not begun when the next one is
        asked for is skipped.

        Returns:
            A future, done when the load is over; it holds the CopilotServerError if the load failed, and is
            cancelled if the load was skipped.
        """
        self._end_what_nobody_asked_for()
        return self._worker.load(load)

    def unload(self) -> asyncio.Future[None]:
        """Let go of the pipeline, and so of its engine, after what the engine thread does now.

        Requests fail until the next ``load``.

        Returns:
            A future, done when the pipeline is gone, or when another load has taken its place.
        """
        self._end_what_nobody_asked_for()
        return self._worker.unload()

    def configure(self, settings: CompletionSettings) -> None:
        """Serve the requests made from now on with other settings, by the model that is loaded or loading."""
        self._end_what_nobody_asked_for()
        self._worker.configure(settings)

    def prepare(self, document: Document) -> None:
        """Have the pipeline get ready for requests for ``document``, between others."""
        self._worker.prepare(document)

    def read_ahead(self, request: CompletionRequest | None) -> None:
        """Read the prompt of ``request``, which the user may make next, while nobody needs the engine.

        The editor has reported where the cursor is. None ends the reading. Nothing is read before a model is
        loaded, nor where the answer to a request is still to come: what it leads to is read after it.
        """
        if request is None or self.pipeline is None or self._closed:
            self._read_ahead.stop()
            return
        if not self._latest:
            self._prefetcher.leave(request.cursor)
            self._read_ahead.rest(request)

    async def submit(self, request: CompletionRequest) -> Completion:
        """Complete ``request`` in place of any older request for the same document.

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

    def close(self, timeout_s: float) -> bool:
        """Supersede all requests, accept no more, and wait up to ``timeout_s`` for the engine thread.

        Other schedulers on the same engine thread go on.

        Returns:
            False if the thread is still busy for this scheduler, as in an import or a read that cannot be
            interrupted.
        """
        self._closed = True
        self._end_what_nobody_asked_for()
        for ticket in list(self._latest.values()):
            ticket.supersede()
        is_idle = self._worker.close(timeout_s)
        if self._own_thread is not None:
            self._own_thread.close()
        return is_idle

    def release(self) -> None:
        """Let go of the pipeline, and so of its engine. For the engine thread, after ``close``."""
        self._worker.release()

    async def _answered(self, ticket: Ticket) -> Completion:
        self._read_ahead.active()
        wait_s = 0.0 if ticket.request.invoked else self.debounce.key()
        completion = self._lookup(ticket.request)
        if completion is None:
            completion = await self._generated(ticket, wait_s)
        self._go_on_after(ticket, completion)
        return completion

    def _lookup(self, request: CompletionRequest) -> Completion | None:
        pipeline = self.pipeline
        if pipeline is None or request.invoked:
            return None
        return pipeline.lookup(request)

    async def _generated(self, ticket: Ticket, wait_s: float) -> Completion:
        self._read_ahead.stop()
        if ticket.in_flight is None and not self._prefetcher.leads_to(ticket.request):
            self._prefetcher.stop()
        if wait_s and ticket.in_flight is None:
            await asyncio.wait([ticket.answer], timeout=wait_s)
        if not ticket.answer.done():
            self._worker.complete(ticket)
        return await ticket.answer

    def _go_on_after(self, answered: Ticket, completion: Completion) -> None:
        """Prefetch what ``completion`` leads to, and read ahead, unless somebody waits for the engine."""
        others_wait = any(ticket is not answered for ticket in self._latest.values())
        if self.pipeline is None or self._closed or others_wait:
            return
        requests = self.pipeline.next_requests(answered.request, completion)
        if requests:
            self._prefetcher.start(requests, answered.request.cursor)
        self._read_ahead.active()
        self._read_ahead.rest(replace(answered.request, invoked=False, sampling=None))

    def _admit(self, request: CompletionRequest) -> Ticket:
        if self._closed:
            raise Superseded
        ticket = Ticket(request)
        ticket.in_flight = self._in_flight_for(ticket)
        older = self._latest.get(ticket.uri)
        if older is not None:
            older.supersede(carry_on=older is ticket.in_flight)
        self._latest[ticket.uri] = ticket
        self.counts.requests += 1
        return ticket

    def _in_flight_for(self, ticket: Ticket) -> Ticket | None:
        """Return the request in flight whose generation may turn out to be what this request asks for."""
        running = self._worker.running
        if running is None or running.cancel.is_set():
            return None
        typed = running.typed_before(ticket.request)
        if typed is None:
            if not self._is_wanted(running):
                running.cancel.set()
            return None
        running.typed = typed
        return running

    def _is_wanted(self, ticket: Ticket) -> bool:
        """Whether somebody waits for this generation, or it is a prefetch."""
        latest = self._latest.get(ticket.uri)
        waited_for = latest is not None and ticket in (latest, latest.in_flight)
        return waited_for or ticket.request.prefetch

    def _release(self, ticket: Ticket) -> None:
        """Let go of what was done for a request that is answered, failed or cancelled."""
        engine_is_free = not self._latest and not self._closed and not self._queue.others_wait
        for one in (ticket, ticket.in_flight):
            if one is None or self._is_wanted(one):
                continue
            if one is self._worker.running and engine_is_free:
                asyncio.get_running_loop().call_later(LINGER_S, self._drop, one)
            else:
                one.cancel.set()

    def _drop(self, ticket: Ticket) -> None:
        if not self._is_wanted(ticket):
            ticket.cancel.set()

    def _yield_engine(self) -> None:
        """End what nobody waits for: another session needs the engine."""
        if self._latest:
            return  # what still runs is awaited; a request of our own has ended all else
        self._end_what_nobody_asked_for()
        if (running := self._worker.running) is not None:
            self._drop(running)

    def _end_what_nobody_asked_for(self) -> None:
        self._prefetcher.stop()
        self._read_ahead.stop()
