"""The start of a session.

``lsp.server`` calls these itself, because what they decide is advertised to the editor.
"""

from __future__ import annotations

import contextlib

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from copilot_server.lsp.session import Session
from copilot_server.workspace.languages import SUFFIXES


def initialize(session: Session, params: types.InitializeParams) -> None:
    """Take the editor's name, its capabilities and its first settings. The protocol makes the answer."""
    editor = params.client_info.name if params.client_info else ""
    session.initialize(params.initialization_options, editor)


def initialized(session: Session, _params: types.InitializedParams) -> None:
    """Show what is wrong with the first settings, and begin to load the model: now the editor listens."""
    session.show_problems()
    session.apply_settings()
    if session.client.watches_files:
        session.background.start(_watch_files(session))


async def _watch_files(session: Session) -> None:
    with contextlib.suppress(JsonRpcException):  # the editor does not, so what it saves itself must do
        await session.client.watch_files([f"**/*{suffix}" for suffix in SUFFIXES])
