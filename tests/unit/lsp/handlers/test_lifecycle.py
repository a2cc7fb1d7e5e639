"""The start of a session."""

from __future__ import annotations

import pytest

from tests.support.lsp_wire import Wire


async def test_wrong_settings_of_initialize_are_shown_once_and_only_after_initialized(editor: Wire) -> None:
    editor.send("initialize", {"capabilities": {}, "initializationOptions": {"colour": "red"}}, id=1)
    assert editor.messages("window/showMessage") == []
    for _ in range(2):
        editor.send("initialized", {})
    (shown,) = editor.messages("window/showMessage")
    assert "`colour`" in shown["message"]


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ({}, "copilotServer.didAcceptCompletionItem"),
        ({"editorInfo": {"name": "Neovim"}}, "github.copilot.didAcceptCompletionItem"),
    ],
)
async def test_only_copilots_clients_get_copilots_command(
    editor: Wire, options: object, command: str
) -> None:
    editor.send("initialize", {"capabilities": {}, "initializationOptions": options}, id=1)
    provider = editor.answer_to(1)["result"]["capabilities"]["executeCommandProvider"]
    assert provider["commands"] == [command]
