"""The language server: it connects each editor's messages with the handlers of its session, and serves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Mapping
from contextlib import AbstractContextManager
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from copilot_server import __version__
from copilot_server.completion.scheduling.engine_thread import EngineThread
from copilot_server.config import Settings
from copilot_server.lsp.client import Client
from copilot_server.lsp.handlers import (
    completion_menu,
    configuration,
    copilot_account,
    copilot_legacy,
    copilot_panel,
    documents,
    feedback,
    fetching,
    inline_completion,
    lifecycle,
    notebooks,
    snooze,
    statistics,
    why_nothing,
)
from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.loading import OpenPipeline
from copilot_server.lsp.session import COPILOTS_DID_ACCEPT, DID_ACCEPT, Session
from copilot_server.lsp.sessions import Sessions
from copilot_server.lsp.settings import ClientSettings, Trust
from copilot_server.lsp.wire.messages import make_converter
from copilot_server.lsp.wire.protocol import CopilotProtocol
from copilot_server.lsp.wire.transport import Connections, serve_stdio, serve_tcp

if TYPE_CHECKING:
    from copilot_server.completion.engine_pool import EnginePool

Transport = Literal["stdio", "tcp", "ws"]

_HANDLERS: tuple[Handlers, ...] = (
    configuration.HANDLERS,
    documents.HANDLERS,
    notebooks.HANDLERS,
    inline_completion.HANDLERS,
    copilot_account.HANDLERS,
    copilot_panel.HANDLERS,
    copilot_legacy.HANDLERS,
    feedback.HANDLERS,
    fetching.HANDLERS,
    statistics.HANDLERS,
    snooze.HANDLERS,
    why_nothing.HANDLERS,
)
#: What is advertised with a method; pygls advertises nothing for one without options.
_OPTIONS: Mapping[str, object] = {
    types.TEXT_DOCUMENT_INLINE_COMPLETION: types.InlineCompletionOptions(),
    types.TEXT_DOCUMENT_COMPLETION: types.CompletionOptions(),
}


class CopilotServer(LanguageServer):
    """pygls's server for one connection. It owns the session and gives it to the handlers."""

    protocol: CopilotProtocol

    def __init__(
        self,
        settings: Settings,
        flags: Mapping[str, object],
        open_pipeline: OpenPipeline,
        engine_thread: EngineThread | None = None,
        trust: Trust = "parent",
    ) -> None:
        """``engine_thread``: the one that all connections share; by default this one has its own."""
        super().__init__(
            "copilot-server",
            __version__,
            protocol_cls=CopilotProtocol,
            converter_factory=make_converter,
            notebook_document_sync=notebooks.SYNC,
        )
        own = ClientSettings(settings, flags, trust)
        self.session = Session(Client(self.protocol), own, open_pipeline, engine_thread)
        self.protocol.on_failed_notification = self._forget_failed
        self.feature(types.INITIALIZE)(partial(_initialize, self))
        self.feature(types.INITIALIZED)(partial(_initialized, self))
        for handlers in _HANDLERS:
            self.register(handlers)

    def _forget_failed(self, method: str, params: object) -> None:
        documents.forget_failed(self.session, method, params)
        notebooks.forget_failed(self.session, method, params)

    def register(self, handlers: Handlers) -> None:
        """Have ``handlers`` called with the session, and advertise what they offer."""
        for method, handler in handlers.items():
            self.feature(method, _OPTIONS.get(method))(partial(handler, self.session))

    def register_accept_command(self, name: str) -> None:
        """Have the command ``name`` count an accepted suggestion."""

        # Were the parameters of type object, pygls would pass the server before them: it is an object too.
        def accepted(*arguments: str) -> None:
            feedback.did_accept(self.session, arguments)

        if name not in self.protocol.fm.commands:
            self.command(name)(accepted)


def _initialize(server: CopilotServer, params: types.InitializeParams) -> None:
    session = server.session
    lifecycle.initialize(session, params)
    server.register_accept_command(session.accept_command)
    if not session.client.shows_inline_completion:
        server.register(completion_menu.HANDLERS)


def _initialized(server: CopilotServer, params: types.InitializedParams) -> None:
    # The server understands both commands, but has advertised only the one that suits the client.
    for command in (DID_ACCEPT, COPILOTS_DID_ACCEPT):
        server.register_accept_command(command)
    lifecycle.initialized(server.session, params)


def serve(  # noqa: PLR0913 - one argument for each choice of the user
    settings: Settings,
    transport: Transport = "stdio",
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    token: str | None = None,
    keep_alive: bool = False,
    metrics: str | None = None,
    flags: Mapping[str, object] = MappingProxyType({}),
    open_pipeline: OpenPipeline | None = None,
) -> None:
    """Serve the editor on stdio, or every editor that connects, until the last one has left.

    ``settings`` are those of the settings file and the flags. ``flags`` are given once more, by dotted name,
    so that they win over what an editor sets later. ``port``: 0 takes any free one; stderr says which.
    ``token``: what an editor must present over TCP and WebSocket; None lets everyone in, and trusts none.
    ``keep_alive``: go on when the last editor has left, until SIGINT or SIGTERM. ``metrics``: the address to
    serve metrics at (``lsp.metrics.serving``). ``open_pipeline``: how to load a model; by default, sessions
    whose settings name the same model share its engine.

    Raises:
        ConfigError: the address cannot be listened on.
        SystemExit: the last editor disconnected without ``shutdown``, or the process was stopped.
    """
    _silence_pygls()
    engine_thread = EngineThread()
    opener = open_pipeline or _pooled_pipelines()
    trust: Trust = "parent" if transport == "stdio" else "token" if token is not None else "nobody"
    connect = partial(CopilotServer, settings, flags, opener, engine_thread, trust)
    sessions = Sessions(connect, engine_thread, keep_alive=keep_alive)
    with _serving_metrics(sessions, settings, metrics):
        try:
            code = asyncio.run(sessions.run(partial(_serve, transport, host, port, token)))
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
    _exit(code, idle=sessions.join())


def _serve(
    transport: Transport, host: str, port: int, token: str | None, connections: Connections
) -> Coroutine[Any, Any, int]:
    if transport == "stdio":
        return serve_stdio(connections)
    if transport == "tcp":
        return serve_tcp(connections, host, port, token)
    from copilot_server.lsp.wire.websocket import serve_ws  # noqa: PLC0415 - slow to import

    return serve_ws(connections, host, port, token)


def _serving_metrics(
    sessions: Sessions, settings: Settings, address: str | None
) -> AbstractContextManager[None]:
    if address is None:
        return contextlib.nullcontext()
    from copilot_server.lsp.metrics import Metrics, serving  # noqa: PLC0415 - few users want them

    metrics = Metrics(settings)
    sessions.on_open, sessions.on_close = metrics.add, metrics.remove
    return serving(metrics, address)


def _pooled_pipelines() -> OpenPipeline:
    @cache
    def pool() -> EnginePool:
        # Imported on the engine thread, because it takes long.
        from copilot_server.completion.engine_pool import EnginePool  # noqa: PLC0415

        return EnginePool()

    return lambda settings, progress: pool().open_pipeline(settings, progress)


def _silence_pygls() -> None:
    """Keep users' source out of the log: pygls logs whole messages at INFO."""
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        logging.getLogger("pygls").setLevel(logging.WARNING)


def _exit(code: int, *, idle: bool) -> None:
    """End the process, without waiting for an engine thread that is not ``idle``."""
    logging.shutdown()
    if not idle:
        # The engine thread is in an import or a read that nothing can interrupt, and Python would wait for
        # it. The editor has gone and everything is flushed.
        sys.stderr.flush()
        os._exit(code)
    if code:
        sys.exit(code)
