"""What a replay needs from a server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from benchmarks.bench.corpus import Position


@dataclass(frozen=True, slots=True)
class Answer:
    """A suggestion, which is empty if there is none, and the seconds from the keystroke until it came.

    ``by_model`` is whether the model ran for it, or None if the server does not say.
    """

    text: str
    latency_s: float
    by_model: bool | None = None


class Pending:
    """A request in flight. ``cancel`` cancels it at the server."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self.sent_s = time.perf_counter()
        self.cancel = cancel
        self._done = threading.Event()
        self._text = ""
        self._arrived_s = 0.0
        self._failure: str | None = None

    def settle(self, text: str) -> None:
        """Store the answer. The reader calls this as soon as it has read it."""
        self._arrived_s = time.perf_counter()
        self._text = text
        self._done.set()

    def fail(self, why: str) -> None:
        """Store that there will be no answer."""
        self._failure = why
        self._done.set()

    def wait(self, timeout_s: float | None = None) -> Answer | None:
        """Return the answer, or None if it has not come within ``timeout_s``.

        Raises:
            RuntimeError: the server refused the request or has ended.
        """
        if not self._done.wait(timeout_s):
            return None
        if self._failure is not None:
            raise RuntimeError(self._failure)
        return Answer(self._text, self._arrived_s - self.sent_s)


class Editor(Protocol):
    """A server as an editor uses it, with one document at a time."""

    def open(self, position: Position) -> None:
        """Open a document as it is at ``position``."""
        ...

    def ask(self, position: Position) -> Pending:
        """Send what has been typed since, and request a suggestion at ``position``."""
        ...

    def by_model(self) -> bool | None:
        """Return whether the model ran for the last answer, or None if the server does not say."""
        ...

    def settle(self) -> None:
        """Wait until the server is idle."""
        ...
