"""The language server: it connects each editor's messages with the handlers of its session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Coroutine, Mapping
from contextlib import AbstractContextManager
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from copilot_server import __version__
from copilot_server.completion.scheduling.scheduler import Pipeline
from copilot_server.config import Settings
from copilot_server.fetch.progress import Progress
from copilot_server.lsp.client import Client
from copilot_server.lsp.handlers import (
    completion_menu,
    configuration,
    copilot_account,
    copilot_legacy,
    copilot_panel,
    documents,
    feedback,
    inline_completion,
    lifecycle,
    statistics,
)
from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.loading import OpenPipeline
from copilot_server.lsp.session import COPILOTS_DID_ACCEPT, DID_ACCEPT, Session
from copilot_server.lsp.wire.messages import make_converter
from copilot_server.lsp.wire.protocol import CopilotProtocol
from copilot_server.lsp.wire.transport import serve_stdio, serve_tcp

Transport = Literal["stdio", "tcp", "ws"]

#: How long the engine thread may take to end when the server ends, in seconds.
_ENGINE_END_S = 0.5
#: How long writing the last statistics to the disk may take, in seconds.
_LAST_WRITE_S = 2.0

_HANDLERS: tuple[Handlers, ...] = (
    configuration.HANDLERS,
    documents.HANDLERS,
    inline_completion.HANDLERS,
    copilot_account.HANDLERS,
    copilot_panel.HANDLERS,
    copilot_legacy.HANDLERS,
    feedback.HANDLERS,
    statistics.HANDLERS,
)
#: What is advertised with a method; pygls advertises nothing for one without options.
_OPTIONS: Mapping[str, object] = {
    types.TEXT_DOCUMENT_INLINE_COMPLETION: types.InlineCompletionOptions(),
    types.TEXT_DOCUMENT_COMPLETION: types.CompletionOptions(),
}


class CopilotServer(LanguageServer):
    """pygls's server for one connection. It owns the session and gives it to the handlers."""

    protocol: CopilotProtocol

    def __init__(self, settings: Settings, flags: Mapping[str, object], open_pipeline: OpenPipeline) -> None:
        super().__init__(
            "copilot-server", __version__, protocol_cls=CopilotProtocol, converter_factory=make_converter
        )
        self.session = Session(Client(self.protocol), settings, flags, open_pipeline)
        self.protocol.on_failed_notification = partial(documents.forget_failed, self.session)
        self.feature(types.INITIALIZE)(partial(_initialize, self))
        self.feature(types.INITIALIZED)(partial(_initialized, self))
        for handlers in _HANDLERS:
            self.register(handlers)

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


def _default_pipeline(settings: Settings, progress: Progress) -> Pipeline:
    # Imported on the engine thread, because it may import torch.
    from copilot_server.completion.pipeline import open_pipeline  # noqa: PLC0415

    return open_pipeline(settings, progress)


def serve(  # noqa: PLR0913 - one argument for each choice of the user
    settings: Settings,
    transport: Transport = "stdio",
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    metrics: str | None = None,
    flags: Mapping[str, object] = MappingProxyType({}),
    open_pipeline: OpenPipeline = _default_pipeline,
) -> None:
    """Serve one editor until it says ``exit`` or disconnects.

    ``settings`` are those of the settings file and the flags. ``flags`` are given once more, by dotted name,
    so that they win over what the editor sets later. ``port``: 0 takes any free one; stderr says which.
    ``metrics``: the address to serve metrics at (``lsp.metrics.serving``).

    Over TCP and WebSocket the first editor to connect is served and the process then ends, as over stdio:
    an editor that comes back starts a new one.

    Raises:
        ConfigError: the address cannot be listened on.
        SystemExit: the editor disconnected without ``shutdown``; the code is 1.
    """
    _silence_pygls()
    server = CopilotServer(settings, flags, open_pipeline)
    with _serving_metrics(server, metrics):
        try:
            code = asyncio.run(_serve(server.protocol, transport, host, port))
        except KeyboardInterrupt:
            code = 130
    server.session.statistics.close(_LAST_WRITE_S)
    _exit(code, idle=server.session.scheduler.close(_ENGINE_END_S))


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
    from copilot_server.lsp.metrics import Metrics, serving  # noqa: PLC0415 - few users want them

    return serving(Metrics(server.session), address)


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
