"""What VS Code makes of given answers, and what the extension reports of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.editors.vscode.documents import FILE
from tests.editors.vscode.scripted import script
from tests.editors.vscode_server import COPILOT_SERVER, CodeServer
from tests.editors.vscode_window import Window

pytestmark = pytest.mark.editors

#: Answers that VS Code shows alone, hides beside the item of its completion list, or shows there.
ANSWERS = """
def item(text, range, id):
    command = {"title": "", "command": "accept", "arguments": [id]}
    return {"insertText": text, "range": range, "command": command}

def answer(params):
    position = params["position"]
    selected = params["context"].get("selectedCompletionInfo")
    if selected is None:
        in_call = position["line"] == 0
        text = "one two three).strip()" if in_call else "XYZ"
        end = {"line": 0, "character": 19} if in_call else position
        return item(text, {"start": position, "end": end}, "alone")
    if selected["text"] == "alphabet":
        return item("omega", selected["range"], "hidden")
    return item(selected["text"] + "XYZ", selected["range"], "beside")

def handle(message):
    method, params = message.get("method"), message.get("params")
    if method == "initialized":
        status = {"state": "ready", "message": "Ready.", "model": "script"}
        send({"method": "didChangeStatus", "params": status})
    elif method == "textDocument/inlineCompletion":
        given = answer(params)
        note("gives " + given["command"]["arguments"][0])
        send({"id": message["id"], "result": {"items": [given]}})
    elif method == "textDocument/didShowCompletion":
        note("shown " + params["item"]["command"]["arguments"][0])
    elif "id" in message and method:
        send({"id": message["id"], "result": None})
"""
CALL = "call(one two three)"


#: A model that is never loaded.
LOADS = """
def handle(message):
    method = message.get("method")
    if method == "initialized":
        status = {"state": "loading", "message": "Loading script", "model": "script"}
        send({"method": "didChangeStatus", "params": status})
    elif "id" in message and method and method != "textDocument/inlineCompletion":
        send({"id": message["id"], "result": None})
"""


@pytest.fixture
def run_script(window: Window, server: CodeServer, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Have a script run in place of the server during a test."""
    capabilities = {"textDocumentSync": 1, "inlineCompletionProvider": True}
    yield lambda handle: script(server, tmp_path / "script", handle, **capabilities)
    server.change_machine_settings(serverPath=str(COPILOT_SERVER))
    window.status_says("ready (qwen2.5-coder-0.5b)")


def test_what_the_completion_list_hides_is_not_reported_as_shown(
    window: Window, server: CodeServer, run_script: Callable[[str], Path]
) -> None:
    notes = run_script(ANSWERS)
    (server.workspace / "list.js").write_text("const alphabet = 1;\nconst alphabets = 2;\n", "utf-8")
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text="list.js").dblclick()
    window.page.locator(".tab.active", has_text="list.js").wait_for()
    window.status_says("ready (script)")
    window.press("Control+End")
    window.type("alphab")
    window.press("Escape", "Control+Space")
    row = window.page.locator(".suggest-widget.visible .monaco-list-row.focused")
    expect(row).to_contain_text("alphabet")
    window.until("the answer", lambda: "gives hidden" in notes.read_text("utf-8"))
    window.stays_without_ghost()
    window.press("ArrowDown")
    window.until("a report", lambda: "shown beside" in notes.read_text("utf-8"))
    assert "shown hidden" not in notes.read_text("utf-8")
    window.press("Escape", "Escape")
    window.close_tab("list.js")


def test_the_key_for_words_moves_by_a_word_where_no_suggestion_begins_at_the_cursor(
    window: Window, run_script: Callable[[str], Path]
) -> None:
    run_script(ANSWERS)
    window.status_says("ready (script)")
    window.focus_editor()
    window.replace_all(CALL)
    window.press("Home", *["ArrowRight"] * len("call("), "Alt+\\")
    window.ghost_is(".strip()")
    window.press("Control+ArrowRight")
    window.type("X")
    assert window.buffer(FILE) == "call(oneX two three)"


def test_who_asks_while_the_model_loads_is_told_so_also_before_the_server_knows_of_it(
    window: Window, run_script: Callable[[str], Path]
) -> None:
    run_script(LOADS)
    window.status_says("loading the model")
    window.focus_editor()
    window.press("Alt+\\")
    told = window.page.locator(".statusbar-item", has_text="The model is being loaded")
    expect(told.first).to_be_visible()
