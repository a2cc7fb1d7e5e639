"""The filter that ends a suggestion with the scope it was asked for."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.ending import scope_end
from copilot_server.completion.scope.scope import Situation


def cut_at_scope_end(draft: Draft, situation: Situation) -> Draft | None:
    """Cut what the model began outside the function, block or line that was asked for."""
    end = scope_end(draft.text, situation)
    return draft if end is None else replace(draft, text=draft.text[:end], finish_reason="stop")
