"""The engines that serve one model: which of them is asked, and what happens when one fails."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from copilot_server.engine.backends.remote.candidate import RemoteCandidate
from copilot_server.engine.backends.remote.failures import Refused, Unanswered
from copilot_server.engine.backends.remote.replica import Replica
from copilot_server.errors import EngineChangedError, EngineError, EngineUnavailableError

_LOG = logging.getLogger(__name__)

#: How often to look for engines whose check is due, in seconds.
LOOK_S = 0.25
#: How long to wait before repeating a request that failed through no fault of its own, in seconds.
PAUSE_S = 0.2
#: How long someone who types waits for an engine that has asked for no requests, in seconds.
BUSY_S = 2.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an answer, in seconds, and how often to ask again.

    ``silence_s``: between two pieces of an answer, or before the first. ``deadline_s``: in total, with all
    repeats. ``outage_s``: how long all engines may be down; 0 for someone who types. Their generation is not
    repeated once it has begun, since they must not see it begin again, nor if the engine is overloaded.
    """

    silence_s: float
    repeats: int
    deadline_s: float
    outage_s: float = 0.0


class Replicas:
    """Asks the free engine with the fewest requests in flight. Everything runs on one event loop.

    ``on_change`` is called with the error when no engine can be used any more, and with None when one can.
    """

    def __init__(self, replicas: Sequence[Replica], wanted: str) -> None:
        self.all = tuple(replicas)
        self.on_change: Callable[[EngineError | None], None] = lambda _error: None
        self._wanted = wanted
        self._reported: str | None = None
        self._recovered = asyncio.Event()

    @property
    def error(self) -> EngineError | None:
        """Why no engine can be used; None if one can, or is only busy."""
        if any(one.served is not None and one.breaker.state == "closed" for one in self.all):
            return None
        problems = [f"{one.endpoint.host} {one.breaker.problem}" for one in self.all]
        which = "The engine at" if len(problems) == 1 else "No engine can be used:"
        message = f"{which} {'; '.join(problems)}."
        if any(one.has_changed for one in self.all):
            return EngineChangedError(message)
        return _unavailable(message, next((one.remedy for one in self.all if one.remedy), ""))

    async def write(self, candidate: RemoteCandidate, patience: Patience) -> None:
        """Have ``candidate`` written by an engine that is free.

        Raises:
            EngineUnavailableError: none could do so in time.
            EngineError: the request is not accepted.
        """
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + patience.deadline_s
        repeats = 0
        while True:
            replica = await self._free_in_time(patience, deadline_s)
            try:
                await self._written(replica, candidate, patience, deadline_s)
            except Unanswered as failure:
                self._failed(replica, failure)
                is_late = loop.time() >= deadline_s
                if is_late or not _may_repeat(failure, candidate, patience, repeats):
                    raise _error(replica, failure) from None
            else:
                return
            repeats += 1
            candidate.restart()
            await asyncio.sleep(PAUSE_S)

    def end_at(self, token_ids: Sequence[int]) -> None:
        """Have answers end at any of these tokens, if an engine supports that."""
        for one in self.all:
            one.stop_ids = tuple(token_ids)

    async def watch(self) -> None:
        """Check the engines regularly until cancelled, and then close the connections."""
        try:
            # Each on its own, so that one that is slow to answer holds up no other.
            await asyncio.gather(*map(self._watch, self.all))
        finally:
            await asyncio.gather(*(one.client.aclose() for one in self.all))

    async def check(self, due: Sequence[Replica]) -> None:
        """Check the health of these engines."""
        await asyncio.gather(*(one.check(self._wanted) for one in due))
        self._changed()

    async def _watch(self, one: Replica) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if one.check_is_due:
                await self.check([one])

    async def _written(
        self, replica: Replica, candidate: RemoteCandidate, patience: Patience, deadline_s: float
    ) -> None:
        try:
            async with asyncio.timeout_at(deadline_s):
                await replica.write(candidate, patience.silence_s)
            replica.succeeded()
        except TimeoutError:
            raise Unanswered(f"gave no complete answer in {patience.deadline_s:g} s") from None
        finally:
            self._changed()

    async def _free_in_time(self, patience: Patience, deadline_s: float) -> Replica:
        """The engine to ask, as ``_free``.

        Raises:
            EngineUnavailableError: there is none, or was none before the deadline.
        """
        try:
            async with asyncio.timeout_at(deadline_s):
                return await self._free(patience)
        except TimeoutError:
            raise self.error or _unavailable(f"No engine was free in {patience.deadline_s:g} s.") from None

    async def _free(self, patience: Patience) -> Replica:
        """The engine to ask, after waiting for one if there is time.

        Raises:
            EngineUnavailableError: there is none.
        """
        while not (free := [one for one in self.all if one.is_free]):
            error = self.error
            if error is None:
                await self._wait_for_busy(patience)
            elif patience.outage_s == 0:
                raise error
            else:
                await self._wait_for_recovery(error, patience.outage_s)
        return min(free, key=lambda one: (one.pending, one.rank))

    async def _wait_for_busy(self, patience: Patience) -> None:
        """Wait until the first of the engines that asked for no requests may be asked again."""
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
            return  # the engine works
        _LOG.info("the engine at %s %s", replica.endpoint.host, failure.problem)
        replica.failed(failure)
        self._changed()

    def _changed(self) -> None:
        error = self.error
        if any(one.is_free for one in self.all):
            self._recovered.set()
        message = None if error is None else str(error)
        if message != self._reported:
            self._reported = message
            self.on_change(error)


def _may_repeat(failure: Unanswered, candidate: RemoteCandidate, patience: Patience, repeats: int) -> bool:
    """Whether to repeat a request. Someone who watches a text appear must not see it begin again."""
    if isinstance(failure, Refused) or repeats >= patience.repeats:
        return False
    return patience.outage_s > 0 or (failure.may_repeat and not candidate.has_begun)


def _error(replica: Replica, failure: Unanswered) -> EngineError:
    message = f"The engine at {replica.endpoint.host} {failure.problem}."
    if isinstance(failure, Refused):
        return EngineError(message, remedy=failure.remedy)
    return _unavailable(message, failure.remedy)


def _unavailable(message: str, remedy: str = "") -> EngineUnavailableError:
    return EngineUnavailableError(message, remedy=remedy or "It is tried again automatically.")
