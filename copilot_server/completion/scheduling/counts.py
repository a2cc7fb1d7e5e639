"""How many requests there were, and what has become of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from copilot_server.completion.types import Source


@dataclass(slots=True)
class Counts:
    """Numbers since the start. A request that is in none but the first is still waited for.

    ``requests``: how many were made. ``answers``: how many were answered from where; "model" for those that
    waited for a generation, be it one that was begun for an older request. ``cancelled_waiting``: given up
    by the editor or for a newer request, before the engine was asked. ``cancelled_running``: given up while
    it was at work. ``failed``: those that no model could answer. ``made_ahead``: generations begun for a
    request that nobody had made yet.
    """

    requests: int = 0
    answers: Counter[Source] = field(default_factory=Counter)
    cancelled_waiting: int = 0
    cancelled_running: int = 0
    failed: int = 0
    made_ahead: int = 0

    def cancelled(self, *, running: bool) -> None:
        """Count a request that was given up; ``running``: the engine was at work for it."""
        if running:
            self.cancelled_running += 1
        else:
            self.cancelled_waiting += 1

    def copy(self) -> Counts:
        """Give the numbers as they are now. Safe to call from any thread."""
        return replace(self, answers=self.answers.copy())
