"""The filter for a gap: the line after the gap must still fit where it stands."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.gap import fitting_end
from copilot_server.completion.scope.scope import Situation


def fit_gap(draft: Draft, situation: Situation) -> Draft | None:
    """Cut lines after which the line that follows the gap would not fit."""
    if situation.scope != "gap":
        return draft
    end = fitting_end(draft.text, situation, is_whole=draft.finish_reason == "eos")
    return None if end is None else replace(draft, text=draft.text[:end])
