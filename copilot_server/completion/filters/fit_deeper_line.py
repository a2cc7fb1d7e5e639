"""The filter for code before a deeper line, such as the header of a block that is written over again."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.gap import end_before_deeper_line
from copilot_server.completion.scope.scope import Situation


def fit_deeper_line(draft: Draft, situation: Situation) -> Draft | None:
    """Cut statements after which a line of Python's below would be deeper than what it follows."""
    end = end_before_deeper_line(draft.text, situation)
    if end is None or end == len(draft.text):
        return draft if end else None
    return replace(draft, text=draft.text[:end].rstrip())
