"""How a pull reports its progress, without knowing who shows it."""

from __future__ import annotations

import logging
from typing import Protocol

_log = logging.getLogger(__name__)


class Progress(Protocol):
    """Anything that can show a pull: a bar in a terminal, an editor's work-done progress."""

    def start(self, description: str, total_bytes: int) -> None:
        """Begin an operation on ``total_bytes`` bytes; the counter starts again at zero."""
        ...

    def advance(self, count_bytes: int) -> None:
        """Count more bytes, or fewer (negative) where a source could not continue in the middle."""
        ...

    def note(self, message: str) -> None:
        """Report something worth knowing, such as that a source cannot be reached."""
        ...


class LoggedProgress:
    """Progress that nobody watches: operations and notes go to the log."""

    def start(self, description: str, total_bytes: int) -> None:
        """Log what begins."""
        _log.info("%s (%d bytes)", description, total_bytes)

    def advance(self, count_bytes: int) -> None:
        """Count nothing."""

    def note(self, message: str) -> None:
        """Log the note."""
        _log.info("%s", message)
