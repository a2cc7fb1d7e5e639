"""Stop texts, which end a generation and are not part of it."""

from __future__ import annotations

from collections.abc import Sequence


def first_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the first of the stop texts begins in ``text``; None where there is none."""
    return min((index for stop in stops if (index := text.find(stop)) >= 0), default=None)
