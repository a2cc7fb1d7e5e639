"""One editor as the server sees it: what it can do, and everything that is sent to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from copilot_server.lsp.status import DID_CHANGE_STATUS, Status
from copilot_server.lsp.wire.protocol import CopilotProtocol
from copilot_server.shown import shown, shown_lines

_SECTION = "copilot-server"


class Client:
    """Messages to one editor. Its capabilities are known once ``initialize`` has come."""

    def __init__(self, protocol: CopilotProtocol) -> None:
        self._protocol = protocol
        self._status: Status | None = None

    # What the editor can do.

    @property
    def position_encoding(self) -> str:
        """The units of a position's column, as negotiated: utf-8, utf-16 or utf-32."""
        return types.PositionEncodingKind(self._protocol.workspace.position_encoding or "utf-16").value

    @property
    def folders(self) -> list[str]:
        """The URIs of the workspace's folders."""
        return [folder.uri for folder in self._protocol.workspace.folders.values()]

    @property
    def shows_inline_completion(self) -> bool:
        """Whether the editor shows ghost text by itself."""
        text_document = self._protocol.client_capabilities.text_document
        return text_document is not None and text_document.inline_completion is not None

    @property
    def shows_progress(self) -> bool:
        """Whether the editor can be asked for a progress bar."""
        window = self._protocol.client_capabilities.window
        return window is not None and bool(window.work_done_progress)

    @property
    def answers_configuration(self) -> bool:
        """Whether the editor can be asked for its settings."""
        workspace = self._protocol.client_capabilities.workspace
        return workspace is not None and bool(workspace.configuration)

    @property
    def watches_files(self) -> bool:
        """Whether the editor can be asked to report files that change on disk."""
        workspace = self._protocol.client_capabilities.workspace
        watched = workspace.did_change_watched_files if workspace else None
        return watched is not None and bool(watched.dynamic_registration)

    # What is sent to it.

    def show_error(self, message: str) -> None:
        """Show an error to the user."""
        self._show(types.MessageType.Error, message)

    def show_warning(self, message: str) -> None:
        """Show a warning to the user."""
        self._show(types.MessageType.Warning, message)

    def _show(self, kind: types.MessageType, message: str) -> None:
        params = types.ShowMessageParams(type=kind, message=f"copilot-server: {shown_lines(message)}")
        self._protocol.notify(types.WINDOW_SHOW_MESSAGE, params)

    def log(self, message: str) -> None:
        """Write a line into the editor's log."""
        params = types.LogMessageParams(type=types.MessageType.Info, message=shown(message))
        self._protocol.notify(types.WINDOW_LOG_MESSAGE, params)

    def report_status(self, status: Status) -> None:
        """Send a status, unless it is the one that was sent last."""
        if status != self._status:
            self._status = status
            self._protocol.notify(DID_CHANGE_STATUS, status.params())

    def send_partial_result(self, token: int | str, value: object) -> None:
        """Send a part of the answer to the request that gave ``token``."""
        self._protocol.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))

    async def configuration(self) -> object:
        """Ask for the editor's settings; None if it has none for this server.

        Raises:
            JsonRpcException: the editor answered with an error.
        """
        wanted = types.ConfigurationParams(items=[types.ConfigurationItem(section=_SECTION)])
        answer = await self._protocol.send_request_async(types.WORKSPACE_CONFIGURATION, wanted)
        return answer[0] if answer else None

    async def watch_files(self, patterns: Sequence[str]) -> None:
        """Ask the editor to report changes of the files that match glob patterns.

        Raises:
            JsonRpcException: the editor answered with an error.
        """
        watchers = [types.FileSystemWatcher(glob_pattern=one) for one in patterns]
        registration = types.Registration(
            id=str(uuid.uuid4()),
            method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
            register_options=types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers),
        )
        wanted = types.RegistrationParams(registrations=[registration])
        await self._protocol.send_request_async(types.CLIENT_REGISTER_CAPABILITY, wanted)

    async def ask(self, question: str, answers: Sequence[str]) -> str | None:
        """Ask the user, and return which of the ``answers`` was chosen; None for anything else."""
        params = types.ShowMessageRequestParams(
            type=types.MessageType.Info,
            message=f"copilot-server: {shown(question)}",
            actions=[types.MessageActionItem(title=one) for one in answers],
        )
        try:
            chosen = await self._protocol.send_request_async(types.WINDOW_SHOW_MESSAGE_REQUEST, params)
        except JsonRpcException:
            return None
        return chosen.title if chosen is not None and chosen.title in answers else None

    async def create_progress(
        self, title: str, on_cancel: Callable[[], None] | None = None
    ) -> ProgressBar | None:
        """Ask for a progress bar and show it; None if the editor has none.

        ``on_cancel``: called on the loop when the user cancels the work; None if that is not possible.
        """
        if not self.shows_progress:
            return None
        token = str(uuid.uuid4())
        try:
            await self._protocol.progress.create_async(token)
        except JsonRpcException:
            return None
        return ProgressBar(self._protocol, token, title, on_cancel)


class ProgressBar:
    """Work-done progress in the editor, from its beginning to its end."""

    def __init__(
        self, protocol: CopilotProtocol, token: str, title: str, on_cancel: Callable[[], None] | None = None
    ) -> None:
        self._progress = protocol.progress
        self._token = token
        if on_cancel is not None:
            # pygls cancels this future when ``window/workDoneProgress/cancel`` comes.
            self._progress.tokens[token].add_done_callback(lambda _cancelled: on_cancel())
        cancellable = on_cancel is not None
        begin = types.WorkDoneProgressBegin(title=shown(title), cancellable=cancellable)
        self._progress.begin(token, begin)

    def report(self, message: str, percent: int | None) -> None:
        """Show how far the work has come."""
        step = types.WorkDoneProgressReport(message=shown(message), percentage=percent)
        self._progress.report(self._token, step)

    def end(self, message: str) -> None:
        """Take the bar away."""
        self._progress.end(self._token, types.WorkDoneProgressEnd(message=message))
        self._progress.tokens.pop(self._token, None)
