"""One engine: how it is doing, and one generation written by it."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, replace

import httpx

from copilot_server.engine.backends.remote.answers import Piece
from copilot_server.engine.backends.remote.breaker import Breaker, State
from copilot_server.engine.backends.remote.dialect import request_body
from copilot_server.engine.backends.remote.endpoint import Endpoint
from copilot_server.engine.backends.remote.failures import Unanswered
from copilot_server.engine.backends.remote.row import RemoteRow
from copilot_server.engine.backends.remote.served import Served, ask_what_is_served
from copilot_server.engine.backends.remote.transport import failures_named, stream

#: How long an engine may be left unasked before it is asked how it is, in seconds.
IDLE_S = 10.0


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How one engine is doing: requests under way, made, and failed since the start."""

    host: str
    state: State
    pending: int
    requests: int
    failures: int
    trouble: str


class Replica:
    """One engine. ``served`` is None until it has said what it serves."""

    def __init__(self, endpoint: Endpoint, client: httpx.AsyncClient) -> None:
        self.endpoint = endpoint
        self.client = client
        self.breaker = Breaker()
        self.served: Served | None = None
        self.stop_ids: tuple[int, ...] = ()
        self.pending = self.requests = self.failures = 0
        self.remedy = ""
        #: Of equals the lowest is asked, so that a desk finds its prompts in one engine's cache; drawn, so
        #: that the desks of a team do not all come to the same.
        self.rank = random.random()  # noqa: S311 - no secret
        self.has_changed = False
        self._asked_s = time.monotonic()
        self._busy_until_s = 0.0
        self._is_unreachable = False
        # How long requests have waited that were given up unanswered, since it last answered one; whether
        # that is so long that it must be asked how it is.
        self._unheard_s = 0.0
        self._is_suspect = False

    @property
    def is_free(self) -> bool:
        """Whether it may be asked now: one whose circuit is half-open by one request at a time."""
        if self.served is None or self.busy_s > 0 or self.breaker.state == "open":
            return False
        return self.breaker.state == "closed" or self.pending == 0

    @property
    def busy_s(self) -> float:
        """How long it has asked to be left alone, in seconds."""
        return max(0.0, self._busy_until_s - time.monotonic())

    @property
    def check_is_due(self) -> bool:
        """Whether to look after it: its circuit is open and the time is up, or nothing is heard of it."""
        if self.breaker.state == "open":
            return self.breaker.waits_s == 0
        return self._is_suspect or (self.pending == 0 and time.monotonic() - self._asked_s > IDLE_S)

    def state(self) -> EndpointState:
        """How it is doing."""
        breaker = self.breaker
        host, trouble = self.endpoint.host, breaker.trouble
        return EndpointState(host, breaker.state, self.pending, self.requests, self.failures, trouble)

    async def write(self, row: RemoteRow, silence_s: float) -> None:
        """Have it write ``row``; asked anew where the output does not begin as it must.

        Raises:
            Unanswered: there was no whole answer.
        """
        self.pending += 1
        begun_s = time.monotonic()
        try:
            while row.finish_reason is None:
                await self._ask(row, silence_s)
        except asyncio.CancelledError:
            self._given_up(time.monotonic() - begun_s, silence_s)
            raise
        finally:
            self.pending -= 1
            self._asked_s = time.monotonic()

    async def _ask(self, row: RemoteRow, silence_s: float) -> None:
        def take(piece: Piece) -> bool:
            self._unheard_s = 0.0
            return row.accept(piece)

        assert self.served is not None  # noqa: S101 - it would not be free
        self.requests += 1
        body = request_body(self.served.dialect, self.served.model, row.ask(), self.stop_ids)
        await stream(self.client, f"{self.endpoint.api}/completions", body, take, silence_s)

    def _given_up(self, waited_s: float, silence_s: float) -> None:
        """Count the wait for nothing: who types gives up long before an engine that hangs is found out."""
        self._unheard_s += waited_s
        if self._unheard_s > silence_s:
            self._unheard_s, self._is_suspect = 0.0, True

    def succeeded(self) -> None:
        """Take note that it works."""
        self.breaker.succeeded()
        self._is_unreachable = False

    def failed(self, failure: Unanswered) -> None:
        """Take note of a failure; it may ask to be left alone for a while, or have to be."""
        self.failures += 1
        if failure.wait_s:
            self._busy_until_s = time.monotonic() + failure.wait_s
            return
        self.remedy = failure.remedy
        self._is_unreachable = failure.is_unreachable
        self.breaker.failed(failure.trouble, at_once=failure.is_down)

    async def check(self, wanted: str) -> None:
        """Look whether it is well. One that could not be reached is, then; one that failed is to be tried."""
        self._asked_s = time.monotonic()
        try:
            await self._check_health()
            if self.served is None or self.breaker.state == "open":
                self._take(await ask_what_is_served(self.client, self.endpoint, wanted))
        except Unanswered as failure:
            self._is_not_well(failure)
        else:
            if self._is_unreachable:
                self.succeeded()
            elif self.breaker.state == "open":
                self.breaker.try_again()
        self._is_suspect = False

    def _is_not_well(self, failure: Unanswered) -> None:
        """Take note of a check that failed; one that is merely slow to answer may be at work."""
        if self.breaker.state == "open":
            self.breaker.try_again()  # this counts as a trial, after which it is left alone for longer
        counts = failure.is_down or self.served is None or self._is_suspect or self.breaker.state != "closed"
        if counts:
            self.failed(replace(failure, is_down=True, is_unreachable=not self.has_changed))

    async def _check_health(self) -> None:
        with failures_named():
            response = await self.client.get(f"{self.endpoint.root}/health")
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Unanswered(f"is not well (HTTP {response.status_code})")

    def _take(self, served: Served) -> None:
        self.has_changed = self.served is not None and served.model != self.served.model
        if self.has_changed:
            raise Unanswered(f"serves {served.model[:60]!r} now", is_down=True)
        self.served = served
