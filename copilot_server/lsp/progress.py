"""How far loading a model has come, and how the editor shows it: as progress, or as lines in its log."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from copilot_server.errors import ConsentError
from copilot_server.fetch.progress import check_cancelled
from copilot_server.lsp.client import Client, ProgressBar
from copilot_server.lsp.transfer import Transfer


class Stage:
    """A part of a load with a title of its own: fetching or checking bytes, or all the rest.

    All of it is for the event loop.
    """

    def __init__(self, title: str, *, cancellable: bool = False) -> None:
        self.title = title
        self.cancellable = cancellable
        #: Done when the next stage has begun.
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class LoadProgress:
    """A ``fetch.progress.Progress`` that the engine thread reports to and the event loop listens to.

    ``quiet``: the user is not shown it, because it repeats an attempt that failed before.
    """

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self.title = self.message = title
        self.quiet = quiet
        self.percent: int | None = None
        self.on_change: list[Callable[[], None]] = []
        #: Done once the user wants no more bytes; see ``fetch.progress.Cancellable``.
        self.cancelled: Future[None] = Future()
        #: What the editor shows now. For the event loop.
        self.stage = Stage(title)
        self._loop = asyncio.get_running_loop()
        self._transfer: Transfer | None = None

    def cancel(self) -> None:
        """End the fetching; what has arrived is kept. Without effect on the rest of the load."""
        if not self.cancelled.done():
            self.cancelled.set_result(None)

    def start(self, description: str, total_bytes: int) -> None:
        """Begin something of ``total_bytes``, which the user may end."""
        self._transfer = Transfer(description, total_bytes, time.monotonic)
        self._enter(description, cancellable=True)
        self._update(description, 0 if total_bytes else None)

    def advance(self, count_bytes: int) -> None:
        """Count more bytes; a negative number takes some back.

        Raises:
            FetchCancelledError: the user wants no more of them.
        """
        check_cancelled(self)
        if self._transfer is None:
            return
        self._transfer.advance(count_bytes)
        if self._transfer.is_complete:
            self._transfer = None
            self._enter(self.title)
            self._update(self.title, None)
        elif self._transfer.is_news:
            self._update(self._transfer.message, self._transfer.percent)

    def note(self, message: str) -> None:
        """Show a message until the next one."""
        self._update(message, self.percent)

    def _enter(self, title: str, *, cancellable: bool = False) -> None:
        def enter() -> None:
            before, self.stage = self.stage, Stage(title, cancellable=cancellable)
            before.ended.set_result(None)

        self._call(enter)

    def _update(self, message: str, percent: int | None) -> None:
        if (message, percent) != (self.message, self.percent):
            self.message, self.percent = message, percent
            self._call(self._notify)

    def _call(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is ending
            self._loop.call_soon_threadsafe(work)

    def _notify(self) -> None:
        for listener in self.on_change:
            listener()


async def show_loading(client: Client, loading: asyncio.Future[None], progress: LoadProgress) -> None:
    """Show each stage with its progress until ``loading`` is done, and then the outcome.

    Nothing waits for this, so that an editor which never answers the request for a progress bar is served.
    """
    while True:
        stage = progress.stage
        bar = await client.create_progress(stage.title, progress.cancel if stage.cancellable else None)
        if bar is None:
            client.log(stage.title)
        with _reporting(progress, stage, bar):
            await asyncio.wait([loading, stage.ended], return_when=asyncio.FIRST_COMPLETED)
        outcome = _outcome(loading)
        if bar is not None:
            bar.end(outcome)
        elif loading.done():
            client.log(f"{stage.title}: {outcome}")
        if loading.done():
            return


@contextlib.contextmanager
def _reporting(progress: LoadProgress, stage: Stage, bar: ProgressBar | None) -> Iterator[None]:
    """Have the bar show what is reported during its stage."""

    def report() -> None:
        if bar is not None and progress.stage is stage:
            bar.report(progress.message, progress.percent)

    progress.on_change.append(report)
    try:
        yield
    finally:
        progress.on_change.remove(report)


def _outcome(loading: asyncio.Future[None]) -> str:
    """Say how a stage ended: the load goes on, or it is over."""
    if loading.done() and (loading.cancelled() or loading.exception() is not None):
        refused = not loading.cancelled() and isinstance(loading.exception(), ConsentError)
        return "not fetched" if refused else "failed"
    return "done"
