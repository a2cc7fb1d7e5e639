"""How a pull tells what it is doing, without knowing who listens."""

from __future__ import annotations

import logging
from typing import Protocol

_log = logging.getLogger(__name__)


class Progress(Protocol):
    """Anything that can show a pull: a bar in a terminal, an editor's work-done progress."""

    def start(self, description: str, total_bytes: int) -> None:
        """Begin something of ``total_bytes``; the counter is at nothing again."""
        ...

    def advance(self, count_bytes: int) -> None:
        """Count more bytes, or fewer (negative) where a source could not go on in the middle."""
        ...

    def note(self, message: str) -> None:
        """Say one thing worth knowing, as that a source cannot be reached."""
        ...


class LoggedProgress:
    """The progress of nobody watching: notes and beginnings go to the log."""

    def start(self, description: str, total_bytes: int) -> None:
        """Log what begins."""
        _log.info("%s (%d bytes)", description, total_bytes)

    def advance(self, count_bytes: int) -> None:
        """Count nothing."""

    def note(self, message: str) -> None:
        """Log the note."""
        _log.info("%s", message)
