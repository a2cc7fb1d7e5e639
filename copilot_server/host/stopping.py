"""Stop texts of a request, and how much of a text that still grows can be sent although one may follow."""

from __future__ import annotations

from collections.abc import Sequence

from copilot_server.host.body import Body
from copilot_server.host.refusals import invalid

#: The most stop texts of a request.
MOST_STOPS = 16


def read_stop(body: Body) -> tuple[str, ...]:
    """Return the stop texts of a request.

    Raises:
        RefusedError: they are no texts, too many, or one is empty.
    """
    stop = body.texts("stop", most=MOST_STOPS)
    if "" in stop:
        raise invalid("stop must not be empty.", "stop")
    return stop


def settled(text: str, stops: Sequence[str]) -> str:
    """Return what no stop text can take back: all but an end with which one of them begins."""
    longest = max((len(stop) for stop in stops), default=1) - 1
    for length in range(min(longest, len(text)), 0, -1):
        if any(len(stop) > length and stop.startswith(text[-length:]) for stop in stops):
            return text[:-length]
    return text
