"""Suggestions that are checked against the examples in a docstring, in the real sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types

from copilot_server.config import Settings
from copilot_server.lsp.server import CopilotServer
from tests.support.lsp_stand_in import open_stand_in
from tests.support.lsp_wire import URI, Wire

INLINE, PANEL = "textDocument/inlineCompletion", "textDocument/copilotPanelCompletion"
TWICE = 'def twice(x):\n    """Return x doubled.\n\n    >>> twice(2)\n    4\n    """\n    return'
SILENT = 'def twice(x):\n    """Return x doubled."""\n    return'


def at_end(text: str, *, invoked: bool = True) -> dict[str, Any]:
    lines = text.split("\n")
    position = {"line": len(lines) - 1, "character": len(lines[-1])}
    context = {"triggerKind": 1 if invoked else 2}
    return {"textDocument": {"uri": URI}, "position": position, "context": context}


def marks(items: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(one["insertText"], one.get("examples", {}).get("mark")) for one in items]


async def test_what_passes_comes_first_and_what_fails_says_how(editor: Wire) -> None:
    editor.initialize()
    editor.open(TWICE)
    items = (await editor.request(INLINE, at_end(TWICE)))["items"]
    assert marks(items) == [(" x + x", "passed"), (" 5", "failed"), (" x * 0", "failed")]
    assert items[0]["examples"] == {
        "mark": "passed",
        "message": "1 of 1 example passes",
        "passed": 1,
        "examples": 1,
    }
    assert "twice(2)" in items[1]["examples"]["message"]
    assert "5" in items[1]["examples"]["message"]
    status = editor.messages("didChangeStatus")[-1]
    assert status["examples"] == "passed"
    assert status["message"] == "Ready. The suggestion: 1 of 1 example passes."


async def test_a_panel_ends_with_what_fails(editor: Wire) -> None:
    editor.initialize()
    editor.open(TWICE)
    items = (await editor.request(PANEL, at_end(TWICE)))["items"]
    assert marks(items) == [
        (" x + x", "passed"),
        (" 5", "failed"),
        (" x * 0", "failed"),
        (" 6", "failed"),
    ]


async def test_what_lacks_an_import_comes_with_it_if_it_passes_then(editor: Wire) -> None:
    text = f"{TWICE.removesuffix('return')}# lacks an import\n    "
    editor.initialize()
    editor.open(text)
    items = (await editor.request(INLINE, at_end(text)))["items"]
    assert marks(items) == [
        ("import math\n    return math.prod((2, x))", "passed"),
        ("return math.prod((3, x))", "failed"),
    ]
    # While the user types, it comes as the model wrote it.
    items = (await editor.request(INLINE, at_end(text, invoked=False)))["items"]
    assert marks(items) == [("return math.prod((2, x))", None)]


async def test_what_comes_by_itself_takes_nothing_from_a_panel_for_the_same_text(editor: Wire) -> None:
    editor.initialize()
    editor.open(TWICE)
    editor.send(PANEL, at_end(TWICE), id="panel")
    editor.send(INLINE, at_end(TWICE, invoked=False), id="typed")
    await editor.settled()
    assert editor.answer_to("typed")["result"] == {"items": []}
    assert marks(editor.answer_to("panel")["result"]["items"])[0] == (" x + x", "passed")
    items = (await editor.request(INLINE, at_end(TWICE, invoked=False)))["items"]
    assert marks(items) == [(" 5", None)]


async def test_the_menu_says_what_is_known_of_its_item(editor: Wire) -> None:
    editor.send("initialize", {"capabilities": {}}, id=1)
    editor.send("initialized", {})
    editor.open(TWICE)
    menu = await editor.request("textDocument/completion", at_end(TWICE))
    assert [item["detail"] for item in menu["items"]] == ["copilot-server"]
    await editor.request(INLINE, at_end(TWICE))
    menu = await editor.request("textDocument/completion", at_end(TWICE))
    assert [item["detail"] for item in menu["items"]] == [
        "copilot-server: example `twice(2) == 4` fails: got 5"
    ]


async def test_without_examples_or_when_it_is_off_nothing_is_marked() -> None:
    for text, settings in ((SILENT, Settings()), (TWICE, Settings(verify="off"))):
        editor = Wire(CopilotServer(settings, {}, open_stand_in))
        editor.initialize()
        editor.open(text)
        items = (await editor.request(INLINE, at_end(text)))["items"]
        assert marks(items) == [(" 5", None)]
        assert editor.messages("didChangeStatus")[-1]["examples"] is None
        editor.end()


async def test_what_is_suggested_while_one_types_is_not_checked_at_once(editor: Wire) -> None:
    editor.initialize()
    editor.open(TWICE)
    items = (await editor.request(INLINE, at_end(TWICE, invoked=False)))["items"]
    assert marks(items) == [(" 5", None)]


async def test_where_no_sandbox_works_that_is_said_once_and_nothing_runs(
    editor: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_server.sandbox.host.tiers", list)
    editor.initialize()
    editor.open(TWICE)
    for _ in range(2):
        items = (await editor.request(INLINE, at_end(TWICE)))["items"]
        assert marks(items) == [(" 5", None)]
    said = [one["message"] for one in editor.messages("window/logMessage")]
    assert len([one for one in said if "Examples are not checked" in one]) == 1


async def test_it_is_said_too_where_the_sandbox_was_to_be_ready_before_anyone_asked(
    editor: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_server.sandbox.host.tiers", list)
    editor.initialize()
    editor.open(TWICE)
    session = editor.server.session
    document = session.documents.get(URI)
    assert document is not None
    session.examples.warm(document.cursor_at(types.Position(6, 10), session.documents.encoding))
    await editor.until(lambda: bool(session.examples._checker.unavailable))
    items = (await editor.request(INLINE, at_end(TWICE)))["items"]
    assert marks(items) == [(" 5", None)]
    said = [one["message"] for one in editor.messages("window/logMessage")]
    assert len([one for one in said if "Examples are not checked" in one]) == 1
