"""Messages over a WebSocket: one message a frame, one editor, then the end."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from copilot_server.lsp.wire.protocol import CopilotProtocol
from copilot_server.lsp.wire.transport import GOODBYE_S, announce, listening

# Any page in a browser may open WebSockets to this machine; only one served from it may talk to us.
_LOCAL_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


async def serve_ws(protocol: CopilotProtocol, host: str, port: int) -> int:
    """Serve the first editor that opens a WebSocket; returns the exit code.

    Raises:
        ConfigError: the address cannot be had.
    """
    protocol.ended = asyncio.get_running_loop().create_future()

    async def connected(socket: ServerConnection) -> None:
        if protocol.writer is not None:
            return
        protocol.set_writer(_SocketWriter(socket), include_headers=False)
        server.close(close_connections=False)
        await _read_socket(socket, protocol)

    # An opened file is one message, so there is no limit on its size.
    options: dict[str, Any] = {"max_size": None, "compression": None, "origins": [None, _LOCAL_ORIGIN]}
    server = await listening(serve(connected, host, port, **options), host, port)
    announce("ws", next(iter(server.sockets)).getsockname())
    code = await protocol.ended
    if isinstance(protocol.writer, _SocketWriter):
        await protocol.writer.goodbye()
    return code


async def _read_socket(socket: ServerConnection, protocol: CopilotProtocol) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            protocol.receive(await socket.recv(decode=False))
    protocol.disconnected()


class _SocketWriter:
    """Sends over a WebSocket without waiting, in the order written."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._unsent: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._sending = asyncio.ensure_future(self._send())

    def write(self, data: bytes) -> None:
        self._unsent.put_nowait(data)

    def close(self) -> None:
        self._unsent.put_nowait(None)

    async def goodbye(self) -> None:
        """Send what is left, for a moment, and close."""
        self.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._sending, GOODBYE_S)

    async def _send(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while (data := await self._unsent.get()) is not None:
                await self._socket.send(data, text=True)
        await self._socket.close()
