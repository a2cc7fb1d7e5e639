"""A model that is fetched by a real server from a hub on the loopback, once the user has agreed."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub_server import CUT_BYTES, KEPT_BYTES, REPOSITORY, Hub, running_hub_of
from tests.support.lsp_client import LspClient, Message, inline_params, running_server

ASK = "window/showMessageRequest"
TEXT = "import os\n\nprint(os.path"


@pytest.fixture
def hub(tiny_model_dir: Path) -> Iterator[Hub]:
    with running_hub_of(tiny_model_dir) as hub:
        yield hub


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    own = {"COPILOT_SERVER_HOME": tmp_path / "home", "HF_HOME": tmp_path / "hf"}
    return kept | {key: str(path) for key, path in own.items()} | {"HF_ENDPOINT": hub.endpoint}


@asynccontextmanager
async def server(environment: dict[str, str], *flags: str) -> AsyncIterator[LspClient]:
    """A server whose model is on the hub, and a document. What it asks is answered by ``reply``."""
    arguments = ("--model", REPOSITORY, "--device", "cpu", "--max-new-tokens", "4", *flags)
    async with running_server(*arguments, environment=environment) as client:
        await client.initialize()
        client.open(TEXT)
        yield client
        assert await client.shut_down() == 0


async def asked(client: LspClient) -> Message:
    """Wait for the first question."""
    return await client.wait_for(lambda one: one.get("method") == ASK)


def questions(client: LspClient) -> list[Message]:
    return [one for one in client.received if one.get("method") == ASK]


def reply(client: LspClient, question: Message, title: str) -> None:
    client.send({"jsonrpc": "2.0", "id": question["id"], "result": {"title": title}})


async def suggested(client: LspClient) -> list[Any]:
    """Ask for a suggestion explicitly."""
    params = inline_params("file:///a.py", 2, 13, invoked=True)
    return (await client.request("textDocument/inlineCompletion", params))["items"]


def progress(client: LspClient, kind: str) -> list[dict[str, Any]]:
    values = [one["value"] | {"token": one["token"]} for one in client.messages("$/progress")]
    return [one for one in values if one.get("kind") == kind]


async def status(client: LspClient, state: str) -> dict[str, Any]:
    """Wait until the last status is ``state``."""

    def is_reached(_message: Message) -> bool:
        return client.messages("didChangeStatus")[-1]["state"] == state

    await client.notification("didChangeStatus")
    await client.wait_for(is_reached)
    return client.messages("didChangeStatus")[-1]


async def asked_again(client: LspClient, times: int) -> Message:
    """Ask for suggestions until there is another question: the first may overtake the answer to the last."""
    while len(questions(client)) < times:
        assert await suggested(client) == []
        await client.request("checkStatus")
    return questions(client)[-1]


def has_begun(message: Message) -> bool:
    """Whether the status says that the first bytes have arrived."""
    return "10 of 16 MB" in str(message.get("params")) and message.get("method") == "didChangeStatus"


async def test_nothing_is_fetched_before_the_user_has_agreed(
    hub: Hub, environment: dict[str, str], tmp_path: Path
) -> None:
    async with server(environment) as client:
        question = await asked(client)
        assert REPOSITORY in question["params"]["message"]
        assert hub.endpoint.removeprefix("http://") in question["params"]["message"]
        assert await suggested(client) == []
        assert hub.requests == []
        reply(client, question, "Not now")
        again = await asked_again(client, 2)
        assert hub.requests == []
        reply(client, again, "Fetch")
        await status(client, "ready")
        assert await suggested(client) != []
        (fetching,) = [one for one in progress(client, "begin") if one["title"] == f"Fetching {REPOSITORY}"]
        assert fetching["cancellable"] is True
    assert list(tmp_path.glob("home/models/*/snapshot/model.safetensors"))
    async with server(environment) as client:  # which finds it here
        assert await suggested(client) != []
        assert questions(client) == []


async def test_a_download_that_stalls_is_cancelled_at_once_and_continued_later(
    hub: Hub, environment: dict[str, str]
) -> None:
    hub.cuts_bytes, hub.stalled = [CUT_BYTES], threading.Event()
    async with server(environment, "--fetch", "always") as client:
        shown = await client.wait_for(has_begun)
        assert 0 < shown["params"]["percent"] < 100
        (fetching,) = [one for one in progress(client, "begin") if one["cancellable"]]
        client.notify("window/workDoneProgress/cancel", {"token": fetching["token"]})
        cancelled = await status(client, "error")
        assert cancelled["reason"] == "consent"
        assert not hub.stalled.is_set()  # so nothing but the cancelling has ended it
        assert f"copilot-server pull {REPOSITORY}" in cancelled["message"]
        assert questions(client) == []
        assert await suggested(client) == []
        reply(client, await asked(client), "Fetch")
        await status(client, "ready")
        assert await suggested(client) != []
    assert [one.range for one in hub.downloads()] == [None, f"bytes={KEPT_BYTES}-"]


async def test_a_server_that_is_to_end_does_not_wait_for_a_download_that_stalls(
    hub: Hub, environment: dict[str, str]
) -> None:
    hub.cuts_bytes, hub.stalled = [CUT_BYTES], threading.Event()
    async with server(environment, "--fetch", "always") as client:
        await client.wait_for(has_begun)
    assert not hub.stalled.is_set()


async def test_offline_nothing_is_asked_and_nothing_fetched(hub: Hub, environment: dict[str, str]) -> None:
    async with server(environment, "--offline", "--fetch", "always") as client:
        await status(client, "error")
        assert await suggested(client) == []
        assert questions(client) == []
    assert hub.requests == []
