"""How messages travel: over standard input and output, which serve one editor, or over TCP.

Whoever listens on a port is spoken to by any program of the machine, and by any page in its browser. Over TCP
an editor therefore presents a token with ``initialize``, and a header holds nothing but what LSP gives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import threading
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from copilot_server.errors import ConfigError
from copilot_server.listening.address import format_address
from copilot_server.listening.token import KEY, is_right
from copilot_server.lsp.wire.protocol import CopilotProtocol

_Server = TypeVar("_Server")

_CHUNK_BYTES = 1 << 16
#: How long an editor may take to read what has been written to it when its session ends, in seconds.
FLUSH_S = 1.0
#: How long an editor may take from connecting to ``initialize`` over TCP, in seconds, and how long that
#: message may be, in bytes: until then nobody knows who it is.
ADMISSION_S = 60.0
ADMISSION_BYTES = 1 << 20

_HEADER_END = b"\r\n\r\n"
# The last length in the header counts, wherever it stands. If a message was longer than its own header said,
# its rest precedes the next header, and this reads the next message right again. No message has 10 GB.
_CONTENT_LENGTH = re.compile(
    rb"(?s:.*)content-length:[ \t]*(\d{1,10})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)
# The fields that LSP 3.17 gives a header. What a browser sends begins with a method, and is none of them.
_FIELD = re.compile(rb"content-(length:[ \t]*\d{1,10}|type:[^\r\n]{0,200})[ \t]*", re.IGNORECASE)
_HEADER_BYTES = 512


class HeaderError(ValueError):
    """What came is not a header of LSP: another protocol is spoken, such as HTTP."""


class FrameParser:
    """Splits a stream of bytes into the bodies of messages (LSP 3.17, "Base Protocol").

    A header without a length gives an empty body, which is answered as a message that is not JSON. A
    ``strict`` parser refuses such a header, and any with a line that LSP does not know.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._buffer = bytearray()
        self._body_bytes: int | None = None

    @property
    def pending_bytes(self) -> int:
        """How much has come, or is announced, of a message that is not complete."""
        return max(len(self._buffer), self._body_bytes or 0)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the bodies that ``chunk`` completes.

        Raises:
            HeaderError: a strict parser was fed something else.
        """
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
        if self._strict:
            _check_header(bytes(self._buffer[: end if end >= 0 else _HEADER_BYTES + 1]), ended=end >= 0)
        if end < 0:
            return None
        length = _CONTENT_LENGTH.match(self._take(end + len(_HEADER_END)))
        return int(length.group(1)) if length else 0

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def _check_header(header: bytes, *, ended: bool) -> None:
    """Check a header without its end, or as much of it as has come.

    Raises:
        HeaderError: it is not LSP's.
    """
    *lines, last = header.split(b"\r\n")
    if ended:
        lines.append(last)
    known = all(_FIELD.fullmatch(line) for line in lines)
    lengths = [line for line in lines if line.lower().startswith(b"content-length")]
    is_begun = ended or b"content-".startswith(last[:8].lower())
    if not known or not is_begun or len(header) > _HEADER_BYTES or (ended and len(lengths) != 1):
        raise HeaderError("the header is not one of LSP")


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


async def serve_tcp(connections: Connections, host: str, port: int, token: str | None) -> int:
    """Serve every editor that connects and presents ``token``; None serves everyone. Return the exit code.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameParser(strict=True)
        first = await _admitted(reader, writer, frames, token)
        if not first or not connections.accepting:
            writer.close()
            return
        protocol = connections.open()
        protocol.set_writer(writer)
        for body in first:
            protocol.receive(body)
        reading = asyncio.ensure_future(_read_stream(reader, protocol, frames))
        try:
            await protocol.ended
            await _close_writer(writer)
        finally:
            reading.cancel()
            connections.close(protocol)

    server = await listening(asyncio.start_server(connected, host, port), host, port)
    announce("tcp", server.sockets[0].getsockname())
    if token is not None:
        announce_token(token)
    code = await connections.ended
    server.close()
    return code


async def _admitted(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: FrameParser, token: str | None
) -> list[bytes]:
    """Return the first messages of an editor that is let in; none if it is not."""
    first: list[bytes] = []
    with contextlib.suppress(ConnectionError, TimeoutError, HeaderError):
        async with asyncio.timeout(ADMISSION_S):
            while not first and frames.pending_bytes <= ADMISSION_BYTES:
                if not (chunk := await reader.read(_CHUNK_BYTES)):
                    break
                first.extend(frames.feed(chunk))
    if first and token is not None and not is_right(_presented(first[0]), token):
        writer.write(_refusal(first[0]))
        return []
    return first


def _message(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _presented(body: bytes) -> object:
    """Return what an editor's first message presents as the token; None unless it is ``initialize``."""
    value: Any = _message(body)
    if value.get("method") != "initialize":
        return None
    for key in ("params", "initializationOptions", KEY):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _refusal(body: bytes) -> bytes:
    """Return the answer to a message without the token, for the user of an editor that lacks it."""
    msg_id = _message(body).get("id")
    why = (
        f"The token is missing or wrong. Set initializationOptions.{KEY} to the one that the server printed."
    )
    error = {"code": -32600, "message": why}
    answer = {"jsonrpc": "2.0", "id": msg_id if isinstance(msg_id, int | str) else None, "error": error}
    content = json.dumps(answer).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(content), content)


async def _read_stream(reader: asyncio.StreamReader, protocol: CopilotProtocol, frames: FrameParser) -> None:
    with contextlib.suppress(ConnectionError, HeaderError):
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


def announce(scheme: str, address: Sequence[Any], path: str = "") -> None:
    """Write the address to standard error, so that whoever started the server can wait for it."""
    sys.stderr.write(f"copilot-server: listening on {scheme}://{format_address(*address[:2])}{path}\n")
    sys.stderr.flush()


def announce_token(token: str) -> None:
    """Write to standard error what an editor has to present."""
    sys.stderr.write(f"copilot-server: editors present initializationOptions.{KEY} = {token}\n")
    sys.stderr.flush()
