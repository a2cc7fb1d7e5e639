"""``textDocument/completion``, for editors that show no ghost text."""

from __future__ import annotations

from tests.support.lsp_wire import URI, Wire

MENU = "textDocument/completion"
PLACE = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 3}}


async def test_the_one_item_is_the_whole_word(editor: Wire) -> None:
    editor.send("initialize", {"capabilities": {}}, id=1)
    editor.send("initialized", {})
    editor.open("pri")
    answer = await editor.request(MENU, PLACE)
    assert answer["isIncomplete"] is True
    (item,) = answer["items"]
    assert (item["label"], item["textEdit"]["newText"]) == ("priok", "priok")


async def test_an_editor_with_ghost_text_has_no_menu(editor: Wire) -> None:
    editor.initialize()
    editor.open("pri")
    assert (await editor.request(MENU, PLACE))["code"] == -32601
