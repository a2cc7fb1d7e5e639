"""How far loading a model has come, and how the editor shows it: as progress, or as lines in its log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from copilot_server.lsp.client import Client


class LoadProgress:
    """A ``fetch.progress.Progress`` that the engine thread reports to and the event loop listens to.

    ``quiet``: the user is not shown it, because it repeats an attempt that failed before.
    """

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self.title = self.message = title
        self.quiet = quiet
        self.percent: int | None = None
        self.on_change: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()
        self._done_bytes = self._total_bytes = 0

    def start(self, description: str, total_bytes: int) -> None:
        """Begin something of ``total_bytes``."""
        self._done_bytes, self._total_bytes = 0, total_bytes
        self._update(description, 0 if total_bytes else None)

    def advance(self, count_bytes: int) -> None:
        """Count more bytes; a negative number takes some back."""
        self._done_bytes += count_bytes
        if self._total_bytes:
            self._update(self.message, min(100, 100 * self._done_bytes // self._total_bytes))

    def note(self, message: str) -> None:
        """Show a message until the next one."""
        self._update(message, self.percent)

    def _update(self, message: str, percent: int | None) -> None:
        if (message, percent) != (self.message, self.percent):
            self.message, self.percent = message, percent
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server is ending
                self._loop.call_soon_threadsafe(self._notify)

    def _notify(self) -> None:
        for listener in self.on_change:
            listener()


async def show_loading(client: Client, loading: asyncio.Future[None], progress: LoadProgress) -> None:
    """Show the title and the progress until ``loading`` is done, and then the outcome.

    Nothing waits for this, so that an editor which never answers the request for a progress bar is served.
    """
    bar = await client.create_progress(progress.title)
    if bar is None:
        client.log(progress.title)
    else:
        progress.on_change.append(lambda: bar.report(progress.message, progress.percent))
    await asyncio.wait([loading])
    progress.on_change.clear()
    outcome = "failed" if loading.cancelled() or loading.exception() else "done"
    if bar is None:
        client.log(f"{progress.title}: {outcome}")
    else:
        bar.end(outcome)
