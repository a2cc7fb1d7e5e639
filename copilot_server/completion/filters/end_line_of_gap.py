"""The filter that ends the last line in a gap."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.scope import Situation


def end_line_of_gap(draft: Draft, situation: Situation) -> Draft | None:
    """In a gap, end the last line, so that the whole line after the gap stays where it stands."""
    if situation.scope != "gap":
        return draft
    return replace(draft, text=f"{draft.text}\n{situation.line_prefix}")
