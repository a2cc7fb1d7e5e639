"""An editor in this process: a server with one connection, and all messages in both directions."""

# ruff: noqa: ANN401 - JSON values

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import count
from typing import Any

from copilot_server.lsp.server import CopilotServer
from copilot_server.lsp.wire.protocol import CopilotProtocol

URI = "file:///a.py"


class Wire:
    """The editor's end: what it sends and what it has received."""

    def __init__(self, server: CopilotServer) -> None:
        self.server = server
        self.protocol: CopilotProtocol = server.protocol
        self.protocol.ended = asyncio.get_running_loop().create_future()
        self.protocol.set_writer(self, include_headers=False)
        self.received: list[dict[str, Any]] = []
        self._ids = count(1000)

    def write(self, data: bytes) -> None:
        self.received.append(json.loads(data))

    def close(self) -> None:
        pass

    def send(self, method: str, params: object = None, **more: object) -> None:
        self.send_raw({"jsonrpc": "2.0", "method": method, "params": params, **more})

    def send_raw(self, message: object) -> None:
        """Send any JSON value as a message."""
        self.protocol.receive(json.dumps(message).encode())

    def initialize(self, *encodings: str, **more: object) -> dict[str, Any]:
        capabilities = {"general": {"positionEncodings": encodings}, "textDocument": {"inlineCompletion": {}}}
        self.send("initialize", {"processId": None, "capabilities": capabilities, **more}, id="initialize")
        self.send("initialized")
        return self.answer_to("initialize")["result"]

    def open(self, text: str, language: str = "python") -> None:
        item = {"uri": URI, "languageId": language, "version": 1, "text": text}
        self.send("textDocument/didOpen", {"textDocument": item})

    def change(self, version: int, *changes: object) -> None:
        document = {"uri": URI, "version": version}
        self.send("textDocument/didChange", {"textDocument": document, "contentChanges": changes})

    def text(self) -> str | None:
        document = self.server.session.documents.get(URI)
        return document and document.text

    def answers_to(self, msg_id: object) -> list[dict[str, Any]]:
        return [one for one in self.received if "method" not in one and one["id"] == msg_id]

    def answer_to(self, msg_id: object) -> dict[str, Any]:
        (answer,) = self.answers_to(msg_id)
        return answer

    async def settled(self) -> None:
        """Wait until every request that was sent has been answered."""
        async with asyncio.timeout(30):
            while self.protocol._running:
                await asyncio.sleep(0.001)

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Wait until ``wanted`` holds."""
        async with asyncio.timeout(30):
            while not wanted():
                await asyncio.sleep(0.001)

    async def request(self, method: str, params: object = None) -> Any:
        """Send a request, and return its result, or its error if it failed."""
        msg_id = next(self._ids)
        self.send(method, params, id=msg_id)
        await self.settled()
        answer = self.answer_to(msg_id)
        return answer["result"] if "result" in answer else answer["error"]

    def messages(self, method: str) -> list[Any]:
        """Return the parameters of all messages of one method so far."""
        return [one["params"] for one in self.received if one.get("method") == method]

    def end(self) -> None:
        """End the connection, and wait for the engine thread."""
        self.protocol.disconnected()
        self.server.session.examples.close()
        assert self.server.session.scheduler.close(30)
