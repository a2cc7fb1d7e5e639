"""A server whose suggestions are switched off lets the real model go, and loads it again when they are on."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.lsp_client import LspClient, Message, inline_params, running_server

CHANGE = "workspace/didChangeConfiguration"
TEXT = "import os\n\nprint(os.path"
#: The most memory that a server may take that was switched off, in units of 10^6 bytes.
MEMORY_OFF_MB = 150


def memory_mb(client: LspClient) -> float:
    """The resident memory of the server's process, in units of 10^6 bytes."""
    status = Path(f"/proc/{client.process.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


async def suggested(client: LspClient) -> list[Any]:
    """Ask for a suggestion explicitly."""
    params = inline_params("file:///a.py", 2, 13, invoked=True)
    return (await client.request("textDocument/inlineCompletion", params))["items"]


def says_off(message: Message) -> bool:
    """Whether the log says that the engine was let go."""
    is_log = message.get("method") == "window/logMessage"
    return is_log and message["params"]["message"].startswith("Suggestions are off.")


@pytest.mark.model
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
async def test_a_server_that_was_switched_off_takes_little_memory_until_it_is_switched_on() -> None:
    flags = ("--model", "qwen2.5-coder-0.5b", "--offline", "--device", "cpu")
    async with running_server(*flags, program=("-m", "tests.support.resting_server")) as client:
        await client.initialize()
        client.open(TEXT)
        assert await suggested(client) != []
        assert memory_mb(client) > MEMORY_OFF_MB
        client.notify(CHANGE, {"settings": {"enabled": False}})
        await client.wait_for(says_off)
        assert memory_mb(client) < MEMORY_OFF_MB
        assert await suggested(client) == []
        client.notify(CHANGE, {"settings": {"enabled": True}})
        assert await suggested(client) != []
        assert await client.shut_down() == 0
