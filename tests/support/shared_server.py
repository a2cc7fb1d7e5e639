"""One server process for the tests of a module: each test is an editor of its own, over TCP."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

import psutil

from tests.support.lsp_client import GHOST_TEXT, Listening, LspClient, Message, StreamWire, inline_params

INLINE = "textDocument/inlineCompletion"


class SharedServer:
    """A server that listens, and stays when an editor leaves."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        self.process = process
        url = self._word()
        self.listening = Listening(url, self._word() if url.startswith("tcp") else None)
        self.log = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _word(self) -> str:
        """Return the last word of the next line: the URL, or over TCP the token."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().decode().split()[-1]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log += line

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def memory_bytes(self) -> int:
        """What the process has in memory."""
        resident: int = psutil.Process(self.process.pid).memory_info().rss
        return resident

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[LspClient]:
        """Connect an editor that has sent nothing yet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listening.port)
        client = LspClient(StreamWire(reader, writer), None, self.listening)  # type: ignore[arg-type]
        try:
            yield client
        finally:
            await client.disconnect()

    @asynccontextmanager
    async def editor(self, options: object = None, **more: object) -> AsyncIterator[LspClient]:
        """Connect an editor that has the token."""
        async with self.connected() as client:
            await client.initialize(GHOST_TEXT, options, **more)
            yield client


@contextmanager
def shared_server(
    *arguments: str,
    program: tuple[str, ...] = ("-m", "copilot_server"),
    transport: Literal["tcp", "ws"] = "tcp",
    environment: Mapping[str, str] | None = None,
) -> Iterator[SharedServer]:
    """Start a server, and end it after the tests."""
    command = [sys.executable, *program, *arguments, f"--{transport}", "--port", "0", "--keep-alive"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            yield SharedServer(process)
        finally:
            process.kill()


async def suggested(client: LspClient, uri: str, line: int = 0, character: int = 4) -> list[str]:
    """Return what is suggested to a user who asks for it."""
    answer: Message = await client.request(INLINE, inline_params(uri, line, character, invoked=True))
    return [item["insertText"] for item in answer["items"]]
