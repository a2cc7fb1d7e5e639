"""What the editor reports about suggestions, as it is counted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lsp_client import inline_params
from tests.support.lsp_wire import URI, Wire


async def offered(editor: Wire) -> dict[str, Any]:
    editor.initialize()
    editor.open("x = ")
    answer = await editor.request("textDocument/inlineCompletion", inline_params(URI, 0, 4))
    (item,) = answer["items"]
    return item


def counts(editor: Wire) -> tuple[int, int, int]:
    found = editor.server.session.statistics.counts
    return found.offered, found.shown, found.accepted


async def test_a_suggestion_is_counted_as_shown_and_as_accepted(editor: Wire) -> None:
    item = await offered(editor)
    assert counts(editor) == (1, 0, 0)
    editor.send("textDocument/didShowCompletion", {"item": item})
    assert counts(editor) == (1, 1, 0)
    await editor.request("workspace/executeCommand", item["command"])
    assert counts(editor) == (1, 1, 1)


@pytest.mark.parametrize("command", ["copilotServer", "github.copilot"])
async def test_both_names_of_the_command_count(editor: Wire, command: str) -> None:
    arguments = (await offered(editor))["command"]["arguments"]
    params = {"command": f"{command}.didAcceptCompletionItem", "arguments": arguments}
    assert await editor.request("workspace/executeCommand", params) is None
    assert counts(editor) == (1, 1, 1)


@pytest.mark.parametrize("arguments", [[], [5], [None], ["unknown"], None])
async def test_an_argument_that_is_no_id_counts_nothing(editor: Wire, arguments: object) -> None:
    item = await offered(editor)
    params = {"command": item["command"]["command"], "arguments": arguments}
    assert await editor.request("workspace/executeCommand", params) is None
    assert counts(editor) == (1, 0, 0)


async def test_the_older_messages_count_too(editor: Wire) -> None:
    (item_id,) = (await offered(editor))["command"]["arguments"]
    assert await editor.request("notifyShown", {"uuid": item_id}) == "OK"
    assert counts(editor) == (1, 1, 0)
    assert await editor.request("notifyAccepted", {"uuid": item_id}) == "OK"
    assert counts(editor) == (1, 1, 1)
    assert await editor.request("notifyRejected", {"uuids": [item_id]}) == "OK"
