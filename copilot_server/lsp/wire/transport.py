"""How messages travel: over standard input and output, which serve one editor, or over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import threading
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from copilot_server.errors import ConfigError
from copilot_server.lsp.wire.address import format_address
from copilot_server.lsp.wire.protocol import CopilotProtocol

_Server = TypeVar("_Server")

_CHUNK_BYTES = 1 << 16
#: How long an editor may take to read what has been written to it when its session ends, in seconds.
FLUSH_S = 1.0

_HEADER_END = b"\r\n\r\n"
# The last length in the header counts, wherever it stands. If a message was longer than its own header said,
# its rest precedes the next header, and this reads the next message right again. No message has 10 GB.
_CONTENT_LENGTH = re.compile(
    rb"(?s:.*)content-length:[ \t]*(\d{1,10})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)


class FrameParser:
    """Splits a stream of bytes into the bodies of messages (LSP 3.17, "Base Protocol").

    A header without a length gives an empty body, which is answered as a message that is not JSON.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body_bytes: int | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the bodies that ``chunk`` completes."""
        self._buffer += chunk
        while (body := self._take_body()) is not None:
            yield body

    def _take_body(self) -> bytes | None:
        if self._body_bytes is None:
            self._body_bytes = self._take_header()
        if self._body_bytes is None or len(self._buffer) < self._body_bytes:
            return None
        taken, self._body_bytes = self._body_bytes, None
        return self._take(taken)

    def _take_header(self) -> int | None:
        """Take a header if all of it has come, and return the length of its body in bytes."""
        end = self._buffer.find(_HEADER_END)
        if end < 0:
            return None
        length = _CONTENT_LENGTH.match(self._take(end + len(_HEADER_END)))
        return int(length.group(1)) if length else 0

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


class Connections(Protocol):
    """What a transport reports its connections to."""

    @property
    def ended(self) -> asyncio.Future[int]:
        """Done when the process is to end, with its exit code."""
        ...

    @property
    def accepting(self) -> bool:
        """Whether new connections are served."""
        ...

    def open(self) -> CopilotProtocol:
        """Start a session for a new connection."""
        ...

    def close(self, protocol: CopilotProtocol) -> None:
        """End the session of a connection that is over."""
        ...


async def serve_stdio(connections: Connections) -> int:
    """Serve the editor that started this process; return the exit code."""
    protocol = connections.open()
    stdin, stdout = _take_stdio()
    protocol.set_writer(_DescriptorWriter(stdout))
    # The thread is a daemon and reads the descriptor itself, so that it does not delay the process's end.
    reader = threading.Thread(
        target=_read_descriptor, args=(stdin, protocol, asyncio.get_running_loop()), daemon=True
    )
    reader.start()
    try:
        await protocol.ended
    finally:
        connections.close(protocol)
    return await connections.ended


def _take_stdio() -> tuple[int, int]:
    """Take standard input and output for the protocol, and put harmless ones in their place.

    What a stray print or a C library writes to descriptor 1 then goes to standard error and cannot break the
    stream, and a child process cannot read the editor's messages.
    """
    stdin, stdout = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return stdin, stdout


class _DescriptorWriter:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def close(self) -> None:
        os.close(self._descriptor)


def _read_descriptor(descriptor: int, protocol: CopilotProtocol, loop: asyncio.AbstractEventLoop) -> None:
    frames = FrameParser()
    with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
        while chunk := _read_chunk(descriptor):
            for body in frames.feed(chunk):
                loop.call_soon_threadsafe(protocol.receive, body)
        loop.call_soon_threadsafe(protocol.disconnected)


def _read_chunk(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except OSError:  # a terminal that has gone
        return b""


async def serve_tcp(connections: Connections, host: str, port: int) -> int:
    """Serve every editor that connects; return the exit code.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not connections.accepting:
            writer.close()
            return
        protocol = connections.open()
        protocol.set_writer(writer)
        reading = asyncio.ensure_future(_read_stream(reader, protocol))
        try:
            await protocol.ended
            await _close_writer(writer)
        finally:
            reading.cancel()
            connections.close(protocol)

    server = await listening(asyncio.start_server(connected, host, port), host, port)
    announce("tcp", server.sockets[0].getsockname())
    code = await connections.ended
    server.close()
    return code


async def _read_stream(reader: asyncio.StreamReader, protocol: CopilotProtocol) -> None:
    frames = FrameParser()
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK_BYTES):
            for body in frames.feed(chunk):
                protocol.receive(body)
    protocol.disconnected()


async def _close_writer(writer: asyncio.StreamWriter) -> None:
    """Close a connection once the editor has read what has been written, or after ``FLUSH_S``."""
    writer.close()
    with contextlib.suppress(ConnectionError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), FLUSH_S)


async def listening(server: Awaitable[_Server], host: str, port: int) -> _Server:
    """Wait for ``server`` to listen.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    try:
        return await server
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {format_address(host, port)}: {error.strerror or error}.",
            remedy="Name another with --host and --port; --port 0 takes any that is free.",
        ) from error


def announce(scheme: str, address: Sequence[Any]) -> None:
    """Write the address to standard error, so that whoever started the server can wait for it."""
    sys.stderr.write(f"copilot-server: listening on {scheme}://{format_address(*address[:2])}\n")
    sys.stderr.flush()
