"""Notebooks in a session: cells are documents like others, with the other cells around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.lsp_stand_in import StandIn
from tests.support.lsp_wire import Wire

FILE = "file:///w/a.ipynb"
INLINE, MOVED = "textDocument/inlineCompletion", "copilotServer/didMoveCursor"
FIRST, SECOND, THIRD = "x = 1", "y = ", "z = 3"


def uri(number: int) -> str:
    return f"vscode-notebook-cell:/w/a.ipynb#{number}%3D"


def item(number: int, text: str, language: str = "python") -> dict[str, Any]:
    return {"uri": uri(number), "languageId": language, "version": 1, "text": text}


def cell(number: int) -> dict[str, Any]:
    return {"kind": 2, "document": uri(number)}


def open_notebook(editor: Wire, *texts: str, file: str = FILE) -> None:
    cells = [cell(number) for number, _ in enumerate(texts)]
    notebook = {"uri": file, "notebookType": "jupyter-notebook", "version": 0, "cells": cells}
    items = [item(number, text) for number, text in enumerate(texts)]
    editor.send("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": items})


def change(editor: Wire, file: str = FILE, **cells: object) -> None:
    params = {"notebookDocument": {"uri": file, "version": 1}, "change": {"cells": cells}}
    editor.send("notebookDocument/didChange", params)


def at(number: int, line: int, character: int) -> dict[str, Any]:
    return {"textDocument": {"uri": uri(number)}, "position": {"line": line, "character": character}}


def text(editor: Wire, number: int) -> str | None:
    document = editor.server.session.documents.get(uri(number))
    return document and document.text


async def read_at(editor: Wire, number: int, line: int, character: int) -> str:
    """What the model would read before the cursor, once the server reads ahead there."""
    pipeline = editor.server.session.scheduler.pipeline
    assert isinstance(pipeline, StandIn)
    known = len(pipeline.read)
    editor.send(MOVED, at(number, line, character))
    await editor.until(lambda: len(pipeline.read) > known)
    name, before = pipeline.read[-1]
    assert name == uri(number)
    return before


@pytest.fixture
async def notebook(editor: Wire) -> Wire:
    """An editor that has a notebook of three cells open."""
    editor.initialize()
    await editor.until(lambda: editor.server.session.scheduler.pipeline is not None)
    open_notebook(editor, FIRST, SECOND, THIRD)
    return editor


async def test_an_editor_with_notebooks_is_asked_for_them(editor: Wire) -> None:
    known = {"notebookDocument": {"synchronization": {"dynamicRegistration": True}}}
    editor.send("initialize", {"processId": None, "capabilities": known}, id="initialize")
    offered = editor.answer_to("initialize")["result"]["capabilities"]["notebookDocumentSync"]
    assert offered == {"notebookSelector": [{"notebook": "*"}]}


async def test_another_editor_is_not(editor: Wire) -> None:
    assert "notebookDocumentSync" not in editor.initialize()["capabilities"]


async def test_the_model_reads_the_cells_before_the_cursors(notebook: Wire) -> None:
    assert await read_at(notebook, 1, 0, 4) == "x = 1\n\n\ny = "
    assert await read_at(notebook, 0, 0, 5) == "x = 1"


async def test_an_edited_cell_counts_as_it_is_now(notebook: Wire) -> None:
    edit = {
        "range": {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 5}},
        "text": "'😀'",
    }
    change(notebook, textContent=[{"document": {"uri": uri(0), "version": 2}, "changes": [edit]}])
    assert text(notebook, 0) == "x = '😀'"
    assert await read_at(notebook, 1, 0, 4) == "x = '😀'\n\n\ny = "


async def test_cells_that_are_moved_added_and_removed_count_where_they_are_now(notebook: Wire) -> None:
    array = {"start": 0, "deleteCount": 2, "cells": [cell(3), cell(1)]}
    change(
        notebook,
        structure={"array": array, "didOpen": [item(3, "import os")], "didClose": [{"uri": uri(0)}]},
    )
    assert text(notebook, 0) is None
    assert await read_at(notebook, 1, 0, 4) == "import os\n\n\ny = "


async def test_an_item_has_the_cells_own_positions(notebook: Wire) -> None:
    edit = {"text": "😀 = 1\nover😀)"}
    change(notebook, textContent=[{"document": {"uri": uri(2), "version": 2}, "changes": [edit]}])
    answer = await notebook.request(INLINE, {**at(2, 1, 4), "context": {"triggerKind": 1}})
    (one,) = answer["items"]
    assert one["range"] == {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 7}}


async def test_a_menu_has_the_cells_own_positions(editor: Wire) -> None:
    editor.send("initialize", {"processId": None, "capabilities": {"notebookDocument": {}}}, id="initialize")
    editor.send("initialized")
    open_notebook(editor, "import os\n", "a = 1\nwo")
    answer = await editor.request("textDocument/completion", at(1, 1, 2))
    (one,) = answer["items"]
    assert one["textEdit"]["newText"] == "wook"
    assert one["textEdit"]["range"] == {
        "start": {"line": 1, "character": 0},
        "end": {"line": 1, "character": 2},
    }


async def test_a_request_for_an_older_version_is_refused(notebook: Wire) -> None:
    change(notebook, textContent=[{"document": {"uri": uri(1), "version": 5}, "changes": [{"text": "y"}]}])
    stale = at(1, 0, 1)
    stale["textDocument"]["version"] = 4
    assert (await notebook.request(INLINE, stale))["code"] == -32800
    stale["textDocument"]["version"] = 5
    assert "items" in await notebook.request(INLINE, stale)


async def test_the_notebooks_path_decides_whether_its_cells_are_excluded(
    editor: Wire, tmp_path: Path
) -> None:
    (tmp_path / ".copilotignore").write_text("secret.ipynb\n")
    editor.initialize()
    for name, count in (("open.ipynb", 1), ("secret.ipynb", 0)):
        open_notebook(editor, "x = ", file=(tmp_path / name).as_uri())
        answer = await editor.request(INLINE, {**at(0, 0, 4), "context": {"triggerKind": 2}})
        assert len(answer["items"]) == count


async def test_a_cell_says_why_it_got_nothing(editor: Wire, tmp_path: Path) -> None:
    async def code(number: int) -> str | None:
        found = await editor.request("copilotServer/whyNothing", {"textDocument": {"uri": uri(number)}})
        return found and str(found["code"])

    (tmp_path / ".copilotignore").write_text("secret.ipynb\n")
    editor.initialize()
    open_notebook(editor, "x = ", "nothing", file=(tmp_path / "open.ipynb").as_uri())
    for number, character, expected in ((0, 4, None), (1, 7, "nothing")):
        await editor.request(INLINE, {**at(number, 0, character), "context": {"triggerKind": 2}})
        assert await code(number) == expected
    open_notebook(editor, "x = ", file=(tmp_path / "secret.ipynb").as_uri())
    await editor.request(INLINE, {**at(0, 0, 4), "context": {"triggerKind": 2}})
    assert await code(0) == "excluded"


async def test_what_was_typed_away_in_a_cell_is_not_suggested_there_again(notebook: Wire) -> None:
    async def suggested() -> int:
        answer = await notebook.request(INLINE, {**at(1, 0, 4), "context": {"triggerKind": 2}})
        return len(answer["items"])

    def put(version: int, content: str) -> None:
        document = {"uri": uri(1), "version": version}
        change(notebook, textContent=[{"document": document, "changes": [{"text": content}]}])

    assert await suggested() == 1
    put(2, "y = 5")
    put(3, "y = ")
    assert await suggested() == 0
    put(4, "q = ")  # the twin: on another line it is
    assert await suggested() == 1


async def test_a_closed_notebook_is_forgotten(notebook: Wire) -> None:
    closed = [{"uri": uri(number)} for number in range(3)]
    notebook.send(
        "notebookDocument/didClose", {"notebookDocument": {"uri": FILE}, "cellTextDocuments": closed}
    )
    assert [text(notebook, number) for number in range(3)] == [None] * 3


async def test_a_notebook_whose_change_cannot_be_read_is_forgotten(notebook: Wire) -> None:
    change(notebook, structure={"array": {"start": "one"}})
    assert text(notebook, 0) is None
    open_notebook(notebook, FIRST)
    change(notebook, data=[])
    assert text(notebook, 0) == FIRST


async def test_cells_that_are_opened_as_plain_documents_are_followed_alone(editor: Wire) -> None:
    editor.initialize()
    await editor.until(lambda: editor.server.session.scheduler.pipeline is not None)
    for number, content in enumerate((FIRST, SECOND)):
        editor.send("textDocument/didOpen", {"textDocument": item(number, content)})
    assert await read_at(editor, 1, 0, 4) == SECOND
