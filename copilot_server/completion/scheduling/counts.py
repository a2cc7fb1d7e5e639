"""How many requests a scheduler has received, and what became of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from copilot_server.completion.types import Source


@dataclass(slots=True)
class Counts:
    """Numbers since the start. A request that is counted only in ``requests`` still waits for its answer.

    ``answers``: how many requests were answered, by the source of the answer; "model" for those that waited
    for a generation, even one that began for an older request. ``cancelled_waiting``: requests that the
    editor cancelled or a newer one superseded before the engine began. ``cancelled_running``: the same while
    the engine was generating. ``failed``: requests that ended in an error. ``prefetches``: generations begun
    for a request that nobody had made yet. ``read_ahead``: how often the engine began to read prompts where
    the cursor rested; ``read_ahead_given_up``: how often a key, or another position, ended that early.
    """

    requests: int = 0
    answers: Counter[Source] = field(default_factory=Counter)
    cancelled_waiting: int = 0
    cancelled_running: int = 0
    failed: int = 0
    prefetches: int = 0
    read_ahead: int = 0
    read_ahead_given_up: int = 0

    def cancelled(self, *, running: bool) -> None:
        """Count a cancelled or superseded request; ``running``: the engine was generating for it."""
        if running:
            self.cancelled_running += 1
        else:
            self.cancelled_waiting += 1

    def copy(self) -> Counts:
        """Return the numbers as they are now. Safe to call from any thread."""
        return replace(self, answers=self.answers.copy())
