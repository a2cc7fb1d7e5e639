"""A document and the cursor in it, as they were when a request came."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from lsprotocol import types

from copilot_server.context.document import Cursor, Document
from copilot_server.lsp.documents import OpenDocument
from copilot_server.lsp.wire.messages import SelectedCompletion


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a request asks to complete.

    While an item of the editor's menu is selected, the completion must continue that item: ``cursor`` is then
    where the cursor stands after the item has been accepted, in the text that results, ``head`` is the item's
    text, and ``start`` to ``end`` is what the item replaces, in code points of the document. Otherwise
    ``head`` is empty, and ``start`` and ``end`` are the cursor's offset.

    In a cell of a notebook, ``cursor`` is in the text of the whole notebook, and all else in the cell.

    ``requested_s``: when the request came, on the monotonic clock.
    """

    document: OpenDocument
    cursor: Cursor
    head: str
    start: int
    end: int
    requested_s: float

    @property
    def own_cursor(self) -> Cursor:
        """The cursor in the document as the editor has it."""
        document = self.document
        return Cursor(Document(document.uri, document.language_id, document.text), self.end)


def snapshot_at(
    document: OpenDocument,
    position: types.Position,
    selected: SelectedCompletion | None,
    encoding: str,
    among_cells: Callable[[Cursor], Cursor] = lambda cursor: cursor,
) -> Snapshot:
    """Take a snapshot of ``document`` with the cursor at ``position``, given in units of ``encoding``.

    ``among_cells``: see ``Notebooks.among_cells``.
    """
    requested_s = time.monotonic()
    cursor = document.cursor_at(position, encoding)
    if selected is None:
        return Snapshot(document, among_cells(cursor), "", cursor.offset, cursor.offset, requested_s)
    start = document.lines.offset_at(selected.range.start, encoding)
    end = max(start, document.lines.offset_at(selected.range.end, encoding))
    text = document.text[:start] + selected.text + document.text[end:]
    accepted = Cursor(replace(cursor.document, text=text), start + len(selected.text))
    return Snapshot(document, among_cells(accepted), selected.text, start, end, requested_s)
