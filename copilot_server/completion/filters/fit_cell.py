"""The filter for the top of a notebook's cell, which nothing encloses."""

from __future__ import annotations

from copilot_server.completion.filters.draft import Draft, visible_lines
from copilot_server.completion.scope.scope import Situation
from copilot_server.context.indentation import indent_of


def fit_cell(draft: Draft, situation: Situation) -> Draft | None:
    """Drop what would go on with a block of the cell before, where the cursor's cell has no code yet."""
    cursor = situation.cursor
    start = cursor.document.start
    if not start or cursor.prefix[start:].strip():
        return draft
    first = next(iter(visible_lines(cursor.line_prefix + draft.text)), "")
    return None if indent_of(first) else draft
