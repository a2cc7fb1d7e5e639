"""One remote engine: its state, and one generation written by it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, replace

import httpx

from copilot_server.engine.backends.remote.answers import Piece
from copilot_server.engine.backends.remote.breaker import Breaker, State
from copilot_server.engine.backends.remote.candidate import RemoteCandidate
from copilot_server.engine.backends.remote.dialect import request_body
from copilot_server.engine.backends.remote.endpoint import Endpoint
from copilot_server.engine.backends.remote.failures import Unanswered
from copilot_server.engine.backends.remote.served import SHOWN_CHARACTERS, Served, ask_what_is_served
from copilot_server.engine.backends.remote.transport import ask, in_time, stream

_LOG = logging.getLogger(__name__)

#: After how many seconds without a request an engine's health is checked.
IDLE_S = 10.0


@dataclass(frozen=True, slots=True)
class EndpointState:
    """The state of one engine: requests in flight, and requests and failures since the start."""

    host: str
    state: State
    pending: int
    requests: int
    failures: int
    problem: str


class Replica:
    """One engine. ``served`` is None until it has reported what it serves."""

    def __init__(self, endpoint: Endpoint, client: httpx.AsyncClient) -> None:
        self.endpoint = endpoint
        self.client = client
        self.breaker = Breaker()
        self.served: Served | None = None
        self.stop_ids: tuple[int, ...] = ()
        self.pending = self.requests = self.failures = 0
        self.remedy = ""
        #: Among equally busy engines the lowest rank is asked, so that one client finds its prompts in one
        #: engine's cache. It is random, so that the clients of a team do not all choose the same engine.
        self.rank = random.random()  # noqa: S311 - no secret
        self.has_changed = False
        self._asked_s = time.monotonic()
        self._busy_until_s = 0.0
        self._is_unreachable = False
        # How long requests that were cancelled unanswered have waited since the last answer, and whether that
        # is so long that the engine's health must be checked.
        self._unheard_s = 0.0
        self._is_suspect = False

    @property
    def is_free(self) -> bool:
        """Whether it may be asked now; while its circuit is half-open, by one request at a time."""
        if self.served is None or self.busy_s > 0 or self.breaker.state == "open":
            return False
        return self.breaker.state == "closed" or self.pending == 0

    @property
    def busy_s(self) -> float:
        """For how many more seconds it has asked for no requests."""
        return max(0.0, self._busy_until_s - time.monotonic())

    @property
    def check_is_due(self) -> bool:
        """Whether to check its health: a trial is due, or it has not answered for long."""
        if self.breaker.state == "open":
            return self.breaker.waits_s == 0
        return self._is_suspect or (self.pending == 0 and time.monotonic() - self._asked_s > IDLE_S)

    def state(self) -> EndpointState:
        """Its current state."""
        breaker = self.breaker
        host, problem = self.endpoint.host, breaker.problem
        return EndpointState(host, breaker.state, self.pending, self.requests, self.failures, problem)

    async def write(self, candidate: RemoteCandidate, silence_s: float) -> None:
        """Have it write ``candidate``, asking again if the output does not begin as it must.

        Raises:
            Unanswered: there was no complete answer.
        """
        self.pending += 1
        begun_s = time.monotonic()
        try:
            while candidate.finish_reason is None:
                await self._ask(candidate, silence_s)
        except asyncio.CancelledError:
            self._given_up(time.monotonic() - begun_s, silence_s)
            raise
        finally:
            self.pending -= 1
            self._asked_s = time.monotonic()

    async def _ask(self, candidate: RemoteCandidate, silence_s: float) -> None:
        def take(piece: Piece) -> bool:
            self._unheard_s = 0.0
            return candidate.accept(piece)

        assert self.served is not None  # noqa: S101 - it would not be free
        self.requests += 1
        body = request_body(self.served.dialect, self.served.model, candidate.ask(), self.stop_ids)
        await stream(self.client, f"{self.endpoint.api}/completions", body, take, silence_s)

    def _given_up(self, waited_s: float, silence_s: float) -> None:
        """Add up waits in vain: someone who types cancels long before a hanging engine would time out."""
        self._unheard_s += waited_s
        if self._unheard_s > silence_s:
            self._unheard_s, self._is_suspect = 0.0, True

    def succeeded(self) -> None:
        """Record that it works."""
        self.breaker.succeeded()
        self._is_unreachable = False

    def failed(self, failure: Unanswered) -> None:
        """Record a failure, after which it may get no requests for a while."""
        self.failures += 1
        if failure.wait_s:
            self._busy_until_s = time.monotonic() + failure.wait_s
            return
        self.remedy = failure.remedy
        self._is_unreachable = failure.is_unreachable
        self.breaker.failed(failure.problem, at_once=failure.is_down)

    async def check(self, wanted: str) -> None:
        """Check its health. One that was unreachable is then used again, and one that failed gets a trial.

        Whatever it answers, this returns, so that the other engines are checked as well.
        """
        self._asked_s = time.monotonic()
        try:
            async with in_time(self.client):
                await self._ask_about_itself(wanted)
        except Unanswered as failure:
            self._is_not_well(failure)
        except Exception as error:  # noqa: BLE001 - no answer may end the watching of the other engines
            _LOG.debug("checking the engine at %s failed", self.endpoint.host, exc_info=error)
            self._is_not_well(Unanswered(f"cannot be asked ({type(error).__name__})"))
        else:
            if self._is_unreachable:
                self.succeeded()
            elif self.breaker.state == "open":
                self.breaker.try_again()
        self._is_suspect = False

    def _is_not_well(self, failure: Unanswered) -> None:
        """Record a failed check; an engine that is merely slow to answer may be working."""
        if self.breaker.state == "open":
            self.breaker.try_again()  # this counts as a trial, after which it gets no requests for longer
        counts = failure.is_down or self.served is None or self._is_suspect or self.breaker.state != "closed"
        if counts:
            self.failed(replace(failure, is_down=True, is_unreachable=not self.has_changed))

    async def _ask_about_itself(self, wanted: str) -> None:
        health = await ask(self.client, f"{self.endpoint.root}/health")
        if health.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Unanswered(f"is not well (HTTP {health.status})")
        if self.served is None or self.breaker.state == "open":
            self._take(await ask_what_is_served(self.client, self.endpoint, wanted))

    def _take(self, served: Served) -> None:
        self.has_changed = self.served is not None and served.model != self.served.model
        if self.has_changed:
            raise Unanswered(f"serves {served.model[:SHOWN_CHARACTERS]!r} now", is_down=True)
        self.served = served
