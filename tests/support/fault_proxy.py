"""A proxy in front of a real engine that spoils answers on demand, as networks and overloaded engines do."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Self

import httpx

from tests.support.patience import PATIENCE_S, wait_until

#: Events of an answer that pass before a fault in the middle of it.
BEFORE_FAULT = 2

_EVENTS = "text/event-stream; charset=utf-8"


@dataclass
class Answer:
    """What the proxy writes to its client: a head, then the chunks of a body (RFC 9112, section 7.1)."""

    writer: asyncio.StreamWriter
    #: Whether everything that a client may want has been written.
    is_whole: bool = False

    async def head(self, status: int, content_type: str = _EVENTS, **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} Told", f"Content-Type: {content_type}", "Connection: close"]
        lines += ["Transfer-Encoding: chunked", *(f"{name}: {value}" for name, value in headers.items())]
        await self._write("\r\n".join([*lines, "", ""]).encode())

    async def chunk(self, data: bytes) -> None:
        self.is_whole |= _finishes(data)
        await self._write(b"%x\r\n%s\r\n" % (len(data), data))

    async def end(self) -> None:
        self.is_whole = True
        await self._write(b"0\r\n\r\n")

    async def _write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


def _finishes(event: bytes) -> bool:
    """Whether it is the event that ends a completion; at most counts follow it."""
    try:
        return json.loads(event.removeprefix(b"data: "))["choices"][0]["finish_reason"] is not None
    except (ValueError, LookupError, TypeError):
        return False


Upstream = AsyncIterator[bytes]
Fault = Callable[[Answer, Upstream], Coroutine[Any, Any, None]]


async def _pass(answer: Answer, upstream: Upstream) -> None:
    await answer.head(200)
    async for data in upstream:
        await answer.chunk(data)
    await answer.end()


async def _some(answer: Answer, upstream: Upstream) -> None:
    """The beginning of a good answer, however short it is, but never the event that ends it."""
    await answer.head(200)
    passed = 0
    async for event in upstream:
        if passed == BEFORE_FAULT or _finishes(event):
            return
        await answer.chunk(event)
        passed += 1


async def _for_ever(*_: object) -> None:
    await asyncio.Event().wait()


async def _stall(answer: Answer, upstream: Upstream) -> None:
    await _some(answer, upstream)
    await _for_ever()


async def _cut(answer: Answer, upstream: Upstream) -> None:
    await _some(answer, upstream)


async def _truncate(answer: Answer, upstream: Upstream) -> None:
    await _some(answer, upstream)
    await answer.end()


async def _reset(answer: Answer, _upstream: Upstream) -> None:
    at_once = struct.pack("ii", 1, 0)  # a reset instead of an orderly close: socket(7)
    answer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    answer.writer.transport.abort()


async def _in_bytes(answer: Answer, upstream: Upstream) -> None:
    """The whole answer, but each byte by itself; which bytes arrive together is up to the network."""
    await answer.head(200)
    async for event in upstream:
        for byte in event:
            await answer.chunk(bytes([byte]))
    await answer.end()


async def _slow_drip(answer: Answer, upstream: Upstream) -> None:
    """One byte at a time, so that no read times out and the answer never ends."""
    await answer.head(200)
    async for data in upstream:
        for byte in data:
            await answer.chunk(bytes([byte]))
            await asyncio.sleep(0.05)


async def _endless(answer: Answer, _upstream: Upstream) -> None:
    await answer.head(200)
    await answer.chunk(b"data: ")
    while True:
        await answer.chunk(b"x" * 65536)


def _body(content_type: str, body: bytes) -> Fault:
    async def fault(answer: Answer, _upstream: Upstream) -> None:
        await answer.head(200, content_type)
        await answer.chunk(body)
        await answer.end()

    return fault


def _after_some(body: bytes) -> Fault:
    async def fault(answer: Answer, upstream: Upstream) -> None:
        await _some(answer, upstream)
        await answer.chunk(body)
        await answer.end()

    return fault


def _status(status: int, **headers: str) -> Fault:
    async def fault(answer: Answer, _upstream: Upstream) -> None:
        await answer.head(status, "application/json", **headers)
        await answer.chunk(b'{"error": {"message": "written by the proxy"}}')
        await answer.end()

    return fault


async def _late(answer: Answer, upstream: Upstream) -> None:
    await asyncio.sleep(1.0)
    await _pass(answer, upstream)


#: What can be done to an answer. The modes before "hang" leave it whole.
FAULTS: dict[str, Fault] = {
    "pass": _pass,
    "late": _late,
    "in-bytes": _in_bytes,
    "hang": _for_ever,
    "stall": _stall,
    "cut": _cut,
    "truncate": _truncate,
    "reset": _reset,
    "slow-drip": _slow_drip,
    "endless": _endless,
    "401": _status(401),
    "404": _status(404),
    "422": _status(422),
    "429": _status(429),
    "429-later": _status(429, **{"Retry-After": "3"}),
    "500": _status(500),
    "503": _status(503),
    "redirect": _status(307, Location="https://example.com/v1/completions"),
    "html": _body("text/html", b"<html>Sign in to the hotel's network</html>"),
    "rubbish": _body(_EVENTS, bytes(range(256)) * 20),
    "json": _body(_EVENTS, b'data: {"choices": [{"txt": "x"}]}\n\n'),
    "nothing": _body(_EVENTS, b""),
    "half-utf8": _after_some(b'data: {"choices": [{"index": 0, "text": "caf\xc3"}]}\n\n'),
    "half-event": _after_some(b'data: {"choices": [{"index": 0, "te'),
    "error-chunk": _after_some(b'data: {"error": {"message": "out of memory", "code": 500}}\n\n'),
    "aborted": _after_some(b'data: {"choices": [{"index": 0, "text": "", "finish_reason": "abort"}]}\n\n'),
}
HARMLESS = ("pass", "late", "in-bytes")
SPOILING = [name for name in FAULTS if name not in HARMLESS]


class FaultProxy:
    """Listens on 127.0.0.1 in a thread of its own. ``mode``: the name of what is done to completions.

    ``tls``: the context with which it speaks https; without one it speaks http. ``requests``: how many
    completions were requested. ``hung_up``: how many of them the client closed before their end.
    """

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        self.mode = "pass"
        #: The modes of the next completions, in order; ``mode`` applies to all after them.
        self.next_modes: list[str] = []
        #: A text, such as the model's name, and what replaces it in every answer about the engine.
        self.renamed: tuple[bytes, bytes] = (b"", b"")
        #: Whether all other requests, such as for the engine's health, go unanswered too.
        self.everything = False
        self.requests = self.hung_up = 0
        self.url = ""
        #: The last request for a completion, as it came.
        self.last_request = b""
        self._upstream = upstream
        self._tls = tls
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True)
        self._connections: set[asyncio.Task[None]] = set()
        #: Set once it listens, to a function that stops it.
        self._stop: Future[Callable[[], None]] = Future()

    def __enter__(self) -> Self:
        self._thread.start()
        self._stop.result(PATIENCE_S)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.result()()
        self._thread.join()

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds, such as that a client has hung up."""
        wait_until(holds, f"the proxy: {self.requests} requests, {self.hung_up} hung up")

    async def _listen(self) -> None:
        """Serve until it is stopped; requests in flight end with it."""
        stopped, loop = asyncio.Event(), asyncio.get_running_loop()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        port = server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        self._stop.set_result(lambda: loop.call_soon_threadsafe(stopped.set))
        await stopped.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):  # the client has gone
                await self._serve(reader, writer)
                writer.close()
                await writer.wait_closed()
        except asyncio.CancelledError:
            pass  # the proxy stops; asyncio's streams log a handler that was cancelled as an error
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        fields = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        headers = httpx.Headers([(name, value.strip()) for name, _, value in fields if name])
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if path.endswith("/completions"):
            self.requests += 1
            self.last_request = head + body
            await self._spoiled(reader, Answer(writer), body, headers)
        elif self.everything:
            await FAULTS[self.mode](Answer(writer), _nothing())
        else:
            await self._relayed(Answer(writer), method, path, body)

    async def _spoiled(
        self, reader: asyncio.StreamReader, answer: Answer, body: bytes, headers: httpx.Headers
    ) -> None:
        """Answer a completion as the mode says, until the client hangs up."""
        url = f"{self._upstream}/v1/completions"
        passed_on = {name: headers[name] for name in ("content-type", "authorization") if name in headers}
        answering = asyncio.ensure_future(self._answered(answer, url, body, passed_on))
        hanging_up = asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait([answering, hanging_up], return_when=asyncio.FIRST_COMPLETED)
        finally:
            answering.cancel()
            hanging_up.cancel()
            failure, _ = await asyncio.gather(answering, hanging_up, return_exceptions=True)
        # A client that hangs up is noticed by writing if much is being written, else by reading.
        gone = isinstance(failure, ConnectionError | asyncio.CancelledError)
        self.hung_up += gone and not answer.is_whole
        if isinstance(failure, Exception) and not isinstance(failure, ConnectionError | httpx.HTTPError):
            raise failure

    async def _answered(self, answer: Answer, url: str, body: bytes, headers: dict[str, str]) -> None:
        fault = FAULTS[self.next_modes.pop(0) if self.next_modes else self.mode]
        async with (
            httpx.AsyncClient(timeout=None) as client,
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            if response.status_code != httpx.codes.OK:
                await _status(response.status_code)(answer, _nothing())
            else:
                async with aclosing(_events(response)) as events:
                    await fault(answer, events)

    async def _relayed(self, answer: Answer, method: str, path: str, body: bytes) -> None:
        async with httpx.AsyncClient(timeout=None) as client:
            try:
                response = await client.request(method, self._upstream + path, content=body)
            except httpx.HTTPError:
                return
        await answer.head(response.status_code, response.headers.get("content-type", ""))
        await answer.chunk(response.content.replace(*self.renamed) if self.renamed[0] else response.content)
        await answer.end()


async def _events(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Yield the answer's events, which end in an empty line, however the network splits it."""
    rest = b""
    async for data in response.aiter_bytes():
        *events, rest = (rest + data).split(b"\n\n")
        for event in events:
            yield event + b"\n\n"
    if rest:
        yield rest


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
