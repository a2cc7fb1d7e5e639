"""The filter that keeps one round of a loop."""

from __future__ import annotations

import re
from dataclasses import replace

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.scope import Situation

_WORD = re.compile(r"\w")
_LONGEST_ROUND = 8  # lines


def cut_repetition(draft: Draft, situation: Situation) -> Draft | None:
    """Keep one round of the lines that repeat at the end: the model would repeat them forever.

    Three rounds make a loop; so do two rounds of three lines or more that only the token limit ended. Repeats
    that are followed by other lines are not a loop, since a table may have equal rows.
    """
    endless = draft.finish_reason == "length"
    indent = "" if situation.line_prefix.strip() else situation.line_prefix  # of the first line too
    lines = (indent + draft.text.rstrip()).split("\n")
    for length in range(1, min(_LONGEST_ROUND, len(lines) // 2) + 1):
        for rest in reversed(range(length)):  # the longest begun round leaves the earliest whole one first
            rounds = _rounds(lines[: len(lines) - rest], length, lines[len(lines) - rest :])
            if rounds >= (2 if endless and length > 2 else 3):
                kept = lines[: len(lines) - rest - (rounds - 1) * length]
                return replace(draft, text="\n".join(kept).removeprefix(indent))
    return draft


def _rounds(lines: list[str], length: int, begun: list[str]) -> int:
    """Count how often ``lines`` ends in the same ``length`` lines, the next round being ``begun``."""
    loop = lines[-length:]
    if loop[: len(begun)] != begun or not _WORD.search("".join(loop)):
        return 0
    rounds = 1
    while lines[-(rounds + 1) * length : -rounds * length] == loop:
        rounds += 1
    return rounds
