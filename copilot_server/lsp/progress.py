"""What an editor shows while the model loads: work-done progress, or lines in its log."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer


class LoadProgress:
    """How far fetching has come: told by the engine thread, and listened to on the event loop.

    A ``fetch.progress.Progress``. ``quiet``: nobody is told, for it has been tried before.
    """

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self.message = title
        self.quiet = quiet
        self.percent: int | None = None
        self.on_change: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()
        self._done_bytes = self._total_bytes = 0

    def start(self, description: str, total_bytes: int) -> None:
        """Begin something of ``total_bytes``."""
        self._done_bytes, self._total_bytes = 0, total_bytes
        self._tell(description, 0 if total_bytes else None)

    def advance(self, count_bytes: int) -> None:
        """Count more bytes, or fewer."""
        self._done_bytes += count_bytes
        if self._total_bytes:
            self._tell(self.message, min(100, 100 * self._done_bytes // self._total_bytes))

    def note(self, message: str) -> None:
        """Show one thing worth knowing until the next."""
        self._tell(message, self.percent)

    def _tell(self, message: str, percent: int | None) -> None:
        if (message, percent) != (self.message, self.percent):
            self.message, self.percent = message, percent
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server is going down
                self._loop.call_soon_threadsafe(self._changed)

    def _changed(self) -> None:
        for listener in self.on_change:
            listener()


async def report_loading(
    server: LanguageServer, loading: asyncio.Future[None], title: str, progress: LoadProgress
) -> None:
    """Show ``title`` until ``loading`` is done, and then how it went.

    Nothing waits for this: an editor that never answers the request for a progress bar only goes without.
    """
    token = await _progress_token(server)
    if token is None:
        _log(server, title)
    else:
        server.work_done_progress.begin(token, types.WorkDoneProgressBegin(title=title))
        progress.on_change.append(lambda: _report(server, token, progress))
    await asyncio.wait([loading])
    progress.on_change.clear()
    outcome = "failed" if loading.cancelled() or loading.exception() else "done"
    if token is None:
        _log(server, f"{title}: {outcome}")
    else:
        server.work_done_progress.end(token, types.WorkDoneProgressEnd(message=outcome))


def _report(server: LanguageServer, token: str, progress: LoadProgress) -> None:
    step = types.WorkDoneProgressReport(message=progress.message, percentage=progress.percent)
    server.work_done_progress.report(token, step)


async def _progress_token(server: LanguageServer) -> str | None:
    """Ask the editor for a progress bar; None if it has none."""
    window = server.client_capabilities.window
    if window is None or not window.work_done_progress:
        return None
    token = str(uuid.uuid4())
    try:
        await server.work_done_progress.create_async(token)
    except JsonRpcException:
        return None
    return token


def _log(server: LanguageServer, message: str) -> None:
    server.window_log_message(types.LogMessageParams(type=types.MessageType.Info, message=message))
