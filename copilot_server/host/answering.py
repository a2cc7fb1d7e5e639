"""Between HTTP's event loop and the thread that decodes: waiting for an answer, and ending it early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from copilot_server.engine.base import Generation, GenerationRequest
from copilot_server.engine.decoding.loop import Decoding
from copilot_server.errors import EngineError
from copilot_server.host.hosted import HostedModel
from copilot_server.host.refusals import of_engine

_T = TypeVar("_T")

#: The longest that a request may wait and be decoded, in seconds.
DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client wants to be decoded. ``urgent``: somebody looks at the cursor and waits."""

    request: GenerationRequest
    urgent: bool = False


class Answer:
    """The answer to one request. It belongs to the event loop on which it was begun."""

    def __init__(self, model: HostedModel, ask: Ask) -> None:
        """Begin to decode.

        Raises:
            RefusedError: it is refused.
        """
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._latest: Sequence[Generation] = ()
        self._decoding: Decoding = model.submit(ask.request, urgent=ask.urgent, on_written=self._put)
        self._deadline = self._loop.call_later(DEADLINE_S, self.cancel)
        self._done = asyncio.wrap_future(self._decoding.done)
        self._done.add_done_callback(self._ended)

    @property
    def prompt_tokens(self) -> int:
        """How many tokens the prompt has."""
        return len(self._decoding.job.prompt_ids)

    def tail(self, index: int) -> str:
        """Return what a candidate has written after its text: a stop text. For an answer that is complete."""
        candidate = self._decoding.job.candidates[index]
        return candidate.written[len(candidate.generation().text) :]

    def cancel(self) -> None:
        """End it where it is; nothing happens if it has ended."""
        self._decoding.cancel()

    async def whole(self, request: Request) -> list[Generation]:
        """Return what was written when all is, and end it if the client hangs up meanwhile.

        Raises:
            RefusedError: the engine failed.
            ClientDisconnect: the client has gone.
        """
        try:
            return await done_or_gone(self._done, request)
        finally:
            self.cancel()

    async def growing(self) -> AsyncGenerator[tuple[Sequence[Generation], bool]]:
        """Yield what has been written whenever there is more, and last all of it, with True.

        Closing the generator ends the decoding.

        Raises:
            EngineError: the engine failed.
        """
        try:
            while not self._done.done():
                await self._changed.wait()
                self._changed.clear()
                if not self._done.done():
                    yield self._latest, False
            yield self._done.result(), True
        finally:
            self.cancel()

    def _ended(self, done: asyncio.Future[list[Generation]]) -> None:
        self._deadline.cancel()
        self._changed.set()
        if not done.cancelled():
            done.exception()  # whoever has gone does not ask for it

    def _put(self, generations: Sequence[Generation]) -> None:
        """Take what has been written so far, on the thread that decodes."""
        with suppress(RuntimeError):  # the event loop is closed: nobody reads it any more
            self._loop.call_soon_threadsafe(self._set, generations)

    def _set(self, generations: Sequence[Generation]) -> None:
        self._latest = generations
        self._changed.set()


async def done_or_gone(done: asyncio.Future[_T], request: Request) -> _T:
    """Return the result of what a client waits for.

    Raises:
        RefusedError: the engine failed.
        ClientDisconnect: the client has hung up before.
    """
    gone = asyncio.ensure_future(_hung_up(request))
    either: list[asyncio.Future[Any]] = [done, gone]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            raise ClientDisconnect
        return done.result()
    except EngineError as error:
        raise of_engine(error) from error
    finally:
        gone.cancel()


async def _hung_up(request: Request) -> None:
    """Return when the client has closed the connection. The body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
