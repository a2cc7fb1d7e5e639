"""The filter that drops a suggestion which only repeats the lines above it."""

from __future__ import annotations

import re

from copilot_server.completion.filters.draft import Draft, visible_lines
from copilot_server.completion.scope.scope import Situation

_WORD = re.compile(r"\w")
_LOOKED_AT = 4_000  # code points of the document before the cursor


def drop_repeated_context(draft: Draft, situation: Situation) -> Draft | None:
    """Drop a suggestion that only repeats the lines right above, except in brackets: rows may be equal."""
    lines = visible_lines(situation.line_prefix + draft.text)
    before = situation.cursor.prefix[: situation.cursor.offset - len(situation.line_prefix)]
    above = visible_lines(before[-_LOOKED_AT:])
    repeated = lines == above[-len(lines) :] and _WORD.search(draft.text)
    return None if repeated and not situation.state.brackets else draft
