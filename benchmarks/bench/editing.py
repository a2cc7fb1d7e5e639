"""What replays ask of a server, whichever it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from benchmarks.bench.corpus import Place


@dataclass(frozen=True, slots=True)
class Answer:
    """A suggestion, "" for none, and the seconds from the keystroke until it was there.

    ``by_model``: whether a model was asked for it; None where the server does not tell.
    """

    text: str
    latency_s: float
    by_model: bool | None = None


class Pending:
    """A request on its way; ``cancel`` tells the server that nobody waits for it any more."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self.sent_s = time.perf_counter()
        self.cancel = cancel
        self._done = threading.Event()
        self._text = ""
        self._arrived_s = 0.0
        self._failure: str | None = None

    def settle(self, text: str) -> None:
        """The answer has come; called by who reads it, as soon as it is read."""
        self._arrived_s = time.perf_counter()
        self._text = text
        self._done.set()

    def fail(self, why: str) -> None:
        """There will be no answer."""
        self._failure = why
        self._done.set()

    def wait(self, timeout_s: float | None = None) -> Answer | None:
        """The answer, or None if it has not come within ``timeout_s``.

        Raises:
            RuntimeError: the server refused the request or has gone.
        """
        if not self._done.wait(timeout_s):
            return None
        if self._failure is not None:
            raise RuntimeError(self._failure)
        return Answer(self._text, self._arrived_s - self.sent_s)


class Editor(Protocol):
    """A server as an editor uses it: one document at a time."""

    def open(self, place: Place) -> None:
        """Begin with a document as it is at ``place``."""
        ...

    def ask(self, place: Place) -> Pending:
        """Tell what has been typed since, and ask for a suggestion at ``place``."""
        ...

    def by_model(self) -> bool | None:
        """Whether a model was asked for the last answer; None where that is not told."""
        ...

    def settle(self) -> None:
        """Wait until the server does nothing any more."""
        ...
