"""Documents that are opened, edited, closed and looked at, and what is read ahead in them."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from copilot_server.completion.scheduling.read_ahead import SETTLE_S
from copilot_server.config import Settings
from copilot_server.fetch.progress import Progress
from copilot_server.lsp.handlers.documents import forget_failed
from copilot_server.lsp.server import CopilotServer
from tests.support.lsp_stand_in import StandIn, open_stand_in
from tests.support.lsp_wire import URI, Wire
from tests.support.patience import PATIENCE_S

INLINE, MOVED = "textDocument/inlineCompletion", "copilotServer/didMoveCursor"
TEXT = "import os\n\nprint(os)\n"


async def ready(editor: Wire, **more: object) -> None:
    """Initialize, and wait until the model is loaded."""
    editor.initialize(**more)
    await editor.until(lambda: editor.server.session.scheduler.pipeline is not None)


def read(editor: Wire) -> list[tuple[str, str]]:
    """What has been read ahead: URIs, and the text before the cursor."""
    pipeline = editor.server.session.scheduler.pipeline
    assert isinstance(pipeline, StandIn)
    return pipeline.read


def open_in(editor: Wire, uri: str, text: str = TEXT, language: str = "python") -> None:
    item = {"uri": uri, "languageId": language, "version": 1, "text": text}
    editor.send("textDocument/didOpen", {"textDocument": item})


def move(editor: Wire, line: int, character: int, uri: str = URI) -> None:
    editor.send(MOVED, at(line, character, uri))


def at(line: int, character: int, uri: str = URI) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}


async def until_read(editor: Wire, *wanted: tuple[str, str]) -> None:
    await editor.until(lambda: read(editor) == list(wanted))


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


async def test_where_the_cursor_is_reported_to_be_is_read_ahead(editor: Wire) -> None:
    await ready(editor)
    editor.open(TEXT)
    move(editor, 0, 9)
    await until_read(editor, (URI, "import os"))
    move(editor, 2, 9)
    await until_read(editor, (URI, "import os"), (URI, "import os\n\nprint(os)"))


async def test_of_many_documents_opened_at_once_the_one_in_focus_is_read_ahead(editor: Wire) -> None:
    await ready(editor)
    move(editor, 0, 6, "file:///7.py")  # some editors report the focus before they open the document
    for number in range(20):
        open_in(editor, f"file:///{number}.py")
    await until_read(editor, ("file:///7.py", "import"))
    move(editor, 0, 9, "file:///7.py")  # the others would have been read by then
    await until_read(editor, ("file:///7.py", "import"), ("file:///7.py", "import os"))


async def test_of_many_documents_looked_at_one_after_the_other_the_last_is_read_ahead(editor: Wire) -> None:
    await ready(editor)
    for number in range(20):
        open_in(editor, f"file:///{number}.py")
        move(editor, 0, 9, f"file:///{number}.py")
    await until_read(editor, ("file:///19.py", "import os"))


async def test_an_editor_that_reports_no_cursor_is_read_ahead_where_it_was_last(editor: Wire) -> None:
    await ready(editor)
    editor.open(TEXT)
    await editor.request(INLINE, at(0, 9))
    await until_read(editor, (URI, "import os"))
    open_in(editor, "file:///b.py")  # nothing is known of the cursor there
    editor.send("textDocument/didClose", {"textDocument": {"uri": URI}})
    editor.open(TEXT.replace("os", "re"))
    await until_read(editor, (URI, "import os"), (URI, "import re"))


async def test_a_document_that_gets_the_focus_is_read_ahead_where_its_cursor_was(editor: Wire) -> None:
    await ready(editor)
    editor.open(TEXT)
    open_in(editor, "file:///b.py")
    move(editor, 0, 9)
    move(editor, 0, 6, "file:///b.py")
    await until_read(editor, ("file:///b.py", "import"))
    editor.send("textDocument/didFocus", {"textDocument": {"uri": URI}})
    await until_read(editor, ("file:///b.py", "import"), (URI, "import os"))


@pytest.mark.parametrize(
    "options",
    [
        {"enabled": False},
        {"languages": {"python": False}},
        {"automatic": False},
        {"exclude": ["*.py"]},
    ],
)
async def test_nothing_is_read_ahead_where_suggestions_are_off(editor: Wire, options: dict[str, Any]) -> None:
    await ready(editor)
    editor.send("workspace/didChangeConfiguration", {"settings": options})
    editor.open(TEXT)
    move(editor, 0, 9)
    await settled(editor)
    assert read(editor) == []
    editor.send("workspace/didChangeConfiguration", {"settings": {}})
    await until_read(editor, (URI, "import os"))  # the twin: as soon as they are on


async def test_nothing_is_read_ahead_while_suggestions_are_snoozed(editor: Wire) -> None:
    await ready(editor)
    await editor.request("copilotServer/snooze", {"minutes": 60})
    editor.open(TEXT)
    move(editor, 0, 9)
    await settled(editor)
    assert read(editor) == []
    await editor.request("copilotServer/snooze", {"minutes": 0})
    await until_read(editor, (URI, "import os"))


async def test_an_excluded_document_is_never_read_ahead(editor: Wire, tmp_path: Path) -> None:
    await ready(editor)
    (tmp_path / ".copilotignore").write_text("secret.py\n")
    secret, other = ((tmp_path / name).as_uri() for name in ("secret.py", "other.py"))
    for uri in (secret, other):
        open_in(editor, uri)
        move(editor, 0, 9, uri)
    await until_read(editor, (other, "import os"))
    move(editor, 0, 9, secret)
    await settled(editor)
    assert read(editor) == [(other, "import os")]


async def test_a_document_that_is_excluded_in_the_meantime_is_not_read_ahead(editor: Wire) -> None:
    await ready(editor)
    editor.open(TEXT)
    move(editor, 0, 9)
    editor.send("workspace/didChangeConfiguration", {"settings": {"exclude": ["*.py"]}})
    await settled(editor)
    assert read(editor) == []


async def test_a_document_that_is_closed_in_the_meantime_is_not_read_ahead(editor: Wire) -> None:
    await ready(editor)
    editor.open(TEXT)
    move(editor, 0, 9)
    editor.send("textDocument/didClose", {"textDocument": {"uri": URI}})
    await settled(editor)
    assert read(editor) == []


async def test_what_is_in_focus_is_read_ahead_once_the_model_is_loaded() -> None:
    released = threading.Event()

    def held(settings: Settings, progress: Progress) -> StandIn:
        assert released.wait(PATIENCE_S)
        return open_stand_in(settings, progress)

    editor = Wire(CopilotServer(Settings(), {}, held))
    editor.initialize()
    for number in range(3):
        open_in(editor, f"file:///{number}.py")
        move(editor, 0, 9, f"file:///{number}.py")
    await settled(editor)
    released.set()
    await editor.until(lambda: editor.server.session.scheduler.pipeline is not None)
    await until_read(editor, ("file:///2.py", "import os"))
    editor.end()


async def test_a_position_that_is_no_longer_there_is_the_nearest_one(editor: Wire) -> None:
    await ready(editor)
    move(editor, 99, 99)
    editor.open("x = 1")
    await until_read(editor, (URI, "x = 1"))


async def settled(editor: Wire) -> None:
    """Give what is wrongly to be read ahead the time to be read."""
    await asyncio.sleep(3 * SETTLE_S)
