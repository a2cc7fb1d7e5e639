"""How a pull reports its progress, without knowing who shows it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from threading import Thread
from typing import Any, Protocol, TypeVar, runtime_checkable

from copilot_server.errors import FetchCancelledError

_log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


class Progress(Protocol):
    """Anything that can show a pull: a bar in a terminal, an editor's work-done progress."""

    def start(self, description: str, total_bytes: int) -> None:
        """Begin an operation on ``total_bytes`` bytes; the counter starts again at zero."""
        ...

    def advance(self, count_bytes: int) -> None:
        """Count more bytes, or fewer (negative) where a source could not continue in the middle.

        The first call after ``start`` counts what was here before.

        Raises:
            FetchCancelledError: the user wants no more of them.
        """
        ...

    def note(self, message: str) -> None:
        """Report something worth knowing, such as that a source cannot be reached."""
        ...


@runtime_checkable
class Cancellable(Protocol):
    """A ``Progress`` whose watcher may end the pull.

    ``cancelled``: done once the watcher has.
    """

    cancelled: Future[None]


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


def in_thread(work: Callable[[], _Answer], name: str) -> Future[_Answer]:
    """Call ``work`` in a thread of its own, and return its answer to be.

    The thread is a daemon: an executor's would delay the interpreter's exit until ``work`` has ended.
    """
    answer: Future[_Answer] = Future()

    def call() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 - for the thread that waits
            answer.set_exception(error)

    Thread(target=call, name=name, daemon=True).start()
    return answer


def unless_cancelled(work: Callable[[], _Answer], progress: Progress) -> _Answer:
    """Call ``work``, which may block, and return its answer; at once if the watcher ends the pull meanwhile.

    ``work`` goes on in its thread then, until it notices by itself that nobody wants its answer.

    Raises:
        FetchCancelledError: the watcher of ``progress`` has ended the pull.
        Exception: the exception that ``work`` raised.
    """
    if not isinstance(progress, Cancellable):
        return work()
    answer = in_thread(work, "fetch")
    either: list[Future[Any]] = [answer, progress.cancelled]
    wait(either, return_when=FIRST_COMPLETED)
    check_cancelled(progress)
    return answer.result()


def check_cancelled(progress: Progress) -> None:
    """Check that the pull is still wanted.

    Raises:
        FetchCancelledError: the watcher has ended it.
    """
    if isinstance(progress, Cancellable) and progress.cancelled.done():
        raise FetchCancelledError(
            "The download was cancelled.", remedy="The next one continues where it stopped."
        )
