"""The language server: which message does what."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcRequestCancelled
from pygls.lsp.server import LanguageServer

from copilot_server import __version__
from copilot_server.completion.gate import is_worthwhile
from copilot_server.completion.scheduler import Pipeline, Scheduler, Superseded
from copilot_server.completion.types import Candidate, CompletionRequest, Source
from copilot_server.config import Settings
from copilot_server.context.exclusion import Exclusions
from copilot_server.engine.base import Sampling
from copilot_server.errors import CopilotServerError
from copilot_server.fetch.progress import Progress
from copilot_server.lsp import copilot
from copilot_server.lsp.convert import completion_items
from copilot_server.lsp.messages import (
    CompletionParams,
    InlineCompletionParams,
    SelectedCompletion,
    make_converter,
)
from copilot_server.lsp.outcomes import Outcomes
from copilot_server.lsp.place import Place, inline_items, take_place
from copilot_server.lsp.progress import LoadProgress, report_loading
from copilot_server.lsp.protocol import CopilotProtocol
from copilot_server.lsp.settings import ClientSettings
from copilot_server.lsp.status import DID_CHANGE_STATUS, Status, StatusReporter
from copilot_server.lsp.transport import serve_stdio, serve_tcp

logger = logging.getLogger(__name__)

Transport = Literal["stdio", "tcp", "ws"]
OpenPipeline = Callable[[Settings, Progress], Pipeline]

_SECTION = "copilot-server"
#: A request of our own, for who measures: how many answers came from the model, and how many without it.
STATS = "copilotServer/stats"
#: How long the engine thread may take to notice that all is over.
_GOODBYE_S = 0.5
#: How long after a load that failed a key starts another: what was missing may be there by then.
_RETRY_S = 60.0
#: After how long the status says that the model is at work; most answers come sooner.
_THINKING_S = 0.15
#: Candidates in a panel.
_PANEL_CANDIDATES = 6


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
        self.outcomes = Outcomes()
        self.accept_command = copilot.DID_ACCEPT
        self._open_pipeline = open_pipeline
        self._loaded: Settings | None = None
        self._loading: LoadProgress | None = None
        self._failed_s = 0.0
        self._told: str | None = None
        self._exclusions = Exclusions()
        self._focused: str | None = None
        self._thinking = 0
        self._status = StatusReporter(partial(self.protocol.notify, DID_CHANGE_STATUS))
        self._tasks: set[asyncio.Task[None]] = set()
        _register(self)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` on the loop; asyncio itself would let it go half-way."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Telling the user.

    def show(self, problems: list[str]) -> None:
        """Show each of ``problems`` with the settings to the user."""
        for problem in problems:
            self._show_message(types.MessageType.Warning, f"copilot-server: {problem}")

    def _show_message(self, kind: types.MessageType, message: str) -> None:
        self.window_show_message(types.ShowMessageParams(type=kind, message=message))

    def _tell_failure(self, error: CopilotServerError) -> None:
        """Show what failed; the same failure again is only in the status, or each key would show it."""
        if str(error) != self._told:
            self._told = str(error)
            self._show_message(types.MessageType.Error, f"copilot-server: {error}")
        self.report_status()

    def report_status(self) -> None:
        """Tell the editor how things are, if that has changed."""
        self._status.report(self._current_status())

    def _current_status(self) -> Status:
        settings = self.settings.current
        status = partial(Status, model=settings.model)
        if not settings.enabled:
            return status("off", "Suggestions are off.")
        if self._loading is not None:
            return status("loading", self._loading.message, percent=self._loading.percent)
        if self._told is not None:
            return status("error", self._told)
        if (why := self._why_not(self._focused)) is not None:
            return status("off", why)
        return status("thinking", "Thinking") if self._thinking else status("ready", "Ready")

    # Which model, and where it is wanted.

    def apply_settings(self) -> None:
        """Do what changed settings ask for. A load that failed is tried again: they may have mended it."""
        folders = [folder.uri for folder in self.protocol.workspace.folders.values()]
        self._exclusions = Exclusions(self.settings.current.exclude, folders)
        self.scheduler.debounce.enabled = self.settings.current.debounce == "auto"
        self.load_model(again=True)
        self.report_status()

    def load_model(self, *, again: bool = False) -> None:
        """Load the model that the settings ask for, unless it is loaded or loading, or suggestions are off.

        One that could not be loaded is tried again after a while; at once, if ``again``.
        """
        settings, before = self.settings.current, self._loaded
        if self._has_failed and (again or time.monotonic() - self._failed_s > _RETRY_S):
            before = None
        if not settings.enabled or settings == before:
            return
        self._loaded = settings
        if before is not None and before.loading == settings.loading:
            self.scheduler.configure(settings.completion)
            return
        title = f"Loading {settings.model}"
        self._loading = progress = LoadProgress(title)
        progress.on_change.append(self.report_status)
        loading = self.scheduler.load(partial(self._open_pipeline, settings, progress))
        self.in_background(report_loading(self, loading, title, progress))
        self.in_background(self._follow(loading, progress))
        self.report_status()

    @property
    def _has_failed(self) -> bool:
        return self._loading is None and self.scheduler.failure is not None

    async def _follow(self, loading: asyncio.Future[None], progress: LoadProgress) -> None:
        """Tell how loading ended, unless another load has begun since."""
        await asyncio.wait([loading])
        if self._loading is not progress:
            return
        self._loading = None
        error = None if loading.cancelled() else loading.exception()
        if isinstance(error, CopilotServerError):
            self._failed_s = time.monotonic()
            self._tell_failure(error)
        else:
            self._told = None
            self.report_status()

    def focus(self, uri: str | None) -> None:
        """Take note of which document the user looks at."""
        self._focused = uri
        self.report_status()

    def _why_not(self, uri: str | None) -> str | None:
        """Why nothing is suggested in a document; None if suggestions are welcome."""
        document = None if uri is None else self.protocol.documents.get(uri)
        if document is None:
            return None
        if self._exclusions.excludes(document.uri):
            return "This file is excluded."
        languages = self.settings.current.languages
        if not languages.get(document.language_id, languages.get("*", True)):
            return f"Suggestions are off for {document.language_id}."
        return None

    # Completing.

    def place(self, params: CompletionParams, selected: SelectedCompletion | None = None) -> Place:
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
        self._focused = document.uri
        return take_place(document, params.position, selected, self.protocol.documents.encoding)

    async def suggestions(self, place: Place, *, invoked: bool) -> list[types.InlineCompletionItem]:
        """Give what to show at a place, as ``candidates`` does, as items that say when they are accepted."""
        candidates = await self.candidates(CompletionRequest(place.cursor, invoked), place)
        return self._items(place, candidates[: self.settings.current.completion.candidates if invoked else 1])

    async def many(self, place: Place) -> AsyncIterator[list[types.InlineCompletionItem]]:
        """Give candidates by the panelful: the first as soon as it is there, then others.

        Raises:
            JsonRpcRequestCancelled, JsonRpcException: as ``candidates``.
        """
        seen: set[str] = set()
        completion = self.settings.current.completion
        for n in (1, _PANEL_CANDIDATES - 1):
            sampling = Sampling(
                temperature=completion.temperature if n > 1 else 0.0,
                top_p=completion.top_p if n > 1 else 1.0,
                n=n,
                max_new_tokens=completion.max_new_tokens,
            )
            request = CompletionRequest(place.cursor, invoked=True, sampling=sampling)
            found = [one for one in await self.candidates(request, place) if one.text not in seen]
            seen.update(one.text for one in found)
            yield self._items(place, found)

    async def candidates(self, request: CompletionRequest, place: Place) -> tuple[Candidate, ...]:
        """Give the candidates for a place, best first; none where none are wanted, or there is no model.

        Raises:
            JsonRpcRequestCancelled: a newer request or edit made the answer useless.
            JsonRpcException: this generation failed.
        """
        self.report_status()
        if not self.settings.current.enabled or self._why_not(place.document.uri) is not None:
            return ()
        if not request.invoked and not is_worthwhile(place.cursor):
            return ()
        self.load_model(again=request.invoked)
        with self._shown_thinking():
            candidates = await self._submitted(request)
        now = self.protocol.documents.get(place.document.uri)
        if now is not place.document and (now is None or now.text != place.document.text):
            raise JsonRpcRequestCancelled("The document has changed.")
        return candidates

    async def _submitted(self, request: CompletionRequest) -> tuple[Candidate, ...]:
        try:
            completion = await self.scheduler.submit(request)
        except Superseded:
            raise JsonRpcRequestCancelled("A newer request took this one's place.") from None
        except CopilotServerError as error:
            if self.scheduler.failure is not None:  # told when loading failed
                return ()
            self._tell_failure(error)
            raise JsonRpcException(str(error), code=types.LSPErrorCodes.RequestFailed) from error
        if completion.source == "model" and self._told is not None:
            self._told = None
            self.report_status()
        self.answers[completion.source] += 1
        return completion.candidates

    def _items(self, place: Place, candidates: Sequence[Candidate]) -> list[types.InlineCompletionItem]:
        items = inline_items(place, candidates, self.protocol.documents.encoding)
        for item in items:
            arguments = [self.outcomes.offered()]
            item.command = types.Command(title="", command=self.accept_command, arguments=arguments)
        return items

    @contextlib.contextmanager
    def _shown_thinking(self) -> Iterator[None]:
        """Show that the model is at work, once that takes longer than a status bar should flicker."""
        timer = asyncio.get_running_loop().call_later(_THINKING_S, self._think, 1)
        try:
            yield
        finally:
            if timer.when() > asyncio.get_running_loop().time():
                timer.cancel()
            else:
                self._think(-1)

    def _think(self, more: int) -> None:
        self._thinking += more
        self.report_status()

    def send_partial(self, token: int | str, items: list[types.InlineCompletionItem]) -> None:
        """Send a part of a result for which the editor gave ``token``."""
        value = types.InlineCompletionList(items)
        self.protocol.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))


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
    return _inline_answer(ls, ls.place(params, params.selected), invoked=params.invoked)


async def _inline_answer(ls: CopilotServer, place: Place, *, invoked: bool) -> types.InlineCompletionList:
    return types.InlineCompletionList(await ls.suggestions(place, invoked=invoked))


def _completion(ls: CopilotServer, params: CompletionParams) -> Awaitable[types.CompletionList]:
    return _menu_answer(ls, ls.place(params))


async def _menu_answer(ls: CopilotServer, place: Place) -> types.CompletionList:
    candidates = await ls.candidates(CompletionRequest(place.cursor), place)
    encoding, lines = ls.protocol.documents.encoding, place.document.lines
    items = completion_items(candidates[:1], place.cursor, encoding, lines)
    return types.CompletionList(is_incomplete=True, items=items)


def _stats(ls: CopilotServer, _params: object) -> dict[str, dict[Source, int]]:
    return {"answers": dict(ls.answers)}


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
