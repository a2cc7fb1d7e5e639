"""Completions made before anybody asks for them, while the engine has nothing else to do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from copilot_server.completion.scheduling.counts import Counts
from copilot_server.completion.scheduling.ticket import Superseded, Ticket
from copilot_server.completion.types import CompletionRequest
from copilot_server.context.document import Cursor
from copilot_server.errors import CopilotServerError

#: How long after an answer prefetching begins, in seconds. Most keys come sooner, and one that needs the
#: engine would wait for the piece of a prompt being read; a user who takes a suggestion has read it first.
QUIET_S = 0.3


@dataclass(eq=False, slots=True)
class _Prefetch:
    """Requests that nobody has made yet, being completed one after the other."""

    requests: tuple[CompletionRequest, ...]
    #: Where the answer was shown that they follow.
    origin: Cursor
    cancel: threading.Event = field(default_factory=threading.Event)
    task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Free the engine at its next token."""
        self.cancel.set()
        if self.task is not None:
            self.task.cancel()


class Prefetcher:
    """Completes for one scheduler what its last answer leads to. For the event loop's thread."""

    def __init__(self, enqueue: Callable[[Ticket], None], counts: Counts, quiet_s: float = QUIET_S) -> None:
        """``enqueue``: has the engine thread complete a ticket. ``quiet_s``: the pause before the first."""
        self._enqueue = enqueue
        self._counts = counts
        self._quiet_s = quiet_s
        self._current: _Prefetch | None = None

    def start(self, requests: tuple[CompletionRequest, ...], origin: Cursor) -> None:
        """Prefetch ``requests`` instead of any others, unless that has been done or is being done.

        ``origin``: where the answer is shown that leads to them.
        """
        if self._current is not None and self._current.requests == requests:
            self._current.origin = origin
            return
        self.stop()
        self._current = prefetch = _Prefetch(requests, origin)
        prefetch.task = asyncio.create_task(self._run(prefetch))

    def leads_to(self, request: CompletionRequest) -> bool:
        """Whether an answer that is being prefetched will be the answer to ``request``."""
        prefetched = self._current.requests if self._current else ()
        return not request.invoked and any(one.cursor == request.cursor for one in prefetched)

    def leave(self, cursor: Cursor) -> None:
        """End what is being prefetched if ``cursor`` is on none of its lines, nor on that of its origin."""
        if self._current is not None:
            cursors = (self._current.origin, *(one.cursor for one in self._current.requests))
            if not any(_same_line(cursor, one) for one in cursors):
                self.stop()

    def stop(self) -> None:
        """End what is being prefetched and forget it."""
        if self._current is not None:
            self._current.stop()
            self._current = None

    async def _run(self, prefetch: _Prefetch) -> None:
        is_complete = False
        try:
            await asyncio.sleep(self._quiet_s)
            is_complete = await self._complete(prefetch)
        finally:
            if not is_complete and self._current is prefetch:
                self._current = None  # so that the same requests can be prefetched again

    async def _complete(self, prefetch: _Prefetch) -> bool:
        """Complete one request after the other; return whether all that was worth completing has been.

        A request is worth completing only if nothing is suggested for the one before it.
        """
        for request in prefetch.requests:
            ticket = Ticket(request, cancel=prefetch.cancel)
            self._enqueue(ticket)
            try:
                completion = await ticket.answer
            except (CopilotServerError, Superseded):
                return False  # whoever asks for it meets the error again
            finally:
                self._counts.prefetches += ticket.begun
            if completion.candidates:
                return True
        return not prefetch.cancel.is_set()


def _same_line(one: Cursor, other: Cursor) -> bool:
    same_document = one.document.uri == other.document.uri
    return same_document and one.prefix.count("\n") == other.prefix.count("\n")
