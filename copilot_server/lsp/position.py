"""Where a request wants a completion."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from lsprotocol import types

from copilot_server.context.document import Cursor
from copilot_server.lsp.documents import OpenDocument
from copilot_server.lsp.wire.messages import SelectedCompletion


@dataclass(frozen=True, slots=True)
class Place:
    """The document as it was when the request came, and the cursor at which to complete.

    While an item of the editor's menu is selected, ``cursor`` is where accepting it leads, in the text it
    leads to. ``head`` is then the item's text, to which each suggestion must be a continuation, and ``start``
    to ``end`` what it is put for, in code points of the document; else both are the cursor's offset.
    ``asked_s``: when the request came, on the monotonic clock.
    """

    document: OpenDocument
    cursor: Cursor
    head: str
    start: int
    end: int
    asked_s: float


def take_place(
    document: OpenDocument, position: types.Position, selected: SelectedCompletion | None, encoding: str
) -> Place:
    """Take the place at ``position``, in the document as it is now."""
    asked_s = time.monotonic()
    cursor = document.cursor_at(position, encoding)
    if selected is None:
        return Place(document, cursor, "", cursor.offset, cursor.offset, asked_s)
    start = document.lines.offset_at(selected.range.start, encoding)
    end = max(start, document.lines.offset_at(selected.range.end, encoding))
    text = document.text[:start] + selected.text + document.text[end:]
    accepted = Cursor(replace(cursor.document, text=text), start + len(selected.text))
    return Place(document, accepted, selected.text, start, end, asked_s)
