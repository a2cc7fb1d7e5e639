"""Where a request wants a completion, and candidates as items that fit there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lsprotocol import types

from copilot_server.completion.types import Candidate
from copilot_server.context.document import Cursor
from copilot_server.lsp.documents import OpenDocument
from copilot_server.lsp.messages import SelectedCompletion


@dataclass(frozen=True, slots=True)
class Place:
    """The document as it was when the request came, and the cursor at which to complete.

    While an item of the editor's menu is selected, ``cursor`` is where accepting it leads, in the text it
    leads to. ``head`` is then the item's text, to which each suggestion must be a continuation, and ``start``
    to ``end`` what it is put for, in code points of the document; else both are the cursor's offset.
    """

    document: OpenDocument
    cursor: Cursor
    head: str
    start: int
    end: int


def take_place(
    document: OpenDocument, position: types.Position, selected: SelectedCompletion | None, encoding: str
) -> Place:
    """Take the place at ``position``, in the document as it is now."""
    cursor = document.cursor_at(position, encoding)
    if selected is None:
        return Place(document, cursor, "", cursor.offset, cursor.offset)
    start = document.lines.offset_at(selected.range.start, encoding)
    end = max(start, document.lines.offset_at(selected.range.end, encoding))
    text = document.text[:start] + selected.text + document.text[end:]
    accepted = Cursor(replace(cursor.document, text=text), start + len(selected.text))
    return Place(document, accepted, selected.text, start, end)


def inline_items(
    place: Place, candidates: Sequence[Candidate], encoding: str
) -> list[types.InlineCompletionItem]:
    """Make inline completion items of ``candidates``, in their order."""
    position_at = place.document.lines.position_at
    return [
        types.InlineCompletionItem(
            insert_text=place.head + candidate.text,
            range=types.Range(
                position_at(place.start, encoding), position_at(place.end + candidate.replaced, encoding)
            ),
        )
        for candidate in candidates
    ]


def legacy_completion(item: types.InlineCompletionItem, version: int) -> dict[str, Any]:
    """Give an item as ``getCompletions`` does."""
    return {
        "uuid": item_id(item),
        "text": item.insert_text,
        "displayText": item.insert_text,
        "range": item.range,
        "position": item.range.start if item.range else None,
        "docVersion": version,
    }


def item_id(item: types.InlineCompletionItem) -> str | None:
    """The id that an item's command carries."""
    arguments = item.command.arguments if item.command else None
    return str(arguments[0]) if arguments else None
