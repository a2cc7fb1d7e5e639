"""What can go wrong with one request to an engine, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Unanswered(Exception):  # noqa: N818 - the user sees it only if no one tries again
    """An engine gave no complete answer.

    ``problem``: what is wrong, as a predicate whose subject is the engine: "refuses connections".
    ``remedy``: what the user can do; empty if there is nothing to do but wait.
    ``is_down``: the engine cannot be used at all, so that one failure opens the circuit. ``is_unreachable``:
    its health cannot be checked either, so that it counts as working as soon as it can be.
    ``may_repeat``: the failure was no sign of overload, so that asking this or another engine again is
    harmless.
    ``wait_s``: for how many seconds the engine asks for no requests.
    """

    problem: str
    remedy: str = ""
    is_down: bool = False
    is_unreachable: bool = False
    may_repeat: bool = False
    wait_s: float = 0.0

    def __str__(self) -> str:
        return self.problem


class Refused(Unanswered):
    """The request itself is not accepted: it would fail again, while others may succeed."""


def malformed(what: str) -> Unanswered:
    """The failure of an engine, or of a proxy before it, whose answer is not a completion."""
    return Unanswered(f"answers with something other than a completion ({what})")
