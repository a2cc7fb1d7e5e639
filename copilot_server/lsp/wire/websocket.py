"""Messages over WebSockets: one message in each frame, one editor on each connection."""

from __future__ import annotations

import asyncio
import contextlib
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from copilot_server.listening.address import LOCAL_NAMES, format_address, is_loopback
from copilot_server.listening.token import KEY, is_right
from copilot_server.lsp.wire.protocol import CopilotProtocol
from copilot_server.lsp.wire.transport import FLUSH_S, Connections, announce, listening

# Any page in a browser may open WebSockets to this machine. Only pages that this machine serves are accepted.
_LOCAL_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


async def serve_ws(connections: Connections, host: str, port: int, token: str | None) -> int:
    """Serve every editor that opens a WebSocket with ``token`` in the URL's query; None serves everyone.

    Return the exit code.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    async def connected(socket: ServerConnection) -> None:
        if not connections.accepting:
            return
        protocol = connections.open()
        writer = _SocketWriter(socket)
        protocol.set_writer(writer, include_headers=False)
        reading = asyncio.ensure_future(_read_socket(socket, protocol))
        try:
            await protocol.ended
            await writer.flush()
        finally:
            reading.cancel()
            connections.close(protocol)

    def check(socket: ServerConnection, request: Request) -> Response | None:
        """Refuse who does not know the token, and a page whose site's name was made to mean this machine."""
        if not _is_asked_for(host, request.headers.get_all("Host")):
            return socket.respond(HTTPStatus.FORBIDDEN, "Connect to this machine by its address.\n")
        query = parse_qs(urlsplit(request.path).query)
        if token is not None and not is_right(next(iter(query.get(KEY, [])), None), token):
            return socket.respond(HTTPStatus.UNAUTHORIZED, "The token is missing or wrong.\n")
        return None

    # A message holds a whole file when one is opened, so its size is not limited.
    options: dict[str, Any] = {
        "max_size": None,
        "compression": None,
        "origins": [None, _LOCAL_ORIGIN],
        "process_request": check,
    }
    server = await listening(serve(connected, host, port, **options), host, port)
    path = "" if token is None else f"/?{KEY}={token}"
    announce("ws", next(iter(server.sockets)).getsockname(), path)
    code = await connections.ended
    server.close(close_connections=False)
    return code


def _is_asked_for(host: str, fields: list[str]) -> bool:
    """Whether the fields ``Host`` of a request name the address that the server listens on.

    An address that other machines reach has names that are not known here; there the token decides alone.
    """
    if not is_loopback(host):
        return True
    names = {*LOCAL_NAMES, format_address(host, 0).rpartition(":")[0].lower()}
    name = re.sub(r":\d+$", "", fields[0]) if len(fields) == 1 else ""
    return name.lower() in names


async def _read_socket(socket: ServerConnection, protocol: CopilotProtocol) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            protocol.receive(await socket.recv(decode=False))
    protocol.disconnected()


class _SocketWriter:
    """Sends over a WebSocket in the order written. Writing does not wait."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._unsent: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._sending = asyncio.ensure_future(self._send())

    def write(self, data: bytes) -> None:
        self._unsent.put_nowait(data)

    def close(self) -> None:
        self._unsent.put_nowait(None)

    async def flush(self) -> None:
        """Send what is left, for ``FLUSH_S`` at the most, and close."""
        self.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._sending, FLUSH_S)

    async def _send(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while (data := await self._unsent.get()) is not None:
                await self._socket.send(data, text=True)
        await self._socket.close()
