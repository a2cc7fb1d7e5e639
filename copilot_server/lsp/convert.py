"""Candidates in the shapes that editors show: inline completion items and items of a menu."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lsprotocol import types

from copilot_server.completion.types import Candidate
from copilot_server.context.document import Cursor
from copilot_server.lsp.lines import Lines
from copilot_server.lsp.position import Place


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


def completion_items(
    candidates: Sequence[Candidate], cursor: Cursor, encoding: str, lines: Lines | None = None
) -> list[types.CompletionItem]:
    """Make items for an editor's completion menu of ``candidates``, in their order.

    The word before the cursor is part of the item: menus show whole words and filter by them. ``lines`` are
    those of the cursor's document, if they are known.
    """
    word = word_before(cursor)
    lines = lines or Lines(cursor.document.text)
    start = cursor.offset - len(word)
    return [
        _menu_item(
            word + candidate.text,
            _range(lines, start, cursor.offset + candidate.replaced, encoding),
            rank=rank,
        )
        for rank, candidate in enumerate(candidates)
    ]


def _menu_item(text: str, replaced: types.Range, *, rank: int) -> types.CompletionItem:
    label = text.strip().split("\n", 1)[0].rstrip()
    return types.CompletionItem(
        label=label,
        kind=types.CompletionItemKind.Text,
        detail="copilot-server",
        documentation=text,
        sort_text=f"{rank:04}",
        filter_text=text,
        text_edit=types.TextEdit(range=replaced, new_text=text),
        insert_text_format=types.InsertTextFormat.PlainText,
        # The model wrote the indentation; an editor that adjusts it would add it twice.
        insert_text_mode=types.InsertTextMode.AsIs,
    )


def word_before(cursor: Cursor) -> str:
    """The word that the cursor stands behind, or in."""
    word = re.search(r"\w*\Z", cursor.line_prefix)
    return word.group() if word else ""


def _range(lines: Lines, start: int, end: int, encoding: str) -> types.Range:
    return types.Range(lines.position_at(start, encoding), lines.position_at(end, encoding))
