"""Stop texts: what ends a generation and is no part of it."""

from __future__ import annotations

from collections.abc import Sequence


def first_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the first of the stop texts begins in ``text``; None where there is none."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return min(places, default=None)
