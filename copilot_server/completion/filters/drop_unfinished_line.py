"""The filter that drops a line which the token limit broke off."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft, lexed
from copilot_server.completion.scope.scope import Situation


def drop_unfinished_line(draft: Draft, situation: Situation) -> Draft | None:
    """Drop the last line of several where the token limit broke it off."""
    if draft.finish_reason != "length":
        return draft
    lines = lexed(draft.text, situation).lines
    kept = draft.text[: lines[-1] if lines else 0]
    return replace(draft, text=kept) if kept.strip() else draft
