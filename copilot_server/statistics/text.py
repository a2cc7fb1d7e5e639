"""The smallest edit between two texts, found fast enough to be called at every key."""

from __future__ import annotations

from copilot_server.context.common import common_prefix, common_suffix
from copilot_server.statistics.types import PlainEdit


def minimal_edit(before: str, after: str, start: int = 0) -> PlainEdit:
    """Return the smallest single edit that turns ``before``, which begins at ``start``, into ``after``.

    It is for editors that send a whole text or a whole line when a key has changed one character of it.
    """
    head = common_prefix(before, after)
    tail = common_suffix(before, after, min(len(before), len(after)) - head)
    return PlainEdit(start + head, start + len(before) - tail, after[head : len(after) - tail])
