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


INLINE = "textDocument/inlineCompletion"


async def suggested(editor: Wire, character: int, *, invoked: bool = False) -> list[str]:
    answer = await editor.request(INLINE, inline_params(URI, 0, character, invoked=invoked))
    return [item["insertText"] for item in answer["items"]]


def edit(editor: Wire, version: int, start: int, end: int, text: str) -> None:
    span = {"start": {"line": 0, "character": start}, "end": {"line": 0, "character": end}}
    editor.change(version, {"range": span, "text": text})


async def test_what_was_dismissed_is_suggested_there_only_to_those_who_ask(editor: Wire) -> None:
    (item_id,) = (await offered(editor))["command"]["arguments"]
    assert await suggested(editor, 4) == ["ok"]
    await editor.request("notifyRejected", {"uuids": [item_id]})
    assert await suggested(editor, 4) == []  # nor the next best one
    assert (await suggested(editor, 4, invoked=True))[0] == "ok"
    edit(editor, 2, 0, 1, "y")
    assert await suggested(editor, 4) == ["ok"]


async def test_a_notification_dismisses_as_a_request_does(editor: Wire) -> None:
    (item_id,) = (await offered(editor))["command"]["arguments"]
    editor.send("notifyRejected", {"uuids": [item_id]})
    assert await suggested(editor, 4) == []


async def test_what_was_typed_away_is_not_suggested_there_again(editor: Wire) -> None:
    await offered(editor)
    edit(editor, 2, 4, 4, "z")
    assert await suggested(editor, 5) == ["ok"]
    edit(editor, 3, 4, 5, "")
    assert await suggested(editor, 4) == []


@pytest.mark.parametrize("whole", [False, True])
async def test_what_was_just_deleted_is_not_suggested(editor: Wire, whole: bool) -> None:
    editor.initialize()
    editor.open("x = ok")
    if whole:  # the editor sends whole texts
        editor.change(2, {"text": "x = "})
    else:
        edit(editor, 2, 4, 6, "")
    assert await suggested(editor, 4) == []
    edit(editor, 3, 0, 1, "y")
    assert await suggested(editor, 4) == ["ok"]


async def test_what_is_not_suggested_again_is_not_counted(editor: Wire) -> None:
    editor.initialize()
    editor.open("over")
    (item,) = (await editor.request(INLINE, inline_params(URI, 0, 4)))["items"]
    assert counts(editor) == (1, 0, 0)
    await editor.request("notifyRejected", {"uuids": item["command"]["arguments"]})
    assert await suggested(editor, 4) == []
    assert counts(editor) == (1, 0, 0)
    assert await suggested(editor, 4, invoked=True) == ["all"]


async def test_a_document_that_is_opened_again_is_a_new_one(editor: Wire) -> None:
    (item_id,) = (await offered(editor))["command"]["arguments"]
    await editor.request("notifyRejected", {"uuids": [item_id]})
    editor.send("textDocument/didClose", {"textDocument": {"uri": URI}})
    editor.open("x = ")
    assert await suggested(editor, 4) == ["ok"]
