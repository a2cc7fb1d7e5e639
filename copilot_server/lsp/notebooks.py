"""The notebooks that the editor has open: which cells they have, in which order.

The texts of the cells are documents like others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from copilot_server.context.document import Cursor, Document
from copilot_server.context.notebook import among_cells
from copilot_server.lsp.documents import Documents


@dataclass(slots=True)
class _Notebook:
    """A notebook's URI, and those of its cells in order, without escapes."""

    uri: str
    cells: list[str] = field(default_factory=list)


class Notebooks:
    """The open notebooks of one editor. As with documents, URIs may be escaped in several ways."""

    def __init__(self, documents: Documents) -> None:
        """``documents``: what the editor has open, among them the cells."""
        self._documents = documents
        self._open: dict[str, _Notebook] = {}
        self._by_cell: dict[str, _Notebook] = {}

    def open(self, uri: str, cells: Iterable[str]) -> None:
        """Take up a notebook and the URIs of its cells."""
        self.close(uri)
        self._open[unquote(uri)] = _Notebook(uri)
        self.splice(uri, 0, 0, cells)

    def splice(self, uri: str, start: int, deleted: int, cells: Iterable[str]) -> None:
        """Put ``cells`` in the place of ``deleted`` cells from index ``start`` on."""
        notebook = self._open.get(unquote(uri))
        if notebook is None:
            return
        added = [unquote(one) for one in cells]
        gone = notebook.cells[start : start + deleted]
        notebook.cells[start : start + deleted] = added
        for one in gone:
            self._by_cell.pop(one, None)
        self._by_cell.update(dict.fromkeys(added, notebook))

    def close(self, uri: str) -> Sequence[str]:
        """Forget a notebook, and return the URIs of the cells that it had."""
        notebook = self._open.pop(unquote(uri), None)
        cells = notebook.cells if notebook else []
        for one in cells:
            self._by_cell.pop(one, None)
        return cells

    def file_of(self, uri: str) -> str:
        """Return the URI of the notebook that a document is a cell of; the document's own if it is none."""
        notebook = self._by_cell.get(unquote(uri))
        return uri if notebook is None else notebook.uri

    def among_cells(self, cursor: Cursor) -> Cursor:
        """Return the cursor of a cell in the text of its notebook; any other cursor as it is."""
        key = unquote(cursor.document.uri)
        notebook = self._by_cell.get(key)
        if notebook is None:
            return cursor
        at = notebook.cells.index(key)
        return among_cells(cursor, self._texts(notebook.cells[:at]), self._texts(notebook.cells[at + 1 :]))

    def _texts(self, cells: Sequence[str]) -> list[Document]:
        known = (self._documents.get(one) for one in cells)
        return [Document(one.uri, one.language_id, one.text) for one in known if one is not None]
