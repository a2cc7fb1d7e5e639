"""The filter that drops what only repeats the lines above it."""

from __future__ import annotations

import re
from dataclasses import replace

from copilot_server.completion.filters.draft import Draft, visible_lines
from copilot_server.completion.scope.scope import Situation

_WORD = re.compile(r"\w")
_LINE_END = re.compile(r"\n")
_MANY = 3  # lines that a text repeats only where the model has lost its way
_LOOKED_AT = 4_000  # code points of the document before the cursor


def drop_repeated_context(draft: Draft, situation: Situation) -> Draft | None:
    """Drop a suggestion that only repeats the lines right above, except in brackets: rows may be equal.

    Where it begins with something else, it is cut before the lines that repeat those above them to its end,
    if these are at least three.
    """
    if situation.state.brackets or not _WORD.search(draft.text):
        return draft
    begun = situation.line_prefix
    before = situation.cursor.prefix[: situation.cursor.offset - len(begun)][-_LOOKED_AT:]
    if _count_repeated(before, begun + draft.text):
        return None
    for start in (found.end() for found in _LINE_END.finditer(draft.text)):
        above, rest = before + begun + draft.text[:start], draft.text[start:]
        if _WORD.search(rest) and _count_repeated(above, rest) >= _MANY:
            return replace(draft, text=draft.text[:start].rstrip())
    return draft


def _count_repeated(above: str, text: str) -> int:
    """Return how many lines ``text`` has if all of them repeat the last ones of ``above``; else 0."""
    lines = visible_lines(text)
    return len(lines) if lines == visible_lines(above)[-len(lines) :] else 0
