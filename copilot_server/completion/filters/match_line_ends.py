"""The filter that ends lines as the document does."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.scope import Situation
from copilot_server.context.source.code import line_end


def match_line_ends(draft: Draft, situation: Situation) -> Draft | None:
    """End lines as the document does."""
    return replace(draft, text=draft.text.replace("\n", line_end(situation.cursor.document.text)))
