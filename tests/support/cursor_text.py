"""Texts with the cursor drawn in them, as ``return ‸x``."""

from __future__ import annotations

from copilot_server.context.document import Cursor, Document

MARK = "‸"


def cursor_in(drawn: str, language_id: str = "python") -> Cursor:
    """Return the cursor that ``drawn`` shows; the mark is not part of the document."""
    before, mark, after = drawn.partition(MARK)
    if not mark or MARK in after:
        raise ValueError(f"a text must show one cursor {MARK}: {drawn!r}")
    return Cursor(Document("file:///drawn", language_id, before + after), len(before))


def drawn(text: str, offset: int) -> str:
    """Draw the cursor in ``text``."""
    return text[:offset] + MARK + text[offset:]
