"""Edits and lengths of texts, for what runs at every key."""

from __future__ import annotations

from copilot_server.context.common import common_prefix, common_suffix
from copilot_server.statistics.types import PlainEdit


def minimal_edit(before: str, after: str, start: int = 0) -> PlainEdit:
    """Give the smallest single edit that makes ``after`` of ``before``, which begins at ``start``.

    For editors that send a whole text, or a whole line, where a key has changed one character of it.
    """
    head = common_prefix(before, after)
    tail = common_suffix(before, after, min(len(before), len(after)) - head)
    return PlainEdit(start + head, start + len(before) - tail, after[head : len(after) - tail])


def code_points(text: str, units_utf16: int) -> int:
    """Count the code points that lie whole within the first ``units_utf16`` UTF-16 units of ``text``."""
    units_utf16 = max(0, units_utf16)
    if text.isascii():
        return min(units_utf16, len(text))
    head = text.encode("utf-16-le", "surrogatepass")[: 2 * units_utf16]
    return len(head.decode("utf-16-le", "ignore"))
