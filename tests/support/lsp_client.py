"""A language client that hides nothing: it shows every message as it was sent and as it came.

pytest-lsp's client is built on pygls and would neither send the malformed messages that are tested here
nor show two answers to one request.
"""

# ruff: noqa: ANN401 - JSON values

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

Transport = Literal["stdio", "tcp", "ws"]
Message = dict[str, Any]

#: How long a test waits for what must come. No test measures time; this only ends a test that hangs.
PATIENCE_S = 300.0

GHOST_TEXT = {"textDocument": {"inlineCompletion": {}}, "window": {"workDoneProgress": True}}


@dataclass(frozen=True)
class Listening:
    """Where a server listens, and what an editor presents in initializationOptions."""

    url: str
    token: str | None = None

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port


class ResponseError(Exception):
    """The server's answer to a request was an error."""

    def __init__(self, error: Message) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: int = error["code"]
        self.message: str = error["message"]


class _Wire(Protocol):
    """Sends and receives whole messages."""

    def send(self, body: bytes) -> Any: ...

    async def receive(self) -> bytes | None: ...

    async def close(self) -> None: ...


class StreamWire:
    """Messages with headers, over a pipe or a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, body: bytes) -> None:
        self.writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def receive(self) -> bytes | None:
        try:
            header = await self._reader.readuntil(b"\r\n\r\n")
            length = next(
                line for line in header.split(b"\r\n") if line.lower().startswith(b"content-length")
            )
            return await self._reader.readexactly(int(length.split(b":")[1]))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


class SocketWire:
    """Messages over a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sends: list[asyncio.Task[None]] = []

    def send(self, body: bytes) -> None:
        self._sends.append(asyncio.ensure_future(self._socket.send(body.decode())))

    async def receive(self) -> bytes | None:
        async for message in self._socket:
            return message.encode() if isinstance(message, str) else message
        return None

    async def close(self) -> None:
        await self._socket.close()


class LspClient:
    """One connection to a server. ``received`` holds every message that came, in order."""

    def __init__(
        self, wire: _Wire, process: asyncio.subprocess.Process, listening: Listening | None = None
    ) -> None:
        self.wire = wire
        self.process = process
        #: Where the server listens, unless it is on stdio.
        self.listening = listening
        self.received: list[Message] = []
        self.stderr = b""
        #: How to answer the server's requests, by method.
        self.replies: dict[str, Callable[[Any], Any]] = {"window/workDoneProgress/create": lambda _: None}
        self._ids = count(1)
        self._news = asyncio.Condition()
        self._tasks = [asyncio.ensure_future(self._read())]

    def read_stderr(self) -> None:
        """Collect what the process writes to standard error. Only one client of a process does so."""
        self._tasks.append(asyncio.ensure_future(self._read_stderr()))

    # Sending.

    def send(self, message: object) -> None:
        """Send any JSON value as a message."""
        self.wire.send(json.dumps(message).encode())

    def notify(self, method: str, params: object = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def begin(self, method: str, params: object = None) -> int:
        """Send a request, and return its id without waiting for the answer."""
        msg_id = next(self._ids)
        self.send({"jsonrpc": "2.0", "id": msg_id, "method": method, "params": params})
        return msg_id

    async def request(self, method: str, params: object = None) -> Any:
        """Send a request and wait for its result, or raise its ResponseError."""
        return await self.result(self.begin(method, params))

    # Receiving.

    async def wait_for(self, wanted: Callable[[Message], bool]) -> Message:
        """Return the first message for which ``wanted`` holds, once it has come."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: any(map(wanted, self.received)) or self._tasks[0].done())
        return next(filter(wanted, self.received))

    async def answer(self, msg_id: object) -> Message:
        """Return the answer to a request, whatever it is."""
        return await self.wait_for(lambda message: "method" not in message and message.get("id") == msg_id)

    async def result(self, msg_id: int) -> Any:
        message = await self.answer(msg_id)
        if "error" in message:
            raise ResponseError(message["error"])
        return message["result"]

    async def notification(self, method: str) -> Any:
        """Return the parameters of the first notification or request of this kind."""
        return (await self.wait_for(lambda message: message.get("method") == method))["params"]

    def answers(self, msg_id: object) -> list[Message]:
        """Return every answer to ``msg_id`` so far."""
        return [one for one in self.received if "method" not in one and one.get("id") == msg_id]

    def messages(self, method: str) -> list[Any]:
        """Return the parameters of all messages of one method so far."""
        return [one["params"] for one in self.received if one.get("method") == method]

    # The life of a session.

    async def initialize(self, capabilities: object = GHOST_TEXT, options: Any = None, **more: Any) -> Any:
        if self.listening is not None and self.listening.token is not None:
            options = {**(options or {}), "token": self.listening.token}
        params = {"processId": None, "capabilities": capabilities, "initializationOptions": options, **more}
        result = await self.request("initialize", params)
        self.notify("initialized", {})
        return result

    def open(self, text: str, uri: str = "file:///a.py", language: str = "python", version: int = 1) -> str:
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        return uri

    def change(self, uri: str, version: int, *changes: object) -> None:
        document = {"uri": uri, "version": version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})

    async def shut_down(self) -> int:
        """End the session as the protocol requires, and return the exit code."""
        await self.request("shutdown")
        self.notify("exit")
        return await self.exit_code()

    async def exit_code(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*self._tasks)
            return await self.process.wait()

    async def disconnect(self) -> None:
        """Disconnect without a message. The server notices at once."""
        await self.wire.close()
        await self._tasks[0]

    async def close(self) -> None:
        """End everything that still runs."""
        await self.wire.close()
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()
        await self.exit_code()

    async def _read(self) -> None:
        while (body := await self.wire.receive()) is not None:
            message = json.loads(body)
            if "method" in message and "id" in message and message["method"] in self.replies:
                reply = self.replies[message["method"]](message["params"])
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": reply})
            await self._tell(message)
        async with self._news:
            self._news.notify_all()

    async def _tell(self, message: Message) -> None:
        async with self._news:
            self.received.append(message)
            self._news.notify_all()

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        while chunk := await self.process.stderr.read(1 << 16):
            self.stderr += chunk


def inline_params(uri: str, line: int, character: int, *, invoked: bool = False) -> Message:
    """Parameters of ``textDocument/inlineCompletion``."""
    return {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 1 if invoked else 2},
    }


@asynccontextmanager
async def running_server(
    *arguments: str,
    transport: Transport = "stdio",
    program: tuple[str, ...] = ("-m", "copilot_server"),
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[LspClient]:
    """Start a server process and connect to it; it is killed at the end if it still runs."""
    flags = () if transport == "stdio" else (f"--{transport}", "--port", "0")
    process = await asyncio.create_subprocess_exec(
        python,
        *program,
        *arguments,
        *flags,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    listening = None if transport == "stdio" else await read_listening(process)
    client = LspClient(await _wire(process, listening), process, listening)
    client.read_stderr()
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def another_editor(first: LspClient, transport: Transport) -> AsyncIterator[LspClient]:
    """Connect one more editor to the server of ``first``."""
    assert first.listening is not None
    assert first.listening.url.startswith(transport)
    client = LspClient(await _wire(first.process, first.listening), first.process, first.listening)
    try:
        yield client
    finally:
        await client.disconnect()


async def _wire(process: asyncio.subprocess.Process, listening: Listening | None) -> _Wire:
    assert process.stdin is not None
    assert process.stdout is not None
    if listening is None:
        return StreamWire(process.stdout, process.stdin)
    if listening.url.startswith("tcp"):
        return StreamWire(*await asyncio.open_connection("127.0.0.1", listening.port))
    return SocketWire(await connect(listening.url, max_size=None))


async def read_listening(process: asyncio.subprocess.Process, *, has_token: bool = True) -> Listening:
    """Read where the server says that it listens, and what to present there.

    ``has_token``: whether it says a token over TCP; over WebSocket it is in the URL.
    """
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        url = (await process.stderr.readline()).decode().split()[-1]
        says_token = has_token and url.startswith("tcp")
        token = (await process.stderr.readline()).decode().split()[-1] if says_token else None
    return Listening(url, token)
