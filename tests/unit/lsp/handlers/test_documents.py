"""Documents that are opened, edited, closed and looked at."""

from __future__ import annotations

from copilot_server.lsp.handlers.documents import forget_failed
from tests.support.lsp_wire import URI, Wire


async def test_a_document_is_followed_from_open_to_close(editor: Wire) -> None:
    editor.initialize()
    editor.open("one")
    editor.change(2, {"text": "two"})
    assert editor.text() == "two"
    editor.send("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert editor.text() is None


async def test_the_status_is_about_the_document_in_focus(editor: Wire) -> None:
    editor.initialize()
    await editor.until(lambda: editor.messages("didChangeStatus")[-1]["state"] == "ready")
    editor.send("workspace/didChangeConfiguration", {"settings": {"languages": {"plaintext": False}}})
    editor.open("text", language="plaintext")
    editor.send("textDocument/didFocus", {"textDocument": {"uri": URI}})
    assert editor.messages("didChangeStatus")[-1]["kind"] == "Inactive"
    editor.send("textDocument/didFocus", {})
    assert editor.messages("didChangeStatus")[-1]["kind"] == "Normal"


async def test_only_a_failed_change_of_text_makes_a_document_unknown(editor: Wire) -> None:
    editor.initialize()
    editor.open("text")
    session = editor.server.session
    for method, params in (
        ("textDocument/didFocus", {"textDocument": {"uri": URI}}),
        ("textDocument/didChange", {"textDocument": {"uri": 5}}),
        ("textDocument/didChange", "nothing"),
    ):
        forget_failed(session, method, params)
        assert editor.text() == "text"
    forget_failed(session, "textDocument/didChange", {"textDocument": {"uri": URI}})
    assert editor.text() is None
