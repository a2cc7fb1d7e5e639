"""Which cells a notebook has, in which order, and a cursor among them."""

from __future__ import annotations

import pytest
from lsprotocol import types

from copilot_server.context.document import Cursor, Document
from copilot_server.lsp.documents import Documents
from copilot_server.lsp.notebooks import Notebooks

FILE = "file:///w/a%20b.ipynb"


@pytest.fixture
def documents() -> Documents:
    documents = Documents()
    for name in "abcd":
        documents.open(types.TextDocumentItem(f"cell:/{name}#1%3D", "python", 1, f"{name} = 1"))
    return documents


@pytest.fixture
def notebooks(documents: Documents) -> Notebooks:
    notebooks = Notebooks(documents)
    notebooks.open(FILE, ["cell:/a#1%3D", "cell:/b#1%3D", "cell:/c#1%3D"])
    return notebooks


def seen(notebooks: Notebooks, name: str) -> list[str]:
    """The lines of the text that the cursor in a cell is in."""
    cursor = Cursor(Document(f"cell:/{name}#1=", "python", f"{name} = 1"), 5)
    text = notebooks.among_cells(cursor).document.text
    return [line for line in text.splitlines() if line]


def test_a_cursor_sees_the_cells_of_its_notebook(notebooks: Notebooks) -> None:
    assert seen(notebooks, "b") == ["a = 1", "b = 1", "c = 1"]
    assert seen(notebooks, "d") == ["d = 1"]


def test_cells_are_added_removed_and_moved(notebooks: Notebooks) -> None:
    notebooks.splice(FILE, 1, 0, ["cell:/d#1%3D"])
    assert seen(notebooks, "a") == ["a = 1", "d = 1", "b = 1", "c = 1"]
    notebooks.splice(FILE, 0, 2, ["cell:/d#1%3D", "cell:/a#1%3D"])
    assert seen(notebooks, "a") == ["d = 1", "a = 1", "b = 1", "c = 1"]
    notebooks.splice(FILE, 0, 1, [])
    assert seen(notebooks, "a") == ["a = 1", "b = 1", "c = 1"]
    assert seen(notebooks, "d") == ["d = 1"]


def test_the_current_text_of_a_cell_counts(notebooks: Notebooks, documents: Documents) -> None:
    documents.change("cell:/a#1%3D", 2, [types.TextDocumentContentChangeWholeDocument("a = 2")])
    assert seen(notebooks, "b") == ["a = 2", "b = 1", "c = 1"]
    documents.close("cell:/a#1%3D")
    assert seen(notebooks, "b") == ["b = 1", "c = 1"]


def test_a_cell_belongs_to_the_file_of_its_notebook(notebooks: Notebooks) -> None:
    assert notebooks.file_of("cell:/a#1=") == FILE
    assert notebooks.file_of("cell:/d#1=") == "cell:/d#1="
    assert notebooks.file_of("file:///w/a.py") == "file:///w/a.py"


def test_a_closed_notebook_is_forgotten(notebooks: Notebooks) -> None:
    assert list(notebooks.close("file:///w/a b.ipynb")) == ["cell:/a#1=", "cell:/b#1=", "cell:/c#1="]
    assert seen(notebooks, "b") == ["b = 1"]
    assert list(notebooks.close(FILE)) == []
    notebooks.splice(FILE, 0, 0, ["cell:/a#1%3D"])  # of a notebook that is not open
    assert notebooks.file_of("cell:/a#1%3D") == "cell:/a#1%3D"
