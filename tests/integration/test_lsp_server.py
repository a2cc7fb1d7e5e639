"""The server as editors use it: a process, on each transport, from start to exit."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import Settings
from copilot_server.context.document import Cursor, Document
from copilot_server.sandbox import Limits, Program, open_sandbox
from tests.support.lsp_client import (
    GHOST_TEXT,
    LspClient,
    Message,
    ResponseError,
    Transport,
    inline_params,
    running_server,
)
from tests.support.lsp_stand_in import MISSING
from tests.support.paths import TESTS

INLINE, STATUS = "textDocument/inlineCompletion", "didChangeStatus"
TRANSPORTS: tuple[Transport, ...] = ("stdio", "tcp", "ws")
STAND_IN = (str(TESTS / "support" / "lsp_stand_in.py"),)

FIB = 'def fib(n: int) -> int:\n    """Return the nth Fibonacci number."""\n    '


def stand_in(*arguments: str, transport: Transport = "stdio") -> AbstractAsyncContextManager[LspClient]:
    return running_server(*arguments, transport=transport, program=STAND_IN)


@pytest.fixture
async def client() -> AsyncIterator[LspClient]:
    """A session with the server and the stand-in for the model."""
    async with stand_in() as client:
        await client.initialize()
        yield client
        assert await client.shut_down() == 0


async def texts(
    client: LspClient, uri: str, line: int, character: int, *, invoked: bool = False
) -> list[str]:
    answer = await client.request(INLINE, inline_params(uri, line, character, invoked=invoked))
    return [item["insertText"] for item in answer["items"]]


# With a real engine.


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_model_completes_over_each_transport(
    model_flags: tuple[str, ...], transport: Transport
) -> None:
    async with running_server(*model_flags, "--max-new-tokens", "8", transport=transport) as client:
        result = await client.initialize()
        assert result["capabilities"]["inlineCompletionProvider"] == {}
        assert result["serverInfo"]["name"] == "copilot-server"
        uri = client.open("import os\n\nprint(os.path")
        automatic = await client.request(INLINE, inline_params(uri, 2, 13))
        invoked = await client.request(INLINE, inline_params(uri, 2, 13, invoked=True))
        assert len(automatic["items"]) <= 1
        assert len(automatic["items"]) <= len(invoked["items"]) <= 3
        assert await client.shut_down() == 0


async def test_cancelling_frees_a_real_engine(model_flags: tuple[str, ...]) -> None:
    async with running_server(*model_flags) as client:
        await client.initialize()
        uri = client.open(FIB)
        running = [client.begin(INLINE, inline_params(uri, 2, 4)) for _ in range(3)]
        for msg_id in running[:2]:
            assert (await client.answer(msg_id))["error"]["code"] == -32800
        client.notify("$/cancelRequest", {"id": running[2]})
        assert (await client.answer(running[2]))["error"]["code"] == -32800
        assert "items" in await client.request(INLINE, inline_params(uri, 0, 4))
        assert [len(client.answers(msg_id)) for msg_id in running] == [1, 1, 1]


def test_the_server_imports_no_torch() -> None:
    program = (
        "import sys, copilot_server.lsp.server; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
    twin = program.replace("copilot_server.lsp.server", "torch")
    found = subprocess.run([sys.executable, "-c", twin], capture_output=True, text=True, check=True)
    assert found.stdout == "['torch']\n"


# What is offered.


async def test_an_invoked_request_offers_several_and_typing_offers_one(client: LspClient) -> None:
    uri = client.open("x = ")
    assert await texts(client, uri, 0, 4) == ["ok"]
    assert await texts(client, uri, 0, 4, invoked=True) == ["ok", "okay\n    again", "more"]


async def test_an_items_range_covers_what_it_replaces(client: LspClient) -> None:
    uri = client.open("over😀)")
    answer = await client.request(INLINE, inline_params(uri, 0, 4, invoked=True))
    (item,) = answer["items"]
    assert item["insertText"] == "all"
    assert item["range"] == {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 7}}


async def test_no_suggestion_is_an_empty_list(client: LspClient) -> None:
    uri = client.open("nothing")
    assert await client.request(INLINE, inline_params(uri, 0, 7)) == {"items": []}
    assert await texts(client, uri, 0, 0) == ["ok"]


async def test_an_editor_without_inline_completion_gets_a_menu() -> None:
    async with stand_in() as client:
        result = await client.initialize({})
        assert result["capabilities"]["completionProvider"] == {}
        uri = client.open("pri")
        position = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 3}}
        answer = await client.request("textDocument/completion", {**position, "context": {"triggerKind": 1}})
        assert answer["isIncomplete"] is True
        (item,) = answer["items"]
        assert (item["label"], item["textEdit"]["newText"]) == ("priok", "priok")
        assert await client.shut_down() == 0


async def test_an_editor_with_inline_completion_gets_no_menu_beside_it() -> None:
    async with stand_in() as client:
        result = await client.initialize(GHOST_TEXT)
        assert "completionProvider" not in result["capabilities"]


# Which answer is wanted.


async def test_a_newer_request_ends_the_older_one(client: LspClient) -> None:
    uri = client.open("slow\nfast")
    older = client.begin(INLINE, inline_params(uri, 0, 4))
    assert await texts(client, uri, 1, 4) == ["ok"]
    with pytest.raises(ResponseError) as caught:
        await client.result(older)
    assert caught.value.code == -32800


async def test_requests_for_other_documents_wait_their_turn(client: LspClient) -> None:
    slow, fast = client.open("slow", "file:///slow.py"), client.open("x = ", "file:///fast.py")
    running = client.begin(INLINE, inline_params(slow, 0, 4))
    waiting = client.begin(INLINE, inline_params(fast, 0, 4))
    client.notify("$/cancelRequest", {"id": running})
    assert (await client.answer(running))["error"]["code"] == -32800
    assert (await client.result(waiting))["items"]


async def test_a_cancelled_request_is_answered_once(client: LspClient) -> None:
    uri = client.open("slow\nfast")
    running = client.begin(INLINE, inline_params(uri, 0, 4))
    client.notify("$/cancelRequest", {"id": running})
    client.notify("$/cancelRequest", {"id": running})
    assert (await client.answer(running))["error"]["code"] == -32800
    assert await texts(client, uri, 1, 4) == ["ok"]
    assert len(client.answers(running)) == 1


async def test_an_outdated_answer_is_not_given(client: LspClient) -> None:
    slow, uri = client.open("slow", "file:///slow.py"), client.open("x = ")
    held = client.begin(INLINE, inline_params(slow, 0, 4))
    outrun = client.begin(INLINE, inline_params(uri, 0, 4))
    client.change(uri, 2, {"text": "y = "})
    client.notify("$/cancelRequest", {"id": held})
    with pytest.raises(ResponseError) as caught:
        await client.result(outrun)
    assert caught.value.code == -32800


async def test_an_answer_fits_when_the_text_has_come_back_to_what_it_was(client: LspClient) -> None:
    slow, uri = client.open("slow", "file:///slow.py"), client.open("x = ")
    held = client.begin(INLINE, inline_params(slow, 0, 4))
    waiting = client.begin(INLINE, inline_params(uri, 0, 4))
    client.change(uri, 2, {"text": "y = "})
    client.change(uri, 3, {"text": "x = "})
    client.notify("$/cancelRequest", {"id": held})
    assert (await client.result(waiting))["items"]


async def test_a_request_keeps_its_position(client: LspClient) -> None:
    uri = client.open("nothing")
    known = client.begin(INLINE, inline_params(uri, 0, 7))
    client.change(uri, 2, {"text": "x = 1  "})
    client.change(uri, 3, {"text": "nothing"})
    assert (await client.result(known))["items"] == []


async def test_a_request_for_an_older_version_is_outdated(client: LspClient) -> None:
    uri = client.open("x = ", version=5)
    params = inline_params(uri, 0, 4)
    for version, code in ((4, -32800), (5, None), (6, None)):
        params["textDocument"] = {"uri": uri, "version": version}
        answer = await client.answer(client.begin(INLINE, params))
        assert answer.get("error", {}).get("code") == code


async def test_a_document_that_is_not_open_is_refused(client: LspClient) -> None:
    uri = client.open("x = ")
    assert await texts(client, uri, 0, 4) == ["ok"]
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    with pytest.raises(ResponseError) as caught:
        await texts(client, uri, 0, 4)
    assert caught.value.code == -32602


# Examples.


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux")
async def test_what_passes_while_nobody_types_changes_nothing_and_is_there_when_asked_for() -> None:
    text = 'def twice(x):\n    """Return x doubled.\n\n    >>> twice(2)\n    4\n    """\n    return'
    async with stand_in() as client:
        await client.initialize(options={"verify": "idle"})
        uri = client.open(text)
        assert await texts(client, uri, 6, 10) == [" 5"]
        shown = len(client.received)
        await client.wait_for(
            lambda one: (
                one.get("method") == STATUS and one["params"]["message"].endswith("another one passes.")
            )
        )
        # Only the status has changed; the progress is that of loading, which ends.
        assert {one.get("method") for one in client.received[shown:]} <= {STATUS, "$/progress"}
        assert await texts(client, uri, 6, 10, invoked=True) == [" x + x", " 5", " x * 0"]
        assert await client.shut_down() == 0


# Failures.


@pytest.mark.parametrize(("line", "message"), [("boom", "RuntimeError"), ("memory", "Take a smaller model.")])
async def test_a_failed_generation_fails_only_its_own_request(
    client: LspClient, line: str, message: str
) -> None:
    uri = client.open(f"{line}\nfast")
    with pytest.raises(ResponseError, match=message) as caught:
        await texts(client, uri, 0, len(line))
    assert caught.value.code == -32803
    assert await texts(client, uri, 1, 4) == ["ok"]


@pytest.mark.parametrize(
    ("model", "beginning"),
    [
        ("missing", "copilot-server: The model is not on this machine. Run `copilot-server pull`."),
        ("broken", "copilot-server: The model could not be loaded (RuntimeError)."),
    ],
)
async def test_a_model_that_cannot_be_loaded_is_reported_once(model: str, beginning: str) -> None:
    async with stand_in("--model", model) as client:
        await client.initialize()
        message = await client.notification("window/showMessage")
        assert message["type"] == 1
        assert message["message"].startswith(beginning)
        uri = client.open("x = ")
        assert [await texts(client, uri, 0, 4) for _ in range(3)] == [[]] * 3
        assert len(client.messages("window/showMessage")) == 1
        assert await client.shut_down() == 0


async def test_after_a_failed_load_a_model_that_is_there_can_be_chosen() -> None:
    async with stand_in() as client:
        await client.initialize(options={"model": "missing"})
        await client.notification("window/showMessage")
        client.notify("workspace/didChangeConfiguration", {"settings": {"model": "qwen2.5-coder-0.5b"}})
        uri = client.open("x = ")
        assert await texts(client, uri, 0, 4) == ["ok"]
        assert await client.shut_down() == 0


# Loading.


async def test_loading_is_shown_as_progress(client: LspClient) -> None:
    token = (await client.notification("window/workDoneProgress/create"))["token"]
    end = await client.wait_for(lambda message: progress_kind(message) == "end")
    assert {one["token"] for one in client.messages("$/progress")} == {token}
    assert [one["value"]["kind"] for one in client.messages("$/progress")] == ["begin", "end"]
    assert end["params"]["value"]["message"] == "done"


def progress_kind(message: Message) -> str | None:
    return message["params"]["value"]["kind"] if message.get("method") == "$/progress" else None


async def test_an_editor_without_progress_reads_it_in_its_log() -> None:
    async with stand_in() as client:
        await client.initialize({"textDocument": {"inlineCompletion": {}}})
        await client.wait_for(lambda message: message.get("params", {}).get("message", "").endswith(": done"))
        assert client.messages("window/workDoneProgress/create") == []
        assert len(client.messages("window/logMessage")) == 2


async def test_an_editor_that_never_makes_the_progress_bar_is_served_anyway() -> None:
    async with stand_in() as client:
        client.replies.clear()
        await client.initialize()
        uri = client.open("x = ")
        assert await texts(client, uri, 0, 4) == ["ok"]


async def test_while_the_model_loads_requests_wait_and_can_be_cancelled() -> None:
    async with stand_in("--model", "hangs") as client:
        await client.initialize()
        uri = client.open("x = ")
        older = client.begin(INLINE, inline_params(uri, 0, 4))
        newer = client.begin(INLINE, inline_params(uri, 0, 4))
        assert (await client.answer(older))["error"]["code"] == -32800
        client.notify("$/cancelRequest", {"id": newer})
        assert (await client.answer(newer))["error"]["code"] == -32800


# Settings.


async def test_wrong_settings_are_reported_and_valid_ones_apply() -> None:
    async with stand_in() as client:
        options = {"completion": {"candidates": 2}, "colour": "red", "editorInfo": {"name": "x"}}
        await client.initialize(options=options)
        message = await client.notification("window/showMessage")
        assert message["message"].startswith("copilot-server: There is no setting `colour`.")
        uri = client.open("x = ")
        assert len(await texts(client, uri, 0, 4, invoked=True)) == 2
        assert len(client.messages("window/showMessage")) == 1


async def test_settings_that_change_are_checked_too(client: LspClient) -> None:
    uri = client.open("x = ")
    settings = {"copilot-server": {"completion": {"candidates": 1, "topP": 7}}}
    client.notify("workspace/didChangeConfiguration", {"settings": settings})
    assert len(await texts(client, uri, 0, 4, invoked=True)) == 1
    (message,) = client.messages("window/showMessage")
    assert "`completion.top_p` must be a number above 0 and up to 1, not 7" in message["message"]


async def test_null_settings_are_requested_from_the_editor() -> None:
    async with stand_in() as client:
        client.replies["workspace/configuration"] = lambda _: [{"completion": {"candidates": 2}}]
        await client.initialize({**GHOST_TEXT, "workspace": {"configuration": True}})
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        asked = await client.notification("workspace/configuration")
        assert asked == {"items": [{"section": "copilot-server"}]}
        uri = client.open("x = ")
        assert len(await texts(client, uri, 0, 4, invoked=True)) == 2


async def test_null_settings_of_an_editor_that_cannot_be_asked_change_nothing(client: LspClient) -> None:
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    uri = client.open("x = ")
    assert len(await texts(client, uri, 0, 4, invoked=True)) == 3
    assert client.messages("workspace/configuration") == []


async def test_what_initialize_set_outlives_an_empty_change() -> None:
    async with stand_in() as client:
        await client.initialize(options={"completion": {"candidates": 2}})
        client.notify("workspace/didChangeConfiguration", {"settings": {}})
        uri = client.open("x = ")
        assert len(await texts(client, uri, 0, 4, invoked=True)) == 2


async def test_flags_win_over_settings_whenever_they_come() -> None:
    async with stand_in("--model", "good") as client:
        await client.initialize(options={"model": "missing"})
        client.notify("workspace/didChangeConfiguration", {"settings": {"model": "missing"}})
        uri = client.open("x = ")
        assert await texts(client, uri, 0, 4) == ["ok"]
        assert client.messages("window/showMessage") == []


async def test_switched_off_nothing_is_loaded_or_offered_until_it_is_on() -> None:
    async with stand_in() as client:
        await client.initialize(options={"enabled": False})
        uri = client.open("x = ")
        assert await texts(client, uri, 0, 4) == []
        assert client.messages("window/workDoneProgress/create") == []
        client.notify("workspace/didChangeConfiguration", {"settings": {"enabled": True}})
        assert await texts(client, uri, 0, 4) == ["ok"]
        client.notify("workspace/didChangeConfiguration", {"settings": {"enabled": False}})
        assert await texts(client, uri, 0, 4) == []


async def test_settings_of_a_suggestion_change_without_loading_the_model_again(client: LspClient) -> None:
    uri = client.open("settings\n")
    assert await texts(client, uri, 0, 8) == ["256 tokens, loaded 1"]
    change = {"completion": {"maxNewTokens": 32}}
    client.notify("workspace/didChangeConfiguration", {"settings": change})
    assert await texts(client, uri, 0, 8) == ["32 tokens, loaded 1"]
    client.notify("workspace/didChangeConfiguration", {"settings": {**change, "dtype": "float16"}})
    assert await texts(client, uri, 0, 8) == ["32 tokens, loaded 2"]


async def test_another_model_is_loaded_in_place_of_the_first(client: LspClient) -> None:
    uri = client.open("x = ")
    assert await texts(client, uri, 0, 4) == ["ok"]
    client.notify("workspace/didChangeConfiguration", {"settings": {"model": MISSING}})
    assert await texts(client, uri, 0, 4) == []
    assert "not on this machine" in (await client.notification("window/showMessage"))["message"]


# The end.


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_shutdown_answers_what_runs_and_what_waits(transport: Transport) -> None:
    async with stand_in(transport=transport) as client:
        await client.initialize()
        uris = [client.open("slow", f"file:///{name}.py") for name in "abc"]
        running = [client.begin(INLINE, inline_params(uri, 0, 4)) for uri in uris]
        assert await client.shut_down() == 0
        assert [client.answers(msg_id)[0]["error"]["code"] for msg_id in running] == [-32800] * 3


@pytest.mark.parametrize("model", ["good", "hangs"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_exit_without_shutdown_is_an_exit_all_the_same(transport: Transport, model: str) -> None:
    async with stand_in("--model", model, transport=transport) as client:
        await client.initialize()
        client.begin(INLINE, inline_params(client.open("slow"), 0, 4))
        client.notify("exit")
        assert await client.exit_code() == 1


@pytest.mark.parametrize("model", ["good", "hangs"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_editor_that_disconnects_without_shutdown_ends_the_server(
    transport: Transport, model: str
) -> None:
    async with stand_in("--model", model, transport=transport) as client:
        await client.initialize()
        client.begin(INLINE, inline_params(client.open("slow"), 0, 4))
        await client.wire.close()
        assert await client.exit_code() == 1


async def test_shutdown_while_the_model_loads_is_answered() -> None:
    async with stand_in("--model", "hangs") as client:
        await client.initialize()
        assert await client.shut_down() == 0


async def test_an_editor_that_disconnects_before_it_sends_anything_ends_the_server() -> None:
    async with stand_in() as client:
        await client.wire.close()
        assert await client.exit_code() == 1


async def test_an_editor_that_disconnects_while_torch_is_imported_ends_the_server(
    tiny_model_dir: Path,
) -> None:
    async with running_server("--model", str(tiny_model_dir)) as client:
        await client.initialize()
        await client.notification("window/workDoneProgress/create")
        await client.wire.close()
        assert await client.exit_code() == 1
        assert b"Traceback" not in client.stderr
        assert b"Fatal" not in client.stderr


# The transports.


async def test_what_is_printed_does_not_reach_the_editor() -> None:
    async with stand_in("--model", "noisy") as client:
        await client.initialize()
        uri = client.open("x = ")
        assert await texts(client, uri, 0, 4) == ["ok"]
        assert await client.shut_down() == 0
        assert b"a stray print" in client.stderr
        assert b"a C library's words" in client.stderr


async def test_malformed_messages_on_a_pipe_each_get_one_answer(client: LspClient) -> None:
    for body in (b"", b"{", b"[]", b"{}", b'"x"', b"\xff"):
        client.wire.send(body)
    client.notify("textDocument/didOpen", {"textDocument": 5})
    msg_id = client.begin(INLINE, {"nothing": "right"})
    assert (await client.answer(msg_id))["error"]["code"] == -32602
    codes = [answer["error"]["code"] for answer in client.answers(None)]
    assert codes == [-32700, -32700, -32600, -32600, -32600, -32700]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_long_document_travels(transport: Transport) -> None:
    async with stand_in(transport=transport) as client:
        await client.initialize()
        uri = client.open("é" * 3_000_000 + "\nx = ")
        assert await texts(client, uri, 1, 4) == ["ok"]
        assert await client.shut_down() == 0


@pytest.mark.parametrize(
    ("origin", "welcome"), [("https://evil.example", False), ("http://localhost:3000", True)]
)
async def test_a_page_of_another_site_may_not_open_a_socket(origin: str, welcome: bool) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *STAND_IN, "--ws", stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    url = (await process.stderr.readline()).decode().split()[-1]
    if welcome:
        async with connect(url, origin=origin) as socket:
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "shutdown"}))
            assert json.loads(await socket.recv())["id"] == 1
        assert await process.wait() == 1
    else:
        with pytest.raises(InvalidStatus):
            await connect(url, origin=origin)
        process.kill()
        await process.wait()


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_an_address_in_use_is_reported(transport: Transport) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = str(server.sockets[0].getsockname()[1])
    command = [sys.executable, "-m", "copilot_server", f"--{transport}", "--port", port]
    found = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    server.close()
    assert found.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{port}" in found.stderr
    assert "Traceback" not in found.stderr


# With the real model.


def checked_fib(function: str) -> Program:
    """A program that passes if the function gives the Fibonacci numbers, whether they begin with 0 or 1."""
    test = (
        "def check(fib):\n"
        "    found = [fib(n) for n in range(1, 11)]\n"
        "    assert found in ([1, 1, 2, 3, 5, 8, 13, 21, 34, 55], [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]), found\n"
    )
    return Program(function, test, "fib")


def accepted(text: str, item: Message) -> str:
    """Insert an item into a text as an editor would; the text is ASCII."""
    lines = text.splitlines(keepends=True)
    start, end = (
        sum(map(len, lines[: at["line"]])) + at["character"]
        for at in (item["range"]["start"], item["range"]["end"])
    )
    return text[:start] + item["insertText"] + text[end:]


@pytest.mark.model
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_fib_is_completed_and_runs(transport: Transport) -> None:
    async with running_server("--offline", transport=transport) as client:
        await client.initialize()
        uri = client.open(FIB)
        answer = await client.request(INLINE, inline_params(uri, 2, 4))
        assert await client.shut_down() == 0
    (item,) = answer["items"]
    with open_sandbox() as sandbox:
        result = sandbox.run(checked_fib(accepted(FIB, item)), Limits(timeout_s=20))
        assert result.passed, (item["insertText"], result.error)
        assert not sandbox.run(checked_fib(f"{FIB}return n\n"), Limits(timeout_s=20)).passed


MIDDLE = "import math\n\n\ndef area(radius):\n    return math.\n\n\nprint(area(2))\n"


@pytest.fixture(scope="module")
def real_pipeline() -> Pipeline:
    return open_pipeline(Settings(device="cpu", dtype="float32", offline=True))


@pytest.mark.model
async def test_the_server_gives_what_the_pipeline_gives(real_pipeline: Pipeline) -> None:
    async with running_server("--offline", "--device", "cpu", "--dtype", "float32") as client:
        await client.initialize()
        for text, line, character in ((FIB, 2, 4), (MIDDLE, 4, 16)):
            uri = client.open(text)
            served = await texts(client, uri, line, character)
            offset = sum(map(len, text.splitlines(keepends=True)[:line])) + character
            cursor = Cursor(Document(uri, "python", text), offset)
            direct = real_pipeline.complete(CompletionRequest(cursor), asyncio.Event())
            assert served == [candidate.text for candidate in direct.candidates]
        assert await client.shut_down() == 0
