"""How messages travel: standard input and output, or TCP. Each serves one editor, then ends.

An editor that comes back starts a server of its own, as all of them do over stdio; while one is served a
second one is refused, for pygls would mix the two.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import threading
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, TypeVar

from copilot_server.errors import ConfigError
from copilot_server.lsp.wire.protocol import CopilotProtocol

_Server = TypeVar("_Server")

_CHUNK_BYTES = 1 << 16
GOODBYE_S = 1.0

_HEADER_END = b"\r\n\r\n"
# The last one in the header counts, wherever it stands: in front of it may be what is left of a message that
# was longer than its own header said, and with the next message all is well again. No message has 10 GB.
_CONTENT_LENGTH = re.compile(
    rb"(?s:.*)content-length:[ \t]*(\d{1,10})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)


class FrameParser:
    """Takes bytes as they come and gives the bodies of whole messages (LSP 3.17, "Base Protocol").

    A header without a length gives an empty body, which is answered as a message that is not JSON.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body_bytes: int | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Give the bodies that ``chunk`` completes."""
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
        """Take a header if it is here whole, and give the length of its body in bytes."""
        end = self._buffer.find(_HEADER_END)
        if end < 0:
            return None
        length = _CONTENT_LENGTH.match(self._take(end + len(_HEADER_END)))
        return int(length.group(1)) if length else 0

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


async def serve_stdio(protocol: CopilotProtocol) -> int:
    """Serve the editor that started this process; returns the exit code."""
    protocol.ended = asyncio.get_running_loop().create_future()
    stdin, stdout = _take_stdio()
    protocol.set_writer(_DescriptorWriter(stdout))
    # A daemon, and reading the descriptor itself: neither holds up the end of the process.
    reader = threading.Thread(
        target=_read_descriptor, args=(stdin, protocol, asyncio.get_running_loop()), daemon=True
    )
    reader.start()
    return await protocol.ended


def _take_stdio() -> tuple[int, int]:
    """Take standard input and output for the protocol, and leave harmless ones in their places.

    A stray print, or a C library that writes to descriptor 1, then lands on standard error and cannot
    break the stream; a child process cannot eat the editor's messages.
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
    with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended first
        while chunk := _read_chunk(descriptor):
            for body in frames.feed(chunk):
                loop.call_soon_threadsafe(protocol.receive, body)
        loop.call_soon_threadsafe(protocol.disconnected)


def _read_chunk(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except OSError:  # a terminal that has gone
        return b""


async def serve_tcp(protocol: CopilotProtocol, host: str, port: int) -> int:
    """Serve the first editor that connects; returns the exit code.

    Raises:
        ConfigError: the address cannot be had.
    """
    protocol.ended = asyncio.get_running_loop().create_future()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if protocol.writer is not None:
            writer.close()
            return
        protocol.set_writer(writer)
        server.close()
        await _read_stream(reader, protocol)

    server = await listening(asyncio.start_server(connected, host, port), host, port)
    announce("tcp", server.sockets[0].getsockname())
    code = await protocol.ended
    if isinstance(protocol.writer, asyncio.StreamWriter):
        await _say_goodbye(protocol.writer)
    return code


async def _read_stream(reader: asyncio.StreamReader, protocol: CopilotProtocol) -> None:
    frames = FrameParser()
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK_BYTES):
            for body in frames.feed(chunk):
                protocol.receive(body)
    protocol.disconnected()


async def _say_goodbye(writer: asyncio.StreamWriter) -> None:
    """Let what has been written reach the editor, if it still reads."""
    writer.close()
    with contextlib.suppress(ConnectionError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), GOODBYE_S)


async def listening(server: Awaitable[_Server], host: str, port: int) -> _Server:
    """Wait for ``server`` to listen.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        return await server
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.",
            remedy="Name another with --host and --port; --port 0 takes any that is free.",
        ) from error


def announce(scheme: str, address: Sequence[Any]) -> None:
    """Say where we listen, on standard error, so that a starter can wait for it and learn the port."""
    sys.stderr.write(f"copilot-server: listening on {scheme}://{address[0]}:{address[1]}\n")
    sys.stderr.flush()
