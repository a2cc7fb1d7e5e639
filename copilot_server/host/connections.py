"""Limits of connections: how many there may be, and how long one may take to begin a request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

#: How many connections are open at a time; more are closed at once. Half of what a process may commonly open.
MOST_CONNECTIONS = 512
#: How long a connection may take until its first request has begun, in seconds.
BEGIN_S = 10.0
#: The largest head of a request, in bytes.
MOST_HEAD_BYTES = 32 << 10


@dataclass(slots=True)
class Connections:
    """How many connections are open."""

    count: int = 0


def bounded_protocol(connections: Connections) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol for HTTP/1.1 with the limits of this module."""

    class Bounded(H11Protocol):
        _timer: asyncio.TimerHandle | None = None
        _counted = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._counted = True
            connections.count += 1
            if connections.count > MOST_CONNECTIONS:
                transport.abort()
                return
            self._timer = self.loop.call_later(BEGIN_S, self._close_if_idle)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._counted:
                self._counted = False
                connections.count -= 1
            if self._timer is not None:
                self._timer.cancel()
            super().connection_lost(exc)

        def _close_if_idle(self) -> None:
            if cast("Any", self).cycle is None:  # no request has begun
                self.transport.abort()

    return Bounded
