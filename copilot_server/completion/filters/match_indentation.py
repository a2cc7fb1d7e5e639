"""The filter that indents as the document does."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft, line_starts
from copilot_server.completion.scope.scope import Situation
from copilot_server.context.indentation import indent_of


def match_indentation(draft: Draft, situation: Situation) -> Draft | None:
    """Indent as the document does, if either of the two uses tabs. Lines inside strings stay unchanged."""
    to_tabs = situation.indent_unit == "\t"
    if not to_tabs and (situation.context is None or "\t" not in draft.text):
        return draft
    starts = line_starts(draft.text, situation)
    written = "  " if "  " in {indent_of(draft.text, start) for start in starts} else "    "
    unit = (written, "\t") if to_tabs else ("\t", situation.indent_unit)
    text = draft.text
    for start in reversed(starts):
        indent = indent_of(text, start)
        text = text[:start] + indent.replace(*unit) + text[start + len(indent) :]
    return replace(draft, text=text)
