"""Candidates as the items that editors show: inline completion items and items of a completion menu."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import attrs
from lsprotocol import types

from copilot_server.completion.types import Candidate
from copilot_server.context.document import Cursor
from copilot_server.lsp.examples import Note, note_of
from copilot_server.lsp.lines import Lines
from copilot_server.lsp.snapshot import Snapshot


@attrs.define
class MarkedItem(types.InlineCompletionItem):
    """An inline completion item with what the function's examples say of it.

    Editors that do not know ``examples`` ignore it.
    """

    examples: Note | None = None


def inline_list(items: Sequence[MarkedItem]) -> dict[str, Any]:
    """Give items as an ``InlineCompletionList``, with the examples of those that have any."""
    return {"items": [_inline_item(one) for one in items]}


def _inline_item(item: MarkedItem) -> dict[str, Any]:
    values = {"insertText": item.insert_text, "range": item.range, "command": item.command}
    return values if item.examples is None else {**values, "examples": asdict(item.examples)}


def inline_items(snapshot: Snapshot, candidates: Sequence[Candidate], encoding: str) -> list[MarkedItem]:
    """Make an inline completion item of each candidate, in their order."""
    position_at = snapshot.document.lines.position_at
    return [
        MarkedItem(
            insert_text=snapshot.head + candidate.text,
            range=types.Range(
                position_at(snapshot.start, encoding),
                position_at(snapshot.end + candidate.replaced, encoding),
            ),
            examples=note_of(candidate),
        )
        for candidate in candidates
    ]


def legacy_completion(item: types.InlineCompletionItem, version: int) -> dict[str, Any]:
    """Give an item as ``getCompletions`` returns it."""
    return {
        "uuid": item_id(item),
        "text": item.insert_text,
        "displayText": item.insert_text,
        "range": item.range,
        "position": item.range.start if item.range else None,
        "docVersion": version,
    }


def item_id(item: types.InlineCompletionItem) -> str | None:
    """Give the id that an item's command has as its argument; None if it has none."""
    arguments = item.command.arguments if item.command else None
    return str(arguments[0]) if arguments else None


def completion_items(
    candidates: Sequence[Candidate], cursor: Cursor, encoding: str, lines: Lines | None = None
) -> list[types.CompletionItem]:
    """Make an item for an editor's completion menu of each candidate, in their order.

    The word before the cursor is part of the item, because menus show whole words and filter by them.
    ``lines``: the lines of the cursor's document, if they are known already.
    """
    word = word_before(cursor)
    lines = lines or Lines(cursor.document.text)
    start = cursor.offset - len(word)
    return [
        _menu_item(
            word + candidate.text,
            _range(lines, start, cursor.offset + candidate.replaced, encoding),
            note_of(candidate),
            rank=rank,
        )
        for rank, candidate in enumerate(candidates)
    ]


def _menu_item(text: str, replaced: types.Range, note: Note | None, *, rank: int) -> types.CompletionItem:
    label = text.strip().split("\n", 1)[0].rstrip()
    return types.CompletionItem(
        label=label,
        kind=types.CompletionItemKind.Text,
        detail="copilot-server" if note is None else f"copilot-server: {note.message}",
        documentation=text,
        sort_text=f"{rank:04}",
        filter_text=text,
        text_edit=types.TextEdit(range=replaced, new_text=text),
        insert_text_format=types.InsertTextFormat.PlainText,
        # The model has written the indentation: an editor that adjusted it would add it twice.
        insert_text_mode=types.InsertTextMode.AsIs,
    )


def word_before(cursor: Cursor) -> str:
    """Give the part of a word that stands directly before the cursor; it may be empty."""
    word = re.search(r"\w*\Z", cursor.line_prefix)
    return word.group() if word else ""


def _range(lines: Lines, start: int, end: int, encoding: str) -> types.Range:
    return types.Range(lines.position_at(start, encoding), lines.position_at(end, encoding))
