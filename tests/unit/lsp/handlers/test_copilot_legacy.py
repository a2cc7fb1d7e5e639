"""``getCompletions`` and ``getCompletionsCycling``."""

from __future__ import annotations

from tests.support.lsp_wire import URI, Wire

DOC = {"uri": URI, "position": {"line": 0, "character": 4}, "version": 1}


async def test_the_answer_has_the_older_shape(editor: Wire) -> None:
    editor.initialize()
    editor.open("x = ")
    (found,) = (await editor.request("getCompletions", {"doc": DOC}))["completions"]
    assert found["text"] == found["displayText"] == "ok"
    assert found["position"] == {"line": 0, "character": 4}
    assert found["docVersion"] == 1
    assert found["uuid"]


async def test_cycling_gives_several(editor: Wire) -> None:
    editor.initialize()
    editor.open("x = ")
    assert len((await editor.request("getCompletionsCycling", {"doc": DOC}))["completions"]) == 3
