"""A request on its way through the scheduler, and the future that its answer arrives in."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from copilot_server.completion.types import Completion, CompletionRequest


class Superseded(Exception):  # noqa: N818 - the outcome of a request, and no error
    """Nobody waits for this answer any more: a newer request for the document came, or the server closes."""


def new_future() -> asyncio.Future[Any]:
    """Return a future of the running loop. asyncio does not complain if nobody reads its exception."""
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


def resolve(future: asyncio.Future[Any], finish: Callable[[], object]) -> None:
    """Call ``finish``, from any thread, on the loop of ``future``, unless the future is done by then.

    Nothing happens if the loop is closed, as it is when the server goes down.
    """
    with contextlib.suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(lambda: future.done() or finish())


@dataclass(eq=False, slots=True)
class Ticket:
    """One request for which somebody waits, or which is being prefetched."""

    request: CompletionRequest
    answer: asyncio.Future[Completion] = field(default_factory=new_future)
    cancel: threading.Event = field(default_factory=threading.Event)
    #: Whether the engine thread has begun the generation.
    begun: bool = False
    #: What the user has typed since, if the generation goes on for a newer request.
    typed: str = ""
    #: The older request in flight whose generation may turn out to be the answer to this one.
    in_flight: Ticket | None = None

    @property
    def uri(self) -> str:
        """The document that the request is for."""
        return self.request.cursor.document.uri

    def supersede(self, *, carry_on: bool = False) -> None:
        """Answer now with ``Superseded``; the engine ends the generation, unless that is to ``carry_on``."""
        if not carry_on:
            self.cancel.set()
        if not self.answer.done():
            self.answer.set_exception(Superseded())

    def check_typed(self, text: str) -> None:
        """Cancel the generation once its ``text`` differs from what the user types. For the engine thread."""
        typed = self.typed
        if not (text.startswith(typed) or typed.startswith(text)):
            self.cancel.set()

    def typed_before(self, request: CompletionRequest) -> str | None:
        """Return what was typed between this request and a newer one; None if anything else was done."""
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
