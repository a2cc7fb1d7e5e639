"""``textDocument/inlineCompletion`` and the older requests for the same."""

from __future__ import annotations

from tests.support.lsp_client import inline_params
from tests.support.lsp_wire import URI, Wire

INLINE = "textDocument/inlineCompletion"


async def test_typing_gets_one_suggestion_and_an_explicit_request_several(editor: Wire) -> None:
    editor.initialize()
    editor.open("x = ")
    typed = await editor.request(INLINE, inline_params(URI, 0, 4))
    invoked = await editor.request(INLINE, inline_params(URI, 0, 4, invoked=True))
    assert [len(answer["items"]) for answer in (typed, invoked)] == [1, 3]


async def test_no_suggestion_is_an_empty_list(editor: Wire) -> None:
    editor.initialize()
    editor.open("nothing")
    assert await editor.request(INLINE, inline_params(URI, 0, 7)) == {"items": []}


async def test_the_snapshot_is_taken_before_the_next_message_is_read(editor: Wire) -> None:
    editor.initialize()
    editor.open("nothing")
    editor.send(INLINE, inline_params(URI, 0, 7), id=1)
    editor.change(2, {"text": "x = "})
    editor.change(3, {"text": "nothing"})
    await editor.settled()
    assert editor.answer_to(1)["result"]["items"] == []
