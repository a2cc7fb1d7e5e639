"""The filter for a gap: it leaves the line after the gap where it can stand."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.gap import fitting_end
from copilot_server.completion.scope.scope import Situation


def fit_gap(draft: Draft, situation: Situation) -> Draft | None:
    """Cut what would leave the line after a gap where it cannot stand."""
    if situation.scope != "gap":
        return draft
    end = fitting_end(draft.text, situation, is_whole=draft.finish_reason == "eos")
    return None if end is None else replace(draft, text=draft.text[:end])
