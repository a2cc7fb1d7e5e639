"""Settings and workspace folders that change while the editor runs."""

from __future__ import annotations

import contextlib

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session


def did_change_configuration(session: Session, params: types.DidChangeConfigurationParams) -> None:
    """Take the settings sent, or ask for them if the editor sends none and can be asked."""
    if params.settings is None and session.client.answers_configuration:
        session.background.start(_pull_configuration(session))
    else:
        session.change_settings(params.settings)


async def _pull_configuration(session: Session) -> None:
    with contextlib.suppress(JsonRpcException):  # the editor cannot say, so nothing has changed
        session.change_settings(await session.client.configuration())


def did_change_workspace_folders(session: Session, _params: types.DidChangeWorkspaceFoldersParams) -> None:
    """Read the exclusions of the folders again. The protocol has updated the folders themselves."""
    session.apply_settings()


HANDLERS: Handlers = {
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: did_change_workspace_folders,
}
