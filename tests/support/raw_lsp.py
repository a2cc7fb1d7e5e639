"""LSP over TCP, byte by byte, as a client that is no editor may send it."""

from __future__ import annotations

import asyncio
import json

from tests.support.lsp_client import PATIENCE_S


def initialize(**options: object) -> bytes:
    """The first request of a client; ``options``: its ``initializationOptions``."""
    params = {"processId": None, "capabilities": {}, "initializationOptions": options}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).encode()


def framed(body: bytes, *more: bytes) -> bytes:
    """A message with its header; ``more``: lines that come before its length."""
    return b"\r\n".join([*more, b"Content-Length: %d" % len(body), b"", body])


async def answer_to(port: int, sent: bytes) -> bytes:
    """All that a server answers to these bytes, or its first piece if it keeps the connection."""
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        try:
            return await reader.read(1 << 16)
        except ConnectionError:
            return b""
        finally:
            writer.close()
