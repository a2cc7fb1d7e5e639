"""Candidates in the shapes that editors show: inline completion items and items of a menu."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lsprotocol import types

from copilot_server.completion.types import Candidate
from copilot_server.context.document import Cursor
from copilot_server.lsp.lines import Lines


def inline_items(
    candidates: Sequence[Candidate], cursor: Cursor, encoding: str, lines: Lines | None = None
) -> list[types.InlineCompletionItem]:
    """Make inline completion items of ``candidates``, in their order.

    ``lines`` are those of the cursor's document, if they are known.
    """
    lines = lines or Lines(cursor.document.text)
    return [
        types.InlineCompletionItem(
            insert_text=candidate.text,
            range=_range(lines, cursor.offset, cursor.offset + candidate.replaced, encoding),
        )
        for candidate in candidates
    ]


def completion_items(
    candidates: Sequence[Candidate], cursor: Cursor, encoding: str, lines: Lines | None = None
) -> list[types.CompletionItem]:
    """Make items for an editor's completion menu of ``candidates``, in their order.

    The word before the cursor is part of the item: menus show whole words and filter by them. ``lines`` are
    those of the cursor's document, if they are known.
    """
    word = _word_before(cursor)
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


def _word_before(cursor: Cursor) -> str:
    word = re.search(r"\w*\Z", cursor.line_prefix)
    return word.group() if word else ""


def _range(lines: Lines, start: int, end: int, encoding: str) -> types.Range:
    return types.Range(lines.position_at(start, encoding), lines.position_at(end, encoding))
