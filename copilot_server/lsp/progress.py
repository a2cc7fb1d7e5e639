"""What an editor shows while the model loads: work-done progress, or lines in its log."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer


async def report_loading(server: LanguageServer, loading: asyncio.Future[None], title: str) -> None:
    """Show ``title`` until ``loading`` is done, and then how it went.

    Nothing waits for this: an editor that never answers the request for a progress bar only goes without.
    """
    token = await _progress_token(server)
    if token is None:
        _log(server, title)
    else:
        server.work_done_progress.begin(token, types.WorkDoneProgressBegin(title=title))
    await asyncio.wait([loading])
    outcome = "failed" if loading.cancelled() or loading.exception() else "done"
    if token is None:
        _log(server, f"{title}: {outcome}")
    else:
        server.work_done_progress.end(token, types.WorkDoneProgressEnd(message=outcome))


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
