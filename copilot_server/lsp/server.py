"""The language server: which message does what."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcRequestCancelled
from pygls.lsp.server import LanguageServer

from copilot_server import __version__
from copilot_server.completion.scheduler import Pipeline, Scheduler, Superseded
from copilot_server.completion.types import Candidate, CompletionRequest, Source
from copilot_server.config import Settings
from copilot_server.context.document import Cursor
from copilot_server.errors import CopilotServerError
from copilot_server.lsp.convert import completion_items, inline_items
from copilot_server.lsp.documents import OpenDocument
from copilot_server.lsp.messages import CompletionParams, InlineCompletionParams, make_converter
from copilot_server.lsp.progress import report_loading
from copilot_server.lsp.protocol import CopilotProtocol
from copilot_server.lsp.settings import ClientSettings
from copilot_server.lsp.transport import serve_stdio, serve_tcp

logger = logging.getLogger(__name__)

Transport = Literal["stdio", "tcp", "ws"]
OpenPipeline = Callable[[Settings], Pipeline]

_SECTION = "copilot-server"
#: A request of our own, for who measures: how many answers came from the model, and how many without it.
STATS = "copilotServer/stats"
#: How long the engine thread may take to notice that all is over.
_GOODBYE_S = 0.5


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a request wants a completion: the document as it was then."""

    document: OpenDocument
    cursor: Cursor


class CopilotServer(LanguageServer):
    """Serves one editor."""

    protocol: CopilotProtocol

    def __init__(self, settings: Settings, flags: Mapping[str, object], open_pipeline: OpenPipeline) -> None:
        super().__init__(
            "copilot-server", __version__, protocol_cls=CopilotProtocol, converter_factory=make_converter
        )
        self.scheduler = Scheduler()
        self.settings = ClientSettings(settings, flags)
        self.problems: list[str] = []
        #: How many requests were answered from where.
        self.answers: Counter[Source] = Counter()
        self._open_pipeline = open_pipeline
        self._loaded: Settings | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        _register(self)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` on the loop; asyncio itself would let it go half-way."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def show(self, problems: list[str]) -> None:
        """Show each of ``problems`` with the settings to the user."""
        for problem in problems:
            self._show_message(types.MessageType.Warning, f"copilot-server: {problem}")

    def load_model(self) -> None:
        """Load the model that the settings ask for, unless it is loaded, or suggestions are off."""
        settings, before = self.settings.current, self._loaded
        if not settings.enabled or settings == before:
            return
        self._loaded = settings
        if before is not None and before.loading == settings.loading:
            self.scheduler.configure(settings.completion)
            return
        loading = self.scheduler.load(partial(self._open_pipeline, settings))
        self.in_background(report_loading(self, loading, f"Loading {settings.model}"))
        self.in_background(self._report_failure(loading))

    def reload_after_change(self) -> None:
        """Load what changed settings ask for; one that failed is tried again, for they may have mended it."""
        if self.scheduler.failure is not None:
            self._loaded = None
        self.load_model()

    async def _report_failure(self, loading: asyncio.Future[None]) -> None:
        try:
            await loading
        except CopilotServerError as error:
            self._show_message(types.MessageType.Error, f"copilot-server: {error}")

    def _show_message(self, kind: types.MessageType, message: str) -> None:
        self.window_show_message(types.ShowMessageParams(type=kind, message=message))

    def place(self, params: CompletionParams) -> _Place:
        """Take the document and the cursor of a request as they are now.

        Raises:
            JsonRpcInvalidParams: the document is not open.
            JsonRpcRequestCancelled: the request was made for an older version than is open.
        """
        document = self.protocol.documents.get(params.text_document.uri)
        if document is None:
            raise JsonRpcInvalidParams(f"The document {params.text_document.uri} is not open.")
        version = params.text_document.version
        if version is not None and version < document.version:
            raise JsonRpcRequestCancelled("The document has changed.")
        return _Place(document, document.cursor_at(params.position, self.protocol.documents.encoding))

    async def complete(self, place: _Place, *, invoked: bool) -> tuple[Candidate, ...]:
        """Give the candidates for a place, best first; none while suggestions are off or have no model.

        Raises:
            JsonRpcRequestCancelled: a newer request or edit made the answer useless.
            JsonRpcException: this generation failed.
        """
        if not self.settings.current.enabled:
            return ()
        self.load_model()
        candidates = await self._submitted(CompletionRequest(place.cursor, invoked))
        now = self.protocol.documents.get(place.document.uri)
        if now is not place.document and (now is None or now.text != place.document.text):
            raise JsonRpcRequestCancelled("The document has changed.")
        return candidates[: self.settings.current.completion.candidates if invoked else 1]

    async def _submitted(self, request: CompletionRequest) -> tuple[Candidate, ...]:
        try:
            completion = await self.scheduler.submit(request)
        except Superseded:
            raise JsonRpcRequestCancelled("A newer request took this one's place.") from None
        except CopilotServerError as error:
            if self.scheduler.failure is not None:  # told once, when loading failed
                return ()
            raise JsonRpcException(str(error), code=types.LSPErrorCodes.RequestFailed) from error
        self.answers[completion.source] += 1
        return completion.candidates


def _register(server: CopilotServer) -> None:
    server.feature(types.INITIALIZE)(_initialize)
    server.feature(types.INITIALIZED)(_initialized)
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(_did_change_configuration)
    options = types.InlineCompletionOptions()  # without any, pygls advertises nothing
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, options)(_inline_completion)
    server.feature(STATS)(_stats)


def _initialize(ls: CopilotServer, params: types.InitializeParams) -> None:
    ls.problems = ls.settings.initialize(params.initialization_options)
    text_document = params.capabilities.text_document
    if text_document is None or text_document.inline_completion is None:
        # An editor that shows inline completions would show each suggestion twice.
        ls.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())(_completion)


def _initialized(ls: CopilotServer, _params: types.InitializedParams) -> None:
    ls.show(ls.problems)
    ls.load_model()


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
    ls.reload_after_change()


# Both take their place before they return what is awaited: the messages that follow must not move it.


def _inline_completion(
    ls: CopilotServer, params: InlineCompletionParams
) -> Awaitable[types.InlineCompletionList]:
    return _inline_answer(ls, ls.place(params), invoked=params.invoked)


async def _inline_answer(ls: CopilotServer, place: _Place, *, invoked: bool) -> types.InlineCompletionList:
    candidates = await ls.complete(place, invoked=invoked)
    return types.InlineCompletionList(inline_items(candidates, place.cursor, ls.protocol.documents.encoding))


def _completion(ls: CopilotServer, params: CompletionParams) -> Awaitable[types.CompletionList]:
    return _menu_answer(ls, ls.place(params))


async def _menu_answer(ls: CopilotServer, place: _Place) -> types.CompletionList:
    candidates = await ls.complete(place, invoked=False)
    items = completion_items(candidates, place.cursor, ls.protocol.documents.encoding)
    return types.CompletionList(is_incomplete=True, items=items)


def _stats(ls: CopilotServer, _params: object) -> dict[str, dict[Source, int]]:
    return {"answers": dict(ls.answers)}


def _default_pipeline(settings: Settings) -> Pipeline:
    # On the engine thread, for this imports torch.
    from copilot_server.completion.pipeline import open_pipeline  # noqa: PLC0415

    return open_pipeline(settings)


def serve(  # noqa: PLR0913 - one argument a choice of the user's
    settings: Settings,
    transport: Transport = "stdio",
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    flags: Mapping[str, object] = MappingProxyType({}),
    open_pipeline: OpenPipeline = _default_pipeline,
) -> None:
    """Serve one editor until it says ``exit`` or goes; ``port`` 0 is any free one, told on stderr.

    ``settings`` are those of the file and the flags. ``flags`` are given once more, by dotted name, so that
    they win over what the editor sets later.

    Over TCP and WebSocket the first editor to connect is served and the process then ends, as over stdio:
    an editor that comes back starts a new one.

    Raises:
        ConfigError: the address cannot be had.
        SystemExit: the editor went without ``shutdown``, code 1.
    """
    _hush_libraries()
    server = CopilotServer(settings, flags, open_pipeline)
    try:
        code = asyncio.run(_serve(server.protocol, transport, host, port))
    except KeyboardInterrupt:
        code = 130
    _leave(code, idle=server.scheduler.close(_GOODBYE_S))


def _serve(protocol: CopilotProtocol, transport: Transport, host: str, port: int) -> Coroutine[Any, Any, int]:
    if transport == "stdio":
        return serve_stdio(protocol)
    if transport == "tcp":
        return serve_tcp(protocol, host, port)
    from copilot_server.lsp.websocket import serve_ws  # noqa: PLC0415 - slow to import

    return serve_ws(protocol, host, port)


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
