"""The filter that drops a suggestion of blanks and closers alone."""

from __future__ import annotations

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.scope import Situation
from copilot_server.context.closers import has_only_closers


def drop_closers(draft: Draft, situation: Situation) -> Draft | None:
    """Drop blanks and closers: to read them takes longer than to type them."""
    in_string = bool(situation.state.quote)
    return None if has_only_closers(draft.text, situation.language, in_string=in_string) else draft
