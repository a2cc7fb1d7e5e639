"""The filter that strips blanks at the end."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.scope import Situation


def strip_blank_end(draft: Draft, situation: Situation) -> Draft | None:  # noqa: ARG001
    """Strip blanks at the end; drop a suggestion with nothing visible."""
    text = draft.text.rstrip()
    return replace(draft, text=text) if text else None
