"""Why there is no suggestion, as a real server process says it: in its status, and to whoever asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.support.lsp_client import LspClient, inline_params, running_server
from tests.support.paths import TESTS

INLINE, WHY = "textDocument/inlineCompletion", "copilotServer/whyNothing"
STAND_IN = (str(TESTS / "support" / "lsp_stand_in.py"),)


def stand_in(*arguments: str) -> AbstractAsyncContextManager[LspClient]:
    return running_server(*arguments, program=STAND_IN)


@pytest.fixture
async def client() -> AsyncIterator[LspClient]:
    async with stand_in() as client:
        await client.initialize()
        await client.wait_for(lambda one: one.get("params", {}).get("state") == "ready")
        yield client
        assert await client.shut_down() == 0


async def status(client: LspClient) -> dict[str, Any]:
    """The last status, once everything that was sent has been read."""
    await client.request("checkStatus")
    last: dict[str, Any] = client.messages("didChangeStatus")[-1]
    return last


async def ask(client: LspClient, uri: str, line: int, character: int, *, invoked: bool = False) -> str | None:
    """Request a suggestion; return the reason's code if there is none."""
    answer = await client.request(INLINE, inline_params(uri, line, character, invoked=invoked))
    why = await client.request(WHY, {"textDocument": {"uri": uri}})
    assert bool(answer["items"]) is (why is None)
    return None if why is None else str(why["code"])


async def test_every_request_is_answered_with_a_suggestion_or_a_reason(client: LspClient) -> None:
    words = ["unlikely", "missing", "filtered", "nothing"]
    uri = client.open("\n".join([*words, "x = "]))
    for line, word in enumerate(words):
        assert await ask(client, uri, line, len(word)) == word
        found = await status(client)
        assert (found["state"], found["reason"], found["message"][:7]) == ("ready", word, "Ready. ")
        assert await ask(client, uri, 4, 4) is None
        assert (await status(client))["reason"] is None
    assert await ask(client, uri, 0, 8, invoked=True) is None
    assert await ask(client, uri, 3, 7, invoked=True) == "nothing"
    secret = client.open("A = ", "file:///w/.env", "python")
    for invoked in (False, True):
        assert await ask(client, secret, 0, 4, invoked=invoked) == "excluded"
    for settings, automatic, invoked in (
        ({"languages": {"python": False}}, "language", None),
        ({"automatic": False}, "manual", None),
        ({"enabled": False}, "off", "off"),
        ({}, None, None),
    ):
        client.notify("workspace/didChangeConfiguration", {"settings": settings})
        assert await ask(client, uri, 4, 4) == automatic
        assert await ask(client, uri, 4, 4, invoked=True) == invoked


async def test_commit_messages_and_other_prose_are_completed_for_those_who_ask(client: LspClient) -> None:
    uri = client.open("Fix = ", "file:///w/.git-message", "git-commit")
    assert await ask(client, uri, 0, 6) == "language"
    assert (await status(client))["message"] == "Suggestions are off for git-commit, unless you ask for one."
    assert await ask(client, uri, 0, 6, invoked=True) is None
    settings = {"languages": {"*": True, "git-commit": True}}
    client.notify("workspace/didChangeConfiguration", {"settings": settings})
    assert await ask(client, uri, 0, 6) is None


async def test_the_server_resumes_and_reports_when_the_time_has_come(client: LspClient) -> None:
    uri = client.open("x = ")
    assert (await client.request("copilotServer/snooze", {"minutes": 60}))["until"]
    assert await ask(client, uri, 0, 4) == "snoozed"
    assert await ask(client, uri, 0, 4, invoked=True) is None
    assert (await client.request("copilotServer/snooze", {"minutes": 0.001}))["until"]
    await client.wait_for(lambda _: client.messages("didChangeStatus")[-1]["state"] == "ready")
    assert await ask(client, uri, 0, 4) is None


async def test_a_model_that_is_being_fetched_is_the_reason_with_its_percent() -> None:
    async with stand_in("--model", "fetching") as client:
        await client.initialize()
        uri = client.open("x = ")
        waiting = client.begin(INLINE, inline_params(uri, 0, 4, invoked=True))
        await client.wait_for(lambda one: one.get("params", {}).get("percent") == 37)
        found = await status(client)
        assert (found["state"], found["reason"], found["percent"]) == ("loading", "loading", 37)
        why = await client.request(WHY, {"textDocument": {"uri": uri}})
        assert (why["code"], why["percent"]) == ("loading", 37)
        assert why["message"] == "The model is not ready yet. Fetching stand-in.gguf: 37 of 100 MB (37 %)"
        assert client.answers(waiting) == []  # it still waits


async def test_a_model_that_cannot_be_loaded_is_the_reason() -> None:
    async with stand_in("--model", "missing") as client:
        await client.initialize()
        uri = client.open("x = ")
        assert await ask(client, uri, 0, 4, invoked=True) == "engine"
        found = await status(client)
        assert (found["state"], found["reason"]) == ("error", "engine")
        assert await client.shut_down() == 0


# The status is about the document that the user looks at.


def open_other(client: LspClient) -> str:
    return client.open("x = ", "file:///w/other.py")


async def in_secret(client: LspClient) -> str:
    """Open a document that is excluded, and ask for a suggestion in it."""
    secret = client.open("A = ", "file:///w/.env")
    assert await ask(client, secret, 0, 4) == "excluded"
    assert (await status(client))["reason"] == "excluded"
    return secret


async def test_an_editor_that_reports_no_focus_is_in_the_document_that_it_has_opened_last(
    client: LspClient,
) -> None:
    await in_secret(client)
    open_other(client)
    assert (await status(client))["state"] == "ready"


async def test_an_editor_that_reports_no_focus_is_in_the_document_that_it_edits(client: LspClient) -> None:
    other = open_other(client)
    secret = await in_secret(client)
    client.change(other, 2, {"text": "y = "})
    assert (await status(client))["state"] == "ready"
    client.change(secret, 2, {"text": "B = "})
    assert (await status(client))["reason"] == "excluded"
    assert await ask(client, other, 0, 4) is None
    assert (await status(client))["state"] == "ready"


async def test_a_document_that_is_closed_is_no_longer_the_reason(client: LspClient) -> None:
    secret = await in_secret(client)
    client.notify("textDocument/didClose", {"textDocument": {"uri": secret}})
    assert (await status(client))["state"] == "ready"
    await in_secret(client)


async def test_the_language_of_a_document_changes_where_the_editor_opens_it_anew(client: LspClient) -> None:
    client.notify("workspace/didChangeConfiguration", {"settings": {"languages": {"go": False}}})
    uri = client.open("x = ", language="go")
    client.notify("textDocument/didFocus", {"textDocument": {"uri": uri}})
    assert (await status(client))["reason"] == "language"
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    client.open("x = ", language="python")
    assert (await status(client))["state"] == "ready"
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    client.open("x = ", language="go")
    assert (await status(client))["reason"] == "language"


async def test_an_editor_that_reports_the_focus_opens_and_edits_others_in_the_background(
    client: LspClient,
) -> None:
    other = open_other(client)
    client.notify("textDocument/didFocus", {"textDocument": {"uri": other}})
    secret = client.open("A = ", "file:///w/.env")
    client.change(secret, 2, {"text": "B = "})
    assert (await status(client))["state"] == "ready"
    client.notify("textDocument/didFocus", {"textDocument": {"uri": secret}})
    assert (await status(client))["reason"] == "excluded"
    for params in ({"textDocument": {"uri": other}}, {}):
        client.notify("textDocument/didFocus", {"textDocument": {"uri": secret}})
        client.notify("textDocument/didFocus", params)
        assert (await status(client))["state"] == "ready"


async def test_the_focus_may_be_reported_before_the_document_is_opened(client: LspClient) -> None:
    await in_secret(client)
    client.notify("textDocument/didFocus", {"textDocument": {"uri": "file:///w/id_rsa"}})
    assert (await status(client))["state"] == "ready"  # nothing is known of it
    client.open("A = ", "file:///w/id_rsa")
    assert (await status(client))["reason"] == "excluded"
