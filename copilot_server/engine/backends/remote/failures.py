"""What can go wrong with one request to an engine, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Unanswered(Exception):  # noqa: N818 - becomes an error for people only where nobody tries again
    """An engine gave no whole answer.

    ``trouble``: what is wrong, as a clause about the engine: "refuses connections".
    ``remedy``: what the user can do; empty where waiting is all.
    ``is_down``: it cannot be used at all, so that one failure opens the circuit. ``is_unreachable``: nor can
    it be asked how it is, so that it is well once it can.
    ``may_repeat``: asking again, here or elsewhere, adds no load that the engine has shown not to bear.
    ``wait_s``: how long the engine asks to be left alone, in seconds.
    """

    trouble: str
    remedy: str = ""
    is_down: bool = False
    is_unreachable: bool = False
    may_repeat: bool = False
    wait_s: float = 0.0

    def __str__(self) -> str:
        return self.trouble


class Refused(Unanswered):
    """The request itself is not accepted: the same one would fail again, and others may not."""


def rubbish(what: str) -> Unanswered:
    """The failure of an engine, or of something before it, that answers with what is no completion."""
    return Unanswered(f"answers with what is no completion ({what})")
