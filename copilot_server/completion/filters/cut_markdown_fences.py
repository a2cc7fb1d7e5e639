"""The filter that takes code out of a markdown fence."""

from __future__ import annotations

import re
from dataclasses import replace

from copilot_server.completion.filters.draft import Draft, line_starts
from copilot_server.completion.scope.scope import Situation

_FENCE = re.compile(r"[ \t]*```")
#: A fence after which no code begins: it closes what stands above the cursor.
_CLOSING_FENCE = re.compile(r"[ \t]*```[ \t]*(?:\n[ \t]*(?:\n|\Z)|\Z)")


def cut_markdown_fences(draft: Draft, situation: Situation) -> Draft | None:
    """Take the code out of a markdown fence: chat models fence their code, and explain it after the fence.

    Where that explanation is all there is, nothing is left.
    """
    if situation.state.quote or situation.language == "markdown":
        return draft
    text = draft.text
    fences = _fences(text, situation)
    if fences and not text[: fences[0]].strip():
        if _CLOSING_FENCE.match(text, fences[0]):
            return None
        text = text[fences[0] :].partition("\n")[2]
        fences = _fences(text, situation)
    return replace(draft, text=text[: fences[0]] if fences else text)


def _fences(text: str, situation: Situation) -> list[int]:
    return [start for start in line_starts(text, situation) if _FENCE.match(text, start)]
