"""The engines that serve one model, which of them is asked, and what happens when one fails."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import httpx

from copilot_server.engine.remote.answers import Piece
from copilot_server.engine.remote.breaker import Breaker, State
from copilot_server.engine.remote.dialect import request_body
from copilot_server.engine.remote.endpoint import Endpoint
from copilot_server.engine.remote.failures import Refused, Unanswered
from copilot_server.engine.remote.row import RemoteRow
from copilot_server.engine.remote.served import Served, ask_what_is_served
from copilot_server.engine.remote.transport import failures_named, stream
from copilot_server.errors import EngineChangedError, EngineError, EngineUnavailableError

_LOG = logging.getLogger(__name__)

#: How often it is looked whether an engine is due for a check, and how long one may be left unasked, in
#: seconds.
LOOK_S, IDLE_S = 0.25, 10.0
#: How long before a request is made again that failed through no fault of its own, in seconds.
PAUSE_S = 0.2
#: How long someone who types waits for an engine that has asked to be left alone, in seconds.
BUSY_S = 2.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer is waited for, in seconds, and how often it is asked for anew.

    ``silence_s``: between two pieces of an answer, or before the first. ``deadline_s``: in all; None for
    ever. ``outage_s``: how long all engines may be down; 0 for someone who types, to whom a generation that
    broke off is lost: it must not be seen to begin anew, nor may a request add load that was not borne.
    """

    silence_s: float
    repeats: int
    deadline_s: float | None = None
    outage_s: float = 0.0


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


class Replicas:
    """Asks the free engine that has the least to do. All of it runs on one event loop.

    ``on_trouble`` is called with the error when no engine can be used any more, and with None when one can.
    """

    def __init__(self, replicas: Sequence[Replica], wanted: str) -> None:
        self.all = tuple(replicas)
        self.on_trouble: Callable[[EngineError | None], None] = lambda _error: None
        self._wanted = wanted
        self._told: str | None = None
        self._recovered = asyncio.Event()

    @property
    def trouble(self) -> EngineError | None:
        """Why no engine can be used; None if one can, or may well be."""
        if any(one.served is not None and one.breaker.state == "closed" for one in self.all):
            return None
        troubles = [f"{one.endpoint.host} {one.breaker.trouble}" for one in self.all]
        which = "The engine at" if len(troubles) == 1 else "No engine can be used:"
        message = f"{which} {'; '.join(troubles)}."
        if any(one.has_changed for one in self.all):
            return EngineChangedError(message)
        return _unavailable(message, next((one.remedy for one in self.all if one.remedy), ""))

    async def write(self, row: RemoteRow, patience: Patience) -> None:
        """Have ``row`` written by whichever engine can.

        Raises:
            EngineUnavailableError: none could in time.
            EngineError: the request is not accepted.
        """
        now_s = asyncio.get_running_loop().time()
        deadline_s = None if patience.deadline_s is None else now_s + patience.deadline_s
        repeats = 0
        while True:
            replica = await self._free(patience)
            try:
                await self._written(replica, row, patience, deadline_s)
            except Unanswered as failure:
                self._failed(replica, failure)
                if not _may_repeat(failure, row, patience, repeats):
                    raise _error(replica, failure) from None
            else:
                return
            repeats += 1
            row.restart()
            await asyncio.sleep(PAUSE_S)

    def begin(self) -> None:
        """Look after the engines from now on."""
        self._watch = asyncio.ensure_future(self.watch())  # kept, or asyncio would let it go

    def end_at(self, token_ids: Sequence[int]) -> None:
        """Have answers end at any of these tokens, where an engine can be told."""
        for one in self.all:
            one.stop_ids = tuple(token_ids)

    async def watch(self) -> None:
        """Look after the engines until it is cancelled, and then close the connections."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                await self.check([one for one in self.all if one.check_is_due])
        finally:
            await asyncio.gather(*(one.client.aclose() for one in self.all))

    async def check(self, due: Sequence[Replica]) -> None:
        """Look whether these engines are well."""
        if due:
            await asyncio.gather(*(one.check(self._wanted) for one in due))
            self._changed()

    async def _written(
        self, replica: Replica, row: RemoteRow, patience: Patience, deadline_s: float | None
    ) -> None:
        try:
            async with asyncio.timeout_at(deadline_s):
                await replica.write(row, patience.silence_s)
        except TimeoutError:
            raise Unanswered(f"gave no whole answer in {patience.deadline_s:g} s") from None
        finally:
            self._changed()
        replica.succeeded()
        self._changed()

    async def _free(self, patience: Patience) -> Replica:
        """The engine to ask; waits for one where there is time.

        Raises:
            EngineUnavailableError: there is none.
        """
        while not (free := [one for one in self.all if one.is_free]):
            error = self.trouble
            if error is None:
                await self._wait_for_busy(patience)
            elif patience.outage_s == 0:
                raise error
            else:
                await self._wait_for_recovery(error, patience.outage_s)
        return min(free, key=lambda one: (one.pending, one.rank))

    async def _wait_for_busy(self, patience: Patience) -> None:
        """Wait until the first of those that asked to be left alone may be asked again."""
        replica = min(self.all, key=lambda one: one.busy_s or math.inf)
        if patience.outage_s == 0 and replica.busy_s > BUSY_S:
            raise _unavailable(f"The engine at {replica.endpoint.host} is busy.")
        await asyncio.sleep(replica.busy_s)

    async def _wait_for_recovery(self, error: EngineError, outage_s: float) -> None:
        self._recovered.clear()
        try:
            await asyncio.wait_for(self._recovered.wait(), outage_s)
        except TimeoutError:
            raise error from None

    def _failed(self, replica: Replica, failure: Unanswered) -> None:
        if isinstance(failure, Refused):
            return  # the engine is well
        _LOG.info("the engine at %s %s", replica.endpoint.host, failure.trouble)
        replica.failed(failure)
        self._changed()

    def _changed(self) -> None:
        error = self.trouble
        if any(one.is_free for one in self.all):
            self._recovered.set()
        told = None if error is None else str(error)
        if told != self._told:
            self._told = told
            self.on_trouble(error)


def _may_repeat(failure: Unanswered, row: RemoteRow, patience: Patience, repeats: int) -> bool:
    """Whether to make a request again. Who watches a text being written must not see it begin anew."""
    if isinstance(failure, Refused) or repeats >= patience.repeats:
        return False
    return patience.outage_s > 0 or (failure.may_repeat and not row.has_begun)


def _error(replica: Replica, failure: Unanswered) -> EngineError:
    message = f"The engine at {replica.endpoint.host} {failure.trouble}."
    if isinstance(failure, Refused):
        return EngineError(message, remedy=failure.remedy)
    return _unavailable(message, failure.remedy)


def _unavailable(message: str, remedy: str = "") -> EngineUnavailableError:
    return EngineUnavailableError(message, remedy=remedy or "It is tried again by itself.")
