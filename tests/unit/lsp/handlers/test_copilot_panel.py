"""``textDocument/copilotPanelCompletion``."""

from __future__ import annotations

from tests.support.lsp_wire import URI, Wire

PANEL = "textDocument/copilotPanelCompletion"
AT_COUNT = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 5}}


async def test_without_a_token_all_candidates_are_in_the_answer(editor: Wire) -> None:
    editor.initialize()
    editor.open("count")
    answer = await editor.request(PANEL, AT_COUNT)
    assert [item["insertText"] for item in answer["items"]] == [f"number {n}" for n in range(5)]
    assert editor.messages("$/progress") == []


async def test_with_a_token_each_part_is_sent_as_it_comes(editor: Wire) -> None:
    editor.initialize()
    editor.open("count")
    answer = await editor.request(PANEL, {**AT_COUNT, "partialResultToken": "panel"})
    assert answer == {"items": []}
    parts = [one["value"]["items"] for one in editor.messages("$/progress") if one["token"] == "panel"]
    assert [len(part) for part in parts] == [1, 4]
