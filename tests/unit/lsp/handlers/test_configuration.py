"""Settings and folders that change while the editor runs."""

from __future__ import annotations

from pathlib import Path

from tests.support.lsp_client import inline_params
from tests.support.lsp_wire import URI, Wire

CHANGE = "workspace/didChangeConfiguration"


async def test_settings_that_are_sent_hold(editor: Wire) -> None:
    editor.initialize()
    editor.send(CHANGE, {"settings": {"copilot-server": {"completion": {"candidates": 7}}}})
    assert editor.server.session.settings.current.completion.candidates == 7
    assert editor.messages("window/showMessage") == []


async def test_wrong_settings_are_shown_and_the_others_hold(editor: Wire) -> None:
    editor.initialize()
    editor.send(CHANGE, {"settings": {"completion": {"candidates": 7, "topP": 9}}})
    assert editor.server.session.settings.current.completion.candidates == 7
    (shown,) = editor.messages("window/showMessage")
    assert "completion.top_p" in shown["message"]


async def test_an_editor_that_cannot_be_asked_is_not_asked(editor: Wire) -> None:
    editor.initialize()
    before = editor.server.session.settings.current
    editor.send(CHANGE, {"settings": None})
    await editor.request("checkStatus")
    assert editor.messages("workspace/configuration") == []
    assert editor.server.session.settings.current == before


async def test_a_pattern_is_anchored_to_a_folder_that_is_added(editor: Wire, tmp_path: Path) -> None:
    hidden = (tmp_path / "hidden.py").as_uri()
    editor.initialize()
    editor.send(CHANGE, {"settings": {"exclude": ["/hidden.py"]}})
    item = {"uri": hidden, "languageId": "python", "version": 1, "text": "x = "}
    editor.send("textDocument/didOpen", {"textDocument": item})
    inline = "textDocument/inlineCompletion"
    assert (await editor.request(inline, inline_params(hidden, 0, 4)))["items"] != []
    folder = {"uri": tmp_path.as_uri(), "name": "project"}
    editor.send("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
    assert (await editor.request(inline, inline_params(hidden, 0, 4)))["items"] == []
    editor.open("x = ")
    assert (await editor.request(inline, inline_params(URI, 0, 4)))["items"] != []
