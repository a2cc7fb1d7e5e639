"""The filter that keeps one round of a loop."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.loop import without_repeats
from copilot_server.completion.scope.scope import Situation


def cut_repetition(draft: Draft, situation: Situation) -> Draft | None:
    """Keep one round of the lines that repeat at the end, of which the cursor's line may be the first.

    Repeats that are followed by other lines are not a loop, since a table may have equal rows.
    """
    begun = situation.line_prefix
    lines = (begun + draft.text.rstrip()).split("\n")
    kept = without_repeats(lines, endless=draft.finish_reason == "length")
    return draft if kept is lines else replace(draft, text="\n".join(kept).removeprefix(begun))
