"""Several editors on one server process: each has its own session, and they share the engine."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.support.lsp_client import (
    GHOST_TEXT,
    LspClient,
    ResponseError,
    Transport,
    another_editor,
    inline_params,
    running_server,
)
from tests.support.paths import TESTS

INLINE, STATS = "textDocument/inlineCompletion", "copilotServer/stats"
STAND_IN = (str(TESTS / "support" / "lsp_stand_in.py"),)
SOCKETS: tuple[Transport, ...] = ("tcp", "ws")


def stand_in(*arguments: str, transport: Transport) -> AbstractAsyncContextManager[LspClient]:
    return running_server(*arguments, transport=transport, program=STAND_IN)


async def texts(client: LspClient, uri: str, line: int, character: int) -> list[str]:
    answer = await client.request(INLINE, inline_params(uri, line, character))
    return [item["insertText"] for item in answer["items"]]


async def leave(client: LspClient) -> None:
    """End a session as the protocol requires."""
    await client.request("shutdown")
    client.notify("exit")


def in_units_of(encoding: str) -> dict[str, Any]:
    return {**GHOST_TEXT, "general": {"positionEncodings": [encoding]}}


@pytest.mark.parametrize("transport", SOCKETS)
async def test_when_one_editor_dies_the_other_goes_on(transport: Transport) -> None:
    async with stand_in(transport=transport) as first:
        await first.initialize()
        async with another_editor(first, transport) as second:
            await second.initialize()
            dying = second.open("slow")
            second.begin(INLINE, inline_params(dying, 0, 4))
            uri = first.open("x = ")
            waiting = first.begin(INLINE, inline_params(uri, 0, 4))
            await second.disconnect()
        assert (await first.result(waiting))["items"]
        assert await texts(first, uri, 0, 4) == ["ok"]
        assert await first.shut_down() == 0


@pytest.mark.parametrize("transport", SOCKETS)
async def test_editors_that_have_one_uri_open_hold_their_own_texts(transport: Transport) -> None:
    async with stand_in(transport=transport) as first, another_editor(first, transport) as second:
        await first.initialize()
        await second.initialize()
        uri = first.open("nothing")
        second.open("x = ")
        assert await texts(second, uri, 0, 4) == ["ok"]
        assert await texts(first, uri, 0, 7) == []
        second.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        with pytest.raises(ResponseError):
            await texts(second, uri, 0, 4)
        assert await texts(first, uri, 0, 7) == []


@pytest.mark.parametrize("transport", SOCKETS)
async def test_each_editor_has_its_own_position_encoding(transport: Transport) -> None:
    async with stand_in(transport=transport) as first, another_editor(first, transport) as second:
        await first.initialize(in_units_of("utf-8"))
        await second.initialize(in_units_of("utf-16"))
        for client, character, end in ((first, 4, 9), (second, 4, 7)):
            uri = client.open("over😀)")
            answer = await client.request(INLINE, inline_params(uri, 0, character, invoked=True))
            (item,) = answer["items"]
            assert item["range"]["end"] == {"line": 0, "character": end}


@pytest.mark.parametrize("transport", SOCKETS)
async def test_the_settings_of_one_editor_are_not_the_others(transport: Transport) -> None:
    async with stand_in(transport=transport) as first, another_editor(first, transport) as second:
        await first.initialize(options={"completion": {"maxNewTokens": 32}})
        await second.initialize()
        mine, theirs = first.open("settings\n"), second.open("settings\n")
        assert (await texts(first, mine, 0, 8))[0].startswith("32 tokens")
        assert (await texts(second, theirs, 0, 8))[0].startswith("256 tokens")
        first.notify("workspace/didChangeConfiguration", {"settings": {"enabled": False}})
        assert await texts(first, mine, 0, 8) == []
        assert (await texts(second, theirs, 0, 8))[0].startswith("256 tokens")


async def test_an_editor_whose_model_is_missing_leaves_the_other_its_own() -> None:
    async with stand_in(transport="tcp") as first, another_editor(first, "tcp") as second:
        await first.initialize()
        await second.initialize(options={"model": "missing"})
        assert "not on this machine" in (await second.notification("window/showMessage"))["message"]
        assert await texts(second, second.open("x = "), 0, 4) == []
        assert await texts(first, first.open("x = "), 0, 4) == ["ok"]
        assert first.messages("window/showMessage") == []


async def test_each_editor_gets_the_counts_of_its_own_requests() -> None:
    async with stand_in(transport="tcp") as first, another_editor(first, "tcp") as second:
        await first.initialize()
        await second.initialize()
        uri = first.open("x = ")
        for _ in range(3):
            await texts(first, uri, 0, 4)
        await texts(second, second.open("x = "), 0, 4)
        assert [(await one.request(STATS))["requests"] for one in (first, second)] == [3, 1]


async def test_two_editors_that_type_take_turns() -> None:
    """Each sends its next request before it has the answer to the last: neither has to wait for the other."""
    async with stand_in(transport="tcp") as first, another_editor(first, "tcp") as second:
        clients = (first, second)
        for client in clients:
            await client.initialize()
        uris = {client: [client.open("x = ", f"file:///{n}.py") for n in range(20)] for client in clients}
        for client in clients:
            await texts(client, uris[client][0], 0, 4)
        pending = {
            client: [client.begin(INLINE, inline_params(uri, 0, 4)) for uri in uris[client]]
            for client in clients
        }
        for client in clients:
            for msg_id in pending[client]:
                assert (await client.result(msg_id))["items"]


async def test_a_request_of_one_editor_does_not_end_anothers() -> None:
    async with stand_in(transport="tcp") as first, another_editor(first, "tcp") as second:
        await first.initialize()
        await second.initialize()
        running = first.begin(INLINE, inline_params(first.open("slow"), 0, 4))
        waiting = second.begin(INLINE, inline_params(second.open("x = "), 0, 4))
        while (await second.request(STATS))["requests"] < 1:
            await asyncio.sleep(0.01)
        assert first.answers(running) == []
        first.notify("$/cancelRequest", {"id": running})
        assert (await first.answer(running))["error"]["code"] == -32800
        assert (await second.result(waiting))["items"]


async def test_editors_with_equal_settings_share_a_real_engine(tiny_model_dir: Path) -> None:
    arguments = ("--model", str(tiny_model_dir), "--max-new-tokens", "8")
    async with running_server(*arguments, transport="tcp") as first:
        await first.initialize()
        uri = first.open("import os\n\nprint(os.path")
        answers = [await first.request(INLINE, inline_params(uri, 2, 13))]
        async with another_editor(first, "tcp") as second:
            await second.initialize()
            second.open("import os\n\nprint(os.path")
            answers.append(await second.request(INLINE, inline_params(uri, 2, 13)))
            await leave(second)
        found = [[item["insertText"] for item in answer["items"]] for answer in answers]
        assert found[0] == found[1]
        assert (await first.request(STATS))["requests"] == 1
        assert await first.shut_down() == 0


# The end.


@pytest.mark.parametrize("transport", SOCKETS)
async def test_the_process_ends_with_the_last_session_and_its_exit_code(transport: Transport) -> None:
    async with stand_in(transport=transport) as first:
        await first.initialize()
        async with another_editor(first, transport) as second:
            await second.initialize()
            await leave(first)
            assert await texts(second, second.open("x = "), 0, 4) == ["ok"]
        assert await first.exit_code() == 1


@pytest.mark.parametrize("transport", SOCKETS)
async def test_kept_alive_it_serves_an_editor_that_comes_back(transport: Transport) -> None:
    async with stand_in("--keep-alive", transport=transport) as first:
        await first.initialize()
        await leave(first)
        for _ in range(2):
            async with another_editor(first, transport) as again:
                await again.initialize()
                assert await texts(again, again.open("x = "), 0, 4) == ["ok"]
        first.process.send_signal(signal.SIGTERM)
        assert await first.exit_code() == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_all_sessions(number: signal.Signals) -> None:
    async with stand_in(transport="tcp") as first, another_editor(first, "tcp") as second:
        await first.initialize()
        await second.initialize()
        second.begin(INLINE, inline_params(second.open("slow"), 0, 4))
        await first.request(STATS)
        first.process.send_signal(number)
        assert await first.exit_code() == 128 + number
        assert b"Traceback" not in first.stderr


async def test_an_ipv6_address_is_announced_in_brackets() -> None:
    command = ("-m", "copilot_server", "--tcp", "--host", "::1", "--port", "0")
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    process.kill()
    await process.wait()
    assert line.startswith("copilot-server: listening on tcp://[::1]:")
