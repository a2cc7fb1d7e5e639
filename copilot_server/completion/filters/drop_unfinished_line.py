"""The filter that drops a line which the token limit broke off."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft, is_in_own_brackets, lexed
from copilot_server.completion.scope.scope import Situation


def drop_unfinished_line(draft: Draft, situation: Situation) -> Draft | None:
    """Drop the last line of several where the token limit broke it off.

    A line is a logical one, or, in brackets that are open at the cursor, one of the lines in them.
    """
    if draft.finish_reason != "length":
        return draft
    lines = lexed(draft.text, situation).lines or _lines_in_brackets(draft.text, situation)
    kept = draft.text[: lines[-1] if lines else 0]
    return replace(draft, text=kept) if kept.strip() else draft


def _lines_in_brackets(text: str, situation: Situation) -> list[int]:
    """Return the starts of the lines that are in no other brackets than those open at the cursor."""
    if not situation.state.brackets:
        return []
    breaks = lexed(text, situation).breaks
    return [start for start in breaks if not is_in_own_brackets(text, start, situation)]
