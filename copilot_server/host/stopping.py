"""How much of a text that still grows can be sent, although a stop text may take some of it back."""

from __future__ import annotations

from collections.abc import Sequence


def settled(text: str, stops: Sequence[str]) -> str:
    """Return what no stop text can take back: all but an end with which one of them begins."""
    longest = max((len(stop) for stop in stops), default=1) - 1
    for length in range(min(longest, len(text)), 0, -1):
        if any(len(stop) > length and stop.startswith(text[-length:]) for stop in stops):
            return text[:-length]
    return text
