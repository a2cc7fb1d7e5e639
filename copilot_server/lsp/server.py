"""The language server: which message does what."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from cachetools import TTLCache
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from copilot_server import __version__
from copilot_server.completion.scheduling.scheduler import Pipeline, Scheduler
from copilot_server.config import Settings
from copilot_server.context.document import Document
from copilot_server.context.exclusion import Exclusions
from copilot_server.errors import (
    CopilotServerError,
    EngineChangedError,
    EngineError,
    EngineUnavailableError,
)
from copilot_server.fetch.progress import Progress
from copilot_server.lsp import copilot
from copilot_server.lsp.documents import Edit, OpenDocument
from copilot_server.lsp.loading import ModelLoader, OpenPipeline
from copilot_server.lsp.position import Place
from copilot_server.lsp.settings import ClientSettings
from copilot_server.lsp.status import DID_CHANGE_STATUS, Status, StatusReporter
from copilot_server.lsp.suggesting import Suggester
from copilot_server.lsp.wire.messages import CompletionParams, InlineCompletionParams, make_converter
from copilot_server.lsp.wire.protocol import CopilotProtocol
from copilot_server.lsp.wire.transport import serve_stdio, serve_tcp
from copilot_server.statistics.recorder import Statistics
from copilot_server.statistics.text import minimal_edit

logger = logging.getLogger(__name__)

Transport = Literal["stdio", "tcp", "ws"]

_SECTION = "copilot-server"
#: A request of our own, for who measures: what has become of the requests (``completion.counts``).
STATS = "copilotServer/stats"
#: How long the engine thread may take to notice that all is over.
_GOODBYE_S = 0.5
#: How long the disk may take for the last statistics.
_LAST_WRITE_S = 2.0
#: How long it is remembered whether a document is excluded, in seconds: to ask the disk at each key costs
#: more than all else that a key does.
_EXCLUDED_S = 1.0


class CopilotServer(LanguageServer):
    """Serves one editor."""

    protocol: CopilotProtocol

    def __init__(self, settings: Settings, flags: Mapping[str, object], open_pipeline: OpenPipeline) -> None:
        super().__init__(
            "copilot-server", __version__, protocol_cls=CopilotProtocol, converter_factory=make_converter
        )
        self.settings = ClientSettings(settings, flags)
        self.problems: list[str] = []
        self.accept_command = copilot.DID_ACCEPT
        self.scheduler = Scheduler()
        self.scheduler.on_engine_error = self.engine_changed
        self.loader = ModelLoader(self, open_pipeline)
        self.suggester = Suggester(self)
        self.statistics = Statistics(self._text_of)
        self._exclusions = Exclusions()
        self._excluded: TTLCache[str, bool] = TTLCache(64, _EXCLUDED_S)
        self._focused: str | None = None
        #: What has failed, until something works.
        self._failure: str | None = None
        self._status = StatusReporter(partial(self.protocol.notify, DID_CHANGE_STATUS))
        self._tasks: set[asyncio.Task[None]] = set()
        self.protocol.on_open = self._opened
        self.protocol.on_edits = self._edited
        self.protocol.on_close = self.statistics.closed
        _register(self)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` on the loop; asyncio itself would let it go half-way."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def apply_settings(self) -> None:
        """Do what changed settings ask for. A load that failed is tried again: they may have mended it."""
        current = self.settings.current
        folders = [folder.uri for folder in self.protocol.workspace.folders.values()]
        self._exclusions = Exclusions(current.exclude, folders)
        self._excluded.clear()
        self.scheduler.debounce.enabled = current.debounce == "auto"
        self.statistics.configure(enabled=current.statistics)
        self.loader.load(again=True)
        self.report_status()

    # Telling the user.

    def show(self, problems: list[str]) -> None:
        """Show each of ``problems`` with the settings to the user."""
        for problem in problems:
            self._show_message(types.MessageType.Warning, f"copilot-server: {problem}")

    def _show_message(self, kind: types.MessageType, message: str) -> None:
        self.window_show_message(types.ShowMessageParams(type=kind, message=message))

    def failed(self, error: CopilotServerError) -> None:
        """Show what failed; the same once more only in the status, or each key would show it.

        Of an engine elsewhere, which comes and goes by itself, only the status tells.
        """
        if str(error) != self._failure:
            self._failure = str(error)
            if not isinstance(error, EngineUnavailableError):
                self._show_message(types.MessageType.Error, f"copilot-server: {error}")
        self.report_status()

    def engine_changed(self, error: EngineError | None) -> None:
        """Tell how an engine elsewhere is doing; one that serves another model now is asked about it anew."""
        if error is None:
            self.works()
        elif isinstance(error, EngineChangedError):
            self.loader.load_anew()
        else:
            self.failed(error)

    def works(self) -> None:
        """Take note that the model works."""
        self._failure = None
        self.report_status()

    @property
    def model(self) -> str:
        """The model's name: what the settings call it, or what an engine elsewhere says that it serves."""
        current = self.settings.current
        if not current.engine:
            return current.model
        served: str = getattr(self.scheduler.pipeline, "model_id", current.remote.model)
        return served

    def report_status(self) -> None:
        """Tell the editor how things are, if that has changed."""
        self._status.report(self._current_status())

    def _current_status(self) -> Status:
        settings, loading = self.settings.current, self.loader.progress
        status = partial(Status, model=self.model, engine=settings.engine_hosts or None)
        if not settings.enabled:
            return status("off", "Suggestions are off.")
        if loading is not None and not loading.quiet:
            return status("loading", loading.message, percent=loading.percent)
        if self._failure is not None:
            return status("error", self._failure)
        if self._focused is not None and (why := self.why_not(self._focused)) is not None:
            return status("off", why)
        return status("thinking", "Thinking") if self.suggester.thinking else status("ready", "Ready")

    # The documents.

    def focus(self, uri: str | None) -> None:
        """Take note of which document the user looks at."""
        if uri != self._focused:
            self._focused = uri
            self.report_status()

    def why_not(self, uri: str) -> str | None:
        """Why nothing is suggested in a document; None if suggestions are welcome."""
        document = self.protocol.documents.get(uri)
        if document is None:
            return None
        if self._is_excluded(document.uri):
            return "This file is excluded."
        languages = self.settings.current.languages
        if not languages.get(document.language_id, languages.get("*", True)):
            return f"Suggestions are off for {document.language_id}."
        return None

    def _is_excluded(self, uri: str) -> bool:
        found = self._excluded.get(uri)
        if found is None:
            self._excluded[uri] = found = self._exclusions.excludes(uri)
        return found

    def _text_of(self, uri: str) -> str | None:
        document = self.protocol.documents.get(uri)
        return document.text if document else None

    def _opened(self, document: OpenDocument) -> None:
        if self.settings.current.enabled and self.why_not(document.uri) is None:
            self.scheduler.prepare(Document(document.uri, document.language_id, document.text))

    def _edited(self, before: OpenDocument, after: OpenDocument, edits: Sequence[Edit]) -> None:
        """Follow in the statistics what was edited; a whole text, if one was sent, by what it changes."""
        is_whole = any(edit.end - edit.start == len(before.text) for edit in edits)
        self.statistics.changed(after.uri, (minimal_edit(before.text, after.text),) if is_whole else edits)


def _register(server: CopilotServer) -> None:
    server.feature(types.INITIALIZE)(_initialize)
    server.feature(types.INITIALIZED)(_initialized)
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(_did_change_configuration)
    options = types.InlineCompletionOptions()  # without any, pygls advertises nothing
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, options)(_inline_completion)
    server.feature(STATS)(_stats)
    server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(_folders_changed)
    copilot.register(server)


def _initialize(ls: CopilotServer, params: types.InitializeParams) -> None:
    ls.problems = ls.settings.initialize(params.initialization_options)
    ls.statistics.configure(enabled=False, editor=params.client_info.name if params.client_info else "")
    ls.accept_command = copilot.accept_command(params.initialization_options)
    ls.command(ls.accept_command)(copilot.did_accept(ls))
    text_document = params.capabilities.text_document
    if text_document is None or text_document.inline_completion is None:
        # An editor that shows inline completions would show each suggestion twice.
        ls.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())(_completion)


def _initialized(ls: CopilotServer, _params: types.InitializedParams) -> None:
    # What has been advertised is told apart by client; what is understood is not.
    for command in {copilot.DID_ACCEPT, copilot.COPILOTS_DID_ACCEPT} - {ls.accept_command}:
        ls.command(command)(copilot.did_accept(ls))
    ls.show(ls.problems)
    ls.apply_settings()


def _folders_changed(ls: CopilotServer, _params: types.DidChangeWorkspaceFoldersParams) -> None:
    ls.apply_settings()


def _did_change_configuration(ls: CopilotServer, params: types.DidChangeConfigurationParams) -> None:
    workspace = ls.client_capabilities.workspace
    if params.settings is None and workspace is not None and workspace.configuration:
        ls.in_background(_pull_configuration(ls))
    else:
        _change_settings(ls, params.settings)


async def _pull_configuration(ls: CopilotServer) -> None:
    wanted = types.ConfigurationParams(items=[types.ConfigurationItem(section=_SECTION)])
    with contextlib.suppress(JsonRpcException):  # the editor cannot say, so nothing has changed
        answer = await ls.workspace_configuration_async(wanted)
        _change_settings(ls, answer[0] if answer else None)


def _change_settings(ls: CopilotServer, options: object) -> None:
    ls.show(ls.settings.change(options))
    ls.apply_settings()


# Both take their place before they return what is awaited: the messages that follow must not move it.


def _inline_completion(
    ls: CopilotServer, params: InlineCompletionParams
) -> Awaitable[types.InlineCompletionList]:
    return _inline_answer(ls, ls.suggester.place(params, params.selected), invoked=params.invoked)


async def _inline_answer(ls: CopilotServer, place: Place, *, invoked: bool) -> types.InlineCompletionList:
    return types.InlineCompletionList(await ls.suggester.inline(place, invoked=invoked))


def _completion(ls: CopilotServer, params: CompletionParams) -> Awaitable[types.CompletionList]:
    return _menu_answer(ls, ls.suggester.place(params))


async def _menu_answer(ls: CopilotServer, place: Place) -> types.CompletionList:
    return types.CompletionList(is_incomplete=True, items=await ls.suggester.menu(place))


def _stats(ls: CopilotServer, _params: object) -> dict[str, object]:
    counts = ls.scheduler.counts
    return {
        "requests": counts.requests,
        "answers": dict(counts.answers),
        "cancelledWaiting": counts.cancelled_waiting,
        "cancelledRunning": counts.cancelled_running,
        "failed": counts.failed,
        "madeAhead": counts.prefetches,
    }


def _default_pipeline(settings: Settings, progress: Progress) -> Pipeline:
    # On the engine thread, for this imports torch.
    from copilot_server.completion.pipeline import open_pipeline  # noqa: PLC0415

    return open_pipeline(settings, progress)


def serve(  # noqa: PLR0913 - one argument a choice of the user's
    settings: Settings,
    transport: Transport = "stdio",
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    metrics: str | None = None,
    flags: Mapping[str, object] = MappingProxyType({}),
    open_pipeline: OpenPipeline = _default_pipeline,
) -> None:
    """Serve one editor until it says ``exit`` or goes; ``port`` 0 is any free one, told on stderr.

    ``settings`` are those of the file and the flags. ``flags`` are given once more, by dotted name, so that
    they win over what the editor sets later. ``metrics``: where to serve them (``lsp.metrics.serving``).

    Over TCP and WebSocket the first editor to connect is served and the process then ends, as over stdio:
    an editor that comes back starts a new one.

    Raises:
        ConfigError: the address cannot be had.
        SystemExit: the editor went without ``shutdown``, code 1.
    """
    _hush_libraries()
    server = CopilotServer(settings, flags, open_pipeline)
    with _serving_metrics(server, metrics):
        try:
            code = asyncio.run(_serve(server.protocol, transport, host, port))
        except KeyboardInterrupt:
            code = 130
    server.statistics.close(_LAST_WRITE_S)
    _leave(code, idle=server.scheduler.close(_GOODBYE_S))


def _serve(protocol: CopilotProtocol, transport: Transport, host: str, port: int) -> Coroutine[Any, Any, int]:
    if transport == "stdio":
        return serve_stdio(protocol)
    if transport == "tcp":
        return serve_tcp(protocol, host, port)
    from copilot_server.lsp.wire.websocket import serve_ws  # noqa: PLC0415 - slow to import

    return serve_ws(protocol, host, port)


def _serving_metrics(server: CopilotServer, address: str | None) -> AbstractContextManager[None]:
    if address is None:
        return contextlib.nullcontext()
    from copilot_server.lsp.metrics import Metrics, serving  # noqa: PLC0415 - few want it

    return serving(Metrics(server), address)


def _hush_libraries() -> None:
    """Keep users' source out of the log: at INFO pygls prints whole messages."""
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        logging.getLogger("pygls").setLevel(logging.WARNING)


def _leave(code: int, *, idle: bool) -> None:
    logging.shutdown()
    if not idle:
        # The engine thread is in an import or a read that nothing can interrupt, and Python waits for its
        # threads. The editor has gone, everything is flushed, and nobody should wait for a model now.
        sys.stderr.flush()
        os._exit(code)
    if code:
        sys.exit(code)
