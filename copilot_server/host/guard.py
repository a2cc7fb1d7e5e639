"""Who may ask a host at all: programs of this machine that know its token, and no web page.

A web page can have its visitor's browser send requests to this machine. A browser then sends an ``Origin``,
and the name that the page was loaded from as ``Host``, even where that name has come to mean 127.0.0.1 ("DNS
rebinding").
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copilot_server.host.body import BODY_S
from copilot_server.host.refusals import RefusedError, error_response
from copilot_server.listening.address import LOCAL_NAMES
from copilot_server.listening.token import is_right

#: What a probe may ask without the token. It says nothing about anybody's text.
OPEN_PATHS = frozenset({"/health", "/v1/health"})
_BEARER = re.compile(r"Bearer +(\S+) *\Z", re.IGNORECASE)


class Guard:
    """Refuses requests before anything reads them.

    ``token``: what clients have to present; None where the connection itself says who asks. ``names``: the
    names of this host in URLs, beside those of this machine.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, names: Sequence[str] = ()) -> None:
        self._app = app
        self._token = token
        self._names = LOCAL_NAMES.union(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection, as ASGI applications do."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refusal(Headers(scope=scope), scope["path"])
        if refused is not None:
            await error_response(refused)(scope, receive, send)
            return
        await self._app(scope, _in_time(receive), send)

    def _refusal(self, headers: Headers, path: str) -> RefusedError | None:
        if "origin" in headers:
            return RefusedError(HTTPStatus.FORBIDDEN, "Web pages are not served.")
        host = re.sub(r":\d*\Z", "", headers.get("host", "").strip().lower())
        if host not in self._names:
            return RefusedError(HTTPStatus.FORBIDDEN, "This host is asked by another name than its own.")
        if self._token is None or path in OPEN_PATHS:
            return None
        presented = _BEARER.match(headers.get("authorization", ""))
        if presented is None or not is_right(presented[1], self._token):
            return RefusedError(HTTPStatus.UNAUTHORIZED, "The token is missing or wrong: see serve --help.")
        return None


def _in_time(receive: Receive) -> Receive:
    """Have a body arrive within ``BODY_S`` seconds, or be refused."""
    end_s = asyncio.get_running_loop().time() + BODY_S
    arrived = False

    async def receive_in_time() -> Message:
        nonlocal arrived
        if arrived:  # what is awaited now is the client's hanging up
            return await receive()
        try:
            async with asyncio.timeout_at(end_s):
                message = await receive()
        except TimeoutError:
            why = f"The body did not arrive within {BODY_S:.0f} seconds."
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, why) from None
        arrived = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return receive_in_time
