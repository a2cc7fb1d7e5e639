"""The filter that cuts a suggestion where it repeats what already follows the cursor."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft, lexed, visible_lines
from copilot_server.completion.scope.scope import Situation

_LOOKED_AT = 4_000  # code points of the document after the cursor
_COMPARED_LINES = 3  # how many equal lines make a repeat of what follows


def cut_repeated_suffix(draft: Draft, situation: Situation) -> Draft | None:
    """Cut the suggestion where it goes on with the lines that already follow the cursor."""
    in_gap = situation.scope == "gap"
    after = situation.cursor.suffix[0 if in_gap else len(situation.line_suffix) :]
    following = visible_lines((situation.line_prefix if in_gap else "") + after[:_LOOKED_AT])
    alone = in_gap or (not situation.state.brackets and not situation.line_suffix.strip())
    breaks = lexed(draft.text, situation).breaks
    for start in (0, *breaks) if alone else breaks:
        if _repeats(draft.text, start, following, situation):
            return replace(draft, text=draft.text[:start])
    return draft


def _repeats(text: str, start: int, following: list[str], situation: Situation) -> bool:
    """Whether the lines of ``text`` from ``start`` on are those that follow, to the end of either."""
    lines = visible_lines((situation.line_prefix if start == 0 else "") + text[start:])
    compared = min(len(lines), len(following), _COMPARED_LINES)
    if not compared or lines[:compared] != following[:compared] or not text[start:].split("\n", 1)[0].strip():
        return False
    closes_own_bracket = lexed(text[:start], situation).own_brackets > 0
    return not closes_own_bracket
