"""The messages about notebooks as VS Code sends them, and as no editor should."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from copilot_server.lsp.wire.messages import make_converter, read_params

CELL = {
    "kind": 2,
    "document": "vscode-notebook-cell:/w/a.ipynb#W0sZmlsZQ%3D%3D",
    "metadata": {"tags": ["a"], "nested": {"deep": [1, None]}},
    "executionSummary": {"executionOrder": 1, "success": True, "timing": {"startTime": 1}},
}
ITEM = {"uri": CELL["document"], "languageId": "python", "version": 1, "text": "x = 1"}


def read(method: str, params: object) -> Any:  # noqa: ANN401 - by method
    return read_params(make_converter(), f"notebookDocument/{method}", params)


def test_a_notebook_is_read_without_its_metadata() -> None:
    notebook = {"uri": "file:///w/a.ipynb", "notebookType": "jupyter-notebook", "version": 0, "cells": [CELL]}
    params = read("didOpen", {"notebookDocument": notebook, "cellTextDocuments": [ITEM]})
    assert [cell.document for cell in params.notebook_document.cells] == [CELL["document"]]
    assert params.cell_text_documents[0].text == "x = 1"


def test_changes_of_order_and_of_texts_are_read() -> None:
    array = {"start": 1, "deleteCount": 2, "cells": [CELL]}
    edit = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}, "text": "y"}
    cells = {
        "structure": {"array": array, "didOpen": [ITEM], "didClose": [{"uri": "a"}]},
        "data": [CELL],
        "textContent": [{"document": {"uri": "a", "version": 2}, "changes": [edit, {"text": "z"}]}],
    }
    params = read("didChange", {"notebookDocument": {"uri": "n", "version": 2}, "change": {"cells": cells}})
    structure, (text,) = params.change.cells.structure, params.change.cells.text_content
    assert (structure.array.start, structure.array.delete_count, len(structure.array.cells)) == (1, 2, 1)
    assert [one.uri for one in structure.did_close] == ["a"]
    assert text.document.version == 2
    assert isinstance(text.changes[0], types.TextDocumentContentChangePartial)
    assert isinstance(text.changes[1], types.TextDocumentContentChangeWholeDocument)


@pytest.mark.parametrize("change", [{}, {"metadata": {"a": 1}}, {"cells": {"data": [CELL]}}])
def test_a_change_may_concern_neither_order_nor_text(change: object) -> None:
    params = read("didChange", {"notebookDocument": {"uri": "n", "version": 2}, "change": change})
    assert params.change.cells is None or params.change.cells.structure is None


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("didOpen", {"notebookDocument": {"uri": 5}, "cellTextDocuments": []}),
        ("didChange", {"notebookDocument": {"uri": "n"}}),
        ("didChange", {"notebookDocument": {"uri": "n"}, "change": {"cells": {"structure": {"array": {}}}}}),
        ("didClose", {}),
    ],
)
def test_what_is_missing_makes_a_message_invalid(method: str, params: object) -> None:
    with pytest.raises(JsonRpcInvalidParams, match="Invalid parameters"):
        read(method, params)
